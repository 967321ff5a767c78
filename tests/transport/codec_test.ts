/**
 * The message codec: round trips, the pinned form of version 2, and refusals.
 *
 * @module
 */
import { assert, assertEquals, assertStrictEquals, assertThrows, equal } from "@std/assert";
import fc from "fast-check";
import { encodeEntries } from "../../raft/entry_codec.ts";
import type { PeerMessage, SnapshotReply } from "../../raft/message.ts";
import { encodeSnapshotInfo } from "../../raft/snapshot_codec.ts";
import { groupId, logIndex, NUMBER_MAX, term } from "../../raft/types.ts";
import { ADMIN_BODY_BYTES_MAX, CHUNK_BYTES_MAX } from "../../transport/limits.ts";
import {
  decodeMessage,
  encodeMessage,
  encodeParts,
  holdsViews,
  MalformedFrame,
} from "../../transport/codec.ts";
import { append, entriesFrom, GROUP, ping, snapshotChunk } from "./harness.ts";
import { groups, messages } from "./messages.ts";

function hex(input: Uint8Array): string {
  return Array.from(input, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

Deno.test("codec: what is decoded is what was encoded, for every message", () => {
  fc.assert(
    fc.property(groups, messages, (group, message) => {
      assertEquals(decodeMessage(encodeMessage(group, message)), { group, message });
    }),
    { numRuns: 3000, seed: 1 },
  );
});

Deno.test("codec: the parts are the whole, after the reserved bytes", () => {
  fc.assert(
    fc.property(groups, messages, fc.nat(8), (group, message, reserved) => {
      const { head, tail } = encodeParts(group, message, reserved);
      const whole = encodeMessage(group, message);
      assertEquals(head.length - reserved + (tail?.length ?? 0), whole.length);
      assertEquals(hex(head.subarray(reserved)) + hex(tail ?? new Uint8Array()), hex(whole));
    }),
    { numRuns: 500, seed: 2 },
  );
});

Deno.test("codec: the form of version 2 stays what it is", () => {
  const t = (n: number) => term(n);
  const i = (n: number) => logIndex(n);
  // Its own form is pinned where it is from: tests/raft/snapshot_codec_test.ts.
  const info = hex(encodeSnapshotInfo(snapshotChunk(5, 0).info));
  const lengthOf = (digits: string) => (digits.length / 2).toString(16).padStart(8, "0");
  const cases: [PeerMessage, string][] = [
    [
      {
        type: "vote-request",
        term: t(1),
        pre: true,
        lastIndex: i(2),
        lastTerm: t(3),
        transfer: false,
      },
      "0201" + "0130" + "01" + "000000000001" + "000000000002" + "000000000003",
    ],
    [
      { type: "vote-reply", term: t(1), pre: false, granted: true },
      "0202" + "0130" + "02" + "000000000001",
    ],
    [
      {
        type: "append-request",
        term: t(1),
        prevIndex: i(2),
        prevTerm: t(1),
        commit: i(2),
        round: NUMBER_MAX,
        stamp: 6,
        echo: 7,
        entries: [
          { term: t(1), index: i(3), timeMs: 5, kind: 0, data: new Uint8Array([0xab, 0xcd]) },
        ],
      },
      "0203" + "0130" + "000000000001" + "000000000002" + "000000000001" + "000000000002" +
      "ffffffffffff" + "000000000006" + "000000000007" + "00000001" +
      "00" + "000000000001" + "000000000005" + "00000002" + "abcd",
    ],
    [
      {
        type: "append-reply",
        term: t(1),
        success: true,
        index: i(2),
        conflictIndex: i(3),
        conflictTerm: t(4),
        round: 5,
        stamp: 6,
        sent: 7,
        counts: true,
      },
      "0204" + "0130" + "03" + "000000000001" + "000000000002" + "000000000003" + "000000000004" +
      "000000000005" + "000000000006" + "000000000007",
    ],
    [
      { type: "forward", term: t(1), commands: [new Uint8Array([1]), new Uint8Array()] },
      "0205" + "0130" + "000000000001" + "00000002" + "00000001" + "01" + "00000000",
    ],
    [
      { type: "read-request", term: t(1), id: 2, lease: true },
      "0206" + "0130" + "01" + "000000000001" + "000000000002",
    ],
    [
      { type: "read-reply", term: t(1), id: 2, granted: true, index: i(3) },
      "0207" + "0130" + "01" + "000000000001" + "000000000002" + "000000000003",
    ],
    [{ type: "timeout-now", term: t(1) }, "0208" + "0130" + "000000000001"],
    [
      { ...snapshotChunk(5, 0), data: new Uint8Array([0xab]) },
      "0209" + "0130" + "000000000007" + "00000005" + lengthOf(info) + info +
      "00000001" + "ab",
    ],
    [
      { type: "snapshot-reply", term: t(1), id: "0123456789abcdef", index: i(2), next: 3 },
      "020a" + "0130" + "000000000001" + "0123456789abcdef" + "000000000002" + "00000003",
    ],
    [
      { type: "admin-request", id: 1, body: new Uint8Array([0x7b, 0x7d]) },
      "020b" + "0130" + "000000000001" + "00000002" + "7b7d",
    ],
    [
      { type: "admin-reply", id: 1, body: new Uint8Array() },
      "020c" + "0130" + "000000000001" + "00000000",
    ],
    [
      { type: "hash-report", index: i(2), hash: "00112233445566778899aabbccddeeff" },
      "020d" + "0130" + "000000000002" + "00112233445566778899aabbccddeeff",
    ],
  ];
  for (const [message, expected] of cases) {
    assertEquals(hex(encodeMessage(groupId("0"), message)), expected, message.type);
  }
});

Deno.test("encodeParts() shares the entries' bytes between peers", () => {
  const request = append(3, 10);
  const first = encodeParts(GROUP, request);
  const second = encodeParts(GROUP, { ...request, commit: logIndex(1) });
  assert(first.tail !== null);
  assertStrictEquals(first.tail, second.tail);
});

Deno.test("decodeMessage() gives entries as views, and remembers their encoding for the disk", () => {
  const frame = encodeMessage(GROUP, append(3, 10));
  const { message } = decodeMessage(frame);
  assert(message.type === "append-request" && holdsViews(frame));
  for (const entry of message.entries) assertStrictEquals(entry.data.buffer, frame.buffer);
  assertStrictEquals(encodeEntries(message.entries).buffer, frame.buffer);
});

Deno.test("decodeMessage() gives chunks and bodies as views, too", () => {
  const body = new Uint8Array([1, 2, 3]);
  for (const type of ["admin-request", "admin-reply"] as const) {
    const frame = encodeMessage(GROUP, { type, id: 1, body });
    const { message } = decodeMessage(frame);
    assert(message.type === type && holdsViews(frame));
    assertStrictEquals(message.body.buffer, frame.buffer);
  }
  const frame = encodeMessage(GROUP, snapshotChunk(1, 10));
  const { message } = decodeMessage(frame);
  assert(message.type === "snapshot-chunk" && holdsViews(frame));
  assertStrictEquals(message.data.buffer, frame.buffer);
  frame.subarray(0, frame.length - 10).fill(0);
  assertEquals(message, snapshotChunk(1, 10), "only the chunk is a view");
});

Deno.test("encodeParts() does not copy a chunk", () => {
  const chunk = snapshotChunk(1, 10);
  assertStrictEquals(encodeParts(GROUP, chunk).tail, chunk.data);
});

Deno.test("holdsViews() is true of every message that shares memory with its frame, and of no other", () => {
  fc.assert(
    fc.property(messages, (message) => {
      const frame = encodeMessage(GROUP, message);
      const decoded = decodeMessage(frame).message;
      const before = structuredClone(decoded);
      const shares = holdsViews(frame);
      frame.fill(0xa5);
      if (!shares) assertEquals(decoded, before);
    }),
    { numRuns: 1000, seed: 5 },
  );
});

Deno.test("holdsViews() is false where the frame may be reused", () => {
  const frame = encodeMessage(GROUP, ping(9));
  assert(!holdsViews(frame));
  const { message } = decodeMessage(frame);
  frame.fill(0);
  assertEquals(message, ping(9));
});

Deno.test("decodeMessage() refuses every prefix of a message, and every longer one", () => {
  fc.assert(
    fc.property(groups, messages, (group, message) => {
      const whole = encodeMessage(group, message);
      for (let length = 0; length < whole.length; length++) {
        assertThrows(() => decodeMessage(whole.subarray(0, length)), MalformedFrame);
      }
      const longer = new Uint8Array(whole.length + 1);
      longer.set(whole);
      assertThrows(() => decodeMessage(longer), MalformedFrame);
    }),
    { numRuns: 150, seed: 3 },
  );
});

Deno.test("decodeMessage() refuses what this version cannot have written", () => {
  const read = encodeMessage(GROUP, ping(1));
  const vote = encodeMessage(GROUP, {
    type: "vote-reply",
    term: term(1),
    pre: true,
    granted: true,
  });
  const request = encodeMessage(GROUP, append(1, 4));
  const chunk = encodeMessage(GROUP, snapshotChunk(1, 3));
  const cases: [string, Uint8Array, number, number][] = [
    ["another codec version", read, 0, 1],
    ["type 0", read, 1, 0],
    ["a type to come", read, 1, 14],
    ["a group without a name", read, 2, 0],
    ["a group name beyond the end", read, 2, 255],
    ["a group name with a space", read, 3, 0x20],
    ["an unknown flag", vote, 4, 4],
    ["an unknown flag of a read", read, 4, 2],
    ["an unknown kind of entry", request, 50, 3],
    ["one entry too many", request, 49, 2],
    ["one entry too few", request, 49, 0],
    ["an entry that is too long", request, 66, 5],
    ["an entry that is too short", request, 66, 3],
    ["a chunk behind the last", chunk, 12, 4],
    ["a description that is too long", chunk, 17, chunk[17] + 1],
    ["a description that is too short", chunk, 17, chunk[17] - 1],
    ["a description of another version", chunk, 18, 99],
  ];
  for (const [what, bytes, at, value] of cases) {
    const changed = bytes.slice();
    changed[at] = value;
    assertThrows(() => decodeMessage(changed), MalformedFrame, undefined, what);
  }
});

Deno.test("decodeMessage() refuses entries whose indexes would pass the largest number", () => {
  const request = encodeMessage(GROUP, { ...append(0, 0), entries: entriesFrom(1, 2, 0) });
  // prevIndex = NUMBER_MAX - 1: the first entry could still be, the second could not.
  request.set([0xff, 0xff, 0xff, 0xff, 0xff, 0xfe], 10);
  assertThrows(() => decodeMessage(request), MalformedFrame, "2 entries after");
});

Deno.test("decodeMessage() refuses a declared count or length beyond what remains", () => {
  const forward = encodeMessage(GROUP, {
    type: "forward",
    term: term(1),
    commands: [new Uint8Array(3)],
  });
  const request = encodeMessage(GROUP, append(1, 4));
  const hostile: [Uint8Array, number, string][] = [
    [forward, 10, "4294967295 commands do not fit"],
    [forward, 14, "4294967295 bytes wanted"],
    [request, 46, "4294967295 do not fit"],
    [request, 63, "cut short"],
    [encodeMessage(GROUP, snapshotChunk(1, 3)), 14, "4294967295 bytes wanted"],
  ];
  for (const [bytes, at, why] of hostile) {
    const changed = bytes.slice();
    changed.fill(0xff, at, at + 4);
    assertThrows(() => decodeMessage(changed), MalformedFrame, why);
  }
});

Deno.test("decodeMessage() takes a chunk and a body of the largest size, and refuses a larger one", () => {
  const chunk = snapshotChunk(1, CHUNK_BYTES_MAX);
  const admin: PeerMessage = {
    type: "admin-request",
    id: 1,
    body: new Uint8Array(ADMIN_BODY_BYTES_MAX),
  };
  for (const message of [chunk, admin]) {
    const frame = encodeMessage(GROUP, message);
    assert(equal(decodeMessage(frame).message, message), message.type);
    const longer = new Uint8Array(frame.length + 1);
    longer.set(frame);
    // The length stands before the largest piece: 65,536 becomes 65,537.
    const lengthAt = frame.length - CHUNK_BYTES_MAX - 1;
    longer[lengthAt] = 1;
    assertThrows(() => decodeMessage(longer), MalformedFrame, "65537 bytes are more than");
  }
  const data = new Uint8Array(CHUNK_BYTES_MAX + 1);
  const body = new Uint8Array(ADMIN_BODY_BYTES_MAX + 1);
  assertThrows(() => encodeMessage(GROUP, { ...chunk, data }), RangeError, "are more than");
  assertThrows(() => encodeMessage(GROUP, { ...admin, body }), RangeError, "are more than");
});

Deno.test("encodeMessage() refuses a snapshot, a chunk or a hash that is none", () => {
  const chunk = snapshotChunk(1, 3);
  const bad: [PeerMessage, string][] = [
    [{ ...chunk, chunk: chunk.info.chunks }, "is not one of"],
    [{ ...chunk, chunk: -1 }, "is not one of"],
    [{ ...chunk, chunk: 0.5 }, "is not one of"],
    [{ ...chunk, info: { ...chunk.info, id: "0" } }, "bad id"],
    [{ type: "hash-report", index: logIndex(1), hash: "a".repeat(31) }, "32 hex digits"],
    [{ type: "hash-report", index: logIndex(1), hash: "G".repeat(32) }, "32 hex digits"],
    [{ ...reply(), id: "A".repeat(16) }, "16 hex digits"],
    [{ ...reply(), next: 2 ** 32 }, "below 2^32"],
    [{ ...reply(), next: -1 }, "below 2^32"],
    [{ ...reply(), next: NaN }, "below 2^32"],
  ];
  for (const [message, why] of bad) {
    assertThrows(() => encodeMessage(GROUP, message), RangeError, why);
  }
});

function reply(): SnapshotReply {
  return {
    type: "snapshot-reply",
    term: term(1),
    id: "0123456789abcdef",
    index: logIndex(1),
    next: 1,
  };
}

Deno.test("encodeMessage() refuses what it cannot represent", () => {
  const bad = [-1, 0.5, NUMBER_MAX + 1, NaN, Infinity];
  for (const value of bad) {
    assertThrows(() => encodeMessage(GROUP, ping(value)), RangeError, "whole number");
    assertThrows(
      () => encodeMessage(GROUP, { ...append(0, 0), term: term(value) }),
      RangeError,
      "whole number",
    );
    const [entry] = entriesFrom(1, 1, 0);
    for (const change of [{ term: term(value) }, { timeMs: value }]) {
      assertThrows(
        () => encodeMessage(GROUP, { ...append(0, 0), entries: [{ ...entry, ...change }] }),
        RangeError,
        "whole number",
      );
    }
  }
  for (const name of ["", "a b", "é", "x".repeat(65)]) {
    assertThrows(() => encodeMessage(groupId(name), ping(1)), RangeError, "group name");
  }
});

Deno.test("encodeMessage() refuses entries that do not follow prevIndex", () => {
  const request = append(0, 0);
  const [one, two, three] = entriesFrom(1, 3, 0);
  for (const entries of [[two], [one, three], [one, one]]) {
    assertThrows(() => encodeMessage(GROUP, { ...request, entries }), RangeError, "follow");
  }
});
