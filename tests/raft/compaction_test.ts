/**
 * The log cut off behind a snapshot (section 7): starting from one, letting go of memory, and followers
 * that lack what was cut off.
 *
 * @module
 */
import { assertEquals, assertThrows } from "@std/assert";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import {
  createCore,
  encodeConfiguration,
  type Entry,
  EntryKind,
  InvariantError,
  knowsMembersAt,
  RaftLog,
  recovered,
  snapshotMeta,
} from "../../raft/mod.ts";
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
  entriesOf,
  hear,
  i,
  lead,
  leadSettled,
  NOW_MS,
  only,
  persisted,
  propose,
  read,
  sent,
  snapshotInfo,
  start,
  t,
  take,
  tick,
} from "./script.ts";
import type { Core, Effect } from "../../raft/mod.ts";

function compact(core: Core, index: number): Effect[] {
  return take(core, { type: "compacted", index: i(index) });
}

/** A leader of term 1 with `count` commands behind its no-op; C holds all of it, B nothing but the no-op. */
function leadWithout(count: number, limits = {}): Core {
  const core = leadSettled(start(limits));
  for (let n = 1; n <= count; n++) propose(core, bytes(n));
  persisted(core);
  acknowledge(core, C);
  return core;
}

/** B says that its log ends at `lastIndex`, in answer to an append that stood at `prevIndex`. */
function tooShort(core: Core, prevIndex: number, lastIndex: number): Effect[] {
  return hear(
    core,
    B,
    appendReply({
      term: core.term,
      success: false,
      index: i(prevIndex),
      conflictIndex: i(lastIndex + 1),
      round: core.reads.round,
    }),
  );
}

// Starting.

const AT_5 = snapshotInfo({ index: i(5), term: t(2), timeMs: 70 });

function startFrom(options: {
  entries?: readonly Entry[];
  base?: [number, number];
  snapshot?: typeof AT_5 | null;
  commit?: number;
  damaged?: boolean;
}): Core {
  const { entries = [], base = [5, 2], snapshot = AT_5, commit = 0, damaged = false } = options;
  return createCore({
    id: A,
    configuration: configuration([A, B, C]),
    hardState: { term: t(3), vote: null, commit: i(commit) },
    log: { entries, baseIndex: i(base[0]), baseTerm: t(base[1]) },
    snapshot,
    seed: 1,
    damaged,
  });
}

Deno.test("createCore() takes all that its snapshot has applied for committed, and no more", () => {
  const core = startFrom({ entries: entriesOf([3, 3], 6) });
  assertEquals(recovered(core), []);
  assertEquals([core.commitIndex, core.durableIndex, core.log.firstIndex], [5, 7, 6]);
});

Deno.test("createCore() believes a commit hint behind its snapshot, and none before it", () => {
  const hinted = (commit: number) => startFrom({ entries: entriesOf([3, 3], 6), commit });
  assertEquals(recovered(hinted(6)), [{ type: "commit", index: i(6) }]);
  assertEquals(recovered(hinted(9)), [{ type: "commit", index: i(7) }]);
  assertEquals(recovered(hinted(4)), []);
});

Deno.test("createCore() believes the snapshot of a damaged replica, but not its hint", () => {
  const core = startFrom({ entries: entriesOf([3, 3], 6), commit: 7, damaged: true });
  assertEquals(recovered(core).map(({ type }) => type), ["persist"]);
  assertEquals(core.commitIndex, 5);
});

Deno.test("createCore() starts from a log that begins before its snapshot", () => {
  const core = startFrom({ entries: entriesOf([1, 1, 2, 3], 3), base: [2, 1] });
  assertEquals([core.commitIndex, core.log.firstIndex, core.log.lastIndex], [5, 3, 6]);
});

for (
  const [what, options] of [
    ["the log was cut off, and there is no snapshot", { snapshot: null }],
    ["the log begins behind the snapshot", { base: [6, 3] }],
    ["the log ends before the snapshot", { entries: entriesOf([1, 1], 3), base: [2, 1] }],
    ["the entry at the snapshot is of another term", { base: [5, 1] }],
  ] as const
) {
  Deno.test(`createCore() throws if ${what} (bug 34)`, () => {
    const { base, ...rest } = { base: [5, 2] as const, ...options };
    assertThrows(() => startFrom({ ...rest, base: [...base] }), InvariantError, "does not fit");
  });
}

Deno.test("a leader's stamps do not fall behind its snapshot's, when its clock does", () => {
  const core = startFrom({});
  lead(core);
  assertEquals(core.log.entry(i(6)).timeMs, 1_000);
  const late = start({ snapshot: snapshotInfo({ index: i(5), timeMs: 9_000 }), base: [5, 1] });
  lead(late);
  assertEquals(late.log.entry(i(6)).timeMs, 9_000);
});

// Cutting off.

Deno.test("step() cuts its log off with the disk, and knows what stood there", () => {
  const core = leadWithout(4);
  assertEquals(compact(core, 1), []);
  assertEquals(compact(core, 1), []);
  assertEquals([core.log.baseIndex, core.log.baseTerm, core.log.firstIndex], [1, 1, 2]);
});

Deno.test("step() throws if the disk has cut off what is not committed", () => {
  const core = leadWithout(1);
  propose(core, bytes(2));
  assertThrows(() => compact(core, 3), InvariantError, "only entries up to 2 are committed");
});

Deno.test("step() forgets configurations that are cut off, but not the one in effect there", () => {
  const core = leadSettled(start());
  const change = { type: "add", member: { id: D, url: "", peer: "" }, voter: false } as const;
  take(core, { type: "change", id: 1, change: { ...change, replaces: null }, timeMs: 0 });
  propose(core, bytes(1));
  persisted(core);
  acknowledge(core, C);
  assertEquals(core.configurations.map(({ index }) => index), [0, 2]);
  assertEquals(snapshotMeta(core, i(2), NOW_MS).configuration.learners, [D]);
  compact(core, 1);
  assertEquals(core.configurations.map(({ index }) => index), [0, 2]);
  compact(core, 3);
  assertEquals(core.configurations.map(({ index }) => index), [2]);
  assertEquals(core.configuration.learners, [D]);
});

Deno.test("snapshotMeta() describes the state at any index that is committed, from the log's base on", () => {
  const core = leadSettled(start());
  const change = { type: "add", member: { id: D, url: "", peer: "" }, voter: false } as const;
  propose(core, bytes(1));
  take(core, { type: "change", id: 1, change: { ...change, replaces: null }, timeMs: 0 });
  persisted(core);
  acknowledge(core, C);
  propose(core, bytes(2));
  const at = (index: number) => snapshotMeta(core, i(index), NOW_MS + index);
  assertEquals(at(2), {
    index: i(2),
    term: t(1),
    timeMs: NOW_MS + 2,
    configuration: configuration([A, B, C]),
  });
  assertEquals(at(3).configuration, core.configuration);
  assertThrows(() => at(4), InvariantError, "only entries up to 3 are committed");
  const before = at(2);
  compact(core, 2);
  assertEquals(at(2), before);
  compact(core, 3);
  assertThrows(() => at(2), InvariantError, "holds 4 to 4");
});

Deno.test("snapshotMeta() is not to be had before the log of a node that joins has come to a configuration", () => {
  const core = start({ configuration: configuration([]), log: [1, 1], term: 1, commit: 2 });
  assertEquals(knowsMembersAt(core, i(2)), false);
  assertThrows(() => snapshotMeta(core, i(2), NOW_MS), InvariantError, "its members are not known");
  const data = encodeConfiguration(configuration([A, B]));
  const entry = { ...entriesOf([1], 3)[0], kind: EntryKind.Configuration, data };
  const request = appendRequest({ term: t(1), commit: i(3), entries: [entry] });
  hear(core, B, { ...request, prevIndex: i(2), prevTerm: t(1) });
  persisted(core);
  assertEquals(knowsMembersAt(core, i(2)), false);
  assertEquals(knowsMembersAt(core, i(3)), true);
  assertEquals(snapshotMeta(core, i(3), NOW_MS).configuration.voters, [A, B]);
});

Deno.test("step() counts as durable what was cut off, though nobody had said so yet", () => {
  const core = start({ term: 1 });
  hear(core, B, appendRequest({ term: t(1), commit: i(2), entries: entriesOf([1, 1]) }));
  core.durableIndex = i(0);
  compact(core, 2);
  assertEquals(core.durableIndex, 2);
});

Deno.test("step() acknowledges what an append repeats of a log that is cut off there", () => {
  const core = start({ base: [5, 2], log: [2, 2], term: 2, commit: 6 });
  const request = appendRequest({ term: t(2), commit: i(4), entries: entriesOf([1, 1, 2], 3) });
  const effects = hear(core, B, { ...request, prevIndex: i(2), prevTerm: t(1), stamp: 9 });
  assertEquals(sent(effects).map(({ message }) => message), [
    appendReply({ term: t(2), index: i(6) }),
  ]);
  assertEquals([core.commitIndex, core.log.lastIndex], [6, 7]);
});

Deno.test("RaftLog.compact() lets go of entries, also of those it had shared", async () => {
  const log = new RaftLog([], i(0), t(0));
  const held = ((): WeakRef<Entry>[] => {
    const entries = entriesOf([1, 1, 1, 1, 1, 1, 1, 1]);
    log.append(entries);
    log.slice(i(1), i(2), 1_000);
    return entries.map((entry) => new WeakRef(entry));
  })();
  log.compact(i(3));
  // A reference is not cleared within the task that made it.
  await new Promise<void>((resolve) => setTimeout(resolve, 0));
  setFlagsFromString("--expose-gc");
  runInNewContext("gc")();
  const isHeld = held.map((each) => each.deref() !== undefined);
  assertEquals(isHeld, [false, false, false, true, true, true, true, true]);
  assertEquals(log.lastIndex, 8);
});

// Followers that lack what was cut off.

Deno.test("step() asks for a snapshot when a follower's log ends before its own begins", () => {
  const core = lead(start({ base: [5, 1], log: [1, 1], term: 1 }));
  assertEquals(tooShort(core, 7, 2), [{ type: "snapshot-needed", to: B }]);
  // One that ends just there is fed from the log.
  const [probe] = appendsTo(
    hear(core, C, appendReply({ term: t(2), success: false, index: i(7), conflictIndex: i(6) })),
    C,
  );
  assertEquals([probe.prevIndex, probe.prevTerm, probe.entries.length], [5, 1, 3]);
});

Deno.test("step() takes no old refusal for a lack of what a follower has acknowledged since", () => {
  const core = lead(start({ base: [5, 1], log: [1, 1], term: 1 }));
  acknowledge(core, B, i(6));
  assertEquals(only(tooShort(core, 7, 2), "snapshot-needed"), []);
  const { paused, next } = core.progress.get(B)!;
  assertEquals([paused, next], [false, 7]);
});

Deno.test("step() asks for a snapshot when a follower's log differs where its own begins", () => {
  const core = lead(start({ base: [5, 3], log: [3, 3], term: 3 }));
  const refusal = appendReply({
    term: t(4),
    success: false,
    index: i(7),
    conflictIndex: i(2),
    conflictTerm: t(2),
  });
  // The base is still worth a try: nothing says yet that it differs.
  const [probe] = appendsTo(hear(core, B, refusal), B);
  assertEquals(probe.prevIndex, 5);
  assertEquals(hear(core, B, { ...refusal, index: i(5) }), [{ type: "snapshot-needed", to: B }]);
});

Deno.test("step() sends a follower that waits for a snapshot heartbeats alone, and asks again with each refusal", () => {
  const core = lead(start({ base: [5, 1], log: [1, 1], term: 1 }));
  tooShort(core, 7, 2);
  assertEquals(appendsTo(propose(core, bytes(1)), B), []);
  for (let n = 0; n < 3; n++) {
    acknowledge(core, C);
    const [heartbeat, ...more] = appendsTo(tick(core, 2), B);
    assertEquals([heartbeat.prevIndex, heartbeat.entries, more], [5, [], []]);
    assertEquals(tooShort(core, 5, 2), [{ type: "snapshot-needed", to: B }]);
  }
});

Deno.test("step() goes on with the log when a follower has installed a snapshot", () => {
  const core = lead(start({ base: [5, 1], log: [1, 1], term: 1 }));
  tooShort(core, 7, 2);
  const [append, ...more] = appendsTo(acknowledge(core, B, i(6)), B);
  assertEquals([append.prevIndex, append.entries.length, more], [6, 2, []]);
  assertEquals(core.progress.get(B)!.paused, false);
});

Deno.test("step() waits on for a follower that is ahead, but not as far as the log begins", () => {
  const core = lead(start({ base: [5, 1], log: [1, 1], term: 1 }));
  tooShort(core, 7, 2);
  const [news, ...more] = appendsTo(acknowledge(core, B, i(4)), B);
  assertEquals([news.entries, more], [[], []]);
  const { match, paused } = core.progress.get(B)!;
  assertEquals([match, paused], [4, true]);
  assertEquals(appendsTo(acknowledge(core, B, i(5)), B)[0].entries.length, 3);
});

Deno.test("step() counts for reads and quorums whoever waits for a snapshot", () => {
  const core = lead(start({ base: [5, 1], log: [1, 1], term: 1 }));
  acknowledge(core, C);
  tooShort(core, 7, 2);
  const [news] = appendsTo(read(core, 1), B);
  assertEquals([news.prevIndex, news.round], [5, 1]);
  assertEquals(only(tooShort(core, 5, 2), "read-ready").length, 1);
  for (let n = 0; n < 12; n++) {
    tick(core);
    tooShort(core, 5, 2);
  }
  assertEquals(core.role, "leader");
});

Deno.test("step() asks for a snapshot for whom it has cut off what was next (bug 31)", () => {
  const core = leadWithout(4);
  // B has answered nothing: four appends are on the way to it, so nothing that was sent is missed.
  assertEquals(compact(core, 5), []);
  assertEquals(core.progress.get(B)!.next, 6);
  const slow = leadWithout(4, { inflightMessagesMax: 1 });
  assertEquals(slow.progress.get(B)!.next, 3);
  assertEquals(compact(slow, 3), [{ type: "snapshot-needed", to: B }]);
});

Deno.test("step() serves an idle follower from a log that is cut off to its end (bug 31)", () => {
  const core = leadWithout(4, { inflightMessagesMax: 1 });
  compact(core, 5);
  assertEquals([core.log.firstIndex, core.log.lastIndex], [6, 5]);
  const [heartbeat] = appendsTo(tick(core, 2), B);
  assertEquals([heartbeat.prevIndex, heartbeat.prevTerm, heartbeat.entries], [5, 1, []]);
  assertEquals(tooShort(core, 5, 1), [{ type: "snapshot-needed", to: B }]);
  // What was on the way arrives, and does not help; then the snapshot is installed.
  acknowledge(core, B, i(2));
  assertEquals(core.progress.get(B)!.paused, true);
  acknowledge(core, B, i(5));
  assertEquals(appendsTo(propose(core, bytes(9)), B).map(({ prevIndex }) => prevIndex), [5]);
});

Deno.test("step() moves the heartbeats of a waiting follower along when it cuts off more", () => {
  const core = leadWithout(4, { inflightMessagesMax: 1 });
  compact(core, 3);
  assertEquals(compact(core, 5), []);
  assertEquals(appendsTo(tick(core, 2), B)[0].prevIndex, 5);
  // The snapshot of 4 that it had on the way is not enough any more.
  acknowledge(core, B, i(4));
  assertEquals(core.progress.get(B)!.paused, true);
  assertEquals(tooShort(core, 5, 4), [{ type: "snapshot-needed", to: B }]);
});

Deno.test("step() goes back no further than its log when it has cut off what is on the way", () => {
  const core = leadWithout(4);
  compact(core, 3);
  // The append of entry 2 was lost; what follows was refused.
  const [probe, ...more] = appendsTo(tooShort(core, 4, 1), B);
  assertEquals([probe.prevIndex, probe.entries.length, more], [3, 2, []]);
  assertEquals(tooShort(core, 3, 1), [{ type: "snapshot-needed", to: B }]);
});

Deno.test("step() leads on when even the first entry of its term is cut off", () => {
  const core = leadWithout(2);
  compact(core, 3);
  assertEquals([core.termStartIndex, core.log.baseIndex], [1, 3]);
  read(core, 1);
  assertEquals(only(acknowledge(core, C), "read-ready").length, 1);
  propose(core, bytes(3));
  persisted(core);
  assertEquals(only(acknowledge(core, C), "commit"), [{ type: "commit", index: i(4) }]);
});

// Flow.

Deno.test("step() commits without a follower whose window stays full, and holds nothing for it", () => {
  const core = leadSettled(start({ inflightMessagesMax: 2, inflightBytesMax: 64 }));
  for (let n = 1; n <= 200; n++) {
    propose(core, bytes(n));
    persisted(core);
    assertEquals(only(acknowledge(core, C), "commit").length, 1);
    // B is alive, and stuck: it says so to every heartbeat.
    tick(core);
    hear(core, B, appendReply({ term: t(1), index: i(1), stamp: core.ticks }));
    if (n % 50 === 0) compact(core, core.commitIndex);
  }
  const { inflight, next, paused } = core.progress.get(B)!;
  assertEquals([inflight.count, paused, next], [0, true, core.log.firstIndex]);
  assertEquals([core.role, core.uncommittedBytes], ["leader", 0]);
  assertEquals([core.log.baseIndex, core.log.lastIndex], [201, 201]);
});
