/**
 * The chain hash: 64 bits over a block and everything before it. It tells a log of sound blocks that
 * do not belong together (an old page come back, a block of a forgotten suffix) from the log that
 * was written.
 *
 * Each step is a bijection of the value before it, so that two logs that differ once and then go on
 * with equal blocks never meet again. Not a defence against anybody who means it: it has no key.
 * Source: the mixing steps of MurmurHash3 x86_32 (Appleby, public domain), in two lanes.
 *
 * @module
 */

/** A chain hash as two unsigned 32-bit halves. */
export interface Chain {
  readonly high: number;
  readonly low: number;
}

/** The chain before the first block: the fractional bits of the golden ratio, so as not to be zero. */
export const CHAIN_START: Chain = { high: 0x9e3779b9, low: 0x7f4a7c15 };

/** The chain after a block, from the chain before it and what identifies the block. */
export function chainAfter(before: Chain, crc: number, firstIndex: number, count: number): Chain {
  const indexHigh = Math.floor(firstIndex / 2 ** 32);
  return {
    high: lane(before.high, crc, firstIndex >>> 0, indexHigh, count),
    low: lane(before.low, count, crc, firstIndex >>> 0, indexHigh),
  };
}

export function sameChain(a: Chain, b: Chain): boolean {
  return a.high === b.high && a.low === b.low;
}

/** As 16 hex digits, for messages. */
export function chainText(chain: Chain): string {
  return chain.high.toString(16).padStart(8, "0") + chain.low.toString(16).padStart(8, "0");
}

function lane(seed: number, a: number, b: number, c: number, d: number): number {
  let hash = round(round(round(round(seed, a), b), c), d);
  hash ^= hash >>> 16;
  hash = Math.imul(hash, 0x85ebca6b);
  hash ^= hash >>> 13;
  hash = Math.imul(hash, 0xc2b2ae35);
  hash ^= hash >>> 16;
  return hash >>> 0;
}

function round(hash: number, word: number): number {
  let k = Math.imul(word, 0xcc9e2d51);
  k = (k << 15) | (k >>> 17);
  hash ^= Math.imul(k, 0x1b873593);
  hash = (hash << 13) | (hash >>> 19);
  return (Math.imul(hash, 5) + 0xe6546b64) | 0;
}
