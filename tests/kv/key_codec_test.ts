import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import {
  boundFromBytes,
  compare,
  decodeKey,
  encodeKey,
  InvalidKey,
  keyFromBytes,
  keyRange,
  keyToBytes,
  prefixRange,
} from "../../kv/key_codec.ts";
import type { EncodedKey, KeyPart } from "../../kv/types.ts";
import { keyPart, keyParts } from "./support.ts";

const hex = (key: EncodedKey) => keyToBytes(key).toHex();
const fromHex = (digits: string) => keyFromBytes(Uint8Array.fromHex(digits));

const encodings: [KeyPart[], string][] = [
  [["hello"], "0268656c6c6f00"],
  [[""], "0200"],
  [["a\0b"], "026100ff6200"],
  [["é"], "02c3a900"],
  [[new Uint8Array([1, 2, 0, 7, 8])], "01010200ff070800"],
  [["a", "b"], "026100026200"],
  [[0n], "14"],
  [[1n, 255n, 256n], "150115ff160100"],
  [[-1n, -256n], "13fe12feff"],
  [[(1n << 64n) - 1n], "1cffffffffffffffff"],
  [[1n << 64n], "1d09010000000000000000"],
  [[-(1n << 64n)], "0bf6feffffffffffffffff"],
  [[1.5], "21bff8000000000000"],
  [[0], "218000000000000000"],
  [[-0], "217fffffffffffffff"],
  [[-1.5], "214007ffffffffffff"],
  [[NaN], "21fff8000000000000"],
  [[Infinity], "21fff0000000000000"],
  [[false, true], "2627"],
];

for (const [parts, digits] of encodings) {
  Deno.test(`encodeKey() gives ${digits}`, () => {
    assertEquals(hex(encodeKey(parts)), digits);
    const back = decodeKey(fromHex(digits));
    assertEquals(back.length, parts.length);
    back.forEach((part, i) => {
      if (part instanceof Uint8Array) assertEquals(part, parts[i]);
      else assert(Object.is(part, parts[i]));
    });
  });
}

Deno.test("decodeKey() reads back any key", () => {
  fc.assert(fc.property(keyParts, (parts) => {
    assertEquals(decodeKey(encodeKey(parts)), parts);
  }));
});

Deno.test("keyFromBytes() accepts nothing that encodes to other bytes", () => {
  const bytes = fc.array(
    fc.oneof(
      fc.constantFrom(0, 1, 2, 0x0b, 0x0c, 0x13, 0x14, 0x15, 0x1c, 0x1d, 0x21, 0x26, 0x27, 0xff),
      fc.nat(255),
    ),
    { maxLength: 14 },
  );
  let accepted = 0;
  fc.assert(
    fc.property(bytes, (raw) => {
      let key: EncodedKey;
      try {
        key = keyFromBytes(Uint8Array.from(raw));
      } catch (error) {
        assert(error instanceof InvalidKey);
        return;
      }
      accepted++;
      assertEquals([...keyToBytes(encodeKey(decodeKey(key)))], raw);
    }),
    { numRuns: 20_000, seed: 5 },
  );
  assert(accepted > 300, `only ${accepted} inputs were keys`);
});

const malformed: [string, string][] = [
  ["an unknown tag", "03"],
  ["the tag of a range's end", "ff"],
  ["a string without its end", "0261"],
  ["a string that ends in an escape", "026100ff"],
  ["a string that is not UTF-8", "02ff00"],
  ["a string with an encoded surrogate", "02eda08000"],
  ["a number cut short", "21bff80000000000"],
  ["a NaN with a payload", "21fff8000000000001"],
  ["a NaN with a payload in its upper half", "21fff8000100000000"],
  ["a bigint with a leading zero", "160001"],
  ["a negative bigint with a leading zero", "12ffff"],
  ["a long form for a short bigint", "1d0101"],
  ["a bigint without its length", "1d"],
  ["a bigint cut short", "1d09ff"],
];

for (const [what, digits] of malformed) {
  Deno.test(`keyFromBytes() refuses ${what}`, () => {
    assertThrows(() => fromHex(digits), InvalidKey);
  });
}

Deno.test("keyFromBytes() keeps a negative NaN, which Deno writes on some machines", () => {
  assertEquals(hex(fromHex("210007ffffffffffff")), "210007ffffffffffff");
});

Deno.test("encodeKey() writes one NaN, whatever NaN it is given", () => {
  const odd = new DataView(new ArrayBuffer(8));
  odd.setBigUint64(0, 0xfff8_dead_beef_0001n);
  assertEquals(hex(encodeKey([odd.getFloat64(0)])), "21fff8000000000000");
});

Deno.test("encodeKey() refuses what has no encoding", () => {
  assertThrows(() => encodeKey(["\ud800"]), InvalidKey, "lone surrogate");
  assertThrows(() => encodeKey([1n << 2040n]), InvalidKey, "256 bytes");
  assertThrows(() => encodeKey([-(1n << 2040n)]), InvalidKey, "256 bytes");
  assertThrows(() => encodeKey([null as unknown as string]), InvalidKey, "object");
  encodeKey([(1n << 2040n) - 1n]);
});

Deno.test("prefixRange() and keyRange() refuse what Deno KV refuses", () => {
  assertThrows(() => prefixRange(["a"], { start: ["b"] }), InvalidKey, "start key");
  assertThrows(() => prefixRange(["a"], { start: ["a"] }), InvalidKey, "start key");
  assertThrows(() => prefixRange(["a"], { end: ["b"] }), InvalidKey, "end key");
  assertThrows(() => keyRange(["b"], ["a"]), InvalidKey, "after");
});

Deno.test("boundFromBytes() takes the bytes between keys", () => {
  assertEquals(hex(boundFromBytes(new Uint8Array([2, 97, 0, 255]))), "026100ff");
});

/** What Deno's own list iterator shows of an encoded key: the cursor of `{ prefix: [] }` is its bytes. */
async function denoListing(parts: KeyPart[][]): Promise<{ keys: KeyPart[][]; bytes: string[] }> {
  const kv = await Deno.openKv(":memory:");
  try {
    for (let i = 0; i < parts.length; i += 500) {
      const atomic = kv.atomic();
      for (const key of parts.slice(i, i + 500)) atomic.set(key, 0);
      await atomic.commit();
    }
    const keys: KeyPart[][] = [];
    const bytes: string[] = [];
    const entries = kv.list({ prefix: [] });
    for await (const entry of entries) {
      keys.push([...entry.key] as KeyPart[]);
      bytes.push(Uint8Array.fromBase64(entries.cursor, { alphabet: "base64url" }).toHex());
    }
    return { keys, bytes };
  } finally {
    kv.close();
  }
}

Deno.test("encodeKey() gives the bytes and the order of Deno KV for 3000 keys", async () => {
  const sample = fc.sample(fc.array(keyPart, { minLength: 1, maxLength: 3 }), {
    numRuns: 3000,
    seed: 7,
  });
  const ours = [...new Set(sample.map(encodeKey))].sort(compare);
  const { keys, bytes } = await denoListing(sample);
  assertEquals(bytes, ours.map(hex));
  assertEquals(keys, ours.map(decodeKey));
});

Deno.test("ranges select what Deno KV's list selectors select", async () => {
  const names = ["a", "b", "b\0", "c", "d"];
  const keys: KeyPart[][] = [["x"], ["x", "b"], ["y", 1]];
  for (const name of names) keys.push(["p", name], ["p", name, 7n]);
  keys.push(["p"], ["p", true], ["p", new Uint8Array(0)], ["p\0"], ["p\xff"]);
  const selectors: [Deno.KvListSelector, { start: EncodedKey; end: EncodedKey }][] = [
    [{ prefix: [] }, prefixRange([])],
    [{ prefix: ["p"] }, prefixRange(["p"])],
    [{ prefix: ["p", "b"] }, prefixRange(["p", "b"])],
    [{ prefix: ["p"], start: ["p", "b"] }, prefixRange(["p"], { start: ["p", "b"] })],
    [{ prefix: ["p"], end: ["p", "c"] }, prefixRange(["p"], { end: ["p", "c"] })],
    [{ start: ["p", "b"], end: ["x"] }, keyRange(["p", "b"], ["x"])],
    [{ start: ["p"], end: ["p"] }, keyRange(["p"], ["p"])],
  ];
  const kv = await Deno.openKv(":memory:");
  try {
    for (const key of keys) await kv.set(key, 0);
    const sorted = keys.map(encodeKey).sort(compare);
    for (const [selector, { start, end }] of selectors) {
      const theirs = (await Array.fromAsync(kv.list(selector))).map((entry) =>
        encodeKey(entry.key as KeyPart[])
      );
      assertEquals(sorted.filter((key) => key >= start && key < end), theirs);
    }
  } finally {
    kv.close();
  }
});
