/**
 * When the core ticks. A turn that comes anyway ticks if it is time; a timer sees to it that a turn
 * comes. A replica with nothing to do lets it come late, two ticks at a time: a leader then wakes up for
 * its heartbeats only, and a follower rides on those that it hears.
 *
 * Ticks may come late, and then get lost; they never run fast: in any stretch of time there are at most
 * two more than TICK_MS fits into it. Leases rest on that (docs/decisions/0015-reads-and-leases.md).
 *
 * @module
 */
import { QUIET_FOLLOWER_TICKS, QUIET_LEADER_TICKS, TICK_MS } from "./limits_replica.ts";
import type { ReplicaMessage } from "./replica_types.ts";
import type { Ctx, Timer } from "./types.ts";

/** Ticks that one turn makes up for, at most. */
const TICKS_AT_ONCE_MAX = 2;
/** The host's timers may fire a fraction early. */
const EARLY_MS = 1;

/** How much a replica has to do: how long the core may do without a tick. */
export type Pace = "busy" | "quiet-leader" | "quiet-follower";

const DELAYS_MS: Readonly<Record<Pace, number>> = {
  "busy": TICK_MS,
  "quiet-leader": QUIET_LEADER_TICKS * TICK_MS,
  "quiet-follower": QUIET_FOLLOWER_TICKS * TICK_MS,
};

export class Ticker {
  readonly #ctx: Ctx<ReplicaMessage>;
  #timer: Timer;
  #tickedMs: number;

  constructor(ctx: Ctx<ReplicaMessage>) {
    this.#ctx = ctx;
    this.#tickedMs = ctx.env.now();
    this.#timer = this.#arm("busy");
  }

  /** At the start of a turn: how many ticks the core is to be given. */
  take(nowMs: number, pace: () => Pace): number {
    const due = Math.floor((nowMs - this.#tickedMs + EARLY_MS) / TICK_MS);
    if (due < 1) return 0;
    this.#tickedMs = nowMs;
    this.#timer.cancel();
    this.#timer = this.#arm(pace());
    return Math.min(due, TICKS_AT_ONCE_MAX);
  }

  #arm(pace: Pace): Timer {
    return this.#ctx.setTimer({ type: "tick" }, { delayMs: DELAYS_MS[pace] });
  }
}
