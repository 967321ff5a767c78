/**
 * The ordered map in memory: a B+ tree for order, whose clone is O(1) and copies nodes on write, and a
 * hash map beside it for single keys.
 *
 * Both lead to the same cells. Replacing a record writes to its cell and touches neither tree nor map,
 * unless a clone shares the cell: then the key gets a cell of its own first. So a snapshot can be read
 * at leisure while the store goes on, and a write to a known key costs one look into a hash map
 * (docs/decisions/0005-store.md has the figures).
 *
 * @module
 */
import sortedBTree from "sorted-btree";
import type { Engine, StoredRecord } from "./engine.ts";
import { compare } from "./key_codec.ts";
import { ShardedMap } from "./sharded_map.ts";
import type { EncodedKey } from "./types.ts";

/** The package is CommonJS with its class under `default`, and so an import gives its exports. */
export const BTree = sortedBTree.default;
export type BTree<K, V> = sortedBTree.default<K, V>;

/** Keys in a node. */
const NODE_KEYS_MAX = 64;

/** Says which engine may write to a cell: compared by identity, renewed at each clone. */
class Owner {}

class Cell {
  record: StoredRecord;
  readonly owner: Owner;

  constructor(record: StoredRecord, owner: Owner) {
    this.record = record;
    this.owner = owner;
  }
}

/** See {@linkcode Engine}. */
export class BTreeEngine implements Engine {
  readonly #tree: BTree<EncodedKey, Cell>;
  /** Undefined in a clone until a single key is asked for: a snapshot only scans. */
  #cells: ShardedMap<Cell> | undefined;
  #owner = new Owner();

  private constructor(tree: BTree<EncodedKey, Cell>) {
    this.#tree = tree;
  }

  /** An empty map. */
  static empty(): BTreeEngine {
    return new BTreeEngine(new BTree<EncodedKey, Cell>(undefined, compare, NODE_KEYS_MAX));
  }

  get size(): number {
    return this.#tree.size;
  }

  get(key: EncodedKey): StoredRecord | undefined {
    return this.#byKey().get(key)?.record;
  }

  set(record: StoredRecord): StoredRecord | undefined {
    const cells = this.#byKey();
    const cell = cells.get(record.key);
    const former = cell?.record;
    if (cell !== undefined && cell.owner === this.#owner) {
      cell.record = record;
      return former;
    }
    const own = new Cell(record, this.#owner);
    cells.set(record.key, own);
    this.#tree.set(record.key, own);
    return former;
  }

  append(record: StoredRecord): void {
    const cell = new Cell(record, this.#owner);
    this.#byKey().set(record.key, cell);
    this.#tree.set(record.key, cell);
  }

  delete(key: EncodedKey): StoredRecord | undefined {
    const cells = this.#byKey();
    const former = cells.get(key)?.record;
    if (former !== undefined) {
      cells.delete(key);
      this.#tree.delete(key);
    }
    return former;
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
      for (const [key, cell] of pairs) {
        if (key < start || !visit(cell.record)) return;
      }
    } else {
      for (const [key, cell] of this.#tree.entries(start, [])) {
        if (end !== null && key >= end || !visit(cell.record)) return;
      }
    }
  }

  clone(): BTreeEngine {
    // From now on the cells of both belong to neither.
    this.#owner = new Owner();
    return new BTreeEngine(this.#tree.clone());
  }

  #byKey(): ShardedMap<Cell> {
    if (this.#cells === undefined) {
      this.#cells = new ShardedMap();
      for (const [key, cell] of this.#tree.entries(undefined, [])) this.#cells.set(key, cell);
    }
    return this.#cells;
  }
}
