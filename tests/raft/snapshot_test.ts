/**
 * A leader's snapshot on its way into a follower (section 7), as far as the core has to do with it: the
 * shell stores, verifies and sends.
 *
 * @module
 */
import { assertEquals, assertThrows } from "@std/assert";
import {
  type Configuration,
  type Core,
  type Effect,
  EntryKind,
  installVerdict,
  InvariantError,
  type SnapshotChunk,
  type SnapshotInfo,
} from "../../raft/mod.ts";
import { encodeConfiguration } from "../../raft/configuration_codec.ts";
import { CHUNK_BYTES_MAX } from "../../raft/limits.ts";
import {
  A,
  acknowledge,
  appendReply,
  appendRequest,
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
  tickToCampaign,
} from "./script.ts";

function chunk(fields: Partial<SnapshotChunk> = {}): SnapshotChunk {
  const info = snapshotInfo({ index: i(5), term: t(2) });
  return { type: "snapshot-chunk", term: t(3), info, chunk: 0, data: bytes(1, 2), ...fields };
}

function install(core: Core, info: SnapshotInfo, keptLog: boolean): Effect[] {
  return take(core, { type: "installed", info, keptLog });
}

const AT_5 = snapshotInfo({ index: i(5), term: t(2), timeMs: 70 });

// Chunks.

Deno.test("step() hands the chunks of its leader's snapshot to the shell, and hears the leader in them", () => {
  const core = start({ term: 2, log: [1, 1] });
  const message = chunk();
  assertEquals(hear(core, B, message), [
    {
      type: "persist",
      hardState: { term: t(3), vote: null, commit: i(0) },
      truncateFrom: null,
      entries: [],
    },
    { type: "snapshot-chunk", from: B, chunk: message },
    { type: "status", role: "follower", term: t(3), leader: B },
  ]);
  for (let n = 0; n < 40; n++) {
    assertEquals(tick(core), []);
    assertEquals(hear(core, B, chunk({ chunk: 1 })).map(({ type }) => type), ["snapshot-chunk"]);
  }
  assertEquals(core.role, "follower");
});

Deno.test("step() tells a leader of an old term that its snapshot is not wanted", () => {
  const core = start({ term: 4, log: [1] });
  assertEquals(hear(core, B, chunk()), [{
    type: "send",
    to: B,
    message: appendReply({ term: t(4), success: false }),
    early: false,
  }]);
});

Deno.test("step() answers a chunk that brings nothing new with what it has", () => {
  for (const commit of [5, 6]) {
    const core = start({ term: 3, log: [1, 1, 2, 2, 2, 3], commit });
    assertEquals(sent(hear(core, B, chunk())).map(({ message }) => message), [
      appendReply({ term: t(3), index: i(commit) }),
    ]);
  }
});

Deno.test("step() throws when a second leader of its term sends a chunk", () => {
  const core = start({ term: 3 });
  hear(core, B, appendRequest({ term: t(3) }));
  assertThrows(() => hear(core, C, chunk()), InvariantError, "already leads term 3");
  assertThrows(() => hear(lead(start({ term: 2 })), C, chunk()), InvariantError, "leads term 3");
});

Deno.test("step() ends its campaign when a leader of that term sends a chunk", () => {
  const core = start({ term: 2 });
  tickToCampaign(core);
  assertEquals(only(hear(core, B, chunk()), "snapshot-chunk").length, 1);
  assertEquals([core.role, core.leader], ["follower", B]);
});

const meta = AT_5.meta;
for (
  const [what, bad] of [
    ["of no term", { term: t(0) }],
    ["beyond the last", { chunk: 2 }],
    ["that is negative", { chunk: -1 }],
    ["that is no whole number", { chunk: 0.5 }],
    ["without data", { data: bytes() }],
    ["with too much data", {
      data: new Uint8Array(CHUNK_BYTES_MAX + 1),
      info: { ...AT_5, bytes: 2 ** 20 },
    }],
    ["with more data than all of it", { data: bytes(1, 2, 3, 4, 5) }],
    ["with more chunks than bytes", { info: { ...AT_5, chunks: 5 } }],
    ["of too many chunks", { info: { ...AT_5, chunks: 2 ** 48, bytes: 2 ** 48 } }],
    ["of no chunks", { info: { ...AT_5, chunks: 0 } }],
    ["under a bad id", { info: { ...AT_5, id: "../../etc/passwd" } }],
    ["at index 0", { info: { ...AT_5, meta: { ...meta, index: i(0) } } }],
    ["at an index out of range", { info: { ...AT_5, meta: { ...meta, index: i(2 ** 48) } } }],
    ["of a term to come", { info: { ...AT_5, meta: { ...meta, term: t(4) } } }],
    ["at no time", { info: { ...AT_5, meta: { ...meta, timeMs: NaN } } }],
    ["of a cluster without voters", {
      info: { ...AT_5, meta: { ...meta, configuration: configuration([]) } },
    }],
    ["of a cluster with a voter twice", {
      info: { ...AT_5, meta: { ...meta, configuration: configuration([A, A]) } },
    }],
  ] as [string, Partial<SnapshotChunk>][]
) {
  Deno.test(`step() ignores a chunk ${what}`, () => {
    const core = start({ term: 2 });
    assertEquals(hear(core, B, chunk(bad)).map(({ type }) => type), []);
    assertEquals([core.term, core.leader], [2, null]);
  });
}

// Replies.

Deno.test("step() passes a follower's reply to a chunk on, if it leads that term", () => {
  const core = leadSettled(start());
  propose(core, bytes(1));
  const reply = { type: "snapshot-reply", term: t(1), id: AT_5.id, index: i(1), next: 1 } as const;
  assertEquals(hear(core, B, reply), [{ type: "snapshot-reply", from: B, reply }]);
  // Of another term, of nobody it feeds, or of what it cannot have sent.
  assertEquals(hear(core, B, { ...reply, term: t(0) }), []);
  assertEquals(hear(core, D, reply), []);
  assertEquals(hear(core, B, { ...reply, index: i(3) }), []);
  assertEquals(hear(core, B, { ...reply, id: "no id" }), []);
  assertEquals(hear(core, B, { ...reply, next: -1 }), []);
  assertEquals(hear(start({ log: [1, 1] }), B, reply), []);
  assertEquals(only(hear(core, B, { ...reply, term: t(2) }), "status").length, 1);
  assertEquals(core.role, "follower");
});

// Installing.

Deno.test("installVerdict() drops a log that ends before the snapshot, or differs there (7)", () => {
  assertEquals(installVerdict(start({ log: [1, 1] }), meta), "drop-log");
  assertEquals(installVerdict(start({ log: [1, 1, 1, 1, 1, 1, 1] }), meta), "drop-log");
  assertEquals(installVerdict(start({ log: [1, 1, 2, 2, 2, 2] }), meta), "keep-log");
  assertEquals(installVerdict(start({ log: [1, 1, 2, 2, 2] }), meta), "keep-log");
});

Deno.test("installVerdict() finds stale what is committed here, and any snapshot once it leads", () => {
  for (const commit of [5, 6]) {
    const core = start({ log: [1, 1, 2, 2, 2, 2], commit });
    assertEquals(installVerdict(core, meta), "stale");
    assertThrows(() => install(core, AT_5, true), InvariantError, 'it is "stale"');
  }
  assertEquals(installVerdict(lead(start({ term: 2 })), meta), "stale");
});

function follow(options: Parameters<typeof start>[0]): Core {
  const core = start({ term: 3, ...options });
  hear(core, B, appendRequest({ term: t(3) }));
  return core;
}

Deno.test("step() takes an installed snapshot in place of its log, and tells the leader", () => {
  const core = follow({ log: [1, 1] });
  assertEquals(install(core, AT_5, false), [
    { type: "commit", index: i(5) },
    {
      type: "configuration",
      configuration: configuration([A, B, C]),
      index: i(5),
      committed: true,
    },
    { type: "send", to: B, message: appendReply({ term: t(3), index: i(5) }), early: false },
  ]);
  const { log, commitIndex, durableIndex } = core;
  assertEquals([log.firstIndex, log.lastIndex, log.lastTerm, log.lastTimeMs], [6, 5, 2, 70]);
  assertEquals([commitIndex, durableIndex], [5, 5]);
  // And goes on from there.
  const next = appendRequest({
    term: t(3),
    prevIndex: i(5),
    prevTerm: t(2),
    commit: i(6),
    entries: entriesOf([3], 6),
  });
  assertEquals(only(hear(core, B, next), "commit"), [{ type: "commit", index: i(6) }]);
});

Deno.test("step() drops a log that contradicts the snapshot, however long it is (7)", () => {
  const core = follow({ log: [1, 1, 1, 1, 1, 1, 1, 1] });
  install(core, AT_5, false);
  assertEquals([core.log.lastIndex, core.log.lastTerm, core.durableIndex], [5, 2, 5]);
  // The commit of what was dropped completes late: nothing of it counts.
  take(core, { type: "persisted", index: i(8), term: t(1) });
  assertEquals(core.durableIndex, 5);
});

Deno.test("step() keeps the entries that follow the snapshot (7)", () => {
  const core = follow({ log: [1, 1, 2, 2, 2, 2, 3] });
  install(core, AT_5, true);
  assertEquals([core.log.firstIndex, core.log.lastIndex, core.log.lastTerm], [6, 7, 3]);
  assertEquals([core.commitIndex, core.durableIndex], [5, 7]);
});

Deno.test("step() throws if the disk kept what does not follow the snapshot, or dropped what does", () => {
  const drop = follow({ log: [1, 1] });
  assertThrows(() => install(drop, AT_5, true), InvariantError, 'it is "drop-log"');
  const keep = follow({ log: [1, 1, 2, 2, 2, 2] });
  assertThrows(() => install(keep, AT_5, false), InvariantError, 'it is "keep-log"');
});

Deno.test("step() tells nobody of an install when it knows no leader, and campaigns for its log anew", () => {
  const core = start({ term: 2, log: [1, 1] });
  tickToCampaign(core);
  const effects = install(core, AT_5, false);
  assertEquals([sent(effects), core.role], [[], "follower"]);
});

Deno.test("step() forgets the members that it knew when it installs a snapshot (bug 32)", () => {
  const core = follow({ log: [1, 1] });
  const later: Configuration = configuration([B, D, E]);
  const info = snapshotInfo({ index: i(5), term: t(2), configuration: later });
  const effects = install(core, info, false);
  assertEquals(only(effects, "configuration"), [
    { type: "configuration", configuration: later, index: i(5), committed: true },
  ]);
  assertEquals(core.configuration, later);
  // It votes no more, and what a truncation brings back is the snapshot's.
  assertEquals(sent(tick(core, 100)), []);
  const change = { ...entriesOf([3], 6)[0], kind: EntryKind.Configuration };
  const changed = { ...change, data: encodeConfiguration(configuration([A, B, D, E])) };
  const place = { prevIndex: i(5), prevTerm: t(2), commit: i(5) };
  hear(core, B, appendRequest({ term: t(3), ...place, entries: [changed] }));
  assertEquals(core.configuration.voters, [A, B, D, E]);
  hear(core, D, appendRequest({ term: t(4), ...place, entries: entriesOf([4], 6) }));
  assertEquals(core.configuration, later);
});

Deno.test("step() keeps a configuration that follows the snapshot when it keeps the log", () => {
  const change = {
    ...entriesOf([2], 6)[0],
    kind: EntryKind.Configuration,
    data: encodeConfiguration(configuration([A, B, C, D])),
  };
  const core = start({ term: 3 });
  const entries = [...entriesOf([1, 1, 2, 2, 2]), change];
  hear(core, B, appendRequest({ term: t(3), entries }));
  const effects = install(core, AT_5, true);
  assertEquals(only(effects, "configuration"), []);
  assertEquals(core.configuration.voters, [A, B, C, D]);
});

Deno.test("step() repairs a damaged replica that a snapshot has rebuilt", () => {
  const core = start({ term: 3, log: [1, 1], damaged: true });
  hear(core, B, appendRequest({ term: t(5), prevIndex: i(9), prevTerm: t(5), commit: i(9) }));
  const info = snapshotInfo({ index: i(8), term: t(4) });
  const [reply] = sent(install(core, info, false));
  assertEquals(reply.message, appendReply({ term: t(5), index: i(8), counts: false }));
  const effects = hear(
    core,
    B,
    appendRequest({
      term: t(5),
      prevIndex: i(8),
      prevTerm: t(4),
      commit: i(9),
      entries: entriesOf([5], 9),
    }),
  );
  assertEquals(only(effects, "repaired").length, 1);
  assertEquals([core.damaged, core.vote], [false, B]);
});

Deno.test("step() repairs a damaged replica by a snapshot of the leader's own term alone", () => {
  const core = start({ term: 3, log: [1, 1], damaged: true });
  hear(core, B, appendRequest({ term: t(5), prevIndex: i(9), prevTerm: t(5), commit: i(9) }));
  install(core, snapshotInfo({ index: i(9), term: t(5) }), false);
  assertEquals(core.damaged, true);
  const heartbeat = appendRequest({ term: t(5), prevIndex: i(9), prevTerm: t(5), commit: i(9) });
  assertEquals(only(hear(core, B, heartbeat), "repaired").length, 1);
});

Deno.test("step() gives up no read of its own for an install", () => {
  const core = follow({ log: [1, 1] });
  read(core, 4);
  assertEquals(only(install(core, AT_5, false), "read-refused"), []);
  const reply = { type: "read-reply", term: t(3), id: 4, granted: true, index: i(6) } as const;
  assertEquals(only(hear(core, B, reply), "read-ready").length, 1);
});

Deno.test("a follower that installed a snapshot leads with it", () => {
  const core = follow({ log: [1, 1] });
  install(core, AT_5, false);
  lead(core);
  assertEquals([core.termStartIndex, core.log.baseIndex], [6, 5]);
  persisted(core);
  assertEquals(only(acknowledge(core, C), "commit"), [{ type: "commit", index: i(6) }]);
});
