/**
 * Numbers and bytes in the binary forms of this room: big-endian, no padding. The reader is for bytes
 * that may be anything: every length is bounded by what is there.
 *
 * Not here: keys and binary strings (binary_string.ts), nor any form itself.
 *
 * @module
 */

/** Writes an unsigned 16-bit integer; returns the position after it. As do the others here. */
export function putUint16(bytes: Uint8Array, at: number, value: number): number {
  bytes[at] = value >>> 8;
  bytes[at + 1] = value;
  return at + 2;
}

export function putUint32(bytes: Uint8Array, at: number, value: number): number {
  bytes[at] = value >>> 24;
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
  return at + 4;
}

/** For positions in the log and times in ms, which JavaScript's numbers hold exactly. */
export function putUint48(bytes: Uint8Array, at: number, value: number): number {
  const high = Math.floor(value / 2 ** 32);
  bytes[at] = high >>> 8;
  bytes[at + 1] = high;
  return putUint32(bytes, at + 2, value);
}

/** Writes `data` as it is, without its length. */
export function putBytes(bytes: Uint8Array, at: number, data: Uint8Array): number {
  bytes.set(data, at);
  return at + data.length;
}

/** Reads what the functions above wrote, from a part of some bytes. */
export abstract class ByteReader {
  protected bytes: Uint8Array;
  protected at: number;
  /** The position after the last byte that may be read. */
  protected end: number;

  constructor(bytes: Uint8Array, at: number = 0, end: number = bytes.length) {
    this.bytes = bytes;
    this.at = at;
    this.end = end;
  }

  /** What to throw when the bytes are not what they should be; `at` is where. */
  protected abstract malformed(why: string, at: number): Error;

  /** Moves past `length` bytes, and returns where they start. */
  protected skip(length: number): number {
    const start = this.at;
    if (length > this.end - start) throw this.malformed("it is cut short", start);
    this.at = start + length;
    return start;
  }

  protected uint8(): number {
    return this.bytes[this.skip(1)]!;
  }

  protected uint16(): number {
    const at = this.skip(2);
    return this.bytes[at]! << 8 | this.bytes[at + 1]!;
  }

  protected uint32(): number {
    return uint32At(this.bytes, this.skip(4));
  }

  protected uint48(): number {
    return this.uint16() * 2 ** 32 + this.uint32();
  }

  /** The next `length` bytes, shared. */
  protected view(length: number): Uint8Array {
    const start = this.skip(length);
    return this.bytes.subarray(start, start + length);
  }

  /** The next `length` bytes as UTF-8; undefined if they are not that. */
  protected utf8(length: number): string | undefined {
    const bytes = this.view(length);
    try {
      return utf8Decoder.decode(bytes);
    } catch {
      return undefined;
    }
  }

  protected expectEnd(): void {
    if (this.at !== this.end) throw this.malformed("bytes are left after its end", this.at);
  }
}

const utf8Decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Reads an unsigned 32-bit integer of which the caller knows that it is there. */
export function uint32At(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 24 | bytes[at + 1]! << 16 | bytes[at + 2]! << 8 | bytes[at + 3]!) >>> 0;
}
