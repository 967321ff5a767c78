/**
 * What a client was told is so: an acknowledged write is the committed entry that its versionstamp names,
 * and nobody is told before it is committed.
 *
 * @module
 */
import { type Ledger, sameBytes } from "../ledger.ts";
import { Broken } from "./invariant.ts";
import { decodeWrite } from "../../../kv/command_decoder.ts";
import type { AtomicWrite, Mutation } from "../../../kv/types.ts";

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
    if (isSameWrite(found, write)) return;
    throw new Broken(`a write was acknowledged at ${index}, where another one stands`);
  }
}

/** Whether both do the same to the same keys, under the same idempotency key. */
function isSameWrite(a: AtomicWrite, b: AtomicWrite): boolean {
  return a.idempotencyKey === b.idempotencyKey && a.mutations.length === b.mutations.length &&
    a.mutations.every((mutation, at) => isSameMutation(mutation, b.mutations[at]!));
}

function isSameMutation(a: Mutation, b: Mutation): boolean {
  if (a.key !== b.key || a.type !== b.type) return false;
  if (a.type === "delete" || b.type === "delete") return true;
  return sameBytes(a.value.data, b.value.data);
}
