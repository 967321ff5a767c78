/**
 * What a core knows of when things were said: the state behind leases and bounds on staleness. Plain
 * state; the rules are in lease.ts and freshness.ts.
 *
 * All of it is in ticks, of which each core counts its own. Nobody compares the ticks of two nodes:
 * what a message carries of the other's is only ever sent back.
 *
 * @module
 */
import { createRandom, drawBelow } from "./random.ts";
import type { LogIndex } from "./types.ts";

/** As of `tick`, one of this node's own, `index` or less was all that was committed anywhere. */
export interface Freshness {
  readonly tick: number;
  readonly index: LogIndex;
}

export interface Stamps {
  /**
   * What this node adds to its tick in AppendReply.sent. Ticks begin anew with each life of a node, and
   * leaders may echo what an earlier life sent: that must not pass for a tick of this one.
   */
  readonly sentBase: number;
  /** The best that is known of how fresh this node's log is; null until a leader has said. */
  fresh: Freshness | null;
  /** Whether the shell's clock has not jumped lately. */
  clockTrusted: boolean;
  /** As a leader: whether somebody was asked to take over, in this term. */
  handedOver: boolean;
}

/** Lives are this many ticks apart at least, or drew the same number of 32 bits. */
const LIFE_TICKS = 2 ** 14;

export function createStamps(seed: number): Stamps {
  // Never 0, which is no tick at all.
  const drawn = 1 + drawBelow(createRandom(~seed), 2 ** 32 - 1);
  return { sentBase: drawn * LIFE_TICKS, fresh: null, clockTrusted: true, handedOver: false };
}
