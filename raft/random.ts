/**
 * Randomness as state: a 32-bit generator (Marsaglia's xorshift, 13-17-5) whose state lies in the
 * core, so that a core is a function of its inputs and its seed.
 *
 * Good enough to keep election timeouts apart; not for anything that an adversary should not guess.
 *
 * @module
 */

export interface Random {
  /** Never 0, where xorshift would stay for ever. */
  state: number;
}

/** Neighbouring seeds are mixed first, since xorshift takes many draws to tell them apart. */
export function createRandom(seed: number): Random {
  let mixed = (seed ^ 0x9e3779b9) >>> 0;
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b) >>> 0;
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35) >>> 0;
  mixed = (mixed ^ (mixed >>> 16)) >>> 0;
  return { state: mixed === 0 ? 1 : mixed };
}

/** Draws a whole number from [0, bound), bound at most 2^32. */
export function drawBelow(random: Random, bound: number): number {
  let x = random.state;
  x ^= x << 13;
  x ^= x >>> 17;
  x ^= x << 5;
  random.state = x >>> 0;
  return Math.floor((random.state / 2 ** 32) * bound);
}
