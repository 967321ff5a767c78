/**
 * A map with text keys whose largest single step stays small: many `Map`s, a key's text says which.
 *
 * One `Map` doubles its table when it is full, all at once: 50 ms and more at a million keys, during
 * which a replica would do nothing else. A thousand small ones do so one by one. Besides, a `Map` ends
 * at 16.7 million keys.
 *
 * @module
 */

/** A power of two: a million keys are about a thousand a shard. */
const SHARDS = 1024;
const SHARD_SHIFT = 22;

/** See the module. Its keys come in no particular order. */
export class ShardedMap<V> {
  readonly #shards = new Array<Map<string, V> | undefined>(SHARDS).fill(undefined);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get(key: string): V | undefined {
    return this.#shards[shardOf(key)]?.get(key);
  }

  set(key: string, value: V): void {
    const at = shardOf(key);
    const shard = this.#shards[at] ??= new Map();
    const sizeBefore = shard.size;
    shard.set(key, value);
    this.#size += shard.size - sizeBefore;
  }

  /** True if there was one. */
  delete(key: string): boolean {
    const there = this.#shards[shardOf(key)]?.delete(key) ?? false;
    if (there) this.#size--;
    return there;
  }
}

/** Four characters a step: a character each would take as long again as the lookup. */
function shardOf(key: string): number {
  const size = key.length;
  let mixed = size;
  let i = 0;
  for (; i + 4 <= size; i += 4) {
    const four = key.charCodeAt(i) | key.charCodeAt(i + 1) << 8 |
      key.charCodeAt(i + 2) << 16 | key.charCodeAt(i + 3) << 24;
    mixed = Math.imul(mixed ^ four, 0x9e3779b1);
    mixed ^= mixed >>> 15;
  }
  for (; i < size; i++) mixed = Math.imul(mixed ^ key.charCodeAt(i), 0x9e3779b1);
  return Math.imul(mixed ^ mixed >>> 15, 0x85ebca6b) >>> SHARD_SHIFT;
}
