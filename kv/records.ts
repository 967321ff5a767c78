/**
 * The records of the store: the ordered map with the two things derived from it, the expiry index and
 * the state hash, always changed together.
 *
 * @module
 */
import type { Engine, StoredRecord } from "./engine.ts";
import { ExpiryIndex } from "./expiry_index.ts";
import { ElementTag, type MultisetHash } from "./state_hash.ts";
import type { EncodedKey } from "./types.ts";

/** See the module. */
export class Records {
  readonly #engine: Engine;
  readonly #hash: MultisetHash;
  readonly #expiry = new ExpiryIndex();

  constructor(engine: Engine, hash: MultisetHash) {
    this.#engine = engine;
    this.#hash = hash;
  }

  get engine(): Engine {
    return this.#engine;
  }

  /** The record of a key as a client may see it at `nowMs`: null if there is none, or if it is due. */
  visible(key: EncodedKey, nowMs: number): StoredRecord | null {
    const record = this.#engine.get(key);
    return record === undefined || isDue(record, nowMs) ? null : record;
  }

  /** Stores a record in the place of the key's former one. */
  put(record: StoredRecord): void {
    const former = this.#engine.set(record);
    if (former !== undefined) this.#forget(former);
    this.#note(record);
  }

  /** Stores a record whose key is behind all others. */
  append(record: StoredRecord): void {
    this.#engine.append(record);
    this.#note(record);
  }

  /** True if there was a record, due or not. */
  remove(key: EncodedKey): boolean {
    const former = this.#engine.delete(key);
    if (former !== undefined) this.#forget(former);
    return former !== undefined;
  }

  /** The keys due at `nowMs`, at most `limit`, by time and then by key. */
  due(nowMs: number, limit: number): readonly EncodedKey[] {
    return this.#expiry.due(nowMs, limit);
  }

  /** When the first key is due; null if none expires. */
  nextExpiryMs(): number | null {
    return this.#expiry.firstMs();
  }

  /** When the first key is due that is still visible at `nowMs`; null if none is. */
  nextVisibleExpiryMs(nowMs: number): number | null {
    return this.#expiry.firstAfterMs(nowMs);
  }

  #note(record: StoredRecord): void {
    addRecord(this.#hash, record);
    if (record.expiresMs !== 0) this.#expiry.add(record.expiresMs, record.key);
  }

  #forget(former: StoredRecord): void {
    const { key, value, versionstamp: { index, order }, expiresMs } = former;
    this.#hash.remove(
      ElementTag.RecordBase + value.encoding,
      order,
      index,
      expiresMs,
      0,
      key,
      value.data,
    );
    if (expiresMs !== 0) this.#expiry.remove(expiresMs, key);
  }
}

/** Whether a record has expired at `nowMs`. */
export function isDue(record: StoredRecord, nowMs: number): boolean {
  return record.expiresMs !== 0 && record.expiresMs <= nowMs;
}

/** Adds a record to a state hash. */
export function addRecord(hash: MultisetHash, record: StoredRecord): void {
  const { key, value, versionstamp: { index, order }, expiresMs } = record;
  hash.add(
    ElementTag.RecordBase + value.encoding,
    order,
    index,
    expiresMs,
    0,
    key,
    value.data,
  );
}
