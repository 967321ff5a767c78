/**
 * What a client was told is so: an acknowledged write is the committed entry that its versionstamp names,
 * and nobody is told before it is committed.
 *
 * @module
 */
import type { Ledger } from "../ledger.ts";
import { Broken } from "./invariant.ts";
import { decodeWrite } from "../../../kv/command_decoder.ts";
import type { AtomicWrite } from "../../../kv/types.ts";

export class Acknowledged {
  readonly name = "acknowledged";
  readonly #ledger: Ledger;

  constructor(ledger: Ledger) {
    this.#ledger = ledger;
  }

  /** A client is told that `write` was applied as entry `index`. */
  told(write: AtomicWrite, index: number): void {
    const { commitIndex, entries } = this.#ledger;
    if (index > commitIndex) {
      throw new Broken(`a write was acknowledged at ${index}, committed is ${commitIndex}`);
    }
    const found = decodeWrite(entries[index]!.data);
    if (textOf(found) === textOf(write)) return;
    throw new Broken(`a write was acknowledged at ${index}, where another one stands`);
  }
}

function textOf({ mutations, idempotencyKey }: AtomicWrite): string {
  const parts = mutations.map((it) =>
    it.type === "delete" ? `${it.key} delete` : `${it.key} ${it.type} ${it.value.data}`
  );
  return `${idempotencyKey} ${parts.join("; ")}`;
}
