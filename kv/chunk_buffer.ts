/**
 * Where a stream of elements becomes chunks of one size: elements are written at the end, chunks are
 * taken from the front. An element may be larger than a chunk.
 *
 * @module
 */

/** What a buffer begins with: many streams are much smaller than a chunk. */
const START_BYTES = 4_096;

/** See the module. */
export class ChunkBuffer {
  readonly #chunkBytesMax: number;
  /** For who writes: valid until the next {@linkcode reserve}. */
  bytes: Uint8Array<ArrayBuffer>;
  /** Where the next element goes. */
  at = 0;
  #start = 0;

  /** @param chunkBytesMax from 1. */
  constructor(chunkBytesMax: number) {
    this.#chunkBytesMax = chunkBytesMax;
    this.bytes = new Uint8Array(START_BYTES);
  }

  /** Whether a whole chunk can be taken. */
  get full(): boolean {
    return this.at - this.#start >= this.#chunkBytesMax;
  }

  /** Whether nothing is left to be taken. */
  get empty(): boolean {
    return this.at === this.#start;
  }

  /** Makes room for `size` more bytes at `at`. */
  reserve(size: number): void {
    if (this.at + size <= this.bytes.length) return;
    const held = this.bytes.subarray(this.#start, this.at);
    const needed = held.length + size;
    if (needed > this.bytes.length) {
      this.bytes = new Uint8Array(2 * needed);
      this.bytes.set(held);
    } else {
      this.bytes.copyWithin(0, this.#start, this.at);
    }
    this.#start = 0;
    this.at = held.length;
  }

  /** Takes the next chunk out; a smaller one if there is no more. The caller owns it. */
  take(): Uint8Array<ArrayBuffer> {
    const end = Math.min(this.#start + this.#chunkBytesMax, this.at);
    const chunk = this.bytes.slice(this.#start, end);
    this.#start = end;
    return chunk;
  }
}
