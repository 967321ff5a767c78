import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import {
  compareVersionstamps,
  formatVersionstamp,
  InvalidVersionstamp,
  parseVersionstamp,
  VERSIONSTAMP_MAX,
  versionstampFromBytes,
  versionstampToBytes,
} from "../../kv/versionstamp.ts";
import "./support.ts";

const stamp = fc.record({
  index: fc.oneof(fc.nat(300), fc.integer({ min: 0, max: 2 ** 48 - 1 })),
  order: fc.nat(0xffff),
});

Deno.test("formatVersionstamp() gives 16 digits of the index and 4 of the order", () => {
  assertEquals(formatVersionstamp({ index: 0xabc, order: 1 }), "0000000000000abc0001");
});

Deno.test("versionstamps survive text and bytes, and keep their order in both", () => {
  fc.assert(fc.property(stamp, stamp, (a, b) => {
    const [ta, tb] = [formatVersionstamp(a), formatVersionstamp(b)];
    assertEquals(parseVersionstamp(ta), a);
    assertEquals(versionstampFromBytes(versionstampToBytes(a)), a);
    assertEquals(versionstampToBytes(a).toHex(), ta);
    assertEquals(Math.sign(compareVersionstamps(a, b)), ta < tb ? -1 : ta > tb ? 1 : 0);
  }));
});

Deno.test("stamps beyond the range of an index read as the last one, which no key ever has", () => {
  // The lower digits of the second one are a stamp that a key may well have: it must not be taken for it.
  for (const beyond of ["f".repeat(20), "00010000000000050001", "80000000000000000000"]) {
    assertEquals(parseVersionstamp(beyond), VERSIONSTAMP_MAX);
    assertEquals(versionstampFromBytes(Uint8Array.fromHex(beyond)), VERSIONSTAMP_MAX);
  }
  assert(compareVersionstamps(VERSIONSTAMP_MAX, { index: 2 ** 48 - 2, order: 0xffff }) > 0);
});

Deno.test("parseVersionstamp() and versionstampFromBytes() refuse other lengths and digits", () => {
  for (const bad of ["", "0".repeat(19), "0".repeat(21), "0".repeat(19) + "G", "A".repeat(20)]) {
    assertThrows(() => parseVersionstamp(bad), InvalidVersionstamp);
  }
  assertThrows(() => versionstampFromBytes(new Uint8Array(9)), InvalidVersionstamp);
});
