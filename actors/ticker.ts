/**
 * When the core ticks. A turn that comes anyway ticks if it is time; a timer sees to it that a turn
 * comes. A replica with nothing to do lets it come late, and makes up for the ticks then: a leader wakes
 * up for its heartbeats only, and a follower rides on those that it hears.
 *
 * Ticks may come late, and then get lost; they never run fast: in any stretch of time there are at most
 * TICKS_AT_ONCE_MAX more than fit into it. Leases rest on that (docs/decisions/0015-reads-and-leases.md).
 *
 * @module
 */
import { HEARTBEAT_TICKS, TICK_MS, TICKS_AT_ONCE_MAX } from "./limits_replica.ts";
import type { ReplicaMessage } from "./replica_types.ts";
import type { Ctx, Timer } from "./types.ts";

/** How much a replica has to do: how long the core may do without a tick. */
export type Pace = "busy" | "quiet-leader" | "quiet-follower";

const DELAYS_MS: Readonly<Record<Pace, number>> = {
  "busy": TICK_MS,
  // The host's timers may fire a fraction early, which must not cost a heartbeat.
  "quiet-leader": HEARTBEAT_TICKS * TICK_MS + 1,
  // The next heartbeat comes before.
  "quiet-follower": (HEARTBEAT_TICKS + 1) * TICK_MS,
};

export class Ticker {
  readonly #ctx: Ctx<ReplicaMessage>;
  #timer: Timer;
  #tickedMs: number;
  #mustArm = false;

  constructor(ctx: Ctx<ReplicaMessage>) {
    this.#ctx = ctx;
    this.#tickedMs = ctx.env.now();
    this.#timer = ctx.setTimer({ type: "tick" }, { delayMs: TICK_MS });
  }

  /** At the start of a turn: how many ticks the core is to be given. */
  take(nowMs: number): number {
    const due = Math.floor((nowMs - this.#tickedMs) / TICK_MS);
    if (due < 1) return 0;
    this.#tickedMs = nowMs;
    this.#mustArm = true;
    return Math.min(due, TICKS_AT_ONCE_MAX);
  }

  /** In a turn: the timer has called for it. */
  fired(): void {
    this.#mustArm = true;
  }

  /** At the end of a turn: sees to the next ticks. */
  rest(nowMs: number, pace: () => Pace): void {
    if (!this.#mustArm) return;
    this.#mustArm = false;
    this.#timer.cancel();
    const delayMs = Math.max(1, this.#tickedMs + DELAYS_MS[pace()] - nowMs);
    this.#timer = this.#ctx.setTimer({ type: "tick" }, { delayMs });
  }
}
