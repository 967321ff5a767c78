/**
 * Many small arrays of bytes, side by side in larger buffers.
 *
 * A buffer of its own costs an array 260 bytes and 0.6 µs to make, and the collector as much again to
 * follow and to free (docs/decisions/0018-hot-path.md). A slab lives as long as one of the arrays in it
 * does: what lies side by side should come to its end at about the same time, or slabs should be small.
 *
 * @module
 */

/** Up to here the engine keeps an array's bytes in its own heap, which costs less than a slab. */
const IN_HEAP_BYTES_MAX = 64;

/** How a slab is used. Sizes in bytes. */
export interface SlabSizes {
  /** Of one slab. */
  readonly slabBytes: number;
  /** Larger arrays get a buffer of their own. At most `slabBytes`. */
  readonly smallBytesMax: number;
}

/**
 * For values in the store. Some are replaced soon and some never, so that in the worst case each keeps
 * a slab of its own: slabs are small, and what is not much smaller than one stays outside.
 */
export const VALUE_SLABS: SlabSizes = { slabBytes: 4096, smallBytesMax: 512 };

/** For commands on their way into the log: they come to their end in the order in which they were made. */
export const COMMAND_SLABS: SlabSizes = { slabBytes: 65_536, smallBytesMax: 4096 };

/** See the module. */
export class ByteSlab {
  readonly #sizes: SlabSizes;
  #slab = new Uint8Array(0);
  #used = 0;

  constructor(sizes: SlabSizes) {
    this.#sizes = sizes;
  }

  /** So many bytes, all 0, that nothing else uses. */
  take(size: number): Uint8Array<ArrayBuffer> {
    if (size <= IN_HEAP_BYTES_MAX || size > this.#sizes.smallBytesMax) return new Uint8Array(size);
    const at = this.#reserve(size);
    return new Uint8Array(this.#slab.buffer, at, size);
  }

  /** A copy of the bytes from `start` to `end` (exclusive). */
  copy(bytes: Uint8Array, start: number, end: number): Uint8Array<ArrayBuffer> {
    const size = end - start;
    if (size <= IN_HEAP_BYTES_MAX || size > this.#sizes.smallBytesMax) {
      return bytes.slice(start, end) as Uint8Array<ArrayBuffer>;
    }
    const at = this.#reserve(size);
    const slab = this.#slab;
    // A call of `set` takes longer for so few.
    for (let i = 0; i < size; i++) slab[at + i] = bytes[start + i]!;
    return new Uint8Array(slab.buffer, at, size);
  }

  /** Where the next `size` bytes are; they count as used from now on. */
  #reserve(size: number): number {
    if (this.#used + size > this.#slab.length) {
      this.#slab = new Uint8Array(this.#sizes.slabBytes);
      this.#used = 0;
    }
    const at = this.#used;
    this.#used = at + size;
    return at;
  }
}

/** Gives every array a buffer of its own: for who makes only a few. */
export const NO_SLABS = new ByteSlab({ slabBytes: 0, smallBytesMax: 0 });
