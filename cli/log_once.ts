/**
 * Which lines of a log need not be said again: what goes on happening is told once, then now and then.
 *
 * @module
 */

/** So long nothing is said again that was said. */
export const REPEAT_MS = 60_000;
/** Strangers choose what the lines are told apart by: of so many different ones it is known when they were said. */
export const SAID_MAX = 256;

export class LogOnce {
  /** When what was said, the oldest first. */
  readonly #saidMs = new Map<string, number>();
  readonly #now: () => number;

  /** @param now ms of a clock that never goes back. */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** Whether the line that `parts` tell apart from others is due; it counts as said if so. */
  isDue(...parts: readonly (string | boolean)[]): boolean {
    const key = JSON.stringify(parts);
    const nowMs = this.#now();
    const lastMs = this.#saidMs.get(key);
    if (lastMs !== undefined && nowMs - lastMs < REPEAT_MS) return false;
    this.#saidMs.delete(key);
    this.#saidMs.set(key, nowMs);
    // One that is forgotten is said again too early, which costs a line.
    if (this.#saidMs.size > SAID_MAX) this.#saidMs.delete(this.#saidMs.keys().next().value!);
    return true;
  }
}
