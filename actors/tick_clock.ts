/**
 * When this node's ticks were, on its own monotonic clock. The core counts ticks and puts them into
 * messages; what a lease or a staleness comes to in milliseconds is worked out here.
 *
 * It also watches for clock jumps: a machine that was suspended, or whose clock was set, shows that in
 * its wall clock moving apart from the monotonic one, and then neither is to be trusted for a while.
 *
 * @module
 */
import { CLOCK_JUMP_MS, TICKS_KEPT } from "./limits_replica.ts";
import type { Env } from "./types.ts";

export class TickClock {
  readonly #env: Env;
  /** By tick modulo the ring's size: the tick, and the time just before it was handled. */
  readonly #ticks = new Float64Array(TICKS_KEPT).fill(-1);
  readonly #timesMs = new Float64Array(TICKS_KEPT);
  #offsetMs: number;
  #jumpedMs = -Infinity;

  constructor(env: Env) {
    this.#env = env;
    this.#offsetMs = env.wallNowMs() - env.now();
  }

  /** When the last clock jump was seen, on the monotonic clock; -Infinity if none was. */
  get jumpedMs(): number {
    return this.#jumpedMs;
  }

  /** The monotonic clock, in ms, after a look for jumps: true time cannot have passed unseen. */
  nowMs(): number {
    const nowMs = this.#env.now();
    const offsetMs = this.#env.wallNowMs() - nowMs;
    if (Math.abs(offsetMs - this.#offsetMs) > CLOCK_JUMP_MS) this.#jumpedMs = nowMs;
    this.#offsetMs = offsetMs;
    return nowMs;
  }

  /**
   * Notes the tick that the core is about to count, at `nowMs`. Whatever the core says under that tick,
   * it says after this.
   */
  note(tick: number, nowMs: number): void {
    const at = tick % TICKS_KEPT;
    this.#ticks[at] = tick;
    this.#timesMs[at] = nowMs;
  }

  /** A time at or before all that was said under `tick`; null if that is too long ago to be known. */
  timeOf(tick: number): number | null {
    const at = tick % TICKS_KEPT;
    return this.#ticks[at] === tick ? this.#timesMs[at] : null;
  }
}
