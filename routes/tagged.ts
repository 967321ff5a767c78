/**
 * JavaScript values that JSON has no form for, in JSON: each stands as an object with one member, its
 * tag. An object of the user's own that happens to look like that is wrapped in the tag `object`.
 *
 * | tag | stands for |
 * |---|---|
 * | `{"undefined":true}` | `undefined` |
 * | `{"number":"NaN"}`, `"Infinity"`, `"-Infinity"`, `"-0"` | such a number |
 * | `{"bigint":"1"}` | `1n` |
 * | `{"date":"2026-01-31T00:00:00.000Z"}`, `{"date":null}` | a `Date`, an invalid one |
 * | `{"bytes":"base64"}` | a `Uint8Array` |
 * | `{"map":[[key,value]]}`, `{"set":[item]}` | a `Map`, a `Set` |
 * | `{"object":{…}}` | an object whose one member has the name of a tag |
 * | `{"v8":"base64"}` | the whole value, where it is more than these tags can say (value_json.ts) |
 *
 * @module
 */
import { type JsValue, setMember } from "./js_value.ts";
import { BIGINT_DIGITS_MAX } from "./limits.ts";
import { HttpProblem } from "./problem.ts";

const TAGS: ReadonlySet<string> = new Set([
  "undefined",
  "number",
  "bigint",
  "date",
  "bytes",
  "map",
  "set",
  "object",
  "v8",
]);

const NUMBER_WORDS: ReadonlyMap<unknown, number> = new Map([
  ["NaN", NaN],
  ["Infinity", Infinity],
  ["-Infinity", -Infinity],
  ["-0", -0],
]);

/** Whether JSON can say the value exactly, without tags. */
export function isJson(value: JsValue): boolean {
  switch (typeof value) {
    case "string":
    case "boolean":
      return true;
    case "number":
      return Number.isFinite(value) && !Object.is(value, -0);
    case "undefined":
    case "bigint":
      return false;
  }
  if (value === null) return true;
  if (Array.isArray(value)) return value.every(isJson);
  return isPlain(value) && Object.values(value).every(isJson);
}

/** The value as JSON can say it, with tags. */
export function toTagged(value: JsValue): JsValue {
  switch (typeof value) {
    case "number":
      if (isJson(value)) return value;
      return { number: Object.is(value, -0) ? "-0" : String(value) };
    case "undefined":
      return { undefined: true };
    case "bigint":
      return { bigint: value.toString() };
  }
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map(toTagged);
  if (value instanceof Date) return { date: isNaN(value.getTime()) ? null : value.toISOString() };
  if (value instanceof Uint8Array) return { bytes: value.toBase64() };
  if (value instanceof Map) return { map: Array.from(value, (pair) => pair.map(toTagged)) };
  if (value instanceof Set) return { set: Array.from(value, toTagged) };
  const object = mapMembers(value, toTagged);
  return tagOf(object) === null ? object : { object };
}

/**
 * The value that tagged JSON stands for.
 *
 * @throws {HttpProblem} `bad-value` when a tag holds what it cannot.
 */
export function fromTagged(json: unknown): JsValue {
  if (typeof json !== "object" || json === null) return json as JsValue;
  if (Array.isArray(json)) return json.map(fromTagged);
  const object = json as { [name: string]: unknown };
  const tag = tagOf(object);
  if (tag === null) return mapMembers(object, fromTagged);
  const value = untag(tag, object[tag]);
  if (value !== null) return value;
  throw new HttpProblem("bad-value", `The tag "${tag}" does not hold what it should.`);
}

/** Null when `held` is not what the tag takes: no tag stands for null. */
function untag(tag: string, held: unknown): JsValue {
  switch (tag) {
    case "undefined":
      return held === true ? undefined : null;
    case "number":
      return NUMBER_WORDS.get(held) ?? null;
    case "bigint":
      return isDecimal(held) ? BigInt(held) : null;
    case "date":
      return untagDate(held);
    case "bytes":
      return typeof held === "string" ? takeBase64(held) : null;
    case "map":
      if (!Array.isArray(held) || !held.every(isPair)) return null;
      return new Map(held.map((pair) => [fromTagged(pair[0]), fromTagged(pair[1])]));
    case "set":
      return Array.isArray(held) ? new Set(held.map(fromTagged)) : null;
    case "object":
      if (typeof held !== "object" || held === null || Array.isArray(held)) return null;
      return mapMembers(held as { [name: string]: unknown }, fromTagged);
    default:
      return null;
  }
}

function untagDate(held: unknown): Date | null {
  if (held === null) return new Date(NaN);
  if (typeof held !== "string") return null;
  const date = new Date(held);
  // Only the very form that is shown: Date's own parser takes almost anything.
  return isNaN(date.getTime()) || date.toISOString() !== held ? null : date;
}

/** Whether `held` is a decimal integer in a string, of a length that can be stored. */
export function isDecimal(held: unknown): held is string {
  return typeof held === "string" && held.length <= BIGINT_DIGITS_MAX && /^-?\d+$/.test(held);
}

/** @throws {HttpProblem} `bad-value`. */
export function takeBase64(text: string): Uint8Array {
  try {
    return Uint8Array.fromBase64(text, { lastChunkHandling: "strict" });
  } catch {
    throw new HttpProblem("bad-value", "Bytes are base64 with padding (RFC 4648 section 4).");
  }
}

function isPair(pair: unknown): pair is [unknown, unknown] {
  return Array.isArray(pair) && pair.length === 2;
}

function isPlain(value: object): value is { [name: string]: JsValue } {
  return !(value instanceof Date || value instanceof Uint8Array || value instanceof Map ||
    value instanceof Set);
}

/** The tag that an object of this form is read as, or null. */
function tagOf(object: { readonly [name: string]: unknown }): string | null {
  const names = Object.keys(object);
  return names.length === 1 && TAGS.has(names[0]) ? names[0] : null;
}

function mapMembers<T>(
  object: { readonly [name: string]: T },
  change: (value: T) => JsValue,
): { [name: string]: JsValue } {
  const result: { [name: string]: JsValue } = {};
  for (const [name, value] of Object.entries(object)) setMember(result, name, change(value));
  return result;
}
