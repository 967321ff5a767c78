/**
 * Values as the store itself makes and reads them: unsigned 64-bit integers, and V8 numbers and
 * bigints. Everything else is bytes to the store.
 *
 * @module
 */
import { type Value, ValueEncoding } from "./types.ts";
import { decodeV8, encodeV8 } from "./v8_codec.ts";

/** Bytes of an LE64 value. */
export const LE64_BYTES = 8;
/** One more than the largest LE64. */
export const U64_LIMIT = 1n << 64n;

/** An LE64 value of `n` modulo 2^64. */
export function u64Value(n: bigint): Value {
  const data = new Uint8Array(LE64_BYTES);
  new DataView(data.buffer).setBigUint64(0, n, true);
  return { encoding: ValueEncoding.LE64, data };
}

/** Reads an LE64 value; null if it has another encoding or not 8 bytes. */
export function u64Of(value: Value): bigint | null {
  const { data } = value;
  if (value.encoding !== ValueEncoding.LE64 || data.length !== LE64_BYTES) return null;
  return new DataView(data.buffer, data.byteOffset, LE64_BYTES).getBigUint64(0, true);
}

/** A V8 value that Deno reads as this number or bigint. */
export function v8Value(n: number | bigint): Value {
  return { encoding: ValueEncoding.V8, data: encodeV8(n) };
}

/** Reads a V8 value that is a number or a bigint; null for all others. */
export function v8Of(value: Value): number | bigint | null {
  return value.encoding === ValueEncoding.V8 ? decodeV8(value.data) : null;
}

/** Plain bytes as a value; takes ownership of `data`. */
export function bytesValue(data: Uint8Array): Value {
  return { encoding: ValueEncoding.Bytes, data };
}
