/**
 * What a leader knows of one follower, and how much it has on the way to it.
 *
 * A follower is probed until one append of this term has matched, with one message at a time; then
 * appends are pipelined, `next` running ahead of the answers (thesis 10.2.1), until one is refused. One
 * that lacks what was cut off the log waits for a snapshot: it gets heartbeats only (snapshots.ts).
 *
 * A probe may match and yet bring nothing, if the follower has no room for its entries. Such a follower
 * stays probed, or the window behind the probe would be refused, and that would bring the next probe.
 *
 * @module
 */
import type { LogIndex, NodeId } from "./types.ts";

export interface Progress {
  readonly id: NodeId;
  /** The last index known to be durable there and equal to ours (figure 2, matchIndex). */
  match: LogIndex;
  /** The first index not sent yet; while probing, the one that the probe starts with (nextIndex). */
  next: LogIndex;
  probing: boolean;
  /** The probe is on the way: a heartbeat repeats it, nothing else does. */
  probeSent: boolean;
  /** The first entry of the last probe that carried any, and the tick of that; 0 for none. */
  probedFrom: LogIndex;
  probedTick: number;
  /** It lacks entries that are no longer in the log; `probing` and `probeSent` are true, too. */
  paused: boolean;
  readonly inflight: Inflight;
  /** The highest commit index that a message sent to it can have told it. */
  commitSent: LogIndex;
  /** The highest read round that a message to it carried, and that it has answered. */
  roundSent: number;
  round: number;
  /** The tick of its last answer that counts (see AppendReply.counts). */
  heardTick: number;
  /** The tick of the last message to it that would show a lost append. */
  sentTick: number;
  /** The highest of our ticks that it has answered, as a replica that counts; -1 before any (lease.ts). */
  stamp: number;
  /** What appends to it echo; the reply that waits to be echoed, 0 for none, and when it came (freshness.ts). */
  echo: number;
  echoNext: number;
  echoNextTick: number;
  /**
   * False until it has answered as an undamaged replica in this term; then it stays true, since a
   * replica that finds itself damaged moves to a new term (see repair.ts).
   */
  counts: boolean;
}

export function createProgress(
  id: NodeId,
  next: LogIndex,
  tick: number,
  inflightMessagesMax: number,
): Progress {
  return {
    id,
    match: 0 as LogIndex,
    next,
    probing: true,
    probeSent: false,
    probedFrom: 0 as LogIndex,
    probedTick: 0,
    paused: false,
    inflight: new Inflight(inflightMessagesMax),
    commitSent: 0 as LogIndex,
    roundSent: 0,
    round: 0,
    heardTick: tick,
    sentTick: tick,
    stamp: -1,
    echo: 0,
    echoNext: 0,
    echoNextTick: 0,
    counts: false,
  };
}

/** The appends on the way to one follower: a ring of their last indexes and sizes, oldest first. */
export class Inflight {
  readonly #indexes: Float64Array;
  readonly #sizes: Float64Array;
  #start = 0;
  #count = 0;
  #bytes = 0;

  constructor(messagesMax: number) {
    this.#indexes = new Float64Array(messagesMax);
    this.#sizes = new Float64Array(messagesMax);
  }

  get count(): number {
    return this.#count;
  }

  get bytes(): number {
    return this.#bytes;
  }

  isFull(bytesMax: number): boolean {
    return this.#count === this.#indexes.length || this.#bytes >= bytesMax;
  }

  /** Callers ask `isFull` first. `lastIndex` grows from one to the next. */
  add(lastIndex: LogIndex, bytes: number): void {
    const at = (this.#start + this.#count) % this.#indexes.length;
    this.#indexes[at] = lastIndex;
    this.#sizes[at] = bytes;
    this.#count++;
    this.#bytes += bytes;
  }

  /** Takes out all that end at `index` or before. */
  freeTo(index: LogIndex): void {
    while (this.#count > 0 && this.#indexes[this.#start] <= index) {
      this.#bytes -= this.#sizes[this.#start];
      this.#start = (this.#start + 1) % this.#indexes.length;
      this.#count--;
    }
  }

  reset(): void {
    this.#start = this.#count = this.#bytes = 0;
  }
}
