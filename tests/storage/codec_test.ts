/**
 * The bytes on disk: checksum, chain, blocks, records and mark.
 *
 * @module
 */
import {
  assert,
  assertEquals,
  assertNotEquals,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import fc from "fast-check";
import { encodeEntries } from "../../raft/entry_codec.ts";
import { term } from "../../raft/types.ts";
import {
  BLOCK_HEADER_BYTES,
  decodeBlock,
  encodeBlock,
  LOG_EMPTY,
} from "../../storage/block_codec.ts";
import { BlockIndex } from "../../storage/block_index.ts";
import { CHAIN_START, chainAfter, sameChain } from "../../storage/chain.ts";
import { planCommit } from "../../storage/commit_plan.ts";
import { crc32c } from "../../kv/crc32c.ts";
import { ATOMIC_LIMITS } from "../../storage/limits.ts";
import { decodeSlot, encodeSlot, readSlots, SlotBuffer } from "../../storage/mark.ts";
import { decodePeers, encodePeers } from "../../storage/peers_record.ts";
import {
  CRC_BYTES,
  decodeBoot,
  decodeIdentity,
  decodeState,
  encodeBoot,
  encodeIdentity,
  encodeState,
  sealed,
  type StateRecord,
} from "../../storage/record_codec.ts";
import { CorruptLog, UnsupportedFormat } from "../../storage/types.ts";
import { nodeId } from "../../raft/types.ts";
import { entries, entry, hardState, IDENTITY } from "./places.ts";

const NUM_RUNS = 300;
const PART_BYTES = 64;

/** The checksum bit by bit, as the definition has it. */
function crc32cSlowly(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
  }
  return ~crc >>> 0;
}

Deno.test("crc32c() gives the values of RFC 3720, B.4", () => {
  const ascending = Uint8Array.from({ length: 32 }, (_, i) => i);
  assertEquals(crc32c(new Uint8Array(32)), 0x8a9136aa);
  assertEquals(crc32c(new Uint8Array(32).fill(0xff)), 0x62a8ab43);
  assertEquals(crc32c(ascending), 0x46dd794e);
  assertEquals(crc32c(ascending.toReversed()), 0x113fdb5c);
  assertEquals(crc32c(new TextEncoder().encode("123456789")), 0xe3069283);
});

Deno.test("crc32c() agrees with its definition, whole and in pieces", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(200), (bytes, cut) => {
    assertEquals(crc32c(bytes), crc32cSlowly(bytes));
    assertEquals(crc32c(bytes.subarray(cut), crc32c(bytes.subarray(0, cut))), crc32c(bytes));
  }));
});

Deno.test("chainAfter() keeps apart what differed once", () => {
  const u32 = fc.integer({ min: 0, max: 0xffffffff });
  const chain = fc.record({ high: u32, low: u32 });
  fc.assert(fc.property(chain, chain, u32, fc.nat(), fc.nat(), (a, b, crc, index, count) => {
    const same = sameChain(chainAfter(a, crc, index, count), chainAfter(b, crc, index, count));
    assertEquals(same, sameChain(a, b));
  }));
});

Deno.test("chainAfter() depends on checksum, index and count", () => {
  const base = chainAfter(CHAIN_START, 1, 2, 3);
  assertNotEquals(chainAfter(CHAIN_START, 2, 2, 3), base);
  assertNotEquals(chainAfter(CHAIN_START, 1, 2 + 2 ** 32, 3), base);
  assertNotEquals(chainAfter(CHAIN_START, 1, 2, 4), base);
});

function blockOf(count: number, dataBytes: number) {
  const list = entries(1, count, 2, dataBytes);
  return encodeBlock(LOG_EMPTY, count, encodeEntries(list), term(2), PART_BYTES);
}

Deno.test("a block reads back, in one part or in several", () => {
  for (const [count, dataBytes] of [[1, 0], [2, 10], [1, 64], [1, 500], [7, 100]]) {
    const block = blockOf(count, dataBytes);
    const read = decodeBlock(LOG_EMPTY, block.parts);
    assertEquals(read.entries, entries(1, count, 2, dataBytes));
    assertEquals(read.end, block.end);
    for (const part of block.parts) assert(part.length <= PART_BYTES + BLOCK_HEADER_BYTES);
  }
});

Deno.test("decodeBlock() refuses every flipped bit, missing part, swapped part and cut", () => {
  const { parts } = blockOf(1, 200);
  assert(parts.length > 3);
  const refuses = (changed: readonly Uint8Array[]) =>
    void assertThrows(() => decodeBlock(LOG_EMPTY, changed), CorruptLog);
  for (let part = 0; part < parts.length; part++) {
    for (let bit = 0; bit < parts[part].length * 8; bit++) {
      const flipped = parts.map((bytes) => bytes.slice());
      flipped[part][bit >> 3] ^= 1 << (bit & 7);
      refuses(flipped);
    }
    refuses(parts.with(part, parts[part].subarray(0, -1)));
    if (part > 0) refuses(parts.toSpliced(part, 1));
  }
  refuses([...parts, parts[1]]);
});

Deno.test("decodeBlock() refuses a sound block behind others than its own", () => {
  const first = blockOf(3, 10);
  const other = encodeBlock(LOG_EMPTY, 3, encodeEntries(entries(1, 3, 1)), term(1), PART_BYTES);
  const second = encodeBlock(first.end, 1, encodeEntries([entry(4)]), term(1), PART_BYTES);
  assertEquals(decodeBlock(first.end, second.parts).entries, [entry(4)]);
  assertThrows(() => decodeBlock(other.end, second.parts), CorruptLog, "other blocks");
  assertThrows(() => decodeBlock(LOG_EMPTY, second.parts), CorruptLog, "begins at 4");
});

Deno.test("planCommit() writes the bytes that peers get, and encodes nothing twice", () => {
  const list = entries(1, 64, 1, 256);
  const bytes = encodeEntries(list);
  const [step] = planCommit(new BlockIndex(), 0, list, null, ATOMIC_LIMITS).steps;
  assertEquals(step.puts.length, 1);
  assertEquals(step.puts[0].value.subarray(BLOCK_HEADER_BYTES), bytes);
  assertStrictEquals(encodeEntries(list), bytes);
  // A later part of a large entry is a view of the very bytes.
  const large = [entry(1, 1, 200_000)];
  const [{ puts }] = planCommit(new BlockIndex(), 0, large, null, ATOMIC_LIMITS).steps;
  assertStrictEquals(puts[1].value.buffer, encodeEntries(large).buffer);
});

Deno.test("planCommit() never deletes and writes one key in the same atomic", () => {
  const index = new BlockIndex();
  const before = [entry(1, 1, 200_000), entry(2), entry(3, 1, 90_000)];
  for (const block of planCommit(index, 0, before, null, ATOMIC_LIMITS).blocks) {
    index.push(block.parts.length, block.end);
  }
  for (let kept = 0; kept < 3; kept++) {
    const { steps } = planCommit(index, kept, [entry(kept + 1, 2, 50_000)], null, ATOMIC_LIMITS);
    for (const { deletes, puts } of steps) {
      const written = puts.map(({ firstIndex, part }) => `${firstIndex} ${part}`);
      const deleted = deletes.map(({ firstIndex, part }) => `${firstIndex} ${part}`);
      assertEquals(written.filter((key) => deleted.includes(key)), []);
      assert(deleted.length > 0 && written.length > 0);
    }
  }
});

const STATE: StateRecord = {
  seq: 77,
  hardState: hardState(2 ** 48 - 1, "n-2", 5),
  epoch: 2 ** 33 + 1,
  base: { lastIndex: 2 ** 46, lastTerm: term(8), chain: { high: 2, low: 0xfffffffe } },
  end: { lastIndex: 2 ** 47, lastTerm: term(9), chain: { high: 0xffffffff, low: 1 } },
};
const OWNED = { ...IDENTITY, incarnation: 2 ** 48 - 1 };
const MARK = { identity: OWNED, boot: 3, damaged: true, state: STATE };

const PEERS = new Map([
  [nodeId("n2"), { incarnation: 2 ** 48 - 1, boot: 7, since: 0, heldTerm: 0, heldIndex: 0 }],
  [nodeId("x".repeat(64)), {
    incarnation: 1,
    boot: 2 ** 40,
    since: 2 ** 47,
    heldTerm: 9,
    heldIndex: 2 ** 47,
  }],
]);

Deno.test("decodePeers() reads a record from before what peers acknowledged was in it", () => {
  const bytes = new Uint8Array(1 + 2 + 3 * 6 + 1 + 2 + CRC_BYTES);
  bytes.set([1, 0, 1]);
  for (const [i, number] of [7, 3, 5].entries()) bytes[3 + 6 * i + 5] = number;
  bytes.set([2, 0x6e, 0x32], 21);
  assertEquals(
    decodePeers(sealed(bytes)),
    new Map([[nodeId("n2"), { incarnation: 7, boot: 3, since: 5, heldTerm: 0, heldIndex: 0 }]]),
  );
});

Deno.test("records read back, and refuse every flipped bit and cut", () => {
  const cases: [Uint8Array, (bytes: Uint8Array) => unknown, unknown][] = [
    [encodeState(STATE), decodeState, STATE],
    [encodeState({ ...STATE, hardState: hardState(1) }), decodeState, {
      ...STATE,
      hardState: hardState(1),
    }],
    [encodeBoot(2 ** 40), decodeBoot, 2 ** 40],
    [encodeIdentity({ clusterId: "grün", nodeId: "n", incarnation: 1 }), decodeIdentity, {
      clusterId: "grün",
      nodeId: "n",
      incarnation: 1,
    }],
    [encodePeers(PEERS), decodePeers, PEERS],
    [encodePeers(new Map()), decodePeers, new Map()],
    [encodeSlot(MARK), decodeSlot, MARK],
  ];
  for (const [bytes, decode, value] of cases) {
    assertEquals(decode(bytes), value);
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const flipped = bytes.slice();
      flipped[bit >> 3] ^= 1 << (bit & 7);
      assertThrows(() => decode(flipped), CorruptLog);
    }
    for (let end = 0; end < bytes.length; end++) {
      assertThrows(() => decode(bytes.subarray(0, end)), CorruptLog);
    }
  }
});

Deno.test("random bytes, sealed or not, are refused as corrupt and nothing worse", () => {
  const decoders = [
    decodeState,
    decodeBoot,
    decodeIdentity,
    decodeSlot,
    decodePeers,
    (bytes: Uint8Array) => decodeBlock(LOG_EMPTY, [bytes]),
  ];
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 120 }), fc.boolean(), (random, seal) => {
      const bytes = seal && random.length >= 4 ? sealed(random.slice()) : random;
      if (bytes.length > 0) bytes[0] &= 3;
      for (const decode of decoders) {
        try {
          decode(bytes);
        } catch (error) {
          if (!(error instanceof CorruptLog || error instanceof UnsupportedFormat)) throw error;
        }
      }
      readSlots(bytes);
    }),
    { numRuns: NUM_RUNS },
  );
});

Deno.test("decodeIdentity() says when another version has written", () => {
  const bytes = encodeIdentity(OWNED);
  for (const format of [1, 3]) {
    bytes[0] = format;
    assertThrows(() => decodeIdentity(sealed(bytes)), UnsupportedFormat, `format ${format}`);
  }
});

Deno.test("encodeIdentity() refuses ids that are empty or too long", () => {
  for (const nodeId of ["", "x".repeat(257)]) {
    assertThrows(() => encodeIdentity({ clusterId: "c", nodeId, incarnation: 1 }), RangeError);
  }
});

Deno.test("SlotBuffer writes what encodeSlot() does, for votes of any length", () => {
  const buffer = new SlotBuffer(MARK);
  for (const vote of [null, "n1", "n".repeat(64), "n12"]) {
    const state = { ...STATE, hardState: hardState(4, vote) };
    assertEquals(buffer.encode(encodeState(state)).slice(), encodeSlot({ ...MARK, state }));
  }
  buffer.repaired();
  assertEquals(decodeSlot(buffer.encode(encodeState(STATE))), { ...MARK, damaged: false });
});
