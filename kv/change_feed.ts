/**
 * The latest changes of the store, in order, for whoever watches: a ring with a bound on how many there
 * are and one on their bytes. What falls out of it is remembered as the floor, so that nobody who asks for
 * changes from before it can be told less than all without being told that.
 *
 * What an entry changed is in here as soon as it is applied, and seen by nobody before it is published:
 * between the two lies the judgement on the state (actors/replica_apply.ts). A change is named by its
 * sequence, a count that never goes back while this feed lives, whatever falls out of it.
 *
 * Not here: who watches what (watchers.ts), and who is told how (actors/watching.ts).
 *
 * @module
 */
import { FEED_BYTES_MAX, FEED_CHANGES_MAX } from "./limits.ts";
import type { Change, Versionstamp } from "./types.ts";
import { compareVersionstamps } from "./versionstamp.ts";

/** What a change costs beside its key and value: the objects that hold it. */
const CHANGE_BYTES = 128;
/** The first capacity of the ring; it doubles as needed. */
const CAPACITY_MIN = 256;
/** Behind every versionstamp that an entry gives. */
const ORDER_LAST = 0xffff;

/** How much a feed holds. Tests set less. */
export interface FeedLimits {
  /** A power of two. More than one entry can change (`MUTATIONS_MAX` and expired keys). */
  readonly changesMax: number;
  /** Of keys, values, and {@linkcode CHANGE_BYTES} for each. */
  readonly bytesMax: number;
}

const LIMITS: FeedLimits = { changesMax: FEED_CHANGES_MAX, bytesMax: FEED_BYTES_MAX };

/** The end of an entry: behind all that it changed, and before all that the next one does. */
export function endOf(index: number): Versionstamp {
  return { index, order: ORDER_LAST };
}

/** See the module. */
export class ChangeFeed {
  readonly #limits: FeedLimits;
  /** A ring: the change of a sequence lies at the sequence modulo the capacity, which is a power of two. */
  #slots: (Change | undefined)[] = [];
  /** The sequences of the oldest change that is here, of the first unpublished one, and of the next to come. */
  #first = 0;
  #published = 0;
  #next = 0;
  #bytes = 0;
  #floor: Versionstamp;
  #index: number;
  #headIndex: number;

  /** @param index of the last entry that the store has applied. */
  constructor(index: number, limits: Partial<FeedLimits> = {}) {
    this.#limits = { ...LIMITS, ...limits };
    this.#index = this.#headIndex = index;
    this.#floor = floorAt(index);
  }

  /** All changes behind this one, up to {@linkcode head}, are here. */
  get floor(): Versionstamp {
    return this.#floor;
  }

  /** The end of what is published. */
  get head(): Versionstamp {
    return endOf(this.#headIndex);
  }

  /** The sequence behind the last change that is published. */
  get end(): number {
    return this.#published;
  }

  /** Bytes of what is here, and how many changes. */
  get bytes(): number {
    return this.#bytes;
  }

  get size(): number {
    return this.#next - this.#first;
  }

  /** Hot path: notes what the next entry changed, in the order of versionstamps. */
  append(index: number, changes: readonly Change[]): void {
    this.#index = index;
    for (let i = 0; i < changes.length; i++) this.#push(changes[i]);
    if (this.#bytes > this.#limits.bytesMax) this.#drop();
  }

  /** Shows what was appended; gives the sequence of the first change of it. */
  publish(): number {
    const from = this.#published;
    this.#published = this.#next;
    this.#headIndex = this.#index;
    return Math.max(from, this.#first);
  }

  /** Another state has taken the place of the one that was fed from: that of `index`. */
  reset(index: number): void {
    this.#slots = [];
    this.#first = this.#published = this.#next;
    this.#bytes = 0;
    this.#index = this.#headIndex = index;
    this.#floor = floorAt(index);
  }

  /** The change of a sequence below {@linkcode end}; null if it has fallen out. */
  at(sequence: number): Change | null {
    if (sequence < this.#first || sequence >= this.#published) return null;
    return this.#slots[sequence & this.#slots.length - 1]!;
  }

  /** The sequence of the first change behind `position`; null if some behind it have fallen out. */
  after(position: Versionstamp): number | null {
    if (compareVersionstamps(position, this.#floor) < 0) return null;
    let low = this.#first;
    let high = this.#published;
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      if (compareVersionstamps(this.at(middle)!.versionstamp, position) <= 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #push(change: Change): void {
    if (this.size === this.#slots.length) this.#makeRoom();
    this.#slots[this.#next++ & this.#slots.length - 1] = change;
    this.#bytes += bytesOf(change);
  }

  #makeRoom(): void {
    const { length } = this.#slots;
    if (length >= this.#limits.changesMax) return this.#dropOldest();
    const capacity = Math.min(Math.max(2 * length, CAPACITY_MIN), this.#limits.changesMax);
    const grown = new Array<Change | undefined>(capacity).fill(undefined);
    for (let at = this.#first; at < this.#next; at++) {
      grown[at & capacity - 1] = this.#slots[at & length - 1];
    }
    this.#slots = grown;
  }

  #drop(): void {
    while (this.#bytes > this.#limits.bytesMax && this.size > 0) this.#dropOldest();
  }

  /** All of one versionstamp at once: half of an atomic write is of no use to anybody. */
  #dropOldest(): void {
    const mask = this.#slots.length - 1;
    const oldest = this.#slots[this.#first & mask]!;
    this.#floor = oldest.versionstamp;
    for (; this.#first < this.#next; this.#first++) {
      const change = this.#slots[this.#first & mask]!;
      if (compareVersionstamps(change.versionstamp, oldest.versionstamp) !== 0) break;
      this.#bytes -= bytesOf(change);
      this.#slots[this.#first & mask] = undefined;
    }
    this.#published = Math.max(this.#published, this.#first);
  }
}

/** Before the first entry there is nothing that could be lacking. */
function floorAt(index: number): Versionstamp {
  return index === 0 ? { index: 0, order: 0 } : endOf(index);
}

function bytesOf({ key, value }: Change): number {
  return CHANGE_BYTES + key.length + (value === null ? 0 : value.data.length);
}
