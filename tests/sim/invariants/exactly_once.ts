/**
 * A request changes state once: under its session and sequence, under its idempotency key for as long as
 * that is remembered, and as what it is (each value that the simulator's clients set is set once).
 *
 * Looks at each index once, where it is applied first: that the others come to the same is state machine
 * safety.
 *
 * @module
 */
import { Broken, type Invariant } from "./invariant.ts";
import type { ReplicaLife } from "../../../actors/replica_types.ts";
import { CommandKind, commandKind } from "../../../kv/command.ts";
import { decodeWrite } from "../../../kv/command_decoder.ts";
import { IDEMPOTENCY_TTL_MS } from "../../../kv/limits.ts";
import type { Applied } from "../../../kv/store.ts";
import { ValueEncoding } from "../../../kv/types.ts";
import { type Entry, EntryKind } from "../../../raft/types.ts";
import type { Machine } from "../machine.ts";

const DECODER = new TextDecoder();

export class ExactlyOnce implements Invariant {
  readonly name = "exactly-once";
  #appliedIndex = 0;
  /** By what names a request: the index at which it changed the state. */
  readonly #changed = new Map<string, number>();
  /** By idempotency key: the stamp of that entry, in ms. */
  readonly #stamps = new Map<string, number>();

  applied(_machine: Machine, _life: ReplicaLife, entry: Entry, applied: Applied): void {
    const { index, kind, data, timeMs } = entry;
    if (index <= this.#appliedIndex) return;
    this.#appliedIndex = index;
    const { result, session, sequence } = applied;
    if (kind !== EntryKind.Command || commandKind(data) !== CommandKind.AtomicWrite) return;
    if (result.status !== "applied" || result.versionstamp.index !== index) return;
    this.#once(`session ${session.toString(16)} sequence ${sequence}`, index);
    const { idempotencyKey, mutations } = decodeWrite(data);
    if (idempotencyKey !== null) {
      const before = this.#stamps.get(idempotencyKey);
      this.#stamps.set(idempotencyKey, timeMs);
      if (before !== undefined && before + IDEMPOTENCY_TTL_MS <= timeMs) return;
    }
    for (const mutation of mutations) {
      if (mutation.type !== "set" || mutation.value.encoding !== ValueEncoding.Bytes) continue;
      this.#once(`value ${labelOf(mutation.value.data)} of ${mutation.key}`, index);
    }
  }

  #once(what: string, index: number): void {
    const before = this.#changed.get(what);
    if (before !== undefined) throw new Broken(`${what} was applied at ${before} and at ${index}`);
    this.#changed.set(what, index);
  }
}

const PADDING = ".".charCodeAt(0);

/** What tells a client's values apart: all but the dots that some end in. */
function labelOf(value: Uint8Array): string {
  let end = value.length;
  while (end > 0 && value[end - 1] === PADDING) end--;
  return DECODER.decode(value.subarray(0, end));
}
