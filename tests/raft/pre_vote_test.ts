/**
 * What keeps a cluster calm: pre-vote (thesis 9.6), voters that stand by the leader they hear (thesis
 * 4.2.3), leaders that step down when they hear no quorum (thesis 6.2).
 *
 * @module
 */
import { assertEquals } from "@std/assert";
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
  hear,
  i,
  lead,
  leadSettled,
  only,
  sent,
  start,
  t,
  tick,
  tickToCampaign,
  voteReply,
  voteRequest,
} from "./script.ts";

Deno.test("step() rehearses an election without a new term and without writing (thesis 9.6)", () => {
  const core = start({ log: [1, 2], term: 3, vote: B });
  const request = voteRequest({ term: t(4), pre: true, lastIndex: i(2), lastTerm: t(2) });
  assertEquals(tickToCampaign(core), [
    { type: "send", to: B, message: request, early: true },
    { type: "send", to: C, message: request, early: true },
    { type: "status", role: "pre-candidate", term: t(3), leader: null },
  ]);
  assertEquals([core.term, core.vote], [3, B]);
});

Deno.test("step() answers a rehearsal without a new term, a vote, or a write (thesis 9.6)", () => {
  const core = start({ term: 3 });
  assertEquals(hear(core, B, voteRequest({ term: t(4), pre: true })), [
    { type: "send", to: B, message: voteReply({ term: t(4), pre: true }), early: false },
  ]);
  assertEquals(hear(core, C, voteRequest({ term: t(4), pre: true })), [
    { type: "send", to: C, message: voteReply({ term: t(4), pre: true }), early: false },
  ]);
  assertEquals([core.term, core.vote], [3, null]);
});

Deno.test("step() stays in its term for ever while nobody grants its rehearsals (bug 26)", () => {
  const core = start({ term: 3 });
  tick(core, 1_000);
  assertEquals([core.term, core.vote], [3, null]);
});

Deno.test("step() ends a rehearsal that a majority refused, and waits", () => {
  const core = start({ term: 3 });
  tickToCampaign(core);
  for (const id of [B, C]) hear(core, id, voteReply({ term: t(2), pre: true, granted: false }));
  assertEquals([core.role, core.term], ["follower", 3]);
});

Deno.test("step() counts anew from its rehearsal on: the election has a whole timeout (5.2)", () => {
  for (let seed = 1; seed <= 10; seed++) {
    const core = start({ term: 3, seed });
    const { electionTicks } = core.limits;
    tickToCampaign(core);
    tick(core, electionTicks - 1);
    hear(core, B, voteReply({ term: t(4), pre: true }));
    assertEquals([core.role, core.term], ["candidate", 4]);
    tick(core, electionTicks - 1);
    assertEquals([core.role, core.term], ["candidate", 4], `seed ${seed}`);
  }
});

Deno.test("step() takes no grant of another rehearsal's term, and no real vote, for one of this", () => {
  const core = start({ term: 3 });
  tickToCampaign(core);
  hear(core, B, voteReply({ term: t(3), pre: true }));
  hear(core, B, voteReply({ term: t(3), pre: false }));
  assertEquals(core.role, "pre-candidate");
  hear(core, B, voteReply({ term: t(4), pre: true }));
  assertEquals(core.role, "candidate");
  hear(core, C, voteReply({ term: t(4), pre: true }));
  assertEquals(core.role, "candidate");
});

Deno.test("step() moves to the term of a voter that refused a rehearsal for being behind (bug 27)", () => {
  // a has the longer log but the lower term; b the higher term but the shorter log.
  const behind = start({ log: [1, 1, 3], term: 3 });
  const ahead = start({ id: B, log: [1, 1], term: 5 });
  const [request] = sent(tickToCampaign(behind));
  const [refusal] = sent(hear(ahead, A, request.message));
  assertEquals(refusal.message, voteReply({ term: t(5), pre: true, granted: false }));
  hear(behind, B, refusal.message);
  assertEquals([behind.role, behind.term], ["follower", 5]);
  const [again] = sent(tickToCampaign(behind));
  const [grant] = sent(hear(ahead, A, again.message));
  hear(behind, B, grant.message);
  assertEquals([behind.role, behind.term], ["candidate", 6]);
});

for (const pre of [true, false]) {
  const what = pre ? "rehearsals" : "requests for votes";
  Deno.test(`step() ignores ${what} while it hears a leader, its term included (thesis 4.2.3)`, () => {
    const request = voteRequest({ term: t(9), pre, lastTerm: t(8), lastIndex: i(99) });
    const core = start({ term: 2 });
    hear(core, B, appendRequest({ term: t(2) }));
    tick(core, 9);
    assertEquals(hear(core, C, request), []);
    assertEquals([core.term, core.leader], [2, B]);
    const leader = leadSettled(start());
    assertEquals(hear(leader, C, request), []);
    assertEquals([leader.role, leader.term], ["leader", 1]);
  });

  Deno.test(`step() answers ${what} again when the leader was silent for an election timeout`, () => {
    const core = start({ term: 2, seed: 4 });
    hear(core, B, appendRequest({ term: t(2) }));
    assertEquals(core.electionTimeoutTicks > 10, true);
    tick(core, 10);
    const [reply] = sent(hear(core, C, voteRequest({ term: t(3), pre })));
    assertEquals(reply.message, voteReply({ term: t(3), pre }));
  });

  Deno.test(`step() answers ${what} that the leader itself has asked for (thesis 3.10)`, () => {
    const core = start({ term: 2 });
    hear(core, B, appendRequest({ term: t(2) }));
    const [reply] = sent(hear(core, C, voteRequest({ term: t(3), pre, transfer: true })));
    assertEquals(reply.message, voteReply({ term: t(3), pre }));
  });
}

Deno.test("step() asks again until voters no longer hear the old leader, without waiting a timeout", () => {
  const core = start();
  const first = sent(tickToCampaign(core)).map(({ to }) => to);
  assertEquals(first, [B, C]);
  assertEquals(sent(tick(core)), []);
  assertEquals(sent(tick(core)).map(({ to }) => to), [B, C]);
});

Deno.test("step() steps down as leader when it has heard no quorum for an election timeout (thesis 6.2)", () => {
  const core = leadSettled(start());
  tick(core, 9);
  assertEquals(core.role, "leader");
  assertEquals(tick(core), [{ type: "status", role: "follower", term: t(1), leader: null }]);
});

Deno.test("step() stays leader as long as it hears a quorum, whoever that is (thesis 6.2)", () => {
  const core = leadSettled(start({ configuration: configuration([A, B, C, D, E]) }));
  for (let n = 0; n < 30; n++) {
    tick(core, 9);
    for (const id of n % 2 === 0 ? [B, C] : [D, E]) {
      hear(core, id, appendReply({ term: t(1), index: i(1) }));
    }
  }
  assertEquals(core.role, "leader");
  tick(core, 9);
  hear(core, B, appendReply({ term: t(1), index: i(1) }));
  tick(core);
  assertEquals(core.role, "follower");
});

Deno.test("step() does not count learners for the quorum that it must hear", () => {
  const core = lead(start({
    configuration: configurationOf([A, B, C], { learners: [D, E] }),
  }));
  for (let n = 0; n < 10; n++) {
    tick(core);
    for (const id of [D, E]) hear(core, id, appendReply({ term: t(1), index: i(1) }));
  }
  assertEquals(core.role, "follower");
});

Deno.test("step() steps a leader down for a member stuck in a later term, so that it can come back", () => {
  const stuck = start({ id: C, term: 6 });
  const leader = leadSettled(start());
  const [heartbeat] = sent(tick(leader, 2)).filter(({ to }) => to === C);
  const [refusal] = sent(hear(stuck, A, heartbeat.message));
  assertEquals(
    refusal.message,
    appendReply({ term: t(6), success: false }),
  );
  assertEquals(only(hear(leader, C, refusal.message), "status"), [
    { type: "status", role: "follower", term: t(6), leader: null },
  ]);
});
