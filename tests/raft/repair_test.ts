/**
 * A replica whose disk lost acknowledged data: what it must not do, and how it becomes whole again
 * (docs/decisions/0003-raft-core.md).
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { type Core, createCore, recovered } from "../../raft/mod.ts";
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
  only,
  persisted,
  propose,
  read,
  sent,
  start,
  t,
  tick,
  voteRequest,
  wholeLog,
} from "./script.ts";

/** Node a, which remembers term 3 and holds two entries of term 1, fewer than it acknowledged. */
function startDamaged(): Core {
  return start({ log: [1, 1], term: 3, vote: B, commit: 2, damaged: true });
}

/** What a leader of `term` that has the log 1 1 4 … sends it. */
function append(term: number, commit: number, terms: readonly number[], prevIndex = 2) {
  return appendRequest({
    term: t(term),
    prevIndex: i(prevIndex),
    prevTerm: t(prevIndex === 2 ? 1 : term),
    commit: i(commit),
    entries: entriesOf(terms, prevIndex + 1),
  });
}

Deno.test("createCore() moves a damaged replica to a new term without a vote, and trusts no commit", () => {
  const core = createCore({
    id: A,
    configuration: configuration([A, B, C]),
    hardState: { term: t(3), vote: B, commit: i(2) },
    log: wholeLog(entriesOf([1, 1])),
    snapshot: null,
    seed: 1,
    damaged: true,
  });
  assertEquals(recovered(core), [{
    type: "persist",
    hardState: { term: t(4), vote: null, commit: i(0) },
    truncateFrom: null,
    entries: [],
  }]);
  assertEquals(core.commitIndex, 0);
});

Deno.test("step() hands out the effects of a damaged start first, if nobody asked for them", () => {
  const core = createCore({
    id: A,
    configuration: configuration([A, B, C]),
    hardState: { term: t(3), vote: null, commit: i(0) },
    log: wholeLog(),
    snapshot: null,
    seed: 1,
    damaged: true,
  });
  assertEquals(tick(core).map(({ type }) => type), ["persist"]);
});

Deno.test("step() lets a damaged replica neither vote nor campaign", () => {
  const core = startDamaged();
  for (const pre of [false, true]) {
    for (const transfer of [false, true]) {
      const request = { pre, transfer, lastIndex: i(99), lastTerm: t(8) };
      assertEquals(hear(core, B, voteRequest({ term: t(9), ...request })), []);
    }
  }
  assertEquals(tick(core, 100), []);
  assertEquals([core.role, core.term, core.vote], ["follower", 4, null]);
});

Deno.test("step() forgets the leader of a damaged replica that is silent, as of any", () => {
  const core = startDamaged();
  hear(core, B, append(5, 0, []));
  assertEquals(only(tick(core, 40), "status"), [
    { type: "status", role: "follower", term: t(5), leader: null },
  ]);
});

Deno.test("step() lets no leader elected before the loss repair a damaged replica", () => {
  const core = startDamaged();
  const [reply] = sent(hear(core, B, append(3, 3, [3])));
  assertEquals(
    reply.message,
    appendReply({ term: t(4), success: false, counts: false }),
  );
  assertEquals([core.damaged, core.log.lastIndex], [true, 2]);
});

Deno.test("step() says that the answers of a damaged replica do not count", () => {
  const core = startDamaged();
  const [stored] = sent(hear(core, B, append(5, 0, [5])));
  assertEquals(stored.message, appendReply({ term: t(5), index: i(3), counts: false }));
  const [refused] = sent(hear(core, B, append(5, 0, [], 9)));
  assertEquals(
    refused.message,
    appendReply({
      term: t(5),
      success: false,
      index: i(9),
      conflictIndex: i(4),
      counts: false,
    }),
  );
});

for (
  const [what, request] of [
    ["its log ends before the leader's commit index", append(5, 4, [5])],
    ["the leader has committed nothing of its own term", append(5, 2, [5])],
    ["the leader has committed nothing", append(5, 0, [5, 5])],
  ] as const
) {
  Deno.test(`step() keeps a replica damaged while ${what}`, () => {
    const core = startDamaged();
    const effects = hear(core, B, request);
    assertEquals([core.damaged, only(effects, "repaired")], [true, []]);
  });
}

Deno.test("step() makes a damaged replica whole when it holds all that its leader has committed, and votes for it", () => {
  const core = startDamaged();
  hear(core, B, append(5, 2, [5]));
  const effects = hear(core, B, append(5, 4, [5], 3));
  assertEquals(effects, [
    { type: "persist", hardState: null, truncateFrom: null, entries: entriesOf([5], 4) },
    { type: "commit", index: i(4) },
    {
      type: "persist",
      hardState: { term: t(5), vote: B, commit: i(4) },
      truncateFrom: null,
      entries: [],
    },
    { type: "repaired" },
    { type: "send", to: B, message: appendReply({ term: t(5), index: i(4) }), early: false },
  ]);
  tick(core, 10);
  const [reply] = sent(hear(core, C, voteRequest({ term: t(5), lastIndex: i(9), lastTerm: t(5) })));
  assertEquals([reply.message.type === "vote-reply" && reply.message.granted], [false]);
});

Deno.test("step() replaces what a damaged log has kept wrong, hinted commit or not", () => {
  const core = startDamaged();
  const request = appendRequest({ term: t(5), commit: i(3), entries: entriesOf([2, 2, 5]) });
  assertEquals(only(hear(core, B, request), "repaired").length, 1);
});

Deno.test("step() as leader feeds a damaged follower, but counts it for nothing", () => {
  const core = lead(start());
  const answer = (counts: boolean) => {
    const { term, log, reads } = core;
    return hear(core, B, appendReply({ term, index: log.lastIndex, round: reads.round, counts }));
  };
  propose(core, bytes(1));
  persisted(core);
  assertEquals(only(answer(false), "commit"), []);
  assertEquals(core.progress.get(B)!.match, 2);
  assertEquals(only(acknowledge(core, C), "commit").length, 1);
  read(core, 1);
  assertEquals(only(answer(false), "read-ready"), []);
  assertEquals(only(answer(true), "read-ready").length, 1);
});

Deno.test("step() as leader does not count a damaged follower for the quorum that it must hear", () => {
  const core = lead(start());
  for (let n = 0; n < 10; n++) {
    assertEquals(core.role, "leader");
    hear(core, B, appendReply({ term: t(1), index: i(1), counts: false }));
    tick(core);
  }
  assertEquals(core.role, "follower");
});

Deno.test("step() as leader commits with what a follower held before it was whole again", () => {
  const core = lead(start());
  hear(core, B, appendReply({ term: t(1), index: i(1), counts: false }));
  assertEquals(core.commitIndex, 0);
  hear(core, B, appendReply({ term: t(1), index: i(0), counts: true }));
  assertEquals(core.commitIndex, 1);
  // A late answer from before the repair takes nothing back.
  hear(core, B, appendReply({ term: t(1), index: i(1), counts: false }));
  assertEquals(core.progress.get(B)!.counts, true);
});
