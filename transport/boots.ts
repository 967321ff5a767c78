/**
 * The highest boot number seen of each peer, over all connections.
 *
 * @module
 */
import type { NodeId } from "../raft/types.ts";

export class Boots {
  readonly #highest = new Map<NodeId, number>();
  readonly #onNewer: (peer: NodeId, boot: number) => void;

  /** `onNewer` runs when a peer shows a higher number: connections to earlier processes are void. */
  constructor(onNewer: (peer: NodeId, boot: number) => void) {
    this.#onNewer = onNewer;
  }

  /** 0 before anything was seen. */
  highest(peer: NodeId): number {
    return this.#highest.get(peer) ?? 0;
  }

  /** Remembers a number that a handshake has found to be no lower than the highest. */
  learn(peer: NodeId, boot: number): void {
    if (boot <= this.highest(peer)) return;
    this.#highest.set(peer, boot);
    this.#onNewer(peer, boot);
  }

  /** Forgets the others: a peer that is added again may come on new data, from boot 1. */
  retain(isKept: (peer: NodeId) => boolean): void {
    for (const peer of this.#highest.keys()) if (!isKept(peer)) this.#highest.delete(peer);
  }

  forget(peer: NodeId): void {
    this.#highest.delete(peer);
  }
}
