/**
 * What a store remembers of its blocks while it is open: where each begins, so that a suffix can be
 * cut off without reading the log. Columns of numbers, about 40 bytes a block.
 *
 * @module
 */
import type { Term } from "../raft/types.ts";
import { LOG_EMPTY, type LogEnd } from "./block_codec.ts";

/** The blocks of one log, in order. */
export class BlockIndex {
  readonly #first: number[] = [];
  readonly #parts: number[] = [];
  /** Of the end of each block. */
  readonly #lastTerm: Term[] = [];
  readonly #chainHigh: number[] = [];
  readonly #chainLow: number[] = [];
  #end = LOG_EMPTY;

  get size(): number {
    return this.#first.length;
  }

  /** Where the log ends. */
  get end(): LogEnd {
    return this.#end;
  }

  firstIndex(block: number): number {
    return this.#first[block];
  }

  /** In how many values the block is stored. */
  parts(block: number): number {
    return this.#parts[block];
  }

  /** Where the log would end if it had only the first `blocks` blocks. */
  endOf(blocks: number): LogEnd {
    if (blocks === this.size) return this.#end;
    if (blocks === 0) return LOG_EMPTY;
    return {
      lastIndex: this.#first[blocks] - 1,
      lastTerm: this.#lastTerm[blocks - 1],
      chain: { high: this.#chainHigh[blocks - 1], low: this.#chainLow[blocks - 1] },
    };
  }

  /** How many blocks begin before `index`. */
  blocksBefore(index: number): number {
    let low = 0;
    let high = this.size;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#first[middle] < index) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Notes a block behind the last one, after which the log ends at `end`. */
  push(parts: number, end: LogEnd): void {
    this.#first.push(this.#end.lastIndex + 1);
    this.#parts.push(parts);
    this.#lastTerm.push(end.lastTerm);
    this.#chainHigh.push(end.chain.high);
    this.#chainLow.push(end.chain.low);
    this.#end = end;
  }

  /** Forgets all but the first `blocks` blocks. */
  truncate(blocks: number): void {
    this.#end = this.endOf(blocks);
    this.#first.length = blocks;
    this.#parts.length = blocks;
    this.#lastTerm.length = blocks;
    this.#chainHigh.length = blocks;
    this.#chainLow.length = blocks;
  }
}
