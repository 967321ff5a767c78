/**
 * How old this replica's state may be, in ms of its own clock. The core says as of which of this
 * node's ticks some index was the leader's commit index (raft/freshness.ts): once that index
 * is applied here, the state lacks nothing that was acknowledged before that tick.
 *
 * No clock of another machine comes into it, and delays only make the answer larger.
 *
 * @module
 */
import { FRESHNESS_KEPT_MAX } from "./limits_replica.ts";

/** At `ms` the leader's commit index was `index` or less. */
interface Fact {
  readonly ms: number;
  readonly index: number;
}

export class Staleness {
  /** The latest fact whose index is applied. */
  #appliedMs: number | null = null;
  /** Facts of indexes still to be applied: both their times and their indexes grow. */
  #ahead: Fact[] = [];

  /** Learns that the leader's commit index was `index` at `ms`, a time on this node's clock. */
  note(ms: number, index: number): void {
    if (this.#appliedMs !== null && ms <= this.#appliedMs) return;
    const ahead = this.#ahead;
    const last = ahead[ahead.length - 1];
    if (last !== undefined && ms <= last.ms) return;
    // A later time for the same index says all that the earlier one did. Beyond the limit the last
    // gives way: what is kept stays true, and only gets coarser.
    if (last !== undefined && (index <= last.index || ahead.length >= FRESHNESS_KEPT_MAX)) {
      ahead.pop();
    }
    ahead.push({ ms, index });
  }

  /**
   * How old the state that has applied `applied` may be at `nowMs`; null if that is not known. Facts
   * from before the clock jumped, at `jumpedMs`, tell nothing: nobody knows how long ago they were.
   */
  at(nowMs: number, applied: number, jumpedMs: number): number | null {
    let known = 0;
    while (known < this.#ahead.length && this.#ahead[known].index <= applied) known++;
    if (known > 0) {
      this.#appliedMs = this.#ahead[known - 1].ms;
      this.#ahead.splice(0, known);
    }
    if (this.#appliedMs === null || this.#appliedMs <= jumpedMs) return null;
    return Math.max(0, Math.ceil(nowMs - this.#appliedMs));
  }
}
