/**
 * What encodes a snapshot's description: round trips, its pinned form, refusals.
 *
 * @module
 */
import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { encodeConfiguration } from "../../raft/configuration_codec.ts";
import { decodeSnapshotInfo, encodeSnapshotInfo } from "../../raft/snapshot_codec.ts";
import { logIndex, NUMBER_MAX, type SnapshotInfo, term } from "../../raft/types.ts";
import { configurations, snapshotInfos } from "./snapshots.ts";

const INFO: SnapshotInfo = {
  meta: {
    index: logIndex(0x010203040506),
    term: term(7),
    timeMs: 8,
    configuration: fc.sample(configurations, { numRuns: 1, seed: 1 })[0],
  },
  id: "0123456789abcdef",
  chunks: 9,
  bytes: 10,
};

Deno.test("snapshot codec: what is decoded is what was encoded, from any place in memory", () => {
  fc.assert(
    fc.property(snapshotInfos, fc.nat(8), (info, offset) => {
      const encoded = encodeSnapshotInfo(info);
      const moved = new Uint8Array(offset + encoded.length).subarray(offset);
      moved.set(encoded);
      const decoded = decodeSnapshotInfo(moved);
      moved.fill(0);
      assertEquals(decoded, info);
    }),
    { numRuns: 1000, seed: 1 },
  );
});

Deno.test("snapshot codec: the form of version 1 stays what it is", () => {
  assertEquals(
    encodeSnapshotInfo(INFO).toHex(),
    "01" + "0123456789abcdef" + "010203040506" + "000000000007" + "000000000008" + "00000009" +
      "00000000000a" + encodeConfiguration(INFO.meta.configuration).toHex(),
  );
});

Deno.test("decodeSnapshotInfo() refuses every prefix, anything longer, and other versions", () => {
  const encoded = encodeSnapshotInfo(INFO);
  for (let length = 0; length < encoded.length; length++) {
    assertThrows(() => decodeSnapshotInfo(encoded.subarray(0, length)), RangeError);
  }
  assertThrows(() => decodeSnapshotInfo(new Uint8Array([...encoded, 0])), RangeError);
  for (const version of [0, 2, 255]) {
    assertThrows(
      () => decodeSnapshotInfo(new Uint8Array([version, ...encoded.subarray(1)])),
      RangeError,
      `version ${version}`,
    );
  }
});

Deno.test("decodeSnapshotInfo() refuses a snapshot of nothing", () => {
  for (const [at, bytes, why] of [[9, 6, "before the first entry"], [27, 4, "no chunk"]] as const) {
    const encoded = encodeSnapshotInfo(INFO).fill(0, at, at + bytes);
    assertThrows(() => decodeSnapshotInfo(encoded), RangeError, why);
  }
});

Deno.test("decodeSnapshotInfo() answers changed bytes with a typed error, or reads them as they are", () => {
  let decoded = 0;
  fc.assert(
    fc.property(snapshotInfos, fc.nat(), fc.integer({ min: 1, max: 255 }), (info, at, change) => {
      const encoded = encodeSnapshotInfo(info);
      encoded[at % encoded.length] ^= change;
      let read: SnapshotInfo;
      try {
        read = decodeSnapshotInfo(encoded);
      } catch (error) {
        if (error instanceof RangeError) return;
        throw error;
      }
      decoded++;
      assertEquals(encodeSnapshotInfo(read), encoded);
    }),
    { numRuns: 2000, seed: 2 },
  );
  assertEquals(decoded > 100, true, `${decoded} of 2000 were read`);
});

Deno.test("encodeSnapshotInfo() refuses what is no snapshot", () => {
  const { meta } = INFO;
  const bad: [Partial<SnapshotInfo>, string][] = [
    [{ id: "" }, "bad id"],
    [{ id: "0123456789ABCDEF" }, "bad id"],
    [{ id: "0123456789abcdef0" }, "bad id"],
    [{ chunks: 0 }, "number of chunks 0"],
    [{ chunks: 2 ** 32 }, "number of chunks"],
    [{ chunks: 1.5 }, "number of chunks 1.5"],
    [{ bytes: -1 }, "number of bytes -1"],
    [{ bytes: NaN }, "number of bytes NaN"],
    [{ meta: { ...meta, index: logIndex(0) } }, "index 0"],
    [{ meta: { ...meta, index: logIndex(NUMBER_MAX + 1) } }, "index"],
    [{ meta: { ...meta, term: term(-1) } }, "term -1"],
    [{ meta: { ...meta, timeMs: 0.5 } }, "time 0.5"],
  ];
  for (const [change, why] of bad) {
    assertThrows(() => encodeSnapshotInfo({ ...INFO, ...change }), RangeError, why);
  }
});
