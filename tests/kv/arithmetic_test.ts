import { assert, assertEquals } from "@std/assert";
import { SUM_BIGINT_BYTES_MAX } from "../../kv/limits.ts";
import type { Mutation, Value } from "../../kv/types.ts";
import { bytesValue, u64Of, u64Value, v8Of, v8Value } from "../../kv/value_codec.ts";
import { encodeV8 } from "../../kv/v8_codec.ts";
import { Fed, key, set, sum, text } from "./support.ts";

const k = key("n");
const U64_MAX = (1n << 64n) - 1n;
const least = (value: Value): Mutation => ({ type: "min", key: k, value });
const most = (value: Value): Mutation => ({ type: "max", key: k, value });
const clamped = (min: number | bigint, max: number | bigint) => ({
  min: encodeV8(min),
  max: encodeV8(max),
  clamp: true,
});

/** A short form for the tables: `5n u64` for an LE64, the number or bigint itself for V8. */
const shown = (value: Value): string => {
  const u64 = u64Of(value);
  if (u64 !== null) return `u64 ${u64}`;
  const v8 = v8Of(value);
  return v8 === null ? "other" : `${typeof v8} ${Object.is(v8, -0) ? "-0" : v8}`;
};

const results: [string, Value | null, Mutation, string][] = [
  ["sum of U64", u64Value(5n), sum(k, u64Value(3n)), "u64 8"],
  ["sum of U64 that wraps", u64Value(U64_MAX), sum(k, u64Value(3n)), "u64 2"],
  ["sum of U64 on an absent key", null, sum(k, u64Value(3n)), "u64 3"],
  ["min of U64, stored less", u64Value(2n), least(u64Value(3n)), "u64 2"],
  ["min of U64, operand less", u64Value(U64_MAX), least(u64Value(3n)), "u64 3"],
  ["max of U64, stored more", u64Value(U64_MAX), most(u64Value(3n)), `u64 ${U64_MAX}`],
  ["max of U64, operand more", u64Value(2n), most(u64Value(3n)), "u64 3"],
  ["min on an absent key", null, least(u64Value(3n)), "u64 3"],
  ["max on an absent key", null, most(u64Value(3n)), "u64 3"],
  ["sum of numbers", v8Value(5), sum(k, v8Value(3)), "number 8"],
  ["sum of fractions", v8Value(0.1), sum(k, v8Value(0.2)), "number 0.30000000000000004"],
  ["sum of bigints", v8Value(-5n), sum(k, v8Value(3n)), "bigint -2"],
  ["sum of bigints beyond 64 bits", v8Value(U64_MAX), sum(k, v8Value(1n)), `bigint ${1n << 64n}`],
  ["sum of a number on an absent key", null, sum(k, v8Value(3)), "number 3"],
  // KV Connect's server does not apply bounds to an operand that is stored as it is.
  ["bounded sum on an absent key", null, sum(k, v8Value(30), clamped(0, 9)), "number 30"],
  ["sum within bounds", v8Value(5), sum(k, v8Value(3), clamped(0, 8)), "number 8"],
  ["sum clamped to the maximum", v8Value(5n), sum(k, v8Value(9n), clamped(0n, 7n)), "bigint 7"],
  ["sum clamped to the minimum", v8Value(5), sum(k, v8Value(-9), clamped(1, 7)), "number 1"],
  ["V8 bigint on a stored U64", u64Value(5n), sum(k, v8Value(3n)), "u64 8"],
  ["V8 bigint on a stored U64, wrapping", u64Value(5n), sum(k, v8Value(U64_MAX)), "u64 4"],
];

for (const [what, stored, mutation, expected] of results) {
  Deno.test(`${what} gives ${expected}`, () => {
    const fed = new Fed();
    if (stored !== null) fed.write([set(k, stored, { type: "in", ms: 5 })]);
    const { result, changes } = fed.write([mutation]);
    assertEquals(result.status, "applied");
    assertEquals(shown(fed.get(k)!.value), expected);
    assertEquals(changes.length, 1);
    assertEquals(shown(changes[0]!.value!), expected);
    // And the expiry of what stood there is gone.
    fed.tick(fed.timeMs + 100);
    assertEquals(shown(fed.get(k)!.value), expected);
  });
}

const nonU64 = (type: string) =>
  `Failed to perform '${type}' mutation on a non-U64 value in the database`;
const outOfRange = "The result of a Sum operation would exceed its range limit";
const differ = "Min/max parameters have different types than the operand";
const notV8 = "Some of the parameters are not valid V8 values";
const refusals: [string, Value | null, Mutation, string, string][] = [
  ["U64 on a number", v8Value(1), sum(k, u64Value(1n)), "sum-type-mismatch", nonU64("sum")],
  [
    "U64 on bytes",
    bytesValue(new Uint8Array(8)),
    sum(k, u64Value(1n)),
    "sum-type-mismatch",
    nonU64("sum"),
  ],
  ["min on text", text("a"), least(u64Value(1n)), "sum-type-mismatch", nonU64("min")],
  ["max on a bigint", v8Value(1n), most(u64Value(1n)), "sum-type-mismatch", nonU64("max")],
  [
    "min of a number",
    u64Value(1n),
    least(v8Value(1)),
    "sum-type-mismatch",
    "Failed to perform 'min' mutation on a non-U64 operand",
  ],
  [
    "bigint on a number",
    v8Value(1),
    sum(k, v8Value(1n)),
    "sum-type-mismatch",
    "Cannot sum Number with BigInt",
  ],
  [
    "number on a bigint",
    v8Value(1n),
    sum(k, v8Value(1)),
    "sum-type-mismatch",
    "Cannot sum BigInt with Number",
  ],
  [
    "number on a U64",
    u64Value(1n),
    sum(k, v8Value(1)),
    "sum-type-mismatch",
    "Cannot sum KvU64 with Number",
  ],
  [
    "negative on a U64",
    u64Value(1n),
    sum(k, v8Value(-1n)),
    "sum-type-mismatch",
    "Cannot sum KvU64 with BigInt",
  ],
  [
    "2^64 on a U64",
    u64Value(1n),
    sum(k, v8Value(1n << 64n)),
    "sum-type-mismatch",
    "Cannot sum KvU64 with BigInt",
  ],
  [
    "bounded bigint on a U64",
    u64Value(1n),
    sum(k, v8Value(1n), { max: encodeV8(9n) }),
    "sum-type-mismatch",
    "Cannot sum KvU64 with BigInt",
  ],
  [
    "clamped bigint on a U64",
    u64Value(1n),
    sum(k, v8Value(1n), { clamp: true }),
    "sum-type-mismatch",
    "Cannot sum KvU64 with BigInt",
  ],
  ["a sum on text", text("a"), sum(k, v8Value(1)), "sum-type-mismatch", "unsupported value type"],
  ["a sum of bytes", v8Value(1), sum(k, text("a")), "sum-type-mismatch", notV8],
  [
    "a bound that is not V8",
    v8Value(1),
    sum(k, v8Value(1), { min: new Uint8Array(3) }),
    "sum-type-mismatch",
    notV8,
  ],
  [
    "a bound of another type",
    v8Value(1),
    sum(k, v8Value(1), { min: encodeV8(1n) }),
    "sum-type-mismatch",
    differ,
  ],
  [
    "the other bound too",
    null,
    sum(k, v8Value(1), { max: encodeV8(1n) }),
    "sum-type-mismatch",
    differ,
  ],
  [
    "above the maximum",
    v8Value(5),
    sum(k, v8Value(3), { max: encodeV8(7) }),
    "sum-out-of-range",
    outOfRange,
  ],
  [
    "below the minimum",
    v8Value(5n),
    sum(k, v8Value(-3n), { min: encodeV8(3n) }),
    "sum-out-of-range",
    outOfRange,
  ],
  [
    "a stored bigint that is too large to sum",
    v8Value(1n << BigInt(8 * SUM_BIGINT_BYTES_MAX)),
    sum(k, v8Value(1n)),
    "too-large",
    "Cannot sum a value of over 4096 bytes",
  ],
  [
    "an operand that is too large to sum",
    v8Value(1n),
    sum(k, v8Value(1n << BigInt(8 * SUM_BIGINT_BYTES_MAX))),
    "too-large",
    "Cannot sum a value of over 4096 bytes",
  ],
];

for (const [what, stored, mutation, code, message] of refusals) {
  Deno.test(`${what} is refused, and the mutations around it change nothing`, () => {
    const fed = new Fed();
    const other = key("other");
    if (stored !== null) fed.write([set(k, stored)]);
    const before = fed.get(k);
    const alone = fed.write([mutation]);
    const { result, changes } = fed.write([set(other, "x"), mutation, set(other, "y")]);
    assertEquals(result, { status: "refused", code, message } as never);
    assertEquals(alone.result, result);
    assertEquals(changes, []);
    assertEquals(fed.get(k), before);
    assertEquals(fed.get(other), null);
  });
}

Deno.test("sums of numbers are encoded by the value alone, however their parts were encoded", () => {
  const fed = new Fed();
  // 5 as a double and 3 as an unsigned integer, as other writers of the format may put them.
  const five = { encoding: 1, data: Uint8Array.fromHex("ff0f4e0000000000001440") } as const;
  const three = {
    encoding: 1,
    data: Uint8Array.fromHex("ff0d000055 03".replace(" ", "")),
  } as const;
  fed.write([set(k, five), sum(k, three)]);
  assertEquals(fed.get(k)!.value.data.toHex(), "ff0f4910");
});

Deno.test("a mutation sees what those before it did", () => {
  const fed = new Fed();
  fed.write([set(k, u64Value(9n))]);
  const { result } = fed.write([
    sum(k, u64Value(1n)),
    { type: "delete", key: k },
    sum(k, v8Value(4)),
    sum(k, v8Value(3)),
  ]);
  assert(result.status === "applied");
  assertEquals(shown(fed.get(k)!.value), "number 7");
});
