/**
 * Which keys expire when: an ordered set of (time, key), so that due keys come out in one order on
 * every replica. Derived from the records, hence neither hashed nor part of snapshots.
 *
 * @module
 */
import { BTree } from "./btree_engine.ts";
import type { EncodedKey } from "./types.ts";

/** Characters of the time in front of the key. */
const TIME_CHARS = 3;

/** See the module. */
export class ExpiryIndex {
  readonly #tree: BTree<string, undefined> = new BTree<string, undefined>(
    undefined,
    (a, b) => a < b ? -1 : a > b ? 1 : 0,
  );

  /** Asked for with every entry, so it is kept; undefined when it must be looked up anew. */
  #firstMs: number | null | undefined = null;

  add(expiresMs: number, key: EncodedKey): void {
    this.#tree.set(slot(expiresMs, key), undefined);
    if (this.#firstMs === null || this.#firstMs !== undefined && expiresMs < this.#firstMs) {
      this.#firstMs = expiresMs;
    }
  }

  remove(expiresMs: number, key: EncodedKey): void {
    this.#tree.delete(slot(expiresMs, key));
    if (expiresMs === this.#firstMs) this.#firstMs = undefined;
  }

  /** When the first key is due; null if none expires. */
  firstMs(): number | null {
    if (this.#firstMs === undefined) {
      const first = this.#tree.minKey();
      this.#firstMs = first === undefined ? null : timeOf(first);
    }
    return this.#firstMs;
  }

  /** When the first key is due that is not due yet at `nowMs`; null if none is. */
  firstAfterMs(nowMs: number): number | null {
    const firstMs = this.firstMs();
    if (firstMs === null || firstMs > nowMs) return firstMs;
    const next = this.#tree.nextHigherKey(slot(nowMs + 1, "" as EncodedKey));
    return next === undefined ? null : timeOf(next);
  }

  /** The keys due at `nowMs`, at most `limit`, by time and then by key. */
  due(nowMs: number, limit: number): EncodedKey[] {
    const keys: EncodedKey[] = [];
    for (const first of this.#tree.keys()) {
      if (keys.length >= limit || timeOf(first) > nowMs) break;
      keys.push(first.slice(TIME_CHARS) as EncodedKey);
    }
    return keys;
  }
}

/** 48 bits of time as three characters of 16, most significant first, and the key: string order is ours. */
function slot(expiresMs: number, key: EncodedKey): string {
  const high = Math.floor(expiresMs / 2 ** 32);
  return String.fromCharCode(high, expiresMs >>> 16 & 0xffff, expiresMs & 0xffff) + key;
}

function timeOf(text: string): number {
  return text.charCodeAt(0) * 2 ** 32 + text.charCodeAt(1) * 2 ** 16 + text.charCodeAt(2);
}
