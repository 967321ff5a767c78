/**
 * Bounded reading and writing of the big-endian fields that messages and handshakes are made of.
 *
 * Every read is checked against what remains, so that no declared length or count can reach past
 * the bytes at hand or cause an allocation.
 *
 * @module
 */
import { type LogIndex, NUMBER_MAX, type Term } from "../raft/types.ts";
import { NAME_CHARS_MAX } from "./limits.ts";

/** What a peer sent is not what this version understands. Its connection is closed. */
export class MalformedFrame extends Error {
  override readonly name = "MalformedFrame";
}

const HEX = /^[0-9a-f]*$/;
const NAME = new RegExp(`^[A-Za-z0-9._-]{1,${NAME_CHARS_MAX}}$`);

/** Whether this can be the name of a node, group or cluster: 1 to 64 characters of `[A-Za-z0-9._-]`. */
export function isName(text: string): boolean {
  return NAME.test(text);
}

/** @throws {RangeError} if the value is not a whole number from 0 to {@linkcode NUMBER_MAX}. */
export function assertNumber(value: number): void {
  if (!(value >= 0 && value <= NUMBER_MAX && Math.floor(value) === value)) {
    throw new RangeError(`Cannot encode number: ${value} is not a whole number below 2^48`);
  }
}

/**
 * Writes fields into a buffer of exactly the size they need.
 *
 * Byte by byte: a `DataView` would make the engine move a small buffer out of its own heap, which costs more
 * than the message.
 */
export class ByteWriter {
  readonly bytes: Uint8Array<ArrayBuffer>;
  #at: number;

  constructor(bytes: number, at = 0) {
    this.bytes = new Uint8Array(bytes);
    this.#at = at;
  }

  uint8(value: number): this {
    this.bytes[this.#take(1)] = value;
    return this;
  }

  flags(bit0: boolean, bit1: boolean): this {
    return this.uint8((bit0 ? 1 : 0) | (bit1 ? 2 : 0));
  }

  uint16(value: number): this {
    this.#put16(this.#take(2), value);
    return this;
  }

  /** @throws {RangeError} if the value is not a whole number from 0 to 2^32 - 1. */
  uint32(value: number): this {
    if (value >>> 0 !== value) {
      throw new RangeError(`Cannot encode number: ${value} is not a whole number below 2^32`);
    }
    this.#put32(this.#take(4), value);
    return this;
  }

  /** @throws {RangeError} if the value is not a whole number from 0 to {@linkcode NUMBER_MAX}. */
  uint48(value: number): this {
    assertNumber(value);
    const at = this.#take(6);
    this.#put16(at, value / 2 ** 32);
    this.#put32(at + 2, value);
    return this;
  }

  /** A name that {@linkcode isName} accepted: its length in one byte, then its characters. */
  name(text: string): this {
    this.uint8(text.length);
    for (let i = 0; i < text.length; i++) this.uint8(text.charCodeAt(i));
    return this;
  }

  /**
   * Lowercase hex digits, as the bytes they stand for.
   *
   * @throws {RangeError} if the text is not `bytes` times two of them.
   */
  hex(text: string, bytes: number): this {
    if (text.length !== 2 * bytes || !HEX.test(text)) {
      throw new RangeError(`Cannot encode "${text}": it is not ${2 * bytes} hex digits`);
    }
    for (let i = 0; i < text.length; i += 2) this.uint8(parseInt(text.slice(i, i + 2), 16));
    return this;
  }

  raw(bytes: Uint8Array): this {
    this.bytes.set(bytes, this.#at);
    this.#at += bytes.length;
    return this;
  }

  #put16(at: number, value: number): void {
    this.bytes[at] = value >>> 8;
    this.bytes[at + 1] = value;
  }

  /** The low 32 bits of it. */
  #put32(at: number, value: number): void {
    this.bytes[at] = value >>> 24;
    this.bytes[at + 1] = value >>> 16;
    this.bytes[at + 2] = value >>> 8;
    this.bytes[at + 3] = value;
  }

  /** Where the next `length` bytes go. @throws {RangeError} if there is no room for them. */
  #take(length: number): number {
    const at = this.#at;
    if (at + length > this.bytes.length) {
      throw new RangeError(
        `Cannot encode field: ${length} bytes at ${at} of ${this.bytes.length}`,
      );
    }
    this.#at = at + length;
    return at;
  }
}

/** Reads fields; each method throws {@linkcode MalformedFrame} when they are not there. */
export class ByteReader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get remaining(): number {
    return this.#bytes.length - this.#at;
  }

  uint8(): number {
    return this.#bytes[this.#take(1)];
  }

  /** One byte of flags, none set but those of `allowed`. */
  flags(allowed: number): number {
    const flags = this.uint8();
    if ((flags & ~allowed) !== 0) throw new MalformedFrame(`Cannot decode: unknown flags ${flags}`);
    return flags;
  }

  uint16(): number {
    return this.#get16(this.#take(2));
  }

  uint32(): number {
    return this.#get32(this.#take(4));
  }

  uint48(): number {
    const at = this.#take(6);
    return this.#get16(at) * 2 ** 32 + this.#get32(at + 2);
  }

  term(): Term {
    return this.uint48() as Term;
  }

  index(): LogIndex {
    return this.uint48() as LogIndex;
  }

  name(): string {
    const length = this.uint8();
    const start = this.#take(length);
    let text = "";
    for (let i = 0; i < length; i++) text += String.fromCharCode(this.#bytes[start + i]);
    if (!isName(text)) throw new MalformedFrame("Cannot decode: bad name");
    return text;
  }

  /** So many bytes, as lowercase hex digits. */
  hex(bytes: number): string {
    const start = this.#take(bytes);
    let text = "";
    for (let i = 0; i < bytes; i++) text += this.#bytes[start + i].toString(16).padStart(2, "0");
    return text;
  }

  /** A view of the next `length` bytes. */
  raw(length: number): Uint8Array {
    const start = this.#take(length);
    return this.#bytes.subarray(start, start + length);
  }

  /** Hands all that remains to a decoder whose way to refuse is a `RangeError`. */
  decodeRest<T>(decode: (bytes: Uint8Array) => T): T {
    return this.decodePart(this.remaining, decode);
  }

  /** The same with the next `length` bytes. */
  decodePart<T>(length: number, decode: (bytes: Uint8Array) => T): T {
    const bytes = this.raw(length);
    try {
      return decode(bytes);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      throw new MalformedFrame(error.message, { cause: error });
    }
  }

  /** Says that nothing may follow. */
  end(): void {
    if (this.remaining > 0) {
      throw new MalformedFrame(`Cannot decode: ${this.remaining} bytes left at the end`);
    }
  }

  #get16(at: number): number {
    return this.#bytes[at] << 8 | this.#bytes[at + 1];
  }

  #get32(at: number): number {
    const bytes = this.#bytes;
    return (bytes[at] << 24 | bytes[at + 1] << 16 | bytes[at + 2] << 8 | bytes[at + 3]) >>> 0;
  }

  #take(length: number): number {
    if (length > this.remaining) {
      throw new MalformedFrame(
        `Cannot decode: ${length} bytes wanted at ${this.#at}, ${this.remaining} left`,
      );
    }
    const at = this.#at;
    this.#at += length;
    return at;
  }
}
