/**
 * Copies of many small values, side by side in buffers of a few KiB.
 *
 * A buffer of its own costs a value 260 bytes and 0.6 µs, which is most of what restoring a small value
 * takes. A slab lives as long as one of its values does; with values as small as these that can never
 * cost more than what it saves.
 *
 * @module
 */

const SLAB_BYTES = 4096;
/** Larger values get a buffer of their own. */
const SMALL_BYTES_MAX = 256;

/** See the module. */
export class ValueSlab {
  #slab = new Uint8Array(0);
  #used = 0;

  /** A copy of the bytes from `start` to `end` (exclusive). */
  copy(bytes: Uint8Array, start: number, end: number): Uint8Array {
    const size = end - start;
    if (size > SMALL_BYTES_MAX) return bytes.slice(start, end);
    if (this.#used + size > this.#slab.length) {
      this.#slab = new Uint8Array(SLAB_BYTES);
      this.#used = 0;
    }
    const slab = this.#slab;
    const at = this.#used;
    // A call of `set` takes longer for so few.
    for (let i = 0; i < size; i++) slab[at + i] = bytes[start + i]!;
    this.#used += size;
    return slab.subarray(at, at + size);
  }
}
