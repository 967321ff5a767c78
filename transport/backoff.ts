/**
 * Waiting between attempts: exponential, with jitter so that peers do not try in step.
 *
 * @module
 */

/** What waiting needs of the world; the actors' `Env` is one. */
export interface TcpEnv {
  /** Monotonic clock, in ms. */
  now(): number;
  /** Calls `callback` once, after at least `delayMs`. */
  setTimer(callback: () => void, delayMs: number): { cancel(): void };
  /** A whole number in [0, 2^32). */
  randomUint32(): number;
}

export interface BackoffRange {
  readonly backoffMinMs: number;
  readonly backoffMaxMs: number;
}

/** The wait after so many failures in a row (from 1): between half and all of the doubled minimum. */
export function backoffMs(failures: number, range: BackoffRange, randomUint32: number): number {
  const wholeMs = Math.min(
    range.backoffMaxMs,
    range.backoffMinMs * 2 ** Math.min(failures - 1, 30),
  );
  return wholeMs * (0.5 + randomUint32 / 2 ** 33);
}

/** A wait that can be cut short. One at a time. */
export class Pause {
  readonly #env: TcpEnv;
  #end: (() => void) | null = null;

  constructor(env: TcpEnv) {
    this.#env = env;
  }

  /** Resolves after the delay, or as soon as `end` is called. */
  wait(delayMs: number): Promise<void> {
    return new Promise((resolve) => {
      const end = () => {
        timer.cancel();
        this.#end = null;
        resolve();
      };
      this.#end = end;
      const timer = this.#env.setTimer(end, delayMs);
    });
  }

  end(): void {
    this.#end?.();
  }
}
