import { assert, assertEquals, assertNotStrictEquals, assertStrictEquals } from "@std/assert";
import { ByteSlab } from "../../kv/byte_slab.ts";
import { encodeAtomicWrite } from "../../kv/command.ts";
import { decodeWrite } from "../../kv/command_decoder.ts";
import { type EncodedKey, ValueEncoding } from "../../kv/types.ts";

const SIZES = { slabBytes: 1000, smallBytesMax: 300 };

Deno.test("ByteSlab gives arrays of one buffer that do not overlap", () => {
  const slab = new ByteSlab(SIZES);
  const taken = [100, 300, 65, 299].map((size) => slab.take(size));
  taken.forEach((bytes, i) => bytes.fill(i + 1));
  for (const bytes of taken) assertStrictEquals(bytes.buffer, taken[0].buffer);
  assertEquals(taken.map((bytes) => bytes.length), [100, 300, 65, 299]);
  taken.forEach((bytes, i) => assert(bytes.every((byte) => byte === i + 1)));
});

Deno.test("ByteSlab begins another buffer once the next array does not fit", () => {
  const slab = new ByteSlab(SIZES);
  const taken = [300, 300, 300, 100, 101].map((size) => slab.take(size));
  assertStrictEquals(taken[3].buffer, taken[0].buffer);
  assertNotStrictEquals(taken[4].buffer, taken[0].buffer);
  assertEquals(taken[4].byteOffset, 0);
});

Deno.test("ByteSlab leaves arrays outside that are too large, or so small that the engine keeps them", () => {
  const slab = new ByteSlab(SIZES);
  const inside = slab.take(100);
  for (const size of [301, 64, 0]) {
    assertEquals(slab.take(size).buffer.byteLength, size);
    assertEquals(slab.copy(new Uint8Array(400), 10, 10 + size).buffer.byteLength, size);
  }
  assertEquals(slab.take(100).byteOffset, 100);
  assertEquals(inside.buffer.byteLength, 1000);
});

Deno.test("ByteSlab's copies have the bytes asked for, and keep them", () => {
  const slab = new ByteSlab(SIZES);
  const source = Uint8Array.from({ length: 400 }, (_, i) => i % 251);
  const copies = [[0, 100], [7, 307], [5, 6], [0, 400]].map(([start, end]) => {
    return { start, end, copy: slab.copy(source, start, end) };
  });
  const expected = source.slice();
  source.fill(0);
  for (const { start, end, copy } of copies) assertEquals(copy, expected.slice(start, end));
});

Deno.test("encodeAtomicWrite() from one slab: commands side by side are as those made alone", () => {
  const slab = new ByteSlab(SIZES);
  const writes = [70, 200, 1000, 3].map((size, i) => ({
    checks: [],
    mutations: [{
      type: "set" as const,
      key: `key-${i}` as EncodedKey,
      value: { encoding: ValueEncoding.Bytes, data: new Uint8Array(size).fill(i + 1) },
      expiry: { type: "never" as const },
    }],
    idempotencyKey: null,
  }));
  const commands = writes.map((write) => encodeAtomicWrite(write, slab));
  assertStrictEquals(commands[0].buffer, commands[1].buffer);
  commands.forEach((bytes, i) => {
    assertEquals(bytes, encodeAtomicWrite(writes[i]));
    assertEquals(decodeWrite(bytes), writes[i]);
  });
});

Deno.test("decodeWrite() puts the small values of commands that share a buffer into its slab", () => {
  const commands = new ByteSlab(SIZES);
  const values = new ByteSlab(SIZES);
  const data = new Uint8Array(200).fill(7);
  const set = {
    type: "set" as const,
    key: "k" as EncodedKey,
    value: { encoding: ValueEncoding.Bytes, data },
    expiry: { type: "never" as const },
  };
  const write = { checks: [], mutations: [set], idempotencyKey: null };
  const decoded = [0, 1].map(() => {
    const bytes = encodeAtomicWrite(write, commands);
    const { mutations } = decodeWrite(bytes, values);
    bytes.fill(0);
    assert(mutations[0].type === "set");
    return mutations[0].value.data;
  });
  assertStrictEquals(decoded[0].buffer, decoded[1].buffer);
  for (const it of decoded) assertEquals(it, data);
});
