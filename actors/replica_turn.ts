/**
 * What one turn of a replica owes: the durable batch that its steps add up to, and the messages that
 * must wait for it.
 *
 * Not here: deciding anything. The core decides; this merges and holds.
 *
 * @module
 */
import type { Effect } from "../raft/effect.ts";
import type { Message } from "../raft/message.ts";
import { mergePersists } from "../raft/persist.ts";
import type { NodeId } from "../raft/types.ts";
import type { LogBatch } from "../storage/types.ts";

type Persist = Extract<Effect, { type: "persist" }>;

const NOTHING: LogBatch = { hardState: null, truncateFrom: null, entries: [] };

export class Turn {
  #persists: Persist[] = [];
  #held: { to: NodeId; message: Message }[] = [];
  /** Whether the core declared the log repaired in this turn. */
  repaired = false;

  /** Whether anything must be made durable. */
  get isDirty(): boolean {
    return this.#persists.length > 0 || this.repaired;
  }

  /** Whether all that must be made durable is new entries, and no message waits for that. */
  get isAppendOnly(): boolean {
    return this.#held.length === 0 && !this.repaired &&
      this.#persists.every((effect) => effect.truncateFrom === null);
  }

  persist(effect: Persist): void {
    this.#persists.push(effect);
  }

  /** Keeps a message until the batch is durable. */
  hold(to: NodeId, message: Message): void {
    this.#held.push({ to, message });
  }

  /** Takes everything to be made durable, as one batch, which is then no longer this turn's debt. */
  takeBatch(): LogBatch {
    const batch = mergePersists(this.#persists) ?? NOTHING;
    this.#persists = [];
    return batch;
  }

  /** Takes the messages that waited, in order. */
  takeHeld(): { to: NodeId; message: Message }[] {
    const held = this.#held;
    this.#held = [];
    return held;
  }
}
