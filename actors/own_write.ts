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
  /** Runs while entries wait, and stays until they are taken. */
  #timer: Timer | null = null;
  #isDue = false;

  constructor(ctx: Ctx<ReplicaMessage>) {
    this.#ctx = ctx;
  }

  /** Whether entries wait, so that a turn will come for them. */
  get isWaiting(): boolean {
    return this.#timer !== null;
  }

  /**
   * Whether the entries that a leader has not written yet may wait. Few do not: with them it is the disks
   * that take the time, and the fastest two of all count.
   */
  mayWait(core: Core): boolean {
    const entries = core.log.lastIndex - core.durableIndex;
    if (this.#isDue || entries < OWN_WRITE_ENTRIES_MIN || !othersSuffice(core)) {
      this.taken();
      return false;
    }
    this.#timer ??= this.#ctx.setTimer({ type: "own-write-due" }, { delayMs: OWN_WRITE_DELAY_MS });
    return true;
  }

  /** The timer has fired: what waits must go with this turn's commit. */
  due(): void {
    this.#isDue = this.isWaiting;
  }

  /** What waited is on its way to the disk. */
  taken(): void {
    this.#isDue = false;
    this.#timer?.cancel();
    this.#timer = null;
  }
}
