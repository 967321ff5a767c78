/**
 * The message codec: round trips, the pinned form of version 1, refusals, and fuzzing.
 *
 * @module
 */
import { assert, assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { encodeEntries } from "../../raft/entry_codec.ts";
import type { Message } from "../../raft/message.ts";
import {
  type Entry,
  type EntryKind,
  type GroupId,
  groupId,
  logIndex,
  NUMBER_MAX,
  term,
} from "../../raft/types.ts";
import {
  decodeMessage,
  encodeMessage,
  encodeParts,
  holdsViews,
  MalformedFrame,
} from "../../transport/codec.ts";
import { append, entriesFrom, GROUP, ping, seeded } from "./harness.ts";

const FUZZ_RANDOM = 100_000;
const FUZZ_MUTATED = 150_000;

const u48 = fc.oneof(
  fc.integer({ min: 0, max: 100 }),
  fc.maxSafeInteger().map((n) => Math.abs(n) % (NUMBER_MAX + 1)),
  fc.constantFrom(0, 2 ** 32 - 1, 2 ** 32, NUMBER_MAX - 1, NUMBER_MAX),
);
const terms = u48.map(term);
const indexes = u48.map(logIndex);
const bytes = fc.uint8Array({ maxLength: 64 });
const groups = fc.stringMatching(/^[A-Za-z0-9._-]{1,64}$/).map(groupId);

const appends = fc.record({
  prevIndex: fc.oneof(indexes, fc.constant(logIndex(NUMBER_MAX - 5))),
  contents: fc.array(
    fc.record({
      term: terms,
      timeMs: u48,
      kind: fc.constantFrom<EntryKind>(0, 1, 2),
      data: bytes,
    }),
    { maxLength: 5 },
  ),
  fields: fc.record({ term: terms, prevTerm: terms, commit: indexes, round: u48 }),
}).filter(({ prevIndex, contents }) => prevIndex + contents.length <= NUMBER_MAX).map(
  ({ prevIndex, contents, fields }): Message => ({
    type: "append-request",
    ...fields,
    prevIndex,
    entries: contents.map((content, i): Entry => ({
      ...content,
      index: logIndex(prevIndex + 1 + i),
    })),
  }),
);

const messages: fc.Arbitrary<Message> = fc.oneof(
  fc.record({
    type: fc.constant("vote-request" as const),
    term: terms,
    pre: fc.boolean(),
    lastIndex: indexes,
    lastTerm: terms,
    transfer: fc.boolean(),
  }),
  fc.record({
    type: fc.constant("vote-reply" as const),
    term: terms,
    pre: fc.boolean(),
    granted: fc.boolean(),
  }),
  appends,
  fc.record({
    type: fc.constant("append-reply" as const),
    term: terms,
    success: fc.boolean(),
    index: indexes,
    conflictIndex: indexes,
    conflictTerm: terms,
    round: u48,
    counts: fc.boolean(),
  }),
  fc.record({
    type: fc.constant("forward" as const),
    term: terms,
    commands: fc.array(bytes, { maxLength: 5 }),
  }),
  fc.record({ type: fc.constant("read-request" as const), term: terms, id: u48 }),
  fc.record({
    type: fc.constant("read-reply" as const),
    term: terms,
    id: u48,
    granted: fc.boolean(),
    index: indexes,
  }),
);

/** Decodes, or says that the bytes were refused; any other error gets through. */
function tryDecode(input: Uint8Array): { group: GroupId; message: Message } | null {
  try {
    return decodeMessage(input);
  } catch (error) {
    if (error instanceof MalformedFrame) return null;
    throw error;
  }
}

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

Deno.test("codec: the form of version 1 stays what it is", () => {
  const t = (n: number) => term(n);
  const i = (n: number) => logIndex(n);
  const cases: [Message, string][] = [
    [
      {
        type: "vote-request",
        term: t(1),
        pre: true,
        lastIndex: i(2),
        lastTerm: t(3),
        transfer: false,
      },
      "0101" + "0130" + "01" + "000000000001" + "000000000002" + "000000000003",
    ],
    [
      { type: "vote-reply", term: t(1), pre: false, granted: true },
      "0102" + "0130" + "02" + "000000000001",
    ],
    [
      {
        type: "append-request",
        term: t(1),
        prevIndex: i(2),
        prevTerm: t(1),
        commit: i(2),
        round: NUMBER_MAX,
        entries: [
          { term: t(1), index: i(3), timeMs: 5, kind: 0, data: new Uint8Array([0xab, 0xcd]) },
        ],
      },
      "0103" + "0130" + "000000000001" + "000000000002" + "000000000001" + "000000000002" +
      "ffffffffffff" + "00000001" + "00" + "000000000001" + "000000000005" + "00000002" + "abcd",
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
        counts: true,
      },
      "0104" + "0130" + "03" + "000000000001" + "000000000002" + "000000000003" + "000000000004" +
      "000000000005",
    ],
    [
      { type: "forward", term: t(1), commands: [new Uint8Array([1]), new Uint8Array()] },
      "0105" + "0130" + "000000000001" + "00000002" + "00000001" + "01" + "00000000",
    ],
    [
      { type: "read-request", term: t(1), id: 2 },
      "0106" + "0130" + "000000000001" + "000000000002",
    ],
    [
      { type: "read-reply", term: t(1), id: 2, granted: true, index: i(3) },
      "0107" + "0130" + "01" + "000000000001" + "000000000002" + "000000000003",
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
  const cases: [string, Uint8Array, number, number][] = [
    ["another codec version", read, 0, 2],
    ["type 0", read, 1, 0],
    ["a type to come", read, 1, 8],
    ["a group without a name", read, 2, 0],
    ["a group name beyond the end", read, 2, 255],
    ["a group name with a space", read, 3, 0x20],
    ["an unknown flag", vote, 4, 4],
    ["an unknown kind of entry", request, 38, 3],
    ["one entry too many", request, 37, 2],
    ["one entry too few", request, 37, 0],
    ["an entry that is too long", request, 54, 5],
    ["an entry that is too short", request, 54, 3],
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
    [request, 34, "4294967295 do not fit"],
    [request, 51, "cut short"],
  ];
  for (const [bytes, at, why] of hostile) {
    const changed = bytes.slice();
    changed.fill(0xff, at, at + 4);
    assertThrows(() => decodeMessage(changed), MalformedFrame, why);
  }
});

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

Deno.test("decodeMessage() answers random bytes with a typed error", () => {
  const random = seeded(0x5eed);
  let decoded = 0;
  for (let run = 0; run < FUZZ_RANDOM; run++) {
    const input = new Uint8Array(random() % 80);
    for (let at = 0; at < input.length; at++) input[at] = random();
    // Without a plausible start nearly everything ends at the first byte.
    if (run % 2 === 0 && input.length > 4) input.set([1, 1 + random() % 8, 1, 0x30]);
    const result = tryDecode(input);
    if (result === null) continue;
    decoded++;
    assertEquals(hex(encodeMessage(result.group, result.message)), hex(input));
  }
  assert(decoded > 0, "no random input was ever valid: the fuzzer does not reach the fields");
});

Deno.test("decodeMessage() answers mutated messages with a typed error, or reads them as they are", () => {
  const random = seeded(0xfeed);
  const corpus = fc.sample(messages, { numRuns: 400, seed: 4 }).map((m) => encodeMessage(GROUP, m));
  let decoded = 0;
  let refused = 0;
  for (let run = 0; run < FUZZ_MUTATED; run++) {
    const input = mutate(
      corpus[random() % corpus.length],
      corpus[random() % corpus.length],
      random,
    );
    const result = tryDecode(input);
    if (result === null) {
      refused++;
      continue;
    }
    decoded++;
    // One message, one encoding: what is accepted must encode to the very same bytes.
    assertEquals(hex(encodeMessage(result.group, result.message)), hex(input));
  }
  assert(decoded > 1000 && refused > 1000, `${decoded} decoded, ${refused} refused`);
});

function mutate(bytes: Uint8Array, other: Uint8Array, random: () => number): Uint8Array {
  switch (random() % 4) {
    case 0: { // flip bits
      const input = bytes.slice();
      for (let flips = random() % 4; flips >= 0; flips--) {
        input[random() % input.length] ^= 1 << random() % 8;
      }
      return input;
    }
    case 1: // cut short
      return bytes.slice(0, random() % (bytes.length + 1));
    case 2: { // splice with another
      const head = bytes.subarray(0, random() % (bytes.length + 1));
      const tail = other.subarray(random() % (other.length + 1));
      const input = new Uint8Array(head.length + tail.length);
      input.set(head);
      input.set(tail, head.length);
      return input;
    }
    default: { // overwrite a run with an extreme
      const input = bytes.slice();
      const at = random() % input.length;
      return input.fill(random() % 2 === 0 ? 0xff : 0x00, at, at + random() % 8);
    }
  }
}
