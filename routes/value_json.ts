/**
 * Stored values as JSON, and back: what the doors show and take.
 *
 * Each form has a name, its encoding, which stands beside the value in every answer and may stand
 * beside it in a request; writing what was read, under the same encoding, stores the same value.
 *
 * | encoding | stored as | JSON |
 * |---|---|---|
 * | `json` | V8 | the value itself |
 * | `v8` | V8 | the value with tags, where JSON has no form: `{"bigint":"1"}`, `{"date":"…"}`… |
 * | `le64` | 64-bit integer | decimal string |
 * | `bytes` | bytes | `{"bytes":"base64"}` |
 *
 * @module
 */
import { type Value, ValueEncoding } from "../kv/types.ts";
import { bytesValue, U64_LIMIT, u64Of, u64Value } from "../kv/value_codec.ts";
import type { JsValue } from "./js_value.ts";
import { HttpProblem } from "./problem.ts";
import { fromTagged, isJson, takeBase64, toTagged } from "./tagged.ts";
import { readV8 } from "./v8_read.ts";
import { writeV8 } from "./v8_write.ts";

export const SHOWN_ENCODINGS = ["json", "v8", "le64", "bytes"] as const;
export type ShownEncoding = typeof SHOWN_ENCODINGS[number];

export function isShownEncoding(name: unknown): name is ShownEncoding {
  return SHOWN_ENCODINGS.includes(name as ShownEncoding);
}

/** A value as the doors show it. */
export interface ShownValue {
  readonly encoding: ShownEncoding;
  /** JSON. */
  readonly json: string;
}

const U64_DIGITS_MAX = 20;

/** Shows any stored value; bytes that claim to be V8's and are not come as `{"v8":"base64"}`. */
export function showValue(value: Value): ShownValue {
  if (value.encoding === ValueEncoding.V8) return showV8(value.data);
  const integer = u64Of(value);
  if (integer !== null) return { encoding: "le64", json: `"${integer}"` };
  return { encoding: "bytes", json: `{"bytes":"${value.data.toBase64()}"}` };
}

function showV8(data: Uint8Array): ShownValue {
  const read = readV8(data);
  if (read === null) return { encoding: "v8", json: `{"v8":"${data.toBase64()}"}` };
  if (isJson(read.value)) return { encoding: "json", json: JSON.stringify(read.value) };
  return { encoding: "v8", json: JSON.stringify(toTagged(read.value)) };
}

/**
 * Makes a value of parsed JSON; the inverse of `showValue`.
 *
 * @throws {HttpProblem} `bad-value`, or `too-large`.
 */
export function takeValue(encoding: ShownEncoding, json: unknown): Value {
  switch (encoding) {
    case "json":
      return { encoding: ValueEncoding.V8, data: writeV8(json as JsValue) };
    case "v8": {
      const data = taggedBytes(json, "v8");
      return { encoding: ValueEncoding.V8, data: data ?? writeV8(fromTagged(json)) };
    }
    case "le64":
      return takeU64(json);
    case "bytes": {
      const data = taggedBytes(json, "bytes");
      if (data !== null) return bytesValue(data);
      throw new HttpProblem("bad-value", `A value of encoding "bytes" is {"bytes":"<base64>"}.`);
    }
  }
}

/**
 * Makes a 64-bit integer of its decimal digits, or of a number that is exact.
 *
 * @throws {HttpProblem} `bad-value`.
 */
export function takeU64(json: unknown): Value {
  const exact = typeof json === "number" && Number.isSafeInteger(json) && json >= 0;
  const decimal = typeof json === "string" && json.length <= U64_DIGITS_MAX && /^\d+$/.test(json);
  if (exact || decimal) {
    const integer = BigInt(json);
    if (integer < U64_LIMIT) return u64Value(integer);
  }
  throw new HttpProblem(
    "bad-value",
    "A 64-bit integer is a string of decimal digits from 0 to 18446744073709551615, or a number " +
      "from 0 to 9007199254740991.",
  );
}

/** The bytes of `{[tag]: base64}`, or null when `json` has another form. */
function taggedBytes(json: unknown, tag: string): Uint8Array | null {
  if (typeof json !== "object" || json === null || !Object.hasOwn(json, tag)) return null;
  const text = (json as Record<string, unknown>)[tag];
  if (typeof text !== "string" || Object.keys(json).length !== 1) return null;
  return takeBase64(text);
}
