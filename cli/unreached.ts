/**
 * Tells of peers that cannot be reached for longer than a start takes: they are down, at another address,
 * or speak another transport, which shows no other way where nothing at all answers.
 *
 * @module
 */
import { UNREACHED_MS } from "./limits.ts";

export class Unreached {
  /** Since when who is tried in vain, and whether that was told. */
  readonly #peers = new Map<string, { readonly sinceMs: number; told: boolean }>();
  readonly #now: () => number;

  /** @param now ms of a clock that never goes back. */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** An attempt was in vain. Whether it is time to tell, which it is once until the peer is reached. */
  isDue(peer: string): boolean {
    const nowMs = this.#now();
    const known = this.#peers.get(peer);
    if (known === undefined) this.#peers.set(peer, { sinceMs: nowMs, told: false });
    if (known === undefined || known.told || nowMs - known.sinceMs < UNREACHED_MS) return false;
    known.told = true;
    return true;
  }

  reached(peer: string): void {
    this.#peers.delete(peer);
  }
}
