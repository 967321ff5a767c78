/**
 * The ordered map in memory: a B+ tree whose clone is O(1) and copies nodes on write, so that a
 * snapshot can be read at leisure while the store goes on.
 *
 * @module
 */
import sortedBTree from "sorted-btree";
import type { Engine, StoredRecord } from "./engine.ts";
import { compare } from "./key_codec.ts";
import type { EncodedKey } from "./types.ts";

/** The package is CommonJS with its class under `default`, and so an import gives its exports. */
export const BTree = sortedBTree.default;
export type BTree<K, V> = sortedBTree.default<K, V>;

/** Keys in a node; measured: 64 and 128 are alike, 32 is slower. */
const NODE_KEYS_MAX = 64;

/** See {@linkcode Engine}. */
export class BTreeEngine implements Engine {
  readonly #tree: BTree<EncodedKey, StoredRecord>;

  constructor(tree?: BTree<EncodedKey, StoredRecord>) {
    this.#tree = tree ?? new BTree<EncodedKey, StoredRecord>(undefined, compare, NODE_KEYS_MAX);
  }

  get size(): number {
    return this.#tree.size;
  }

  get(key: EncodedKey): StoredRecord | undefined {
    return this.#tree.get(key);
  }

  set(record: StoredRecord): void {
    this.#tree.set(record.key, record);
  }

  delete(key: EncodedKey): boolean {
    return this.#tree.delete(key);
  }

  scan(
    start: EncodedKey,
    end: EncodedKey | null,
    reverse: boolean,
    visit: (record: StoredRecord) => boolean,
  ): void {
    // The iterators reuse one array for all pairs.
    if (reverse) {
      const pairs = this.#tree.entriesReversed(end ?? undefined, [], end !== null);
      for (const [key, record] of pairs) {
        if (key < start || !visit(record)) return;
      }
    } else {
      for (const [key, record] of this.#tree.entries(start, [])) {
        if (end !== null && key >= end || !visit(record)) return;
      }
    }
  }

  clone(): BTreeEngine {
    return new BTreeEngine(this.#tree.clone());
  }
}
