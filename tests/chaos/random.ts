/**
 * Randomness of a chaos run: seeded, so that the faults and the requests of a run come in the same order
 * under the same seed. (When they come is up to the machine.)
 *
 * @module
 */
import { seeded } from "../transport/harness.ts";

export class Random {
  readonly #next: () => number;

  constructor(seed: number) {
    this.#next = seeded(seed);
    // Seeds that differ by little begin alike.
    for (let i = 0; i < 8; i++) this.#next();
  }

  /** A generator of its own, so that what one part draws does not change what another gets. */
  fork(): Random {
    return new Random(this.#next());
  }

  /** From 0 to 1, without 1. */
  fraction(): number {
    return this.#next() / 2 ** 32;
  }

  /** A whole number from `min` to `max`. */
  between(min: number, max: number): number {
    return min + Math.floor(this.fraction() * (max - min + 1));
  }

  chance(rate: number): boolean {
    return this.fraction() < rate;
  }

  /** One of them. @throws {RangeError} if there is none. */
  pick<T>(items: readonly T[]): T {
    if (items.length === 0) throw new RangeError("Cannot pick from nothing");
    return items[this.between(0, items.length - 1)];
  }

  shuffled<T>(items: readonly T[]): T[] {
    const result = [...items];
    for (let i = result.length - 1; i > 0; i--) {
      const j = this.between(0, i);
      [result[i], result[j]] = [result[j], result[i]];
    }
    return result;
  }
}
