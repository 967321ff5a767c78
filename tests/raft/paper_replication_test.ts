/**
 * The paper, rule by rule: figure 2 ("AppendEntries RPC", "Rules for Servers: Leaders"), section 5.3, the
 * commit rule of 5.4.2, and what section 8 asks of a leader. Figures 7 and 8 are in figures_test.ts.
 *
 * @module
 */
import { assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { createCore, EntryKind, InvariantError, recovered } from "../../raft/mod.ts";
import { configurationOf } from "../../raft/configuration.ts";
import {
  A,
  acknowledge,
  appendReply,
  appendRequest,
  appendsTo,
  B,
  bytes,
  C,
  configuration,
  D,
  E,
  entriesOf,
  hear,
  i,
  lead,
  leadSettled,
  NOW_MS,
  only,
  persisted,
  propose,
  sent,
  start,
  t,
  take,
  termsOf,
  wholeLog,
} from "./script.ts";

// 5.3, the leader appends, sends, commits, tells.

Deno.test("step() appends a client's commands, persists and sends the same array, early (5.3)", () => {
  const core = leadSettled(start());
  const effects = propose(core, bytes(7), bytes(8));
  const entries = [7, 8].map((value, at) => ({
    term: t(1),
    index: i(2 + at),
    timeMs: NOW_MS,
    kind: EntryKind.Command,
    data: bytes(value),
  }));
  const message = appendRequest({
    term: t(1),
    prevIndex: i(1),
    prevTerm: t(1),
    commit: i(1),
    entries,
  });
  assertEquals(effects, [
    { type: "persist", hardState: null, truncateFrom: null, entries },
    { type: "send", to: B, message, early: true },
    { type: "send", to: C, message, early: true },
    { type: "accepted", firstIndex: i(2), count: 2, term: t(1) },
  ]);
  const [{ entries: written }] = only(effects, "persist");
  assertStrictEquals(appendsTo(effects, B)[0].entries, written);
  assertStrictEquals(appendsTo(effects, C)[0].entries, written);
});

Deno.test("step() commits what a majority holds durably, and tells everybody at once (5.3)", () => {
  const core = leadSettled(start());
  propose(core, bytes(7));
  persisted(core);
  const effects = acknowledge(core, B);
  const news = (prev: number) =>
    appendRequest({ term: t(1), prevIndex: i(prev), prevTerm: t(1), commit: i(2) });
  assertEquals(effects, [
    { type: "commit", index: i(2) },
    { type: "send", to: B, message: news(2), early: true },
  ]);
  assertEquals(acknowledge(core, C), [{ type: "send", to: C, message: news(2), early: true }]);
});

Deno.test("step() lets news of a commit ride on the next append (5.3)", () => {
  const core = leadSettled(start({ inflightMessagesMax: 1 }));
  propose(core, bytes(7));
  persisted(core);
  propose(core, bytes(8));
  const [append, ...more] = appendsTo(acknowledge(core, B, i(2)), B);
  assertEquals([append.entries.length, append.commit, more], [1, 2, []]);
});

Deno.test("step() counts a leader's own copy only when it is durable (thesis 10.2.1, bug 3)", () => {
  const core = leadSettled(start());
  propose(core, bytes(7));
  assertEquals(only(acknowledge(core, B), "commit"), []);
  assertEquals(only(persisted(core), "commit"), [{ type: "commit", index: i(2) }]);
});

Deno.test("step() may commit before a leader's own disk is done (thesis 10.2.1)", () => {
  const core = leadSettled(start());
  propose(core, bytes(7));
  assertEquals(only(acknowledge(core, B), "commit"), []);
  assertEquals(only(acknowledge(core, C), "commit"), [{ type: "commit", index: i(2) }]);
  assertEquals(core.durableIndex, 1);
});

Deno.test("step() takes completions of writes out of order (bug 11)", () => {
  const core = leadSettled(start());
  for (const value of [7, 8, 9]) propose(core, bytes(value));
  acknowledge(core, B);
  const later = take(core, { type: "persisted", index: i(3), term: t(1) });
  assertEquals(only(later, "commit"), [{ type: "commit", index: i(3) }]);
  assertEquals(take(core, { type: "persisted", index: i(2), term: t(1) }), []);
  assertEquals([core.durableIndex, core.commitIndex], [3, 3]);
});

Deno.test("step() ignores the completion of a write that was truncated meanwhile (bugs 11, 14)", () => {
  const core = lead(start({ log: [1], term: 1 }));
  propose(core, bytes(7));
  hear(
    core,
    B,
    appendRequest({ term: t(3), prevIndex: i(1), prevTerm: t(1), entries: entriesOf([3, 3], 2) }),
  );
  assertEquals(termsOf(core), [1, 3, 3]);
  assertEquals(core.durableIndex, 1);
  take(core, { type: "persisted", index: i(3), term: t(2) });
  assertEquals(core.durableIndex, 1);
  take(core, { type: "persisted", index: i(3), term: t(3) });
  assertEquals(core.durableIndex, 3);
});

Deno.test("step() commits the index that the majority has reached, not the latest that somebody has (bug 15)", () => {
  const core = leadSettled(start({ configuration: configuration([A, B, C, D, E]) }));
  for (const value of [7, 8, 9]) propose(core, bytes(value));
  persisted(core);
  acknowledge(core, E, i(4));
  assertEquals(core.commitIndex, 1);
  assertEquals(only(acknowledge(core, B, i(2)), "commit"), [{ type: "commit", index: i(2) }]);
  assertEquals(only(acknowledge(core, C, i(3)), "commit"), [{ type: "commit", index: i(3) }]);
});

Deno.test("step() never counts a learner for commit", () => {
  const core = lead(start({
    configuration: configurationOf([A, B, C], { learners: [D, E] }),
  }));
  for (const id of [D, E]) assertEquals(only(acknowledge(core, id), "commit"), []);
  assertEquals(only(acknowledge(core, B), "commit"), [{ type: "commit", index: i(1) }]);
});

Deno.test("step() ignores acknowledgements of another term, of strangers, and of what it never had (bugs 14, 16)", () => {
  const core = leadSettled(start({ term: 3 }));
  propose(core, bytes(7));
  persisted(core);
  assertEquals(hear(core, B, appendReply({ term: t(3), index: i(2) })), []);
  assertEquals(hear(core, D, appendReply({ term: t(4), index: i(2) })), []);
  assertEquals(hear(core, B, appendReply({ term: t(4), index: i(3) })), []);
  assertEquals(core.commitIndex, 1);
});

Deno.test("step() stamps entries with its clock, but never below the stamp before", () => {
  const core = leadSettled(start());
  const stampAt = (timeMs: number) => {
    take(core, { type: "propose", commands: [bytes(1)], timeMs });
    return core.log.entry(core.log.lastIndex).timeMs;
  };
  const stamps = [2_000, 1_500, NaN, Infinity, 2_001].map(stampAt);
  assertEquals(stamps, [2_000, 2_000, 2_000, 2_000, 2_001]);
});

// 5.4.2.

Deno.test("step() never commits entries of former terms by counting copies (5.4.2, bug 12)", () => {
  const core = lead(start({ log: [1, 2, 2], term: 3 }));
  for (const id of [B, C]) assertEquals(only(acknowledge(core, id, i(3)), "commit"), []);
  assertEquals(only(acknowledge(core, C), "commit"), [{ type: "commit", index: i(4) }]);
});

// Figure 2, AppendEntries, the receiver.

Deno.test("step() stores the array that it received, and acknowledges after the write (5.3, bug 2)", () => {
  const core = start({ term: 1 });
  const entries = entriesOf([1, 1]);
  const effects = hear(core, B, appendRequest({ term: t(1), entries, round: 4 }));
  assertEquals(effects, [
    { type: "persist", hardState: null, truncateFrom: null, entries },
    {
      type: "send",
      to: B,
      message: appendReply({ term: t(1), index: i(2), round: 4 }),
      early: false,
    },
    { type: "status", role: "follower", term: t(1), leader: B },
  ]);
  assertStrictEquals(only(effects, "persist")[0].entries, entries);
});

Deno.test("step() refuses an append behind its log's end and says where that is (5.3)", () => {
  const core = start({ log: [1, 1] });
  const request = appendRequest({ term: t(1), prevIndex: i(5), prevTerm: t(1), round: 2 });
  const reply = { success: false, index: i(5), conflictIndex: i(3), conflictTerm: t(0), round: 2 };
  assertEquals(sent(hear(core, B, request)), [
    { to: B, message: appendReply({ term: t(1), ...reply }), early: false },
  ]);
});

Deno.test("step() refuses an append after an entry of another term and names that term's start (5.3)", () => {
  const core = start({ log: [1, 2, 2, 2], term: 4 });
  const request = appendRequest({ term: t(4), prevIndex: i(4), prevTerm: t(3) });
  const reply = { success: false, index: i(4), conflictIndex: i(2), conflictTerm: t(2) };
  assertEquals(sent(hear(core, B, request))[0].message, appendReply({ term: t(4), ...reply }));
  assertEquals(termsOf(core), [1, 2, 2, 2]);
});

Deno.test("step() replaces conflicting entries and all that follow them (5.3)", () => {
  const core = start({ log: [1, 2, 2, 2], term: 4 });
  const entries = entriesOf([3, 4], 3);
  const request = appendRequest({ term: t(4), prevIndex: i(2), prevTerm: t(2), entries });
  const effects = hear(core, B, request);
  assertEquals(only(effects, "persist"), [
    { type: "persist", hardState: null, truncateFrom: i(3), entries },
  ]);
  assertEquals([termsOf(core), core.durableIndex], [[1, 2, 3, 4], 2]);
});

Deno.test("step() skips entries that it has, and truncates nothing for an old append (5.3, bug 13)", () => {
  const core = start({ log: [1, 1, 1, 1] });
  const old = appendRequest({ term: t(1), entries: entriesOf([1, 1]) });
  assertEquals(hear(core, B, old), [
    { type: "send", to: B, message: appendReply({ term: t(1), index: i(2) }), early: false },
    { type: "status", role: "follower", term: t(1), leader: B },
  ]);
  const overlapping = appendRequest({ term: t(1), entries: entriesOf([1, 1, 1, 1, 1]) });
  assertEquals(only(hear(core, B, overlapping), "persist"), [
    { type: "persist", hardState: null, truncateFrom: null, entries: entriesOf([1], 5) },
  ]);
});

Deno.test("step() acknowledges what the append has proved to match, not what else it holds (5.3)", () => {
  const core = start({ log: [1, 1, 1, 1], term: 2 });
  const heartbeat = appendRequest({ term: t(2), prevIndex: i(2), prevTerm: t(1) });
  assertEquals(sent(hear(core, B, heartbeat))[0].message, appendReply({ term: t(2), index: i(2) }));
});

for (
  const [commit, entries, expected] of [[1, 0, 1], [3, 0, 2], [3, 1, 3], [9, 1, 3]] as const
) {
  Deno.test(`step() commits min(${commit}, last new entry) of an append with ${entries} (figure 2)`, () => {
    const core = start({ log: [1, 1, 1, 1, 1] });
    const request = appendRequest({
      term: t(1),
      prevIndex: i(2),
      prevTerm: t(1),
      commit: i(commit),
      entries: entriesOf(Array(entries).fill(1), 3),
    });
    const effects = hear(core, B, request);
    assertEquals(only(effects, "commit"), [{ type: "commit", index: i(expected) }]);
    assertEquals(only(hear(core, B, { ...request, commit: i(0) }), "commit"), []);
  });
}

Deno.test("step() stops rather than replace a committed entry", () => {
  const core = start({ log: [1, 1, 1], commit: 2, term: 2 });
  const entries = entriesOf([2], 2);
  const request = appendRequest({ term: t(2), prevIndex: i(1), prevTerm: t(1), entries });
  assertThrows(() => hear(core, B, request), InvariantError, "committed");
  assertEquals(core.log.lastIndex, 3);
});

Deno.test("step() stops rather than follow two leaders of one term", () => {
  const follower = start({ term: 1 });
  hear(follower, B, appendRequest({ term: t(1) }));
  assertThrows(() => hear(follower, C, appendRequest({ term: t(1) })), InvariantError, "leads");
  const leader = lead(start());
  assertThrows(() => hear(leader, C, appendRequest({ term: t(1) })), InvariantError, "leads");
});

// Starting again.

Deno.test("recovered() lets the shell apply what was known to be committed, as far as the log reaches", () => {
  const recover = (commit: number) =>
    recovered(createCore({
      id: A,
      configuration: configuration([A, B, C]),
      hardState: { term: t(1), vote: null, commit: i(commit) },
      log: wholeLog(entriesOf([1, 1, 1])),
      snapshot: null,
      seed: 1,
      damaged: false,
    }));
  assertEquals(recover(2), [{ type: "commit", index: i(2) }]);
  assertEquals(recover(9), [{ type: "commit", index: i(3) }]);
  assertEquals(recover(0), []);
});

Deno.test("step() writes the commit index along, from time to time, and for no reason of its own", () => {
  const core = leadSettled(start({ appendEntriesMax: 2_000 }));
  const batch = Array.from({ length: 600 }, () => bytes(1));
  const hints: (number | null)[] = [];
  for (let n = 0; n < 5; n++) {
    const [{ hardState }] = only(propose(core, ...batch), "persist");
    hints.push(hardState?.commit ?? null);
    const effects = [...persisted(core), ...acknowledge(core, B)];
    assertEquals(only(effects, "persist"), []);
  }
  assertEquals(hints, [null, null, 1_201, null, 2_401]);
});

Deno.test("createCore() refuses a log that contradicts itself or its hard state", () => {
  const build = (terms: number[], term: number, firstIndex = 1) => () =>
    createCore({
      id: A,
      configuration: configuration([A]),
      hardState: { term: t(term), vote: null, commit: i(0) },
      log: wholeLog(entriesOf(terms, firstIndex)),
      snapshot: null,
      seed: 1,
      damaged: false,
    });
  assertThrows(build([1, 3], 2), InvariantError, "hard state");
  assertThrows(build([2, 1], 2), InvariantError, "after term 2");
  assertThrows(build([1, 1], 2, 2), InvariantError, "stands at 1");
});
