import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { encodeAtomicWrite } from "../../kv/command.ts";
import { decodeCommand } from "../../kv/command_decoder.ts";
import {
  CHECKS_MAX,
  KEY_BYTES_MAX,
  MUTATIONS_MAX,
  TIME_MS_MAX,
  VALUE_BYTES_MAX,
} from "../../kv/limits.ts";
import type { AtomicWrite, EncodedKey, ReadQuery, Value } from "../../kv/types.ts";
import {
  checkAtomicWrite,
  checkReadQuery,
  InvalidWrite,
  isDeleteOnly,
  LimitExceeded,
} from "../../kv/validate.ts";
import { bytesValue, u64Value, v8Value } from "../../kv/value_codec.ts";
import { encodeV8 } from "../../kv/v8_codec.ts";
import { atomicWrite, Fed, key, remove, set, sum, write } from "./support.ts";

const keyOf = (size: number) => key("x".repeat(size - 2));
const bytes = (size: number) => bytesValue(new Uint8Array(size));
const times = <T>(count: number, item: T): T[] => new Array<T>(count).fill(item);
const absent = (k: EncodedKey) => ({ key: k, versionstamp: null });

const allowed: [string, AtomicWrite][] = [
  ["nothing at all", write([])],
  ["the longest key", write([set(keyOf(KEY_BYTES_MAX), "v")], [absent(keyOf(KEY_BYTES_MAX))])],
  ["the largest value", write([set(key("k"), bytes(VALUE_BYTES_MAX))])],
  ["the most checks", write([], times(CHECKS_MAX, absent(key("k"))))],
  ["the most mutations", write(times(MUTATIONS_MAX, remove(key("k"))))],
  ["the longest idempotency key", write([], [], "x".repeat(256))],
  ["the last time", write([set(key("k"), "v", { type: "at", timeMs: TIME_MS_MAX })])],
];

for (const [what, it] of allowed) {
  Deno.test(`checkAtomicWrite() allows ${what}, and the store applies it`, () => {
    checkAtomicWrite(it);
    const { result } = new Fed().write([...it.mutations], [...it.checks], it.idempotencyKey);
    assertEquals(result.status, "applied");
  });
}

const odd = (value: unknown) => value as Value;
const at = (timeMs: number) => write([set(key("k"), "v", { type: "at", timeMs })]);
const refused: [string, AtomicWrite, string, string][] = [
  ["101 checks", write([], times(101, absent(key("k")))), "too-many-checks", "checks"],
  ["1001 mutations", write(times(1001, remove(key("k")))), "too-many-mutations", "mutations"],
  [
    "a key of 2049 bytes",
    write([remove(key("k")), remove(keyOf(2049))]),
    "key-too-large",
    "mutations[1].key",
  ],
  [
    "a check's key of 2049 bytes",
    write([], [absent(keyOf(2049))]),
    "key-too-large",
    "checks[0].key",
  ],
  [
    "a key that its suffix makes too long",
    write([{ ...set(keyOf(2027), "v"), type: "set-suffix-versionstamp" } as never]),
    "key-too-large",
    "mutations[0].key",
  ],
  [
    "a value of 65,537 bytes",
    write([set(key("k"), bytes(65_537))]),
    "value-too-large",
    "mutations[0].value",
  ],
  [
    "13 values of 65,536 bytes",
    write(times(13, set(key("k"), bytes(65_536)))),
    "write-too-large",
    "mutations",
  ],
  ["an empty key", write([remove("" as EncodedKey)]), "empty-key", "mutations[0].key"],
  ["an empty key in a check", write([], [absent("" as EncodedKey)]), "empty-key", "checks[0].key"],
  [
    "an unknown encoding",
    write([set(key("k"), odd({ encoding: 4, data: new Uint8Array(1) }))]),
    "invalid-encoding",
    "mutations[0].value",
  ],
  [
    "an LE64 of 7 bytes",
    write([set(key("k"), odd({ encoding: 2, data: new Uint8Array(7) }))]),
    "invalid-value",
    "mutations[0].value",
  ],
  ["an expiry at 0", at(0), "invalid-expiry", "mutations[0].expiry"],
  ["an expiry at 1.5", at(1.5), "invalid-expiry", "mutations[0].expiry"],
  ["an expiry at NaN", at(NaN), "invalid-expiry", "mutations[0].expiry"],
  ["an expiry beyond 48 bits", at(2 ** 48), "invalid-expiry", "mutations[0].expiry"],
  ["an empty idempotency key", write([], [], ""), "invalid-idempotency-key", "idempotencyKey"],
  ["an idempotency key of 257", write([], [], "x".repeat(257)), "invalid-idempotency-key", "idem"],
  ["a lone surrogate there", write([], [], "\ud800"), "invalid-idempotency-key", "idem"],
  [
    "a versionstamp below 0",
    write([], [{ key: key("k"), versionstamp: { index: -1, order: 0 } }]),
    "invalid-versionstamp",
    "checks[0].versionstamp",
  ],
  [
    "a min with a V8 operand",
    write([{ type: "min", key: key("k"), value: v8Value(1) }]),
    "invalid-operand",
    "mutations[0].value",
  ],
  ["a sum of bytes", write([sum(key("k"), bytes(8))]), "invalid-operand", "mutations[0].value"],
  [
    "a sum of U64 with bounds",
    write([sum(key("k"), u64Value(1n), { min: encodeV8(1n) })]),
    "invalid-operand",
    "mutations[0].value",
  ],
  [
    "bounds of another type",
    write([sum(key("k"), v8Value(1), { max: encodeV8(1n) })]),
    "invalid-operand",
    "mutations[0].value",
  ],
  [
    "bounds that are no V8 value",
    write([sum(key("k"), v8Value(1), { max: new Uint8Array(0) })]),
    "invalid-operand",
    "mutations[0].value",
  ],
];

for (const [what, it, code, field] of refused) {
  Deno.test(`checkAtomicWrite() refuses ${what}`, () => {
    const error = assertThrows(() => checkAtomicWrite(it));
    assert(error instanceof LimitExceeded || error instanceof InvalidWrite, `${error}`);
    assertEquals(error.code, code);
    assert(error.field.startsWith(field), error.field);
    assert(error.message.length > 0);
  });
}

Deno.test("what checkAtomicWrite() allows is never malformed to a store", () => {
  let allowedCount = 0;
  fc.assert(fc.property(atomicWrite, (it) => {
    try {
      checkAtomicWrite(it);
    } catch (error) {
      assert(error instanceof InvalidWrite);
      return;
    }
    allowedCount++;
    decodeCommand(encodeAtomicWrite(it));
  }));
  assert(allowedCount > 10);
});

const range = { start: key("a"), end: key("b"), limit: 1, reverse: false };
const reads: [string, ReadQuery, string | null][] = [
  ["one range", { type: "ranges", ranges: [range] }, null],
  ["ten ranges of 100", { type: "ranges", ranges: times(10, { ...range, limit: 100 }) }, null],
  ["an end of 2049 bytes", { type: "ranges", ranges: [{ ...range, end: keyOf(2049) }] }, null],
  ["eleven ranges", { type: "ranges", ranges: times(11, range) }, "too-many-ranges"],
  ["1001 entries", { type: "ranges", ranges: [{ ...range, limit: 1001 }] }, "too-many-entries"],
  ["a limit of 0", { type: "ranges", ranges: [{ ...range, limit: 0 }] }, "invalid-range"],
  ["a limit of 1.5", { type: "ranges", ranges: [{ ...range, limit: 1.5 }] }, "invalid-range"],
  [
    "a start of 2050",
    { type: "ranges", ranges: [{ ...range, start: keyOf(2050) }] },
    "key-too-large",
  ],
  ["1001 keys", { type: "get", keys: times(1001, key("k")) }, "too-many-entries"],
  ["a key of 2050 bytes", { type: "get", keys: [keyOf(2050)] }, "key-too-large"],
];

for (const [what, query, code] of reads) {
  Deno.test(`checkReadQuery() ${code === null ? "allows" : "refuses"} ${what}`, () => {
    if (code === null) return checkReadQuery(query);
    const error = assertThrows(() => checkReadQuery(query)) as LimitExceeded | InvalidWrite;
    assertEquals(error.code, code);
  });
}

Deno.test("isDeleteOnly() is true of deletes, at least one, whatever the checks", () => {
  const k = key("k");
  assertEquals(isDeleteOnly(write([remove(k)])), true);
  assertEquals(isDeleteOnly(write([remove(k), remove(key("l"))], [absent(k)], "once")), true);
  for (const mutations of [[], [set(k, "v")], [remove(k), set(k, "v")], [sum(k, u64Value(1n))]]) {
    assertEquals(isDeleteOnly(write(mutations)), false);
  }
});
