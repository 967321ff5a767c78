/**
 * The paper, rule by rule: figure 2 ("RequestVote RPC", "Rules for Servers"), sections 5.1 and 5.2, and
 * the election restriction of 5.4.1. Each test says which rule.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { createCore, EntryKind } from "../../raft/mod.ts";
import { configurationOf } from "../../raft/configuration.ts";
import {
  A,
  appendReply,
  appendRequest,
  B,
  C,
  configuration,
  D,
  E,
  entriesOf,
  hear,
  i,
  lead,
  NOW_MS,
  only,
  persisted,
  sent,
  start,
  t,
  tick,
  tickToCampaign,
  voteReply,
  voteRequest,
  wholeLog,
} from "./script.ts";

const FIVE = configuration([A, B, C, D, E]);
const ALONE = configuration([A]);

Deno.test("createCore() starts as a follower without a leader, in the term it recovered (5.2)", () => {
  const core = start({ term: 3, vote: B, log: [1, 2] });
  assertEquals([core.role, core.leader, core.term, core.vote], ["follower", null, 3, B]);
  assertEquals([core.log.lastIndex, core.log.lastTerm, core.commitIndex], [2, 2, 0]);
});

// 5.1, "if a server's current term is smaller than the other's, it updates its current term".

for (
  const message of [
    voteRequest({ term: t(5), lastTerm: t(4), lastIndex: i(9) }),
    voteReply({ term: t(5), granted: false }),
    appendRequest({ term: t(5) }),
    appendReply({ term: t(5), success: false }),
    { type: "forward", term: t(5), commands: [] } as const,
    { type: "read-request", term: t(5), id: 1, lease: false } as const,
    { type: "read-reply", term: t(5), id: 1, granted: false, index: i(0) } as const,
  ]
) {
  Deno.test(`step() adopts a higher term from a ${message.type} and persists it (5.1)`, () => {
    const core = start({ log: [1, 2], term: 2, vote: A });
    const effects = hear(core, B, message);
    assertEquals(core.term, 5);
    const vote = message.type === "vote-request" ? B : null;
    assertEquals(only(effects, "persist"), [{
      type: "persist",
      hardState: { term: t(5), vote, commit: i(0) },
      truncateFrom: null,
      entries: [],
    }]);
  });

  Deno.test(`step() makes a candidate a follower on a ${message.type} of a higher term (5.1)`, () => {
    const core = start({ term: 1 });
    tickToCampaign(core);
    hear(core, B, voteReply({ term: t(2), pre: true }));
    assertEquals([core.role, core.term], ["candidate", 2]);
    const effects = hear(core, C, message);
    assertEquals([core.role, core.term], ["follower", 5]);
    const leader = message.type === "append-request" ? C : null;
    assertEquals(effects.at(-1), { type: "status", role: "follower", term: t(5), leader });
  });
}

Deno.test("step() makes a leader a follower on a higher term, its own log kept (5.1)", () => {
  const core = lead(start());
  const effects = hear(core, B, appendReply({ term: t(7), success: false }));
  assertEquals(effects, [
    {
      type: "persist",
      hardState: { term: t(7), vote: null, commit: i(0) },
      truncateFrom: null,
      entries: [],
    },
    { type: "status", role: "follower", term: t(7), leader: null },
  ]);
  assertEquals(core.log.lastIndex, 1);
});

Deno.test("step() refuses a request for votes of an older term, with its own term (5.1)", () => {
  const core = start({ term: 4 });
  const effects = hear(core, B, voteRequest({ term: t(3), lastTerm: t(3), lastIndex: i(9) }));
  assertEquals(effects, [
    { type: "send", to: B, message: voteReply({ term: t(4), granted: false }), early: false },
  ]);
});

Deno.test("step() refuses an append of an older term, with its own term (5.1)", () => {
  const core = start({ term: 4, log: [1] });
  const request = appendRequest({ term: t(3), entries: entriesOf([3]), round: 6 });
  assertEquals(hear(core, B, request), [
    { type: "send", to: B, message: appendReply({ term: t(4), success: false }), early: false },
  ]);
  assertEquals([core.leader, core.log.lastTerm], [null, 1]);
});

Deno.test("step() ignores votes of an older term (5.1)", () => {
  const core = start({ term: 1, configuration: FIVE });
  tickToCampaign(core);
  for (const id of [B, C]) hear(core, id, voteReply({ term: t(2), pre: true }));
  tick(core, 40);
  for (const id of [B, C]) hear(core, id, voteReply({ term: t(3), pre: true }));
  assertEquals([core.role, core.term], ["candidate", 3]);
  for (const id of [B, C, D, E]) assertEquals(hear(core, id, voteReply({ term: t(2) })), []);
  assertEquals(core.role, "candidate");
});

// 5.2, beginning an election.

Deno.test("step() stays a follower while a leader is heard (5.2)", () => {
  const core = start({ term: 1 });
  for (let n = 0; n < 20; n++) {
    assertEquals(tick(core, 9), []);
    hear(core, B, appendRequest({ term: t(1) }));
  }
  assertEquals(core.role, "follower");
});

Deno.test("step() draws election timeouts over one to two times electionTicks, anew each time (5.2)", () => {
  const drawn = new Set<number>();
  const core = start({ seed: 99 });
  for (let n = 0; n < 400; n++) {
    hear(core, B, appendRequest({ term: t(1) }));
    drawn.add(core.electionTimeoutTicks);
  }
  assertEquals([...drawn].sort((a, b) => a - b), Array.from({ length: 10 }, (_, n) => 10 + n));
});

Deno.test("step() gives different seeds different timeouts, the same seed the same (5.2)", () => {
  const timeouts = (seed: number) => {
    const core = start({ seed });
    return Array.from({ length: 8 }, () => {
      hear(core, B, appendRequest({ term: t(1) }));
      return core.electionTimeoutTicks;
    });
  };
  assertEquals(timeouts(5), timeouts(5));
  assertEquals(new Set([1, 2, 3, 4].map((seed) => timeouts(seed).join())).size, 4);
});

Deno.test("step() campaigns for the next term, voting for itself before anything leaves (5.2)", () => {
  const core = start({ term: 1, log: [1, 1] });
  tickToCampaign(core);
  const effects = hear(core, B, voteReply({ term: t(2), pre: true }));
  const request = voteRequest({ term: t(2), lastIndex: i(2), lastTerm: t(1) });
  assertEquals(effects, [
    {
      type: "persist",
      hardState: { term: t(2), vote: A, commit: i(0) },
      truncateFrom: null,
      entries: [],
    },
    { type: "send", to: B, message: request, early: false },
    { type: "send", to: C, message: request, early: false },
    { type: "status", role: "candidate", term: t(2), leader: null },
  ]);
});

Deno.test("step() asks again for the votes that were not answered", () => {
  const core = start({ configuration: FIVE });
  tickToCampaign(core);
  for (const id of [B, C]) hear(core, id, voteReply({ term: t(1), pre: true }));
  hear(core, B, voteReply({ term: t(1) }));
  hear(core, C, voteReply({ term: t(1), granted: false }));
  assertEquals(tick(core), []);
  const again = sent(tick(core));
  assertEquals(again.map(({ to, early }) => [to, early]), [[D, false], [E, false]]);
});

Deno.test("step() wins with votes from a majority, and not before (5.2)", () => {
  const core = start({ configuration: FIVE });
  tickToCampaign(core);
  for (const id of [B, C]) hear(core, id, voteReply({ term: t(1), pre: true }));
  hear(core, B, voteReply({ term: t(1) }));
  hear(core, B, voteReply({ term: t(1) }));
  assertEquals(core.role, "candidate");
  hear(core, E, voteReply({ term: t(1) }));
  assertEquals([core.role, core.leader], ["leader", A]);
});

Deno.test("step() as a new leader appends a no-op of its term and sends it to all at once (5.2, 8)", () => {
  const core = start({ term: 1, log: [1, 1] });
  tickToCampaign(core);
  hear(core, B, voteReply({ term: t(2), pre: true }));
  const effects = hear(core, C, voteReply({ term: t(2) }));
  const noop = {
    term: t(2),
    index: i(3),
    timeMs: NOW_MS,
    kind: EntryKind.NoOp,
    data: new Uint8Array(0),
  };
  const message = appendRequest({
    term: t(2),
    prevIndex: i(2),
    prevTerm: t(1),
    entries: [noop],
  });
  assertEquals(effects, [
    { type: "persist", hardState: null, truncateFrom: null, entries: [noop] },
    { type: "send", to: B, message, early: true },
    { type: "send", to: C, message, early: true },
    { type: "status", role: "leader", term: t(2), leader: A },
  ]);
});

Deno.test("step() gives up a campaign for a leader of the same term (5.2)", () => {
  const core = start();
  tickToCampaign(core);
  hear(core, B, voteReply({ term: t(1), pre: true }));
  const effects = hear(core, C, appendRequest({ term: t(1) }));
  assertEquals(effects, [
    { type: "send", to: C, message: appendReply({ term: t(1) }), early: false },
    { type: "status", role: "follower", term: t(1), leader: C },
  ]);
  assertEquals(core.vote, A);
});

Deno.test("step() gives up a campaign that a majority refused (5.2)", () => {
  const core = start();
  tickToCampaign(core);
  hear(core, B, voteReply({ term: t(1), pre: true }));
  hear(core, B, voteReply({ term: t(1), granted: false }));
  assertEquals(core.role, "candidate");
  hear(core, C, voteReply({ term: t(1), granted: false }));
  assertEquals([core.role, core.term], ["follower", 1]);
});

Deno.test("step() campaigns anew when votes were split (5.2)", () => {
  const core = start();
  tickToCampaign(core);
  hear(core, B, voteReply({ term: t(1), pre: true }));
  tick(core, core.electionTimeoutTicks);
  assertEquals(core.role, "pre-candidate");
  hear(core, B, voteReply({ term: t(2), pre: true }));
  assertEquals([core.role, core.term], ["candidate", 2]);
});

Deno.test("step() elects a node on its own, and commits when its disk is done", () => {
  const core = start({ configuration: ALONE });
  const effects = tickToCampaign(core);
  const noop = {
    term: t(1),
    index: i(1),
    timeMs: NOW_MS,
    kind: EntryKind.NoOp,
    data: new Uint8Array(0),
  };
  assertEquals(effects, [
    {
      type: "persist",
      hardState: { term: t(1), vote: A, commit: i(0) },
      truncateFrom: null,
      entries: [],
    },
    { type: "persist", hardState: null, truncateFrom: null, entries: [noop] },
    { type: "status", role: "leader", term: t(1), leader: A },
  ]);
  assertEquals(persisted(core), [{ type: "commit", index: i(1) }]);
});

Deno.test("step() sends nothing early before the term of a leader with its own vote only is durable", () => {
  const core = start({ configuration: configurationOf([A], { learners: [D] }) });
  const effects = tickToCampaign(core);
  assertEquals(sent(effects).map(({ to, early }) => [to, early]), [[D, false]]);
  persisted(core);
  assertEquals(sent(tick(core, 2)).map(({ to, early }) => [to, early]), [[D, true]]);
});

// 5.2 and figure 2, RequestVote: whose vote is given.

Deno.test("step() grants one vote per term, to the first who asks (5.2)", () => {
  const core = start({ term: 1 });
  assertEquals(hear(core, B, voteRequest({ term: t(2) })), [
    {
      type: "persist",
      hardState: { term: t(2), vote: B, commit: i(0) },
      truncateFrom: null,
      entries: [],
    },
    { type: "send", to: B, message: voteReply({ term: t(2) }), early: false },
    { type: "status", role: "follower", term: t(2), leader: null },
  ]);
  assertEquals(hear(core, C, voteRequest({ term: t(2) })), [
    { type: "send", to: C, message: voteReply({ term: t(2), granted: false }), early: false },
  ]);
});

Deno.test("step() repeats a vote to whom it has, without writing it again (5.2)", () => {
  const core = start({ term: 2, vote: B });
  assertEquals(hear(core, B, voteRequest({ term: t(2) })), [
    { type: "send", to: B, message: voteReply({ term: t(2) }), early: false },
  ]);
});

Deno.test("step() keeps its vote over a restart (5.2, bug 1)", () => {
  const first = start({ term: 1 });
  const [{ hardState }] = only(hear(first, B, voteRequest({ term: t(2) })), "persist");
  const restarted = createCore({
    id: A,
    configuration: first.configuration,
    hardState: hardState!,
    log: wholeLog(),
    snapshot: null,
    seed: 2,
    damaged: false,
  });
  // It first keeps still for an election timeout, as it may have heard a leader before.
  tick(restarted, restarted.limits.electionTicks);
  assertEquals(hear(restarted, C, voteRequest({ term: t(2) })), [
    { type: "send", to: C, message: voteReply({ term: t(2), granted: false }), early: false },
  ]);
});

Deno.test("step() waits a full timeout after it has granted a vote, not after it refused one (figure 2)", () => {
  const granting = start();
  tick(granting, 9);
  hear(granting, B, voteRequest({ term: t(1) }));
  assertEquals([granting.electionElapsedTicks, granting.role], [0, "follower"]);
  const refusing = start({ log: [1], term: 1 });
  tick(refusing, 9);
  hear(refusing, B, voteRequest({ term: t(2) }));
  assertEquals([refusing.electionElapsedTicks, refusing.term], [9, 2]);
});

// 5.4.1: the election restriction.

for (
  const [what, lastTerm, lastIndex, granted] of [
    ["a later last term, though shorter", 4, 1, true],
    ["the same log", 3, 3, true],
    ["the same last term and longer", 3, 4, true],
    ["the same last term and shorter", 3, 2, false],
    ["an earlier last term, though longer", 2, 9, false],
    ["nothing", 0, 0, false],
  ] as const
) {
  for (const pre of [false, true]) {
    const name = `step() ${granted ? "grants" : "refuses"} ${
      pre ? "a pre-vote" : "a vote"
    } to a log`;
    Deno.test(`${name} with ${what} (5.4.1)`, () => {
      const core = start({ log: [1, 2, 3], term: 4 });
      const request = voteRequest({
        term: t(5),
        pre,
        lastIndex: i(lastIndex),
        lastTerm: t(lastTerm),
      });
      const [reply] = sent(hear(core, B, request));
      const term = t(pre && !granted ? 4 : 5);
      assertEquals(reply.message, voteReply({ term, pre, granted }));
      assertEquals(core.vote, granted && !pre ? B : null);
    });
  }
}
