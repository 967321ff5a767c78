/**
 * Proposals at leaders, followers and nobody; what the core lets in at all.
 *
 * @module
 */
import { assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { createCore, type Message, nodeId, NUMBER_MAX } from "../../raft/mod.ts";
import {
  A,
  acknowledge,
  appendReply,
  appendRequest,
  B,
  bytes,
  C,
  configuration,
  entriesOf,
  hear,
  i,
  lead,
  leadSettled,
  only,
  propose,
  sent,
  snapshotInfo,
  start,
  t,
  take,
  termsOf,
  tickToCampaign,
  voteReply,
  voteRequest,
  wholeLog,
} from "./script.ts";

function follow(options: Parameters<typeof start>[0] = {}) {
  const core = start({ term: 1, ...options });
  hear(core, B, appendRequest({ term: t(1) }));
  return core;
}

Deno.test("step() sends a follower's commands on to the leader, as they are", () => {
  const core = follow();
  const commands = [bytes(1), bytes(2)];
  const effects = take(core, { type: "propose", commands, timeMs: 0 });
  assertEquals(effects, [
    { type: "send", to: B, message: { type: "forward", term: t(1), commands }, early: true },
    { type: "forwarded", to: B, count: 2 },
  ]);
  const [{ message }] = sent(effects);
  assertStrictEquals(message.type === "forward" && message.commands, commands);
});

Deno.test("step() splits what it sends on at forwardBytesMax, a large command alone", () => {
  const core = follow({ forwardBytesMax: 10 });
  const sizes = [4, 6, 1, 30, 2, 8, 1];
  const effects = propose(core, ...sizes.map((size) => new Uint8Array(size)));
  const chunks = sent(effects).map(({ message }) => {
    return message.type === "forward" ? message.commands.map((command) => command.length) : [];
  });
  assertEquals(chunks, [[4, 6], [1], [30], [2, 8], [1]]);
  assertEquals(only(effects, "forwarded"), [{ type: "forwarded", to: B, count: 7 }]);
});

Deno.test("step() refuses commands when no leader is known", () => {
  const core = start();
  assertEquals(propose(core, bytes(1), bytes(2)), [{ type: "refused", count: 2 }]);
  tickToCampaign(core);
  assertEquals(propose(core, bytes(1)), [{ type: "refused", count: 1 }]);
});

Deno.test("step() does nothing about no commands", () => {
  assertEquals([propose(start()), propose(follow()), propose(leadSettled(start()))], [[], [], []]);
});

Deno.test("step() appends forwarded commands as one batch, and answers nobody for it", () => {
  const core = leadSettled(start());
  const effects = hear(core, B, { type: "forward", term: t(1), commands: [bytes(1), bytes(2)] });
  assertEquals(effects.map(({ type }) => type), ["persist", "send", "send"]);
  assertEquals(only(effects, "persist")[0].entries.map(({ index }) => index), [2, 3]);
});

Deno.test("step() drops forwarded commands that it cannot append: they never travel on", () => {
  const forward = (term: number): Message => ({
    type: "forward",
    term: t(term),
    commands: [bytes(1)],
  });
  assertEquals(hear(follow(), C, forward(1)), []);
  assertEquals(hear(leadSettled(start({ term: 3 })), C, forward(3)), []);
  assertEquals(hear(start({ term: 1 }), C, forward(1)), []);
});

Deno.test("step() refuses commands that would put more than uncommittedBytesMax at stake", () => {
  // An entry of one byte is 18 bytes encoded.
  const core = leadSettled(start({ uncommittedBytesMax: 36 }));
  assertEquals(only(propose(core, bytes(1)), "accepted").length, 1);
  assertEquals(propose(core, bytes(2), bytes(3)), [{ type: "refused", count: 2 }]);
  assertEquals(only(propose(core, bytes(4)), "accepted").length, 1);
  assertEquals(propose(core, bytes(5)), [{ type: "refused", count: 1 }]);
  assertEquals(hear(core, B, { type: "forward", term: t(1), commands: [bytes(6)] }), []);
  acknowledge(core, B, i(2));
  assertEquals(core.commitIndex, 1);
  acknowledge(core, C, i(2));
  assertEquals(only(propose(core, bytes(7)), "accepted").length, 1);
});

Deno.test("step() takes a batch above uncommittedBytesMax when nothing else is uncommitted", () => {
  const core = leadSettled(start({ uncommittedBytesMax: 20 }));
  assertEquals(only(propose(core, bytes(1), bytes(2), bytes(3)), "accepted").length, 1);
  assertEquals(only(propose(core, bytes(4)), "refused").length, 1);
});

Deno.test("step() counts what a new leader inherits as uncommitted", () => {
  const core = lead(start({ log: [1, 1, 1], term: 1, commit: 1 }));
  // Two entries of one byte, and the no-op.
  assertEquals(core.uncommittedBytes, 18 + 18 + 17);
  acknowledge(core, B);
  assertEquals(core.uncommittedBytes, 0);
});

// What the core lets in.

const OF_MEMBERS: Message[] = [
  voteReply({ term: t(9), granted: false }),
  appendReply({ term: t(9) }),
  { type: "forward", term: t(9), commands: [bytes(1)] },
  { type: "read-request", term: t(9), id: 1, lease: false },
  { type: "read-reply", term: t(9), id: 1, granted: true, index: i(1) },
  { type: "snapshot-reply", term: t(9), id: "00000000000000aa", index: i(1), next: 1 },
];

/** What also a leader or a candidate sends whom this node does not know yet (thesis 4.2.2). */
const OF_ANYBODY: Message[] = [
  voteRequest({ term: t(9), lastTerm: t(8), lastIndex: i(9) }),
  appendRequest({ term: t(9), entries: entriesOf([9]) }),
  { type: "timeout-now", term: t(9) },
  { type: "snapshot-chunk", term: t(9), info: snapshotInfo(), chunk: 0, data: bytes(1) },
];

for (const message of OF_MEMBERS) {
  Deno.test(`step() ignores a ${message.type} from strangers and from itself`, () => {
    const core = start({ term: 1 });
    for (const from of [nodeId("stranger"), A]) assertEquals(hear(core, from, message), []);
    assertEquals(core.term, 1);
  });
}

for (const message of OF_ANYBODY) {
  Deno.test(`step() hears a ${message.type} from strangers, but not from itself (thesis 4.2.2)`, () => {
    const core = start({ term: 1 });
    assertEquals(hear(core, A, message), []);
    assertEquals(core.term, 1);
    hear(core, nodeId("stranger"), message);
    assertEquals(core.term >= 9, true);
  });
}

const AT = appendRequest({ term: t(5), prevIndex: i(1), prevTerm: t(1) });

for (
  const [what, message] of [
    ["a term past the last one", voteRequest({ term: t(NUMBER_MAX + 1) })],
    ["a broken term", voteReply({ term: t(1.5) })],
    ["no term", appendRequest({ term: t(NaN) })],
    ["a candidate of term 0", voteRequest({ term: t(0) })],
    ["a leader of term 0", appendRequest({ term: t(0) })],
    ["a negative index", voteRequest({ term: t(5), lastIndex: i(-1) })],
    ["a log later than its term", voteRequest({ term: t(5), lastTerm: t(6) })],
    ["a previous entry later than its term", { ...AT, prevTerm: t(6) }],
    ["an endless round", { ...AT, round: Infinity }],
    ["an endless commit", { ...AT, commit: i(Infinity) }],
    ["entries with a gap", { ...AT, entries: entriesOf([1], 3) }],
    ["entries that repeat", { ...AT, entries: [...entriesOf([1], 2), ...entriesOf([1], 2)] }],
    ["entries of falling terms", { ...AT, entries: entriesOf([3, 2], 2) }],
    ["entries before their predecessor's term", {
      ...AT,
      prevTerm: t(2),
      entries: entriesOf([1], 2),
    }],
    ["entries later than the leader's term", { ...AT, entries: entriesOf([6], 2) }],
    ["entries past the last index", {
      ...AT,
      prevIndex: i(NUMBER_MAX),
      entries: entriesOf([1], NUMBER_MAX + 1),
    }],
    ["a broken acknowledgement", appendReply({ term: t(5), index: i(0.5) })],
    ["a broken hint", appendReply({ term: t(5), success: false, conflictIndex: i(-4) })],
    ["a broken stamp", { ...AT, stamp: -1 }],
    ["a broken echo", { ...AT, echo: 0.5 }],
    ["a broken stamp given back", appendReply({ term: t(5), stamp: NaN })],
    ["a broken time of sending", appendReply({ term: t(5), sent: -1 })],
    ["a broken read", { type: "read-request", term: t(5), id: -1, lease: false }],
    ["a broken read index", {
      type: "read-reply",
      term: t(5),
      id: 1,
      granted: true,
      index: i(NaN),
    }],
  ] as [string, Message][]
) {
  Deno.test(`step() ignores a message with ${what}`, () => {
    const core = start({ log: [1], term: 1 });
    assertEquals(hear(core, B, message), []);
    assertEquals([core.term, core.role, termsOf(core)], [1, "follower", [1]]);
  });
}

for (
  const [what, options] of [
    ["heartbeats as rare as elections", { heartbeatTicks: 10, electionTicks: 10 }],
    ["an empty window", { inflightMessagesMax: 0 }],
    ["half an entry", { appendEntriesMax: 0.5 }],
    ["unbounded reads", { readsPendingMax: Infinity }],
  ] as const
) {
  Deno.test(`createCore() refuses ${what}`, () => {
    const build = () =>
      createCore({
        id: A,
        configuration: configuration([A]),
        hardState: { term: t(0), vote: null, commit: i(0) },
        log: wholeLog(),
        snapshot: null,
        seed: 1,
        damaged: false,
        ...options,
      });
    assertThrows(build, RangeError, "Cannot set");
  });
}
