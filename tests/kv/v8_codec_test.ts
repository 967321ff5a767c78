import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { deserialize, serialize } from "node:v8";
import { decodeV8, encodeV8 } from "../../kv/v8_codec.ts";
import "./support.ts";

const corners = [
  0,
  -0,
  1,
  -1,
  63,
  64,
  -64,
  -65,
  2 ** 30,
  2 ** 31 - 1,
  -(2 ** 31),
  2 ** 31,
  2 ** 53,
  1.5,
  Infinity,
  -Infinity,
  NaN,
  Number.MIN_VALUE,
  0n,
  1n,
  -1n,
  (1n << 64n) - 1n,
  1n << 64n,
  -(1n << 64n),
  -(1n << 200n),
];

for (const value of corners) {
  Deno.test(`encodeV8() writes what V8 writes: ${Object.is(value, -0) ? "-0" : value}`, () => {
    assertEquals(encodeV8(value).toHex(), new Uint8Array(serialize(value)).toHex());
  });
}

const numeric = fc.oneof(
  fc.double(),
  fc.integer(),
  fc.bigInt({ min: -(1n << 300n), max: 1n << 300n }),
);

Deno.test("decodeV8() reads what V8 writes, and V8 reads what encodeV8() writes", () => {
  fc.assert(fc.property(numeric, (value) => {
    assert(Object.is(decodeV8(new Uint8Array(serialize(value))), value));
    assert(Object.is(deserialize(encodeV8(value)), value));
  }));
});

Deno.test("decodeV8() agrees with V8 on bytes of any kind", () => {
  const raw = fc.tuple(
    fc.constantFrom(0xff, 0xff, 0xff, 0x49),
    fc.constantFrom(15, 15, 15, 12, 13, 16, 17, 0),
    fc.array(fc.constantFrom(0x00, 0x49, 0x4e, 0x55, 0x5a), { maxLength: 3 }),
    fc.array(fc.oneof(fc.constantFrom(0, 1, 0x10, 0x11, 0x7f, 0x80, 0xff), fc.nat(255)), {
      maxLength: 20,
    }),
  ).map(([a, b, c, d]) => Uint8Array.from([a, b, ...c, ...d]))
    // What V8 makes of a varint of more than 5 bytes depends on how much comes after it.
    .filter((bytes) => !/[89a-f].[89a-f].[89a-f].[89a-f].[89a-f]./.test(bytes.toHex()));
  let read = 0;
  fc.assert(
    fc.property(raw, (bytes) => {
      let theirs: unknown;
      try {
        theirs = deserialize(bytes);
      } catch {
        theirs = null;
      }
      if (typeof theirs !== "number" && typeof theirs !== "bigint") theirs = null;
      else read++;
      assert(Object.is(decodeV8(bytes), theirs));
    }),
    { numRuns: 20_000, seed: 11 },
  );
  assert(read > 2_000, `only ${read} inputs held a number`);
});

Deno.test("decodeV8() gives null for every other value", () => {
  for (const value of ["1", true, null, undefined, {}, [1], new Date(0), Object(1), new Map()]) {
    assertEquals(decodeV8(new Uint8Array(serialize(value))), null);
  }
  assertEquals(decodeV8(new Uint8Array(0)), null);
});

Deno.test("encodeV8() writes one NaN, whatever NaN it is given", () => {
  const odd = new DataView(new ArrayBuffer(8));
  odd.setBigUint64(0, 0xfff8_dead_beef_0001n);
  assertEquals(encodeV8(odd.getFloat64(0)).toHex(), "ff0f4e000000000000f87f");
});
