/**
 * The part of V8's serialization format that arithmetic needs: a lone number or bigint.
 *
 * The store computes with values that clients serialized with V8, on replicas that may run different
 * versions of it, and their state hashes must agree. So the results are written here and not by the
 * engine at hand. What this writes V8 reads as the same value, and what V8 writes this reads.
 *
 * Not here: strings, objects and all else; they are stored as they came.
 * Source: V8, src/objects/value-serializer.cc.
 *
 * @module
 */

/** 0xff and the format version: 15 is what Deno 2 writes. */
const TAG_VERSION = 0xff;
const VERSION_WRITTEN = 15;
/** Older versions and newer ones are refused by Deno 2.9's own deserializer, too. */
const VERSION_READ_MIN = 13;
const VERSION_READ_MAX = 16;

const TAG_PADDING = 0x00;
const TAG_INT32 = 0x49;
const TAG_UINT32 = 0x55;
const TAG_DOUBLE = 0x4e;
const TAG_BIGINT = 0x5a;

/** V8 writes a bigint in whole digits of 64 bits. */
const BIGINT_DIGIT_BYTES = 8;

const VARINT_BYTES_MAX = 5;

/** Serializes a number or a bigint: the bytes depend on nothing but the value (all NaN are one). */
export function encodeV8(value: number | bigint): Uint8Array<ArrayBuffer> {
  if (typeof value === "bigint") return encodeBigInt(value);
  if ((value | 0) === value && !Object.is(value, -0)) return encodeInt32(value);
  const bytes = new Uint8Array(11);
  bytes[0] = TAG_VERSION;
  bytes[1] = VERSION_WRITTEN;
  bytes[2] = TAG_DOUBLE;
  const view = new DataView(bytes.buffer);
  if (value === value) {
    view.setFloat64(3, value, true);
  } else {
    // What setFloat64 makes of a NaN is left to the engine.
    view.setUint32(7, 0x7ff80000, true);
  }
  return bytes;
}

function encodeInt32(value: number): Uint8Array<ArrayBuffer> {
  const zigzag = (value << 1 ^ value >> 31) >>> 0;
  const bytes = new Uint8Array(3 + varintBytes(zigzag));
  bytes[0] = TAG_VERSION;
  bytes[1] = VERSION_WRITTEN;
  bytes[2] = TAG_INT32;
  writeVarint(bytes, 3, zigzag);
  return bytes;
}

function encodeBigInt(value: bigint): Uint8Array<ArrayBuffer> {
  const negative = value < 0n;
  const hex = value === 0n ? "" : (negative ? -value : value).toString(16);
  const digits = Math.ceil(hex.length / 2 / BIGINT_DIGIT_BYTES);
  const size = digits * BIGINT_DIGIT_BYTES;
  const bitfield = size * 2 + (negative ? 1 : 0);
  const start = 3 + varintBytes(bitfield);
  const bytes = new Uint8Array(start + size);
  bytes[0] = TAG_VERSION;
  bytes[1] = VERSION_WRITTEN;
  bytes[2] = TAG_BIGINT;
  writeVarint(bytes, 3, bitfield);
  bytes.set(Uint8Array.fromHex(hex.padStart(size * 2, "0")).reverse(), start);
  return bytes;
}

/** Reads a number or a bigint; null for every other value, and for bytes that V8 would not read. */
export function decodeV8(bytes: Uint8Array): number | bigint | null {
  const version = bytes[1];
  if (bytes[0] !== TAG_VERSION || version === undefined) return null;
  if (version < VERSION_READ_MIN || version > VERSION_READ_MAX) return null;
  let at = 2;
  while (bytes[at] === TAG_PADDING) at++;
  switch (bytes[at++]) {
    case TAG_INT32: {
      const zigzag = readVarint(bytes, at);
      return zigzag === null ? null : zigzag.value >>> 1 ^ -(zigzag.value & 1);
    }
    case TAG_UINT32:
      return readVarint(bytes, at)?.value ?? null;
    case TAG_DOUBLE:
      if (at + 8 > bytes.length) return null;
      return new DataView(bytes.buffer, bytes.byteOffset + at, 8).getFloat64(0, true);
    case TAG_BIGINT:
      return decodeBigInt(bytes, at);
    default:
      return null;
  }
}

function decodeBigInt(bytes: Uint8Array, at: number): bigint | null {
  const bitfield = readVarint(bytes, at);
  if (bitfield === null) return null;
  const size = bitfield.value >>> 1;
  if (bitfield.end + size > bytes.length || bitfield.value === 1) return null;
  const bigEndian = bytes.slice(bitfield.end, bitfield.end + size).reverse();
  const magnitude = size === 0 ? 0n : BigInt("0x" + bigEndian.toHex());
  return bitfield.value % 2 === 1 ? -magnitude : magnitude;
}

function varintBytes(value: number): number {
  let size = 1;
  for (let rest = value >>> 7; rest !== 0; rest >>>= 7) size++;
  return size;
}

function writeVarint(bytes: Uint8Array, at: number, value: number): void {
  let rest = value;
  for (; rest > 0x7f; rest >>>= 7) bytes[at++] = rest & 0x7f | 0x80;
  bytes[at] = rest;
}

/** Reads an unsigned 32-bit varint of at most 5 bytes; like V8, drops the bits beyond the 32nd. */
function readVarint(bytes: Uint8Array, start: number): { value: number; end: number } | null {
  let value = 0;
  for (let i = 0; i < VARINT_BYTES_MAX; i++) {
    const byte = bytes[start + i];
    if (byte === undefined) return null;
    value |= (byte & 0x7f) << 7 * i;
    if (byte < 0x80) return { value: value >>> 0, end: start + i + 1 };
  }
  return null;
}
