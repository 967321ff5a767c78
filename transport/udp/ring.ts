/**
 * Bytes of a stream in a buffer of fixed size, addressed by their offset in the stream.
 *
 * Whoever uses it sees to it that the offsets in use span no more than its size.
 *
 * @module
 */

export class Ring {
  readonly #size: number;
  /** Allocated with the first byte: a session that only receives never sends as much. */
  #bytes: Uint8Array | null = null;

  constructor(size: number) {
    this.#size = size;
  }

  write(offset: number, data: Uint8Array): void {
    const bytes = this.#bytes ??= new Uint8Array(this.#size);
    const at = offset % this.#size;
    const untilEnd = this.#size - at;
    if (data.length <= untilEnd) {
      bytes.set(data, at);
    } else {
      bytes.set(data.subarray(0, untilEnd), at);
      bytes.set(data.subarray(untilEnd), 0);
    }
  }

  /** Fills the target. */
  read(offset: number, into: Uint8Array): void {
    const bytes = this.#bytes;
    if (bytes === null) return;
    const at = offset % this.#size;
    const untilEnd = this.#size - at;
    if (into.length <= untilEnd) {
      into.set(bytes.subarray(at, at + into.length));
    } else {
      into.set(bytes.subarray(at));
      into.set(bytes.subarray(0, into.length - untilEnd), untilEnd);
    }
  }

  /** Lets go of the memory; nothing is read or written after that. */
  release(): void {
    this.#bytes = null;
  }
}
