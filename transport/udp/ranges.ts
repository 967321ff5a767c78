/**
 * A set of whole numbers as ranges, for packet numbers that came and bytes of a stream that did.
 *
 * Ranges are half open, apart from each other, ascending and few: what would make one too many is refused,
 * so that a peer that leaves gaps on purpose holds no memory with them.
 *
 * @module
 */

export class RangeSet {
  readonly #countMax: number;
  readonly #starts: number[] = [];
  readonly #ends: number[] = [];

  constructor(countMax: number) {
    this.#countMax = countMax;
  }

  /** Ranges, not numbers. */
  get count(): number {
    return this.#starts.length;
  }

  /** Start of the range at a position, from 0 for the lowest. */
  start(at: number): number {
    return this.#starts[at]!;
  }

  /** End of the range at a position; the first number that is not in it. */
  end(at: number): number {
    return this.#ends[at]!;
  }

  has(value: number): boolean {
    const at = this.#firstEndingAfter(value);
    return at < this.#starts.length && this.#starts[at]! <= value;
  }

  /**
   * Adds all numbers from `start` to before `end`. False, and nothing changed, if it were a range too many;
   * `spare` more than usual are allowed it.
   */
  add(start: number, end: number, spare = 0): boolean {
    if (start >= end) return true;
    // Ranges that touch become one, so those that end exactly at the start count.
    const from = this.#firstEndingAfter(start - 1);
    let to = from;
    while (to < this.#starts.length && this.#starts[to]! <= end) to += 1;
    if (from === to) {
      if (this.#starts.length >= this.#countMax + spare) return false;
      this.#starts.splice(from, 0, start);
      this.#ends.splice(from, 0, end);
      return true;
    }
    this.#starts[from] = Math.min(start, this.#starts[from]!);
    this.#ends[from] = Math.max(end, this.#ends[to - 1]!);
    if (to - from > 1) {
      this.#starts.splice(from + 1, to - from - 1);
      this.#ends.splice(from + 1, to - from - 1);
    }
    return true;
  }

  /** Takes all numbers from `start` to before `end` out; the one range that this may split is not refused. */
  remove(start: number, end: number): void {
    if (start >= end) return;
    let at = this.#firstEndingAfter(start);
    while (at < this.#starts.length && this.#starts[at]! < end) {
      const [rangeStart, rangeEnd] = [this.#starts[at]!, this.#ends[at]!];
      if (rangeStart < start && rangeEnd > end) {
        this.#ends[at] = start;
        this.#starts.splice(at + 1, 0, end);
        this.#ends.splice(at + 1, 0, rangeEnd);
        return;
      }
      if (rangeStart < start) {
        this.#ends[at++] = start;
      } else if (rangeEnd > end) {
        this.#starts[at] = end;
        return;
      } else {
        this.#starts.splice(at, 1);
        this.#ends.splice(at, 1);
      }
    }
  }

  removeLowest(): void {
    this.#starts.shift();
    this.#ends.shift();
  }

  clear(): void {
    this.#starts.length = 0;
    this.#ends.length = 0;
  }

  /** Position of the first range whose end is above a number: by halving. */
  #firstEndingAfter(value: number): number {
    let [low, high] = [0, this.#ends.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#ends[middle]! > value) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}
