/**
 * One process on a simulated machine: its timers and callbacks die with it, as its memory does.
 *
 * @module
 */
import type { Env, Timer } from "../../actors/types.ts";

export class ProcessEnv implements Env {
  readonly #machine: Env;
  #alive = true;

  /** @param machine whose clocks it has, and which may stop it for a while. */
  constructor(machine: Env) {
    this.#machine = machine;
  }

  /** What was to run does not any more. */
  kill(): void {
    this.#alive = false;
  }

  now(): number {
    return this.#machine.now();
  }

  wallNowMs(): number {
    return this.#machine.wallNowMs();
  }

  randomUint32(): number {
    return this.#machine.randomUint32();
  }

  setTimer(callback: () => void, delayMs: number): Timer {
    return this.#machine.setTimer(() => {
      if (this.#alive) callback();
    }, delayMs);
  }

  defer(callback: () => void): void {
    this.#machine.defer(() => {
      if (this.#alive) callback();
    });
  }
}
