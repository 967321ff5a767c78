/**
 * The bytes of snapshots on disk: chunks, their ids, and the records.
 *
 * @module
 */
import { assertEquals, assertNotEquals, assertThrows } from "@std/assert";
import {
  CHUNK_HEADER_BYTES,
  CHUNKS_NONE,
  decodeChunk,
  encodeChunk,
  endAfter,
  snapshotId,
} from "../../storage/chunk_codec.ts";
import { QUARANTINE_REASON_BYTES_MAX, SNAPSHOT_CHUNK_BYTES_MAX } from "../../storage/limits.ts";
import { sealed } from "../../storage/record_codec.ts";
import {
  decodeQuarantine,
  decodeStored,
  encodeQuarantine,
  encodeStored,
} from "../../storage/snapshot_record.ts";
import { CorruptLog, CorruptSnapshot } from "../../storage/types.ts";
import { chunks, infoOf, snapshotMeta } from "./places.ts";

const SERIAL = 2 ** 33 + 5;
/** What Deno KV takes in one value. */
const VALUE_BYTES_MAX = 65_536;

Deno.test("chunks read back, and each says how far the whole is behind it", () => {
  let end = CHUNKS_NONE;
  for (const [i, data] of chunks(4).entries()) {
    const value = encodeChunk(SERIAL, end, data);
    end = endAfter(end, data);
    assertEquals(decodeChunk(value, SERIAL, i), { data, end });
  }
  assertEquals([end.chunks, end.bytes], [4, 500 + 501 + 502 + 503]);
  const largest = encodeChunk(SERIAL, end, new Uint8Array(SNAPSHOT_CHUNK_BYTES_MAX));
  assertEquals(largest.length <= VALUE_BYTES_MAX, true);
});

Deno.test("decodeChunk() refuses every flipped bit, every cut, and a chunk from elsewhere", () => {
  const [first, second] = chunks(2, 1, 40);
  const before = endAfter(CHUNKS_NONE, first);
  const value = encodeChunk(SERIAL, before, second);
  for (let bit = 0; bit < value.length * 8; bit++) {
    const flipped = value.slice();
    flipped[bit >> 3] ^= 1 << (bit & 7);
    assertThrows(() => decodeChunk(flipped, SERIAL, 1), CorruptSnapshot);
  }
  for (let end = 0; end < value.length; end++) {
    assertThrows(() => decodeChunk(value.subarray(0, end), SERIAL, 1), CorruptSnapshot);
  }
  assertThrows(() => decodeChunk(value, SERIAL, 2), CorruptSnapshot, "chunk 1");
  assertThrows(() => decodeChunk(value, SERIAL + 1, 1), CorruptSnapshot, "not of");
  assertEquals(value.length, CHUNK_HEADER_BYTES + second.length);
});

Deno.test("snapshotId() depends on the bytes of the chunks, their order and where they are cut", () => {
  const id = (list: readonly Uint8Array[]) => snapshotId(list.reduce(endAfter, CHUNKS_NONE));
  const list = chunks(3);
  assertEquals(id(list), id(chunks(3)));
  // Written down, since peers of other versions must come to the same.
  assertEquals(id([Uint8Array.of(1, 2, 3), Uint8Array.of(4)]), "65bf654dbaca7715");
  const others = [
    list.slice(0, 2),
    [list[1], list[0], list[2]],
    [list[0].with(9, 0), list[1], list[2]],
    [list[0].subarray(0, 1), list[0].subarray(1), list[1], list[2]],
    [...list, new Uint8Array(1)],
  ];
  for (const other of others) assertNotEquals(id(other), id(list));
});

Deno.test("the records of snapshots read back, and refuse every flipped bit and cut", () => {
  const stored = { serial: SERIAL, info: infoOf(snapshotMeta(2 ** 40, 7), chunks(3)) };
  const quarantine = { reason: "its hash differs: ü", epoch: 2 ** 34, serialMax: SERIAL };
  const cases: [Uint8Array, (bytes: Uint8Array) => unknown, unknown][] = [
    [encodeStored(stored), decodeStored, stored],
    [encodeQuarantine(quarantine), decodeQuarantine, quarantine],
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

Deno.test("decodeStored() refuses a description that is none, though the checksum fits", () => {
  const bytes = encodeStored({ serial: 1, info: infoOf(snapshotMeta(5), chunks(1)) });
  const longer = new Uint8Array(bytes.length + 1);
  longer.set(bytes.subarray(0, -4));
  assertThrows(() => decodeStored(sealed(longer)), CorruptLog, "description");
  const otherVersion = bytes.slice();
  otherVersion[7] = 99;
  assertThrows(() => decodeStored(sealed(otherVersion)), CorruptLog, "description");
});

Deno.test("encodeQuarantine() cuts a long reason off", () => {
  const reason = "x".repeat(10_000);
  const note = decodeQuarantine(encodeQuarantine({ reason, epoch: 1, serialMax: 0 }));
  assertEquals(note.reason, reason.slice(0, QUARANTINE_REASON_BYTES_MAX));
});
