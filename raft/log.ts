/**
 * The log in memory: consecutive entries after a base, the position of the last entry that compaction
 * cut off (0 before the first).
 *
 * It decides nothing and knows nothing of what is durable, committed or in a snapshot. Arrays of
 * entries that it hands out or takes in are shared, by identity, between disk and peers (see
 * entry_codec.ts), so nobody may change them. What compaction cuts off is let go of at once.
 *
 * @module
 */
import { entryBytes } from "./entry_codec.ts";
import {
  type Entry,
  EntryKind,
  InvariantError,
  type LogIndex,
  type SnapshotInfo,
  type Term,
} from "./types.ts";

/** The encoded size of a run of entries, in bytes. */
export function entriesBytes(entries: readonly Entry[]): number {
  let bytes = 0;
  for (const entry of entries) bytes += entryBytes(entry);
  return bytes;
}

const NONE: readonly Entry[] = [];

/** Stands in the slots before the base until they are reused, so that they keep no entry alive. */
const CUT: Entry = {
  term: 0 as Term,
  index: 0 as LogIndex,
  timeMs: 0,
  kind: EntryKind.NoOp,
  data: new Uint8Array(0),
};

export class RaftLog {
  /** The first `#start` slots hold nothing of the log any more. */
  #entries: Entry[];
  #start = 0;
  #baseIndex: LogIndex;
  #baseTerm: Term;
  /** Stamps do not fall behind this one: the base's, or that of a snapshot. */
  #baseTimeMs: number;
  /** The array appended last: what the leader persists is what it sends. */
  #tail: readonly Entry[] = NONE;
  #tailBytes = 0;
  /** The slice taken last, and what was asked: two followers at one position share it. */
  #slice: readonly Entry[] = NONE;
  #sliceTo = 0;
  #sliceBytesMax = 0;

  /**
   * @param entries consecutive from `baseIndex` + 1; copied, not kept.
   * @param timeMs what {@linkcode RaftLog.lastTimeMs} must not fall below, a snapshot's stamp.
   * @throws {InvariantError} if the entries are not consecutive.
   */
  constructor(entries: readonly Entry[], baseIndex: LogIndex, baseTerm: Term, timeMs = 0) {
    this.#baseIndex = baseIndex;
    this.#baseTerm = baseTerm;
    this.#baseTimeMs = timeMs;
    this.#entries = entries.slice();
    let termBefore: Term = baseTerm;
    for (let i = 0; i < entries.length; i++) {
      const { index, term } = entries[i];
      if (index !== baseIndex + 1 + i || term < termBefore) {
        throw new InvariantError(
          `Cannot build log: entry ${index} of term ${term} stands at ${baseIndex + 1 + i}, ` +
            `after term ${termBefore}`,
        );
      }
      termBefore = term;
    }
  }

  /** The position of the last entry that was cut off; 0 if none was. */
  get baseIndex(): LogIndex {
    return this.#baseIndex;
  }

  get baseTerm(): Term {
    return this.#baseTerm;
  }

  get firstIndex(): LogIndex {
    return this.#baseIndex + 1 as LogIndex;
  }

  get lastIndex(): LogIndex {
    return this.#baseIndex + this.#length as LogIndex;
  }

  get lastTerm(): Term {
    return this.#length === 0 ? this.#baseTerm : this.#entries[this.#entries.length - 1].term;
  }

  /** The stamp of the last entry, in ms since the epoch, present or cut off; 0 if there never was one. */
  get lastTimeMs(): number {
    if (this.#length === 0) return this.#baseTimeMs;
    return Math.max(this.#entries[this.#entries.length - 1].timeMs, this.#baseTimeMs);
  }

  get #length(): number {
    return this.#entries.length - this.#start;
  }

  /** The slot of the entry at `index`. */
  #slot(index: number): number {
    return index - this.#baseIndex - 1 + this.#start;
  }

  /**
   * The term of the entry at `index`; the base has one, too.
   *
   * @throws {InvariantError} if the log does not reach there.
   */
  term(index: LogIndex): Term {
    if (index === this.#baseIndex) return this.#baseTerm;
    return this.entry(index).term;
  }

  /** @throws {InvariantError} if the log does not hold it. */
  entry(index: LogIndex): Entry {
    const entry = this.#entries[this.#slot(index)];
    if (entry === undefined || index <= this.#baseIndex) {
      throw new InvariantError(
        `Cannot read entry ${index}: the log holds ${this.firstIndex} to ${this.lastIndex}`,
      );
    }
    return entry;
  }

  /** Whether the log has an entry of `term` at `index`: the consistency check of section 5.3. */
  matches(index: LogIndex, term: Term): boolean {
    return index >= this.#baseIndex && index <= this.lastIndex && this.term(index) === term;
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
    const first = this.#slot(from);
    let end = this.#slot(to) + 1;
    // Who asks without a bound applies entries; what is sent always has one.
    if (bytesMax === Infinity) return this.#entries.slice(first, end);
    end = this.#cut(first, end, bytesMax);
    this.#slice = this.#entries.slice(first, end);
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
   * @throws {InvariantError} if that position was cut off.
   */
  truncate(from: LogIndex): void {
    if (from <= this.#baseIndex) {
      throw new InvariantError(
        `Cannot truncate from ${from}: the log was cut off up to ${this.#baseIndex}`,
      );
    }
    this.#entries.length = Math.min(this.#entries.length, this.#slot(from));
    this.#unshare();
  }

  /**
   * Cuts off all entries up to `index`; does nothing if they are cut off already. The cost is that of
   * the entries cut, however many stay.
   *
   * @throws {InvariantError} if the log does not reach there.
   */
  compact(index: LogIndex): void {
    if (index <= this.#baseIndex) return;
    const { term, timeMs } = this.entry(index);
    const cut = this.#slot(index) + 1;
    if (2 * cut > this.#entries.length) {
      // What is copied is less than what was cut since the last time.
      this.#entries = this.#entries.slice(cut);
      this.#start = 0;
    } else {
      this.#entries.fill(CUT, this.#start, cut);
      this.#start = cut;
    }
    this.#baseIndex = index;
    this.#baseTerm = term;
    this.#baseTimeMs = Math.max(this.#baseTimeMs, timeMs);
    if (this.#tail.length > 0 && this.#tail[0].index <= index) this.#unshare();
    else this.#slice = NONE;
  }

  /** Forgets everything: the log is empty behind an entry of `term` and `timeMs` at `index`. */
  reset(index: LogIndex, term: Term, timeMs: number): void {
    this.#entries = [];
    this.#start = 0;
    this.#baseIndex = index;
    this.#baseTerm = term;
    this.#baseTimeMs = timeMs;
    this.#unshare();
  }

  /** Lets go of the arrays kept for sharing, which may hold what is no longer in the log. */
  #unshare(): void {
    this.#tail = NONE;
    this.#tailBytes = 0;
    this.#slice = NONE;
  }

  /** The first index behind the base whose term is `term` or later; lastIndex + 1 without one. */
  firstIndexOfTerm(term: Term): LogIndex {
    let low = this.#start;
    let high = this.#entries.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#entries[middle].term < term) low = middle + 1;
      else high = middle;
    }
    return this.#baseIndex + 1 + low - this.#start as LogIndex;
  }
}

/** What a replica finds of its log and its snapshot when it starts. */
export interface RecoveredLog {
  readonly log: {
    readonly entries: readonly Entry[];
    readonly baseIndex: LogIndex;
    readonly baseTerm: Term;
  };
  readonly snapshot: SnapshotInfo | null;
}

/**
 * The log to start from: what is left of it must begin at the snapshot or before, and reach it.
 *
 * @throws {InvariantError} if there is a gap between the two, or they contradict each other.
 */
export function logToStartFrom({ log, snapshot }: RecoveredLog): RaftLog {
  const { entries, baseIndex, baseTerm } = log;
  const { index, term, timeMs } = snapshot?.meta ?? { index: 0, term: 0, timeMs: 0 };
  const built = new RaftLog(entries, baseIndex, baseTerm, timeMs);
  if (built.matches(index as LogIndex, term as Term)) return built;
  throw new InvariantError(
    `Cannot start: the snapshot of ${index} (term ${term}) does not fit the log, which holds ` +
      `${built.firstIndex} to ${built.lastIndex}`,
  );
}
