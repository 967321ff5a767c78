/**
 * What one turn of a replica owes: the durable batch that its steps add up to, and the messages that
 * must wait for it.
 *
 * Not here: deciding anything. The core decides; this merges and holds.
 *
 * @module
 */
import type { Effect } from "../raft/effect.ts";
import type { Entry, HardState, LogIndex, NodeId } from "../raft/types.ts";
import type { Message } from "../raft/message.ts";
import type { LogBatch } from "../storage/types.ts";

type Persist = Extract<Effect, { type: "persist" }>;

/** Merges the persist effects of one turn, in order, into one batch. */
export class Turn {
  #hardState: HardState | null = null;
  #truncateFrom: LogIndex | null = null;
  #entries: readonly Entry[] = [];
  /** True while `#entries` is an array of the core's, shared for its remembered encoding. */
  #shared = true;
  #held: { to: NodeId; message: Message }[] = [];
  #repaired = false;

  /** The repaired effect was among this turn's. */
  get repaired(): boolean {
    return this.#repaired;
  }

  set repaired(value: boolean) {
    this.#repaired = value;
  }

  /** Whether anything must be made durable. */
  get isDirty(): boolean {
    return this.#hardState !== null || this.#truncateFrom !== null || this.#entries.length > 0;
  }

  /** The last of the entries to be appended, if any. */
  get lastEntry(): Entry | undefined {
    return this.#entries[this.#entries.length - 1];
  }

  persist(effect: Persist): void {
    if (effect.hardState !== null) this.#hardState = effect.hardState;
    if (effect.truncateFrom !== null) this.#truncate(effect.truncateFrom);
    if (effect.entries.length === 0) return;
    if (this.#entries.length === 0) {
      this.#entries = effect.entries;
      this.#shared = true;
      return;
    }
    const own = this.#shared ? this.#entries.slice() : this.#entries as Entry[];
    for (const entry of effect.entries) own.push(entry);
    this.#entries = own;
    this.#shared = false;
  }

  /** Keeps a message until the batch is durable. */
  hold(to: NodeId, message: Message): void {
    this.#held.push({ to, message });
  }

  /** Takes the batch, which is then no longer this turn's debt. */
  takeBatch(): LogBatch {
    const first = this.#entries[0];
    const from = this.#truncateFrom;
    const batch = {
      hardState: this.#hardState,
      // A truncation behind the first new entry took back entries that never reached the disk.
      truncateFrom: from !== null && first !== undefined && from > first.index ? null : from,
      entries: this.#entries,
    };
    this.#hardState = null;
    this.#truncateFrom = null;
    this.#entries = [];
    this.#shared = true;
    return batch;
  }

  /** Takes the messages that waited, in order. */
  takeHeld(): { to: NodeId; message: Message }[] {
    const held = this.#held;
    this.#held = [];
    return held;
  }

  #truncate(from: LogIndex): void {
    const first = this.#entries[0];
    if (first !== undefined) {
      const keep = Math.max(0, Math.min(this.#entries.length, from - first.index));
      if (keep < this.#entries.length) {
        this.#entries = this.#entries.slice(0, keep);
        this.#shared = false;
      }
    }
    const before = this.#truncateFrom;
    this.#truncateFrom = before === null || from < before ? from : before;
  }
}
