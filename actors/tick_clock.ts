/**
 * When this node's ticks were, on its own monotonic clock. The core counts ticks and puts them into
 * messages; what a lease or a staleness comes to in milliseconds is worked out here.
 *
 * It also watches the wall clock beside the monotonic one. That of a machine which was suspended stands still
 * meanwhile, and its wall clock does not: what the monotonic clock has missed is added to the times that are
 * given here. Further apart than that a clock was set, and neither is to be trusted for a while.
 *
 * @module
 */
import { CLOCK_JUMP_MS, CLOCK_NOISE_MS, TICKS_KEPT } from "./limits_replica.ts";
import type { Env } from "./types.ts";

export class TickClock {
  readonly #env: Env;
  /** By tick modulo the ring's size: the tick, and the time just before it was handled. */
  readonly #ticks = new Float64Array(TICKS_KEPT).fill(-1);
  readonly #timesMs = new Float64Array(TICKS_KEPT);
  /** How far the wall clock is ahead of the monotonic one, as of the last look. */
  #offsetMs: number;
  /** What the monotonic clock has missed. */
  #missedMs = 0;
  #jumpedMs = -Infinity;

  constructor(env: Env) {
    this.#env = env;
    this.#offsetMs = env.wallNowMs() - env.now();
  }

  /** When the last clock jump was seen, as `nowMs()` tells it; -Infinity if none was. */
  get jumpedMs(): number {
    return this.#jumpedMs;
  }

  /** The time in ms, after a look at both clocks: none of it passes unseen. It never goes back. */
  nowMs(): number {
    const nowMs = this.#env.now();
    const offsetMs = this.#env.wallNowMs() - nowMs;
    const apartMs = offsetMs - this.#offsetMs;
    this.#offsetMs = offsetMs;
    if (apartMs > CLOCK_NOISE_MS && apartMs <= CLOCK_JUMP_MS) this.#missedMs += apartMs;
    const timeMs = nowMs + this.#missedMs;
    if (Math.abs(apartMs) > CLOCK_JUMP_MS) this.#jumpedMs = timeMs;
    return timeMs;
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
