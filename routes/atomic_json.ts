/**
 * Reads an atomic write out of parsed JSON, strictly.
 *
 * @module
 */
import { keyFromJson } from "../kv/key_json.ts";
import { CHECKS_MAX, MUTATIONS_MAX } from "../kv/limits.ts";
import type { AtomicWrite, Check, EncodedKey, Expiry, Mutation, Value } from "../kv/types.ts";
import { v8Value } from "../kv/value_codec.ts";
import { InvalidKey } from "../kv/key_codec.ts";
import { InvalidVersionstamp, parseVersionstamp } from "../kv/versionstamp.ts";
import { keyOfParts } from "./address.ts";
import { type Fields, fieldsOf } from "./fields.ts";
import { EXPIRE_IN_MS_MAX } from "./limits.ts";
import { HttpProblem } from "./problem.ts";
import { isDecimal } from "./tagged.ts";
import { isShownEncoding, SHOWN_ENCODINGS, takeU64, takeValue } from "./value_json.ts";

/** The fields of each type of mutation, beside `type` and `key`. */
const MUTATION_FIELDS: Readonly<Record<Mutation["type"], readonly string[]>> = {
  "set": ["value", "encoding", "expireIn"],
  "set-suffix-versionstamp": ["value", "encoding", "expireIn"],
  "delete": [],
  "sum": ["value", "min", "max", "clamp"],
  "min": ["value"],
  "max": ["value"],
};

/**
 * Makes the atomic write that `json` describes.
 *
 * @throws {HttpProblem} `bad-request`, `bad-key`, `bad-value` or `too-large`; the detail says where.
 */
export function takeAtomicWrite(json: unknown, idempotencyKey: string | null): AtomicWrite {
  const fields = fieldsOf(json, "the body", ["checks", "mutations"]);
  const checks = listOf(fields, "checks", CHECKS_MAX);
  const mutations = listOf(fields, "mutations", MUTATIONS_MAX);
  if (checks.length + mutations.length === 0) {
    throw new HttpProblem("bad-request", "The body has neither checks nor mutations.");
  }
  return {
    checks: checks.map((check, i) => at(`checks[${i}]`, () => takeCheck(check))),
    mutations: mutations.map((mutation, i) => at(`mutations[${i}]`, () => takeMutation(mutation))),
    idempotencyKey,
  };
}

function takeCheck(json: unknown): Check {
  const fields = fieldsOf(json, "it", ["key", "versionstamp"]);
  const key = keyOf(fields);
  const versionstamp = fields.versionstamp;
  if (versionstamp === null) return { key, versionstamp };
  if (typeof versionstamp === "string") {
    try {
      return { key, versionstamp: parseVersionstamp(versionstamp) };
    } catch (error) {
      if (!(error instanceof InvalidVersionstamp)) throw error;
    }
  }
  throw new HttpProblem(
    "bad-request",
    "versionstamp is a string of 20 lowercase hex digits, or null for: there is no such key.",
  );
}

function takeMutation(json: unknown): Mutation {
  const { type } = fieldsOf(json, "it", null);
  if (!isMutationType(type)) {
    const types = Object.keys(MUTATION_FIELDS).join(", ");
    throw new HttpProblem("bad-request", `type is one of ${types}.`);
  }
  const fields = fieldsOf(json, `a "${type}"`, ["type", "key", ...MUTATION_FIELDS[type]]);
  const key = keyOf(fields);
  if (type === "delete") return { type, key };
  if (!Object.hasOwn(fields, "value")) {
    throw new HttpProblem("bad-request", `A "${type}" needs a value.`);
  }
  switch (type) {
    case "set":
    case "set-suffix-versionstamp":
      return { type, key, value: valueOf(fields), expiry: expiryOf(fields) };
    case "sum":
      return { type, key, ...sumOf(fields) };
    case "min":
    case "max":
      return { type, key, value: takeU64(fields.value) };
  }
}

function valueOf(fields: Fields): Value {
  const encoding = fields.encoding ?? "json";
  if (!isShownEncoding(encoding)) {
    throw new HttpProblem("bad-request", `encoding is one of ${SHOWN_ENCODINGS.join(", ")}.`);
  }
  return takeValue(encoding, fields.value);
}

function expiryOf(fields: Fields): Expiry {
  const ms = fields.expireIn;
  if (ms === undefined) return { type: "never" };
  if (typeof ms === "number" && Number.isInteger(ms) && ms >= 1 && ms <= EXPIRE_IN_MS_MAX) {
    return { type: "in", ms };
  }
  throw new HttpProblem(
    "bad-request",
    `expireIn is a whole number of milliseconds from 1 to ${EXPIRE_IN_MS_MAX}.`,
  );
}

interface Sum {
  readonly value: Value;
  readonly min: Uint8Array | null;
  readonly max: Uint8Array | null;
  readonly clamp: boolean;
}

/** The operand of a sum: a 64-bit integer, or the tagged bigint or number that V8 values are summed with. */
function sumOf(fields: Fields): Sum {
  const { clamp = false } = fields;
  if (typeof clamp !== "boolean") throw new HttpProblem("bad-request", "clamp is true or false.");
  const operand = fields.value;
  const scalar = scalarOf(operand);
  const min = boundOf(fields.min, scalar);
  const max = boundOf(fields.max, scalar);
  if (clamp && min === null && max === null) {
    throw new HttpProblem("bad-request", "clamp needs a min, a max or both to clamp to.");
  }
  return { value: scalar === null ? takeU64(operand) : v8Value(scalar), min, max, clamp };
}

function boundOf(json: unknown, operand: number | bigint | null): Uint8Array | null {
  if (json === undefined) return null;
  if (operand === null) {
    throw new HttpProblem("bad-request", "A sum of 64-bit integers wraps; it takes no bounds.");
  }
  const bound = scalarOf(json);
  if (typeof bound !== typeof operand) {
    throw new HttpProblem(
      "bad-request",
      `A bound is of the value's own form: {"${typeof operand}":…}.`,
    );
  }
  return v8Value(bound as number | bigint).data;
}

/** What `{"bigint":"1"}` and `{"number":1.5}` hold; null for every other form. */
function scalarOf(json: unknown): number | bigint | null {
  if (typeof json !== "object" || json === null || Array.isArray(json)) return null;
  const [[tag, held] = [], ...others] = Object.entries(json);
  if (others.length > 0) return null;
  if (tag === "bigint" && isDecimal(held)) return BigInt(held);
  return tag === "number" && typeof held === "number" ? held : null;
}

function keyOf(fields: Fields): EncodedKey {
  try {
    return keyOfParts(keyFromJson(fields.key));
  } catch (error) {
    if (error instanceof InvalidKey) throw new HttpProblem("bad-key", error.message);
    throw error;
  }
}

function listOf(fields: Fields, name: string, max: number): readonly unknown[] {
  const list = fields[name] ?? [];
  if (!Array.isArray(list)) throw new HttpProblem("bad-request", `${name} is an array.`);
  if (list.length > max) {
    throw new HttpProblem("too-large", `${name} has ${list.length} items; the limit is ${max}.`);
  }
  return list;
}

function isMutationType(type: unknown): type is Mutation["type"] {
  return typeof type === "string" && Object.hasOwn(MUTATION_FIELDS, type);
}

/** Says where in the body a problem lies. */
function at<T>(where: string, take: () => T): T {
  try {
    return take();
  } catch (error) {
    if (!(error instanceof HttpProblem)) throw error;
    throw new HttpProblem(error.code, `${where}: ${error.message}`);
  }
}
