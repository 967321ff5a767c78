/**
 * What an unreliable network is made of beside its nodes: the world it runs in, and its links. The network
 * in memory (memory.ts) and the faults over any transport (faulty.ts) share them.
 *
 * @module
 */
import type { NodeId } from "../raft/types.ts";

/** What the network needs of the world; the actors' `Env` is one. */
export interface MemoryEnv {
  defer(callback: () => void): void;
  setTimer(callback: () => void, delayMs: number): { cancel(): void };
  /** A whole number in [0, 2^32). */
  randomUint32(): number;
}

/** How one direction between two nodes behaves. Rates are probabilities from 0 to 1. */
export interface Link {
  /** Nothing gets through, what is under way included. The sender does not notice. */
  readonly cut: boolean;
  readonly dropRate: number;
  readonly duplicateRate: number;
  /** How many messages are held back so that later ones overtake them. */
  readonly reorderRate: number;
  readonly delayMs: number;
  /** Up to so much is added to each message's delay, at random. */
  readonly jitterMs: number;
  /** The mean of what is added to that, exponentially distributed: most is short, some is very long. */
  readonly tailMs: number;
  /**
   * Everything is taken and nothing arrives, until this is false again: then all of it does. Only the network
   * in memory can do so.
   */
  readonly clogged: boolean;
}

export const PERFECT: Link = {
  cut: false,
  dropRate: 0,
  duplicateRate: 0,
  reorderRate: 0,
  delayMs: 0,
  jitterMs: 0,
  tailMs: 0,
  clogged: false,
};

/** How each direction between two nodes behaves; whatever was not set is perfect. */
export class LinkTable {
  /** By sender, then by receiver. */
  readonly #links = new Map<NodeId, Map<NodeId, Link>>();

  of(from: NodeId, to: NodeId): Link {
    return this.#links.get(from)?.get(to) ?? PERFECT;
  }

  /** Changes what is named of the link from one node to another; the other direction stays. */
  set(from: NodeId, to: NodeId, change: Partial<Link>): void {
    let links = this.#links.get(from);
    if (links === undefined) this.#links.set(from, links = new Map());
    links.set(to, { ...this.of(from, to), ...change });
  }

  /** Makes every link perfect again. */
  heal(): void {
    this.#links.clear();
  }
}

/** How long one message takes on a link. */
export function drawDelayMs({ delayMs, jitterMs, tailMs }: Link, env: MemoryEnv): number {
  let ms = delayMs;
  if (jitterMs > 0) ms += jitterMs * env.randomUint32() / 2 ** 32;
  if (tailMs > 0) ms -= tailMs * Math.log((env.randomUint32() + 1) / 2 ** 32);
  return ms;
}

/** The process's own scheduler, clock and randomness. */
export function processEnv(): MemoryEnv {
  return {
    // Not a microtask: replicas that answer each other at once would starve timers and I/O.
    defer: (callback) => void setImmediate(callback),
    setTimer: (callback, delayMs) => {
      const id = setTimeout(callback, delayMs);
      return { cancel: () => clearTimeout(id) };
    },
    randomUint32: () => Math.floor(Math.random() * 2 ** 32),
  };
}
