/**
 * One node's view of a virtual world: its clocks may run at another rate, jump, and stand still, and
 * its process may be stopped for a while, as SIGSTOP or a busy host does it.
 *
 * @module
 */
import type { Env, Timer } from "../../actors/types.ts";

export class NodeEnv implements Env {
  readonly #world: Env;
  /** The own monotonic clock, in ms, as of the world's time `#sinceMs`; it runs `#rate` times as fast. */
  #ownMs: number;
  #sinceMs: number;
  #rate = 1;
  #wallOffsetMs = 0;
  #suspended = false;
  #stopped: (() => void)[] | null = null;

  constructor(world: Env) {
    this.#world = world;
    this.#ownMs = this.#sinceMs = world.now();
  }

  now(): number {
    const rate = this.#suspended ? 0 : this.#rate;
    return this.#ownMs + (this.#world.now() - this.#sinceMs) * rate;
  }

  wallNowMs(): number {
    return this.#world.wallNowMs() + this.#wallOffsetMs;
  }

  randomUint32(): number {
    return this.#world.randomUint32();
  }

  setTimer(callback: () => void, delayMs: number): Timer {
    const dueMs = this.now() + delayMs;
    let cancelled = false;
    let armed: Timer;
    const arm = () => {
      // The rate may have changed, or the clock have stood still, since the timer was set.
      const restMs = dueMs - this.now();
      armed = this.#world.setTimer(() => {
        this.#run(() => {
          if (cancelled) return;
          if (this.now() < dueMs - 1e-6) arm();
          else callback();
        });
      }, Math.max(0, this.#suspended ? POLL_MS : restMs / this.#rate));
    };
    arm();
    return {
      cancel: () => {
        cancelled = true;
        armed.cancel();
      },
    };
  }

  defer(callback: () => void): void {
    this.#world.defer(() => this.#run(callback));
  }

  /** From now on the monotonic clock runs `rate` times as fast as the world's, and the wall clock as before. */
  setRate(rate: number): void {
    this.#rebase();
    this.#rate = rate;
  }

  jumpWall(ms: number): void {
    this.#wallOffsetMs += ms;
  }

  /** Stops the process: what is due waits until `resume`. Its clocks go on. */
  stop(): void {
    this.#stopped ??= [];
  }

  /** Stops process and monotonic clock, as a suspended virtual machine's. */
  suspend(): void {
    this.#rebase();
    this.#suspended = true;
    this.stop();
  }

  resume(): void {
    this.#rebase();
    this.#suspended = false;
    const waiting = this.#stopped ?? [];
    this.#stopped = null;
    // In order, and each on its own, as an event loop that falls behind catches up.
    for (const callback of waiting) this.defer(callback);
  }

  #run(callback: () => void): void {
    if (this.#stopped === null) callback();
    else this.#stopped.push(callback);
  }

  #rebase(): void {
    this.#ownMs = this.now();
    this.#sinceMs = this.#world.now();
  }
}

/** How often a timer of a suspended machine is looked at. */
const POLL_MS = 10;
