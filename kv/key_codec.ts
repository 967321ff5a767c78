/**
 * Deno KV's encoding of keys, byte for byte, and the ranges that its list selectors mean.
 *
 * A key is the concatenation of its parts, each a tag and a body, so that byte order is key order:
 * `Uint8Array` < `string` < `bigint` < `number` < `boolean`. (Deno's manual puts `number` before
 * `bigint`; the encoding does not, and this follows the encoding.) Source: the tuple layer of
 * FoundationDB, which Deno KV took over (denoland/denokv, proto/codec.rs).
 *
 * @module
 */
import {
  bigIntOfBinaryString,
  binaryString,
  binaryStringOfBigInt,
  bytesOfBinaryString,
} from "./binary_string.ts";
import { BIGINT_PART_BYTES_MAX } from "./limits.ts";
import type { EncodedKey, KeyPart } from "./types.ts";

/** A key, its bytes or its JSON form is not one that Deno KV could have made. */
export class InvalidKey extends Error {
  override readonly name = "InvalidKey";
}

const TAG_BYTES = 0x01;
const TAG_STRING = 0x02;
/** A negative bigint of more than 8 bytes; the tags up to ZERO are those of 8 bytes down to 1. */
const TAG_BIGINT_NEGATIVE_LONG = 0x0b;
const TAG_BIGINT_ZERO = 0x14;
const TAG_BIGINT_POSITIVE_LONG = 0x1d;
const TAG_NUMBER = 0x21;
const TAG_FALSE = 0x26;
const TAG_TRUE = 0x27;

/** Bytes of a bigint whose length is in its tag. */
const BIGINT_SHORT_BYTES_MAX = 8;
/** The upper half of the one NaN that is written, whatever NaN a number holds. */
const NAN_HIGH = 0x7ff80000;

const ascii = /^[\0-\x7f]*$/;
const utf8Encoder = new TextEncoder();
const utf8Decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const scratch = new DataView(new ArrayBuffer(8));

/**
 * Encodes a key. The parts of no key at all (`[]`) give the empty string, which only ranges may use.
 *
 * @throws {InvalidKey} for a string with a lone surrogate, or a bigint of more than 255 bytes.
 *
 * @example
 * ```ts
 * encodeKey(["users", 7]); // "\x02users\0" + "\x21\xc0\x1c\0\0\0\0\0\0"
 * ```
 */
export function encodeKey(parts: readonly KeyPart[]): EncodedKey {
  let key = "";
  for (const part of parts) {
    switch (typeof part) {
      case "string":
        key += encodeString(part);
        break;
      case "number":
        key += encodeNumber(part);
        break;
      case "bigint":
        key += encodeBigInt(part);
        break;
      case "boolean":
        key += part ? "\x27" : "\x26";
        break;
      default:
        if (!(part instanceof Uint8Array)) {
          throw new InvalidKey(`Cannot encode key: a part is of type ${typeof part}`);
        }
        key += "\x01" + escaped(binaryString(part)) + "\0";
    }
  }
  return key as EncodedKey;
}

function encodeString(part: string): string {
  if (ascii.test(part)) return "\x02" + escaped(part) + "\0";
  if (!part.isWellFormed()) {
    throw new InvalidKey("Cannot encode key: a string part has a lone surrogate");
  }
  return "\x02" + escaped(binaryString(utf8Encoder.encode(part))) + "\0";
}

/** A zero byte inside a part is followed by 0xff, so that it cannot be taken for the part's end. */
function escaped(text: string): string {
  return text.includes("\0") ? text.replaceAll("\0", "\0\xff") : text;
}

function encodeNumber(part: number): string {
  scratch.setFloat64(0, part);
  let high = scratch.getUint32(0);
  let low = scratch.getUint32(4);
  if (part !== part) {
    high = NAN_HIGH;
    low = 0;
  }
  // Flipping the sign bit, or all bits of a negative number, makes unsigned order numeric order.
  if (high >>> 31 === 1) {
    high = ~high;
    low = ~low;
  } else {
    high ^= 0x80000000;
  }
  return String.fromCharCode(
    TAG_NUMBER,
    high >>> 24,
    high >>> 16 & 0xff,
    high >>> 8 & 0xff,
    high & 0xff,
    low >>> 24,
    low >>> 16 & 0xff,
    low >>> 8 & 0xff,
    low & 0xff,
  );
}

function encodeBigInt(part: bigint): string {
  const negative = part < 0n;
  const magnitude = binaryStringOfBigInt(negative ? -part : part);
  const size = magnitude.length;
  if (size > BIGINT_PART_BYTES_MAX) {
    throw new InvalidKey(
      `Cannot encode key: a bigint part of ${size} bytes exceeds ${BIGINT_PART_BYTES_MAX}`,
    );
  }
  const tag = size <= BIGINT_SHORT_BYTES_MAX
    ? String.fromCharCode(negative ? TAG_BIGINT_ZERO - size : TAG_BIGINT_ZERO + size)
    : negative
    ? String.fromCharCode(TAG_BIGINT_NEGATIVE_LONG, size ^ 0xff)
    : String.fromCharCode(TAG_BIGINT_POSITIVE_LONG, size);
  return tag + (negative ? inverted(magnitude) : magnitude);
}

function inverted(text: string): string {
  let result = "";
  for (let i = 0; i < text.length; i++) result += String.fromCharCode(text.charCodeAt(i) ^ 0xff);
  return result;
}

/**
 * Decodes a key.
 *
 * @throws {InvalidKey} if the bytes are not what {@linkcode encodeKey} or Deno writes.
 */
export function decodeKey(key: EncodedKey): KeyPart[] {
  const parts: KeyPart[] = [];
  let at = 0;
  while (at < key.length) {
    const tag = key.charCodeAt(at++);
    if (tag === TAG_STRING || tag === TAG_BYTES) {
      const end = partEnd(key, at);
      const raw = key.slice(at, end).replaceAll("\0\xff", "\0");
      parts.push(tag === TAG_BYTES ? bytesOfBinaryString(raw) : decodeString(raw));
      at = end + 1;
    } else if (tag === TAG_NUMBER) {
      parts.push(decodeNumber(take(key, at, 8)));
      at += 8;
    } else if (tag === TAG_FALSE || tag === TAG_TRUE) {
      parts.push(tag === TAG_TRUE);
    } else if (tag >= TAG_BIGINT_NEGATIVE_LONG && tag <= TAG_BIGINT_POSITIVE_LONG) {
      const long = tag === TAG_BIGINT_NEGATIVE_LONG || tag === TAG_BIGINT_POSITIVE_LONG;
      const negative = tag < TAG_BIGINT_ZERO;
      const size = !long
        ? Math.abs(tag - TAG_BIGINT_ZERO)
        : take(key, at++, 1).charCodeAt(0) ^ (negative ? 0xff : 0);
      parts.push(decodeBigInt(take(key, at, size), negative, long));
      at += size;
    } else {
      throw new InvalidKey(`Cannot decode key: unknown tag ${tag} at byte ${at - 1}`);
    }
  }
  return parts;
}

/** The position of the zero byte that ends the string or bytes which begin at `at`. */
function partEnd(key: EncodedKey, at: number): number {
  let end = key.indexOf("\0", at);
  while (end >= 0 && key.charCodeAt(end + 1) === 0xff) end = key.indexOf("\0", end + 2);
  if (end < 0) throw new InvalidKey("Cannot decode key: a part is cut short");
  return end;
}

function take(key: EncodedKey, at: number, size: number): string {
  if (at + size > key.length) throw new InvalidKey("Cannot decode key: a part is cut short");
  return key.slice(at, at + size);
}

function decodeString(raw: string): string {
  if (ascii.test(raw)) return raw;
  try {
    return utf8Decoder.decode(bytesOfBinaryString(raw));
  } catch (error) {
    throw new InvalidKey("Cannot decode key: a string part is not UTF-8", { cause: error });
  }
}

function decodeNumber(raw: string): number {
  const negative = raw.charCodeAt(0) < 0x80;
  for (let i = 0; i < 8; i++) {
    scratch.setUint8(i, raw.charCodeAt(i) ^ (negative ? 0xff : i === 0 ? 0x80 : 0));
  }
  const value = scratch.getFloat64(0);
  if (value !== value) {
    // Deno keeps the sign of a NaN and nothing else of it.
    const high = scratch.getUint32(0) & 0x7fffffff;
    if (high !== NAN_HIGH || scratch.getUint32(4) !== 0) {
      throw new InvalidKey("Cannot decode key: a number part is a NaN that Deno does not write");
    }
  }
  return value;
}

function decodeBigInt(raw: string, negative: boolean, long: boolean): bigint {
  const magnitude = negative ? inverted(raw) : raw;
  if (long && raw.length <= BIGINT_SHORT_BYTES_MAX || magnitude.charCodeAt(0) === 0) {
    throw new InvalidKey("Cannot decode key: a bigint part is longer than it must be");
  }
  const value = bigIntOfBinaryString(magnitude);
  return negative ? -value : value;
}

/** The bytes of a key. */
export function keyToBytes(key: EncodedKey): Uint8Array<ArrayBuffer> {
  return bytesOfBinaryString(key);
}

/**
 * Takes the bytes of a key from outside.
 *
 * @throws {InvalidKey} if they are not what {@linkcode encodeKey} or Deno writes.
 */
export function keyFromBytes(bytes: Uint8Array): EncodedKey {
  const key = binaryString(bytes) as EncodedKey;
  decodeKey(key);
  return key;
}

/** Takes the bytes of a range's start or end from outside: any bytes order, not only those of keys. */
export function boundFromBytes(bytes: Uint8Array): EncodedKey {
  return binaryString(bytes) as EncodedKey;
}

/** Byte order, as a comparator. */
export function compare(a: EncodedKey, b: EncodedKey): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** The keys `[start, end)`. */
export interface KeyRange {
  readonly start: EncodedKey;
  readonly end: EncodedKey;
}

/**
 * The keys that extend `prefix` by at least one part, as Deno KV's `{ prefix, start?, end? }` selects
 * them: `start` and `end` are whole keys that extend it, too; `start` is in, `end` is not.
 *
 * @throws {InvalidKey} if a bound does not extend the prefix, or as {@linkcode encodeKey} does.
 */
export function prefixRange(
  prefix: readonly KeyPart[],
  bounds: { readonly start?: readonly KeyPart[]; readonly end?: readonly KeyPart[] } = {},
): KeyRange {
  const from = encodeKey(prefix);
  // No part begins with 0x00 or 0xff.
  const range = {
    start: bounds.start ? encodeKey(bounds.start) : from + "\0" as EncodedKey,
    end: bounds.end ? encodeKey(bounds.end) : from + "\xff" as EncodedKey,
  };
  if (bounds.start && (!range.start.startsWith(from) || range.start.length === from.length)) {
    throw new InvalidKey("Cannot select a range: the start key does not extend the prefix");
  }
  if (bounds.end && (!range.end.startsWith(from) || range.end.length === from.length)) {
    throw new InvalidKey("Cannot select a range: the end key does not extend the prefix");
  }
  return orderly(range);
}

/**
 * The keys from `start` up to and without `end`, as Deno KV's `{ start, end }` selects them.
 *
 * @throws {InvalidKey} if `start` lies after `end`, or as {@linkcode encodeKey} does.
 */
export function keyRange(start: readonly KeyPart[], end: readonly KeyPart[]): KeyRange {
  return orderly({ start: encodeKey(start), end: encodeKey(end) });
}

function orderly(range: KeyRange): KeyRange {
  if (range.start > range.end) {
    throw new InvalidKey("Cannot select a range: the start key lies after the end key");
  }
  return range;
}
