/**
 * What the store asks of the ordered map that holds its records. In memory today (btree_engine.ts);
 * a disk engine fits behind the same interface.
 *
 * Not here: what records mean, expiry, hashes.
 *
 * @module
 */
import type { EncodedKey, StoredEntry } from "./types.ts";

/** A stored entry and when it goes away. Immutable: snapshots share it. */
export interface StoredRecord extends StoredEntry {
  /** Replicated time, in ms; 0 for never. */
  readonly expiresMs: number;
}

/** An ordered map from keys to records, in byte order. */
export interface Engine {
  /** How many records there are. */
  readonly size: number;
  get(key: EncodedKey): StoredRecord | undefined;
  /** Inserts or replaces the record of `record.key`; gives the one that was there. */
  set(record: StoredRecord): StoredRecord | undefined;
  /** Inserts a record whose key is behind all others: what `set` would do, in less time. */
  append(record: StoredRecord): void;
  /** Takes a record out, and gives it. */
  delete(key: EncodedKey): StoredRecord | undefined;
  /**
   * Visits the records of `[start, end)` (null: to the very end) in order, or from the end if
   * `reverse`, until `visit` returns false. `visit` must not change the map.
   */
  scan(
    start: EncodedKey,
    end: EncodedKey | null,
    reverse: boolean,
    visit: (record: StoredRecord) => boolean,
  ): void;
  /** A map with the same records that later changes to this one do not reach, nor its to this. */
  clone(): Engine;
}
