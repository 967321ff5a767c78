/**
 * What a store remembers of its blocks while it is open: where each begins, so that a suffix or a
 * prefix can be cut off without reading the log. Columns of numbers, about 40 bytes a block.
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
  #base: LogEnd;
  #end: LogEnd;

  /** An index without blocks, whose first will stand behind `base`. */
  constructor(base: LogEnd = LOG_EMPTY) {
    this.#base = base;
    this.#end = base;
  }

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

  /** Where the log would end if it had only the first `blocks` blocks; of none of them, its base. */
  endOf(blocks: number): LogEnd {
    if (blocks === this.size) return this.#end;
    if (blocks === 0) return this.#base;
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

  /** How many blocks end at `index` or before. */
  blocksUpTo(index: number): number {
    const begun = this.blocksBefore(index + 1);
    return begun > 0 && this.endOf(begun).lastIndex > index ? begun - 1 : begun;
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

  /** Forgets the first `blocks` blocks: the log begins behind them. Gives them back. */
  dropFront(blocks: number): { readonly firstIndex: number; readonly parts: number }[] {
    this.#base = this.endOf(blocks);
    const parts = this.#parts.splice(0, blocks);
    const dropped = this.#first.splice(0, blocks).map((firstIndex, i) => ({
      firstIndex,
      parts: parts[i],
    }));
    this.#lastTerm.splice(0, blocks);
    this.#chainHigh.splice(0, blocks);
    this.#chainLow.splice(0, blocks);
    return dropped;
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
