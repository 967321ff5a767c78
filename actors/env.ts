/**
 * The real world as an `Env`: the host's clocks, timers and randomness. The only file of the
 * runtime that touches them. Its deterministic twin is virtual_env.ts.
 *
 * @module
 */
import { setImmediate } from "node:timers";
import { HOST_TIMER_MAX_MS } from "./limits.ts";
import type { Env, Timer } from "./types.ts";

/** Random words fetched at once; a call to the host's generator costs more than the words. */
const RANDOM_WORDS = 256;

/** The host's environment. */
export function systemEnv(): Env {
  const words = new Uint32Array(RANDOM_WORDS);
  let used = RANDOM_WORDS;
  return {
    now: () => performance.now(),
    wallNowMs: () => Date.now(),
    setTimer: (callback, delayMs) => new HostTimer(callback, delayMs),
    // setTimeout(0) takes about 2 ms here, setImmediate about 1 µs, and it lets ready I/O go first.
    defer: (callback) => void setImmediate(callback),
    randomUint32: () => {
      if (used === RANDOM_WORDS) {
        crypto.getRandomValues(words);
        used = 0;
      }
      return words[used++];
    },
  };
}

/** A host timeout; delays beyond the host's range, which it would take for zero, are chained. */
class HostTimer implements Timer {
  #id: ReturnType<typeof setTimeout> | undefined;
  #restMs: number;
  readonly #callback: () => void;

  constructor(callback: () => void, delayMs: number) {
    this.#callback = callback;
    this.#restMs = delayMs;
    this.#arm();
  }

  cancel(): void {
    clearTimeout(this.#id);
  }

  #arm(): void {
    const stepMs = Math.min(this.#restMs, HOST_TIMER_MAX_MS);
    this.#restMs -= stepMs;
    this.#id = setTimeout(() => this.#restMs > 0 ? this.#arm() : this.#callback(), stepMs);
  }
}
