/**
 * Who watches which keys: finds the watchers of a changed key without asking each of them.
 *
 * @module
 */
import type { EncodedKey } from "./types.ts";

/** What a watcher wants to hear of: single keys, and all keys that extend one of the prefixes. */
export interface Selection {
  readonly keys: readonly EncodedKey[];
  /** Encoded keys, which do not select themselves; the empty one selects everything. */
  readonly prefixes: readonly EncodedKey[];
}

/** Whether a selection has a key. */
export function selects({ keys, prefixes }: Selection, key: EncodedKey): boolean {
  for (let i = 0; i < keys.length; i++) if (keys[i] === key) return true;
  for (let i = 0; i < prefixes.length; i++) {
    if (isPartEnd(key, prefixes[i].length) && key.startsWith(prefixes[i])) return true;
  }
  return false;
}

/** The byte behind a zero that belongs to the part, and does not end it; no part begins with it. */
const ESCAPED_ZERO = 0xff;

/** Whether more parts may follow after so many bytes of a key that are a key: `"a"` is no prefix of `"a\0"`. */
function isPartEnd(key: EncodedKey, length: number): boolean {
  return key.length > length && key.charCodeAt(length) !== ESCAPED_ZERO;
}

/** Watchers by what they watch. */
export class Watchers<T> {
  readonly #byKey = new Map<EncodedKey, Set<T>>();
  readonly #byPrefix = new Map<EncodedKey, Set<T>>();
  /** How many prefixes there are of each length: a changed key is looked up once for each length. */
  readonly #lengths = new Map<number, number>();
  readonly #selections = new Map<T, Selection>();

  get size(): number {
    return this.#selections.size;
  }

  add(watcher: T, selection: Selection): void {
    this.#selections.set(watcher, selection);
    for (const key of new Set(selection.keys)) enlist(this.#byKey, key, watcher);
    for (const prefix of new Set(selection.prefixes)) {
      if (enlist(this.#byPrefix, prefix, watcher)) {
        this.#lengths.set(prefix.length, (this.#lengths.get(prefix.length) ?? 0) + 1);
      }
    }
  }

  delete(watcher: T): void {
    const selection = this.#selections.get(watcher);
    if (selection === undefined) return;
    this.#selections.delete(watcher);
    for (const key of new Set(selection.keys)) strike(this.#byKey, key, watcher);
    for (const prefix of new Set(selection.prefixes)) {
      if (!strike(this.#byPrefix, prefix, watcher)) continue;
      const left = this.#lengths.get(prefix.length)! - 1;
      if (left === 0) this.#lengths.delete(prefix.length);
      else this.#lengths.set(prefix.length, left);
    }
  }

  /** Visits whoever watches a key: those that watch it in several ways more than once. */
  visit(key: EncodedKey, visit: (watcher: T) => void): void {
    this.#byKey.get(key)?.forEach(visit);
    for (const length of this.#lengths.keys()) {
      if (!isPartEnd(key, length)) continue;
      this.#byPrefix.get(key.slice(0, length) as EncodedKey)?.forEach(visit);
    }
  }

  all(): Iterable<T> {
    return this.#selections.keys();
  }
}

/** True if nobody was there before. */
function enlist<T>(map: Map<EncodedKey, Set<T>>, key: EncodedKey, watcher: T): boolean {
  const watchers = map.get(key);
  if (watchers === undefined) map.set(key, new Set([watcher]));
  else watchers.add(watcher);
  return watchers === undefined;
}

/** True if nobody is left. */
function strike<T>(map: Map<EncodedKey, Set<T>>, key: EncodedKey, watcher: T): boolean {
  const watchers = map.get(key)!;
  watchers.delete(watcher);
  if (watchers.size > 0) return false;
  map.delete(key);
  return true;
}
