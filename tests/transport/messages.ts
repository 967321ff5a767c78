/**
 * Arbitrary messages, for properties of the codec.
 *
 * @module
 */
import fc from "fast-check";
import type { PeerMessage } from "../../raft/message.ts";
import {
  type Entry,
  type EntryKind,
  groupId,
  logIndex,
  NUMBER_MAX,
  term,
} from "../../raft/types.ts";
import { hexDigits, snapshotInfos } from "../raft/snapshots.ts";

const u48 = fc.oneof(
  fc.integer({ min: 0, max: 100 }),
  fc.maxSafeInteger().map((n) => Math.abs(n) % (NUMBER_MAX + 1)),
  fc.constantFrom(0, 2 ** 32 - 1, 2 ** 32, NUMBER_MAX - 1, NUMBER_MAX),
);
const terms = u48.map(term);
const indexes = u48.map(logIndex);
const bytes = fc.uint8Array({ maxLength: 64 });
/** Names of groups. */
export const groups = fc.stringMatching(/^[A-Za-z0-9._-]{1,64}$/).map(groupId);

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
  fields: fc.record({
    term: terms,
    prevTerm: terms,
    commit: indexes,
    round: u48,
    stamp: u48,
    echo: u48,
  }),
}).filter(({ prevIndex, contents }) => prevIndex + contents.length <= NUMBER_MAX).map(
  ({ prevIndex, contents, fields }): PeerMessage => ({
    type: "append-request",
    ...fields,
    prevIndex,
    entries: contents.map((content, i): Entry => ({
      ...content,
      index: logIndex(prevIndex + 1 + i),
    })),
  }),
);

const chunks = fc.record({
  type: fc.constant("snapshot-chunk" as const),
  term: terms,
  info: snapshotInfos,
  at: fc.nat(),
  data: bytes,
}).map(({ at, ...message }) => ({ ...message, chunk: at % message.info.chunks }));

/** Messages of every type, with every field of any value. */
export const messages: fc.Arbitrary<PeerMessage> = fc.oneof(
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
    stamp: u48,
    sent: u48,
    counts: fc.boolean(),
  }),
  fc.record({
    type: fc.constant("forward" as const),
    term: terms,
    commands: fc.array(bytes, { maxLength: 5 }),
  }),
  fc.record({
    type: fc.constant("read-request" as const),
    term: terms,
    id: u48,
    lease: fc.boolean(),
  }),
  fc.record({
    type: fc.constant("read-reply" as const),
    term: terms,
    id: u48,
    granted: fc.boolean(),
    index: indexes,
  }),
  fc.record({ type: fc.constant("timeout-now" as const), term: terms }),
  chunks,
  fc.record({
    type: fc.constant("snapshot-reply" as const),
    term: terms,
    id: hexDigits(16),
    index: indexes,
    next: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
  }),
  fc.record({ type: fc.constant("admin-request" as const), id: u48, body: bytes }),
  fc.record({ type: fc.constant("admin-reply" as const), id: u48, body: bytes }),
  fc.record({ type: fc.constant("hash-report" as const), index: indexes, hash: hexDigits(32) }),
);
