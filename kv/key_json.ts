/**
 * Keys in JSON: an array with `"s"` for a string, `1` for a number, `true`, `{"bigint":"1"}` and
 * `{"bytes":"base64"}`. The numbers that JSON has no form for are `{"number":"NaN"}`, likewise
 * `"Infinity"`, `"-Infinity"` and `"-0"`.
 *
 * @module
 */
import { InvalidKey } from "./key_codec.ts";
import type { KeyPart } from "./types.ts";
export { InvalidKey };

/** One part of a key in JSON. */
export type KeyPartJson =
  | string
  | number
  | boolean
  | { readonly bigint: string }
  | { readonly bytes: string }
  | { readonly number: "NaN" | "Infinity" | "-Infinity" | "-0" };

const decimal = /^-?(?:0|[1-9][0-9]*)$/;
/** 255 bytes of magnitude have at most 615 decimal digits; more need not be parsed to be refused. */
const DECIMAL_DIGITS_MAX = 616;
const numberWords = new Map<unknown, number>([
  ["NaN", NaN],
  ["Infinity", Infinity],
  ["-Infinity", -Infinity],
  ["-0", -0],
]);

/**
 * Reads the parts of a key from parsed JSON.
 *
 * @throws {InvalidKey} that names the part and what is wrong with it.
 */
export function keyFromJson(json: unknown): KeyPart[] {
  if (!Array.isArray(json)) {
    throw new InvalidKey(`Cannot read key: expected an array of parts, got ${kindOf(json)}`);
  }
  return json.map((part: unknown, i) => partFromJson(part, i));
}

function partFromJson(part: unknown, i: number): KeyPart {
  if (typeof part === "string") {
    if (!part.isWellFormed()) throw invalidPart(i, "the string has a lone surrogate");
    return part;
  }
  if (typeof part === "number" || typeof part === "boolean") return part;
  if (typeof part === "object" && part !== null && !Array.isArray(part)) {
    const entries = Object.entries(part);
    const [name, value] = entries[0] ?? [];
    if (entries.length === 1 && name === "bigint") return bigintFromJson(value, i);
    if (entries.length === 1 && name === "bytes") return bytesFromJson(value, i);
    if (entries.length === 1 && name === "number") {
      const number = numberWords.get(value);
      if (number !== undefined) return number;
      throw invalidPart(i, `"number" takes "NaN", "Infinity", "-Infinity" or "-0"`);
    }
    throw invalidPart(i, `an object must have exactly one of "bigint", "bytes" and "number"`);
  }
  throw invalidPart(i, `${kindOf(part)} is no key part`);
}

function bigintFromJson(value: unknown, i: number): bigint {
  if (typeof value !== "string" || value.length > DECIMAL_DIGITS_MAX || !decimal.test(value)) {
    throw invalidPart(i, `"bigint" takes a decimal integer of at most 255 bytes in a string`);
  }
  return BigInt(value);
}

function bytesFromJson(value: unknown, i: number): Uint8Array {
  if (typeof value !== "string") throw invalidPart(i, `"bytes" takes base64 in a string`);
  try {
    return Uint8Array.fromBase64(value, { lastChunkHandling: "strict" });
  } catch (error) {
    throw invalidPart(i, `"bytes" is not valid base64`, error);
  }
}

function kindOf(json: unknown): string {
  return json === null
    ? "null"
    : Array.isArray(json)
    ? "an array"
    : `a value of type ${typeof json}`;
}

function invalidPart(i: number, why: string, cause?: unknown): InvalidKey {
  return new InvalidKey(`Cannot read key: part ${i}: ${why}`, { cause });
}

/** The JSON form of a key; {@linkcode keyFromJson} reads it back. */
export function keyToJson(parts: readonly KeyPart[]): KeyPartJson[] {
  return parts.map((part) => {
    if (typeof part === "bigint") return { bigint: part.toString() };
    if (part instanceof Uint8Array) return { bytes: part.toBase64() };
    if (typeof part !== "number") return part;
    if (Object.is(part, -0)) return { number: "-0" };
    if (Number.isFinite(part)) return part;
    return { number: `${part}` as "NaN" | "Infinity" | "-Infinity" };
  });
}
