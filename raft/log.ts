/**
 * The log in memory: consecutive entries after a snapshot's position (which is 0 before the first
 * snapshot).
 *
 * It decides nothing and knows nothing of what is durable or committed. Arrays of entries that it
 * hands out or takes in are shared, by identity, between disk and peers (see entry_codec.ts), so
 * nobody may change them.
 *
 * @module
 */
import { entryBytes } from "./entry_codec.ts";
import { type Entry, InvariantError, type LogIndex, type Term } from "./types.ts";

/** The encoded size of a run of entries, in bytes. */
export function entriesBytes(entries: readonly Entry[]): number {
  let bytes = 0;
  for (const entry of entries) bytes += entryBytes(entry);
  return bytes;
}

const NONE: readonly Entry[] = [];

export class RaftLog {
  readonly #entries: Entry[];
  /** The position of the last entry that a snapshot replaced. */
  readonly snapshotIndex: LogIndex;
  readonly snapshotTerm: Term;
  /** The array appended last: what the leader persists is what it sends. */
  #tail: readonly Entry[] = NONE;
  #tailBytes = 0;
  /** The slice taken last, and what was asked: two followers at one position share it. */
  #slice: readonly Entry[] = NONE;
  #sliceTo = 0;
  #sliceBytesMax = 0;

  /**
   * @param entries consecutive from `snapshotIndex` + 1; copied, not kept.
   * @throws {InvariantError} if they are not.
   */
  constructor(entries: readonly Entry[], snapshotIndex: LogIndex, snapshotTerm: Term) {
    this.snapshotIndex = snapshotIndex;
    this.snapshotTerm = snapshotTerm;
    this.#entries = entries.slice();
    let termBefore: Term = snapshotTerm;
    for (let i = 0; i < entries.length; i++) {
      const { index, term } = entries[i];
      if (index !== snapshotIndex + 1 + i || term < termBefore) {
        throw new InvariantError(
          `Cannot build log: entry ${index} of term ${term} stands at ${snapshotIndex + 1 + i}, ` +
            `after term ${termBefore}`,
        );
      }
      termBefore = term;
    }
  }

  get firstIndex(): LogIndex {
    return this.snapshotIndex + 1 as LogIndex;
  }

  get lastIndex(): LogIndex {
    return this.snapshotIndex + this.#entries.length as LogIndex;
  }

  get lastTerm(): Term {
    const length = this.#entries.length;
    return length === 0 ? this.snapshotTerm : this.#entries[length - 1].term;
  }

  /** The stamp of the last entry in ms since the epoch, 0 without one. */
  get lastTimeMs(): number {
    return this.#entries.at(-1)?.timeMs ?? 0;
  }

  /**
   * The term of the entry at `index`; the snapshot's position and 0 have one, too.
   *
   * @throws {InvariantError} if the log does not reach there.
   */
  term(index: LogIndex): Term {
    if (index === this.snapshotIndex) return this.snapshotTerm;
    return this.entry(index).term;
  }

  /** @throws {InvariantError} if the log does not hold it. */
  entry(index: LogIndex): Entry {
    const entry = this.#entries[index - this.snapshotIndex - 1];
    if (entry === undefined) {
      throw new InvariantError(
        `Cannot read entry ${index}: the log holds ${this.firstIndex} to ${this.lastIndex}`,
      );
    }
    return entry;
  }

  /** Whether the log has an entry of `term` at `index`: the consistency check of section 5.3. */
  matches(index: LogIndex, term: Term): boolean {
    return index >= this.snapshotIndex && index <= this.lastIndex && this.term(index) === term;
  }

  /**
   * The entries `from` to `to`, both included, cut where they would exceed `bytesMax` encoded; the
   * first one always comes. The array may be shared: see the module's note.
   *
   * @throws {InvariantError} if the log does not hold them.
   */
  slice(from: LogIndex, to: LogIndex, bytesMax = Infinity): readonly Entry[] {
    if (from > to) return NONE;
    if (this.#tail.length > 0 && this.#tail[0].index === from && this.lastIndex === to) {
      if (this.#tailBytes <= bytesMax) return this.#tail;
    }
    const asked = this.#slice.length > 0 && this.#slice[0].index === from;
    if (asked && this.#sliceTo === to && this.#sliceBytesMax === bytesMax) return this.#slice;
    if (from < this.firstIndex || to > this.lastIndex) {
      throw new InvariantError(
        `Cannot slice ${from} to ${to}: the log holds ${this.firstIndex} to ${this.lastIndex}`,
      );
    }
    const start = from - this.snapshotIndex - 1;
    let end = to - this.snapshotIndex;
    // Who asks without a bound applies entries; what is sent always has one.
    if (bytesMax === Infinity) return this.#entries.slice(start, end);
    end = this.#cut(start, end, bytesMax);
    this.#slice = this.#entries.slice(start, end);
    this.#sliceTo = to;
    this.#sliceBytesMax = bytesMax;
    return this.#slice;
  }

  #cut(start: number, end: number, bytesMax: number): number {
    let bytes = entryBytes(this.#entries[start]);
    let at = start + 1;
    while (at < end) {
      bytes += entryBytes(this.#entries[at]);
      if (bytes > bytesMax) break;
      at++;
    }
    return at;
  }

  /**
   * Adds entries behind the last one, and keeps the array.
   *
   * @throws {InvariantError} if they do not follow it.
   */
  append(entries: readonly Entry[]): void {
    let index = this.lastIndex;
    let bytes = 0;
    for (const entry of entries) {
      if (entry.index !== ++index) {
        throw new InvariantError(`Cannot append entry ${entry.index}: ${index} is next`);
      }
      bytes += entryBytes(entry);
      this.#entries.push(entry);
    }
    this.#tail = entries;
    this.#tailBytes = bytes;
  }

  /**
   * Forgets all entries from `from`.
   *
   * @throws {InvariantError} if a snapshot holds that position.
   */
  truncate(from: LogIndex): void {
    if (from <= this.snapshotIndex) {
      throw new InvariantError(
        `Cannot truncate from ${from}: the snapshot reaches to ${this.snapshotIndex}`,
      );
    }
    this.#entries.length = Math.min(this.#entries.length, from - this.snapshotIndex - 1);
    this.#tail = NONE;
    this.#slice = NONE;
  }

  /** The first index after the snapshot whose term is `term` or later; lastIndex + 1 without one. */
  firstIndexOfTerm(term: Term): LogIndex {
    let low = 0;
    let high = this.#entries.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#entries[middle].term < term) low = middle + 1;
      else high = middle;
    }
    return this.snapshotIndex + 1 + low as LogIndex;
  }
}
