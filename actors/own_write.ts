/**
 * When a leader's own new entries go to its own disk. The others' disks are a quorum without it, so
 * under load its write may wait a little and take several batches at once: that saves the leader, which
 * has most to do of all, every other commit (docs/decisions/0018-hot-path.md).
 *
 * What waits counts for nothing: the core is told of an entry only once it is durable here. So a leader
 * that ends before it has written is one that was slower than its followers, and no more.
 *
 * Not here: writing (replica_commit.ts).
 *
 * @module
 */
import { OWN_WRITE_DELAY_MS, OWN_WRITE_ENTRIES_MIN } from "./limits_replica.ts";
import type { ReplicaMessage } from "./replica_types.ts";
import type { Ctx, Timer } from "./types.ts";
import type { Core } from "../raft/core.ts";
import { othersSuffice } from "../raft/reach.ts";

export class OwnWrite {
  readonly #ctx: Ctx<ReplicaMessage>;
  /** When what waits must go, on the monotonic clock; null while nothing waits. */
  #dueMs: number | null = null;
  #timer: Timer | null = null;

  constructor(ctx: Ctx<ReplicaMessage>) {
    this.#ctx = ctx;
  }

  /** Whether entries wait, so that a turn will come for them. */
  get isWaiting(): boolean {
    return this.#dueMs !== null;
  }

  /**
   * Whether the entries that a leader has not written yet may wait. Few do not: with them it is the disks
   * that take the time, and the fastest two of all count.
   */
  mayWait(core: Core): boolean {
    const nowMs = this.#ctx.env.now();
    const entries = core.log.lastIndex - core.durableIndex;
    const isDue = this.#dueMs !== null && nowMs >= this.#dueMs;
    if (isDue || entries < OWN_WRITE_ENTRIES_MIN || !othersSuffice(core)) {
      this.taken();
      return false;
    }
    if (this.#dueMs === null) {
      this.#dueMs = nowMs + OWN_WRITE_DELAY_MS;
      this.#timer = this.#ctx.setTimer({ type: "own-write-due" }, { delayMs: OWN_WRITE_DELAY_MS });
    }
    return true;
  }

  /** The time has come, whatever the clock says: timers may fire a fraction early. */
  due(): void {
    if (this.#dueMs !== null) this.#dueMs = -Infinity;
  }

  /** What waited is on its way to the disk. */
  taken(): void {
    this.#dueMs = null;
    this.#timer?.cancel();
    this.#timer = null;
  }
}
