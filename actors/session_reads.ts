/**
 * The session reads that wait until this replica has applied what they must see: any replica serves
 * them, so that a client that hands its last versionstamp along reads its own writes everywhere, and
 * never goes back in time.
 *
 * @module
 */
import type { ServedRead } from "./service.ts";
import type { Reply } from "./types.ts";
import type { ReadQuery } from "../kv/types.ts";
import { SESSION_READS_MAX } from "./limits_replica.ts";
import { NotCaughtUp, Overloaded } from "./outcomes.ts";

export interface SessionRead {
  readonly query: ReadQuery;
  readonly reply: Reply<ServedRead>;
  /** The log index that the state must have applied. */
  readonly minIndex: number;
  /** Of the monotonic clock, in ms. */
  readonly deadlineMs: number;
}

export class SessionReads {
  readonly #reject: (reply: Reply<ServedRead>, error: Error) => void;
  #waiting: SessionRead[] = [];
  #lowestIndex = Infinity;
  #earliestDeadlineMs = Infinity;

  constructor(reject: (reply: Reply<ServedRead>, error: Error) => void) {
    this.#reject = reject;
  }

  get size(): number {
    return this.#waiting.length;
  }

  /** Takes on a read whose index is not applied yet, or refuses it because too many wait. */
  admit(read: SessionRead): void {
    if (this.#waiting.length >= SESSION_READS_MAX) {
      const error = new Overloaded(
        `Cannot take the read: ${this.#waiting.length} session reads wait already`,
      );
      this.#reject(read.reply, error);
      return;
    }
    this.#waiting.push(read);
    this.#lowestIndex = Math.min(this.#lowestIndex, read.minIndex);
    this.#earliestDeadlineMs = Math.min(this.#earliestDeadlineMs, read.deadlineMs);
  }

  /** Takes the reads that a state with `applied` applied may answer, in the order of asking. */
  takeReady(applied: number): readonly SessionRead[] {
    if (applied < this.#lowestIndex) return [];
    return this.#take((read) => read.minIndex <= applied);
  }

  /** Time passes: refuses what has waited long enough. */
  tick(nowMs: number, applied: number): void {
    if (nowMs < this.#earliestDeadlineMs) return;
    for (const { reply, minIndex } of this.#take((read) => read.deadlineMs <= nowMs)) {
      const error = new NotCaughtUp(
        `Cannot read at index ${minIndex} or later: this replica has applied ${applied}`,
      );
      this.#reject(reply, error);
    }
  }

  /** Ends everything with `error`. */
  abandon(error: Error): void {
    for (const { reply } of this.#take(() => true)) this.#reject(reply, error);
  }

  #take(isWanted: (read: SessionRead) => boolean): SessionRead[] {
    const taken: SessionRead[] = [];
    const rest: SessionRead[] = [];
    this.#lowestIndex = Infinity;
    this.#earliestDeadlineMs = Infinity;
    for (const read of this.#waiting) {
      if (isWanted(read)) {
        taken.push(read);
        continue;
      }
      rest.push(read);
      this.#lowestIndex = Math.min(this.#lowestIndex, read.minIndex);
      this.#earliestDeadlineMs = Math.min(this.#earliestDeadlineMs, read.deadlineMs);
    }
    this.#waiting = rest;
    return taken;
  }
}
