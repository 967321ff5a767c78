/**
 * A wall clock that does not jump: it follows the system's, but never runs backwards and never more
 * than twice as fast as time passes. A leader stamps entries with it, and replicated time never goes
 * back, so that a jump of one machine's clock would close every session, expire every key and forget
 * every idempotency key at once, for good.
 *
 * Not here: a clock that is wrong when the process starts. Nothing tells that from a right one.
 *
 * @module
 */
import type { Env } from "./types.ts";

/** How much faster than time passes it may run to catch up. */
const SPEED_MAX = 2;

export class SlewedClock {
  readonly #env: Env;
  #readMs: number;
  #wallMs: number;

  constructor(env: Env) {
    this.#env = env;
    this.#readMs = env.now();
    this.#wallMs = env.wallNowMs();
  }

  /** Milliseconds since the epoch, a whole number. */
  nowMs(): number {
    const nowMs = this.#env.now();
    const fastestMs = this.#wallMs + (nowMs - this.#readMs) * SPEED_MAX;
    this.#wallMs = Math.max(this.#wallMs, Math.min(this.#env.wallNowMs(), fastestMs));
    this.#readMs = nowMs;
    return Math.floor(this.#wallMs);
  }
}
