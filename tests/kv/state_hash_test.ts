import { assert, assertEquals, assertNotEquals } from "@std/assert";
import fc from "fast-check";
import { MultisetHash } from "../../kv/state_hash.ts";
import "./support.ts";

const rotl = (x: bigint, by: bigint) => (x << by | x >> 32n - by) & 0xffffffffn;
const u32 = (x: bigint) => x & 0xffffffffn;

/** MurmurHash3_x86_128 once more, from its description, in slow and plain arithmetic. */
function murmurReference(bytes: Uint8Array): string {
  const c = [0x239b961bn, 0xab0e9789n, 0x38b34ae5n, 0xa1e38b93n];
  const kRotations = [15n, 16n, 17n, 18n];
  const hRotations = [19n, 17n, 15n, 13n];
  const plus = [0x561ccd1bn, 0x0bcaa747n, 0x96cd1c35n, 0x32ac3b17n];
  const h = [0n, 0n, 0n, 0n];
  const mixedIn = (word: bigint, i: number) =>
    u32(rotl(u32(word * c[i]!), kRotations[i]!) * c[(i + 1) % 4]!);
  const blocks = bytes.length >> 4;
  const wordAt = (at: number, end: number) => {
    let word = 0n;
    for (let i = 0; i < 4 && at + i < end; i++) word |= BigInt(bytes[at + i]!) << BigInt(8 * i);
    return word;
  };
  for (let block = 0; block < blocks; block++) {
    for (let i = 0; i < 4; i++) {
      h[i]! ^= mixedIn(wordAt(block * 16 + i * 4, bytes.length), i);
      h[i] = u32((rotl(h[i]!, hRotations[i]!) + h[(i + 1) % 4]!) * 5n + plus[i]!);
    }
  }
  for (let i = 0; i < 4; i++) h[i]! ^= mixedIn(wordAt(blocks * 16 + i * 4, bytes.length), i);
  for (let i = 0; i < 4; i++) h[i]! ^= BigInt(bytes.length);
  const spread = () => {
    h[0] = u32(h[0]! + h[1]! + h[2]! + h[3]!);
    for (let i = 1; i < 4; i++) h[i] = u32(h[i]! + h[0]!);
  };
  spread();
  for (let i = 0; i < 4; i++) {
    h[i] = u32((h[i]! ^ h[i]! >> 16n) * 0x85ebca6bn);
    h[i] = u32((h[i]! ^ h[i]! >> 13n) * 0xc2b2ae35n);
    h[i] = h[i]! ^ h[i]! >> 16n;
  }
  spread();
  return h.map((lane) => lane.toString(16).padStart(8, "0")).join("");
}

Deno.test("the reference of this test gives the published values of MurmurHash3_x86_128", () => {
  const of = (text: string) => murmurReference(new TextEncoder().encode(text));
  assertEquals(
    of("The quick brown fox jumps over the lazy dog"),
    "2f1583c3ecee2c675d7bf66ce5e91d2c",
  );
  assertEquals(
    of("I will not buy this tobacconist's, it is scratched."),
    "9b5b7ba2ef3f7866889adeaf00f3f98e",
  );
});

/** The message that stands for an element, as the module documents it. */
function message(tag: number, order: number, numbers: number[], text: string, bytes: Uint8Array) {
  const padded = (size: number) => Math.ceil(size / 16) * 16;
  const out = new Uint8Array(32 + padded(text.length) + padded(bytes.length));
  const view = new DataView(out.buffer);
  const [a, b, c] = numbers as [number, number, number];
  view.setUint32(0, tag | order << 8, true);
  view.setUint32(4, text.length, true);
  view.setUint32(8, bytes.length, true);
  view.setUint32(12, Math.floor(c / 2 ** 32), true);
  view.setUint32(16, a % 2 ** 32, true);
  view.setUint16(20, Math.floor(a / 2 ** 32), true);
  view.setUint16(22, Math.floor(b / 2 ** 32), true);
  view.setUint32(24, b % 2 ** 32, true);
  view.setUint32(28, c % 2 ** 32, true);
  for (let i = 0; i < text.length; i++) out[32 + i] = text.charCodeAt(i);
  out.set(bytes, 32 + padded(text.length));
  return out;
}

const uint48 = fc.oneof(fc.nat(9), fc.integer({ min: 0, max: 2 ** 48 - 1 }));
const binary = (maxLength: number) =>
  fc.array(fc.nat(255), { maxLength }).map((codes) => String.fromCharCode(...codes));
const element = fc.record({
  tag: fc.nat(255),
  order: fc.nat(0xffff),
  numbers: fc.tuple(uint48, uint48, uint48),
  text: binary(40),
  bytes: fc.uint8Array({ maxLength: 70 }),
});
type Element = typeof element extends fc.Arbitrary<infer T> ? T : never;

const add = (hash: MultisetHash, { tag, order, numbers: [a, b, c], text, bytes }: Element) =>
  hash.add(tag, order, a, b, c, text, bytes);
const remove = (hash: MultisetHash, { tag, order, numbers: [a, b, c], text, bytes }: Element) =>
  hash.remove(tag, order, a, b, c, text, bytes);

Deno.test("MultisetHash hashes an element as MurmurHash3_x86_128 of its documented message", () => {
  fc.assert(fc.property(element, (it) => {
    const hash = new MultisetHash();
    add(hash, it);
    assertEquals(
      hash.toHex(),
      murmurReference(message(it.tag, it.order, it.numbers, it.text, it.bytes)),
    );
  }));
});

Deno.test("MultisetHash depends on the elements, not on their order or on what came and went", () => {
  fc.assert(fc.property(fc.array(element, { maxLength: 8 }), element, (elements, extra) => {
    const forward = new MultisetHash();
    const backward = new MultisetHash();
    for (const it of elements) add(forward, it);
    add(backward, extra);
    for (const it of elements.toReversed()) add(backward, it);
    assertNotEquals(backward.toHex(), forward.toHex());
    remove(backward, extra);
    assertEquals(backward.toHex(), forward.toHex());
  }));
});

Deno.test("MultisetHash tells apart elements that differ in one bit anywhere", () => {
  const base: Element = {
    tag: 3,
    order: 1,
    numbers: [5, 0, 0],
    text: "\x02key\0",
    bytes: new Uint8Array(256).fill(7),
  };
  const hashOf = (it: Element) => {
    const hash = new MultisetHash();
    add(hash, it);
    return hash.toHex();
  };
  const seen = new Set([hashOf(base)]);
  let count = 1;
  const see = (it: Element) => {
    seen.add(hashOf(it));
    count++;
  };
  for (let bit = 0; bit < 48; bit++) {
    see({ ...base, numbers: [5 + 2 ** bit, 0, 0] });
    see({ ...base, numbers: [5, 2 ** bit, 0] });
    see({ ...base, numbers: [5, 0, 2 ** bit] });
  }
  for (let bit = 0; bit < 16; bit++) see({ ...base, order: 1 ^ 1 << bit });
  for (let i = 0; i < 256 * 8; i++) {
    const bytes = base.bytes.slice();
    bytes[i >> 3]! ^= 1 << (i & 7);
    see({ ...base, bytes });
  }
  see({ ...base, tag: 2 });
  see({ ...base, text: "\x02key\0\0" });
  see({ ...base, bytes: new Uint8Array(257).fill(7) });
  see({ ...base, text: "", bytes: base.bytes });
  assertEquals(seen.size, count);
});

Deno.test("MultisetHash spreads single-bit changes over all lanes", () => {
  let flipped = 0;
  const rounds = 400;
  for (let i = 0; i < rounds; i++) {
    const [a, b] = [new MultisetHash(), new MultisetHash()];
    a.add(1, 0, i, 0, 0);
    b.add(1, 0, i, 2 ** (i % 48), 0);
    let difference = BigInt("0x" + a.toHex()) ^ BigInt("0x" + b.toHex());
    for (; difference > 0n; difference >>= 1n) flipped += Number(difference & 1n);
  }
  const share = flipped / rounds / 128;
  assert(share > 0.48 && share < 0.52, `${share}`);
});
