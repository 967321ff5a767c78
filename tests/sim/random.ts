/**
 * The simulator's own dice, apart from those of the simulated world: what they draw is written into the
 * schedule, or belongs to one client.
 *
 * @module
 */
import { createRandom, drawBelow } from "../../raft/random.ts";

/** A seeded source of draws. */
export class Dice {
  readonly #random;

  constructor(seed: number) {
    this.#random = createRandom(seed);
  }

  /** A whole number from 0 to `bound` - 1. */
  below(bound: number): number {
    return drawBelow(this.#random, bound);
  }

  /** A whole number from `from` to `to`, both included. */
  between(from: number, to: number): number {
    return from + this.below(to - from + 1);
  }

  happens(percent: number): boolean {
    return this.below(100) < percent;
  }

  pick<T>(among: readonly T[]): T {
    return among[this.below(among.length)]!;
  }

  /** `count` of them, in a random order. */
  some<T>(among: readonly T[], count: number): T[] {
    const left = [...among];
    const taken: T[] = [];
    while (taken.length < count && left.length > 0) {
      taken.push(left.splice(this.below(left.length), 1)[0]!);
    }
    return taken;
  }
}
