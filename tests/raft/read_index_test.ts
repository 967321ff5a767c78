/**
 * Linearizable reads through ReadIndex (thesis 6.4), on the leader and through followers.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { confirmedTick } from "../../raft/lease.ts";
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
  hear,
  i,
  lead,
  leadSettled,
  only,
  persisted,
  propose,
  read,
  sent,
  start,
  t,
  takeStamped,
  tick,
  tickToCampaign,
} from "./script.ts";

const SETTLED = { term: t(1), prevIndex: i(1), prevTerm: t(1), commit: i(1) };

Deno.test("step() confirms a read with one round of heartbeats (thesis 6.4)", () => {
  const core = leadSettled(start());
  const round = appendRequest({ ...SETTLED, round: 1 });
  assertEquals(read(core, 7), [
    { type: "send", to: B, message: round, early: true },
    { type: "send", to: C, message: round, early: true },
  ]);
  assertEquals(acknowledge(core, C), [{ type: "read-ready", id: 7, index: i(1) }]);
  assertEquals(acknowledge(core, B), []);
});

Deno.test("step() confirms a read by answers to its own round only, of its own term, refusals included", () => {
  const core = leadSettled(start());
  read(core, 7);
  assertEquals(hear(core, B, appendReply({ term: t(1), index: i(1), round: 0 })), []);
  assertEquals(hear(core, B, appendReply({ term: t(0), index: i(1), round: 1 })), []);
  assertEquals(hear(core, B, appendReply({ term: t(1), index: i(1), round: 2 })), []);
  const refusal = appendReply({ term: t(1), success: false, index: i(1), round: 1 });
  assertEquals(hear(core, B, refusal), [{ type: "read-ready", id: 7, index: i(1) }]);
});

Deno.test("step() counts nobody twice, and no replica under repair, for a round", () => {
  const core = leadSettled(start({ configuration: configuration([A, B, C, D, E]) }));
  read(core, 7);
  acknowledge(core, B);
  assertEquals(only(acknowledge(core, B), "read-ready"), []);
  const repaired = lead(start());
  acknowledge(repaired, C);
  read(repaired, 8);
  hear(repaired, B, appendReply({ term: t(1), index: i(1), round: 1, counts: false }));
  assertEquals(repaired.reads.confirming.length, 1);
});

Deno.test("step() gathers the reads that come while a round is on the way, for the next one", () => {
  const core = leadSettled(start());
  read(core, 1);
  assertEquals([read(core, 2), read(core, 3)], [[], []]);
  propose(core, bytes(9));
  persisted(core);
  const effects = acknowledge(core, B);
  // The commit of index 2 and round 2 travel together.
  assertEquals(effects, [
    { type: "commit", index: i(2) },
    { type: "read-ready", id: 1, index: i(1) },
    {
      type: "send",
      to: B,
      message: appendRequest({
        term: t(1),
        prevIndex: i(2),
        prevTerm: t(1),
        commit: i(2),
        round: 2,
      }),
      early: true,
    },
    {
      type: "send",
      to: C,
      message: appendRequest({
        term: t(1),
        prevIndex: i(1),
        prevTerm: t(1),
        commit: i(2),
        round: 2,
      }),
      early: true,
    },
  ]);
  assertEquals(only(acknowledge(core, B), "read-ready"), [
    { type: "read-ready", id: 2, index: i(2) },
    { type: "read-ready", id: 3, index: i(2) },
  ]);
});

Deno.test("step() lets a read wait until an entry of the leader's own term is committed (8, bug 17)", () => {
  const core = lead(start({ log: [1, 1], term: 1, commit: 1 }));
  assertEquals(read(core, 7), []);
  assertEquals(only(acknowledge(core, B, i(2)), "read-ready"), []);
  const effects = acknowledge(core, B);
  assertEquals(only(effects, "commit"), [{ type: "commit", index: i(3) }]);
  assertEquals([only(effects, "read-ready"), appendsTo(effects, C)[0].round], [[], 1]);
  assertEquals(only(acknowledge(core, B), "read-ready"), [
    { type: "read-ready", id: 7, index: i(3) },
  ]);
});

Deno.test("step() repeats a round that was lost, with the next heartbeat", () => {
  const core = leadSettled(start());
  read(core, 7);
  const [heartbeat] = appendsTo(tick(core, 2), B);
  assertEquals([heartbeat.round, heartbeat.entries.length], [1, 0]);
  assertEquals(only(acknowledge(core, B), "read-ready").length, 1);
});

Deno.test("step() answers a read at once on a node on its own, but not before its first commit", () => {
  const core = start({ configuration: configuration([A]) });
  tickToCampaign(core);
  assertEquals(read(core, 1), []);
  assertEquals(persisted(core), [
    { type: "commit", index: i(1) },
    { type: "read-ready", id: 1, index: i(1) },
  ]);
  assertEquals(read(core, 2), [{ type: "read-ready", id: 2, index: i(1) }]);
});

Deno.test("step() refuses all waiting reads when it stops leading, and answers none of them (bug 19)", () => {
  const core = leadSettled(start());
  read(core, 1);
  read(core, 2);
  hear(core, C, { type: "read-request", term: t(1), id: 30, lease: false });
  const effects = hear(core, B, appendReply({ term: t(4), success: false }));
  assertEquals(only(effects, "read-refused"), [
    { type: "read-refused", id: 1 },
    { type: "read-refused", id: 2 },
  ]);
  const refusal = { type: "read-reply", term: t(4), id: 30, granted: false, index: i(0) } as const;
  assertEquals(sent(effects), [{ to: C, message: refusal, early: false }]);
  assertEquals(hear(core, B, appendReply({ term: t(1), index: i(1), round: 1 })), []);
});

Deno.test("step() refuses waiting reads of a leader that lost its quorum", () => {
  const core = leadSettled(start());
  read(core, 1);
  assertEquals(only(tick(core, 10), "read-refused"), [{ type: "read-refused", id: 1 }]);
});

Deno.test("step() begins rounds anew in each leadership: an answer to an earlier one confirms nothing", () => {
  const core = leadSettled(start());
  for (const id of [1, 2, 3]) {
    read(core, id);
    acknowledge(core, B);
  }
  hear(core, B, appendReply({ term: t(4), success: false }));
  leadSettled(core);
  assertEquals([core.term, core.reads.round], [5, 0]);
  read(core, 4);
  assertEquals(hear(core, B, appendReply({ term: t(1), index: i(1), round: 3 })), []);
  assertEquals(only(acknowledge(core, B), "read-ready").length, 1);
});

Deno.test("step() confirms nothing by an answer in its own term to what it sent in a former one", () => {
  const core = leadSettled(start());
  read(core, 1);
  // This one is slow to reach C.
  const [slow] = appendsTo(tick(core, 2), C);
  const late = { ...slow, stamp: core.ticks };
  assertEquals([late.term, late.round], [1, 1]);
  acknowledge(core, B);
  hear(core, B, appendReply({ term: t(4), success: false }));
  leadSettled(core);
  const voter = start({ id: C, term: core.term, vote: A });
  const input = { type: "message", from: A, timeMs: 0, message: late } as const;
  const [{ to, message }] = sent(takeStamped(voter, input));
  if (message.type !== "append-reply") throw new Error(`Cannot go on: it sent a ${message.type}`);
  assertEquals([to, message.term, message.success], [A, core.term, false]);
  // By now C may have let somebody else lead, and commit.
  read(core, 2);
  const confirmed = confirmedTick(core);
  assertEquals(hear(core, C, message), []);
  assertEquals(confirmedTick(core), confirmed);
  const { round, stamp, index } = message;
  assertEquals({ round, stamp, index }, { round: 0, stamp: 0, index: 0 });
  assertEquals(only(acknowledge(core, C), "read-ready"), [
    { type: "read-ready", id: 2, index: core.commitIndex },
  ]);
});

// Followers.

function follow(options: Parameters<typeof start>[0] = {}) {
  const core = start({ term: 1, ...options });
  hear(core, B, appendRequest({ term: t(1) }));
  return core;
}

Deno.test("step() asks the leader for the index on behalf of a follower's reads", () => {
  const core = follow();
  assertEquals(read(core, 5), [
    {
      type: "send",
      to: B,
      message: { type: "read-request", term: t(1), id: 5, lease: false },
      early: true,
    },
  ]);
  const reply = { type: "read-reply", term: t(1), id: 5, granted: true, index: i(8) } as const;
  assertEquals(hear(core, B, reply), [{ type: "read-ready", id: 5, index: i(8) }]);
  // A doubled answer finds nobody waiting.
  assertEquals(hear(core, B, reply), []);
});

Deno.test("step() serves the reads of followers like its own (thesis 6.4)", () => {
  const core = leadSettled(start());
  const request = { type: "read-request", term: t(1), id: 5, lease: false } as const;
  assertEquals(sent(hear(core, B, request)).map(({ to }) => to), [B, C]);
  assertEquals(acknowledge(core, C), [{
    type: "send",
    to: B,
    message: { type: "read-reply", term: t(1), id: 5, granted: true, index: i(1) },
    early: true,
  }]);
});

Deno.test("step() passes a refusal of the leader on", () => {
  const core = follow();
  read(core, 5);
  const reply = { type: "read-reply", term: t(1), id: 5, granted: false, index: i(0) } as const;
  assertEquals(hear(core, B, reply), [{ type: "read-refused", id: 5 }]);
});

Deno.test("step() refuses reads when it knows no leader", () => {
  const core = start();
  assertEquals(read(core, 5), [{ type: "read-refused", id: 5 }]);
  tickToCampaign(core);
  assertEquals(read(core, 6), [{ type: "read-refused", id: 6 }]);
});

Deno.test("step() refuses a follower's reads when it does not lead that term, with its own term", () => {
  const reply = (term: number) => {
    const message = { type: "read-reply", term: t(term), id: 5, granted: false, index: i(0) };
    return [{ type: "send", to: B, message, early: false }];
  };
  const request = { type: "read-request", term: t(1), id: 5, lease: false } as const;
  assertEquals<unknown>(hear(follow(), B, request), reply(1));
  assertEquals<unknown>(hear(leadSettled(start({ term: 3 })), B, request), reply(4));
});

Deno.test("step() refuses a follower's reads on a new leader or term; late answers are void (bug 19)", () => {
  const core = follow();
  read(core, 5);
  const effects = hear(core, C, appendRequest({ term: t(2) }));
  assertEquals(only(effects, "read-refused"), [{ type: "read-refused", id: 5 }]);
  const late = { type: "read-reply", term: t(1), id: 5, granted: true, index: i(8) } as const;
  assertEquals(hear(core, B, late), []);
  read(core, 6);
  // Neither an answer of the old term, nor one of somebody else, nor one to a read never asked.
  assertEquals(hear(core, C, { ...late, id: 6 }), []);
  assertEquals(hear(core, B, { ...late, id: 6, term: t(2) }), []);
  assertEquals(hear(core, C, { ...late, id: 7, term: t(2) }), []);
  assertEquals(hear(core, C, { ...late, id: 6, term: t(2) }).length, 1);
});

Deno.test("step() refuses a follower's reads that the leader does not answer in time", () => {
  const core = follow({ readTicks: 10 });
  read(core, 5);
  for (let n = 0; n < 9; n++) {
    assertEquals(only(tick(core), "read-refused"), []);
    hear(core, B, appendRequest({ term: t(1) }));
  }
  assertEquals(tick(core), [{ type: "read-refused", id: 5 }]);
});

Deno.test("step() refuses reads beyond readsPendingMax, wherever they wait", () => {
  const leader = leadSettled(start({ readsPendingMax: 2 }));
  read(leader, 1);
  read(leader, 2);
  assertEquals(read(leader, 3), [{ type: "read-refused", id: 3 }]);
  const refused = sent(hear(leader, B, { type: "read-request", term: t(1), id: 4, lease: false }));
  assertEquals(refused.map(({ message }) => message.type), ["read-reply"]);
  const follower = follow({ readsPendingMax: 1 });
  read(follower, 1);
  assertEquals(read(follower, 2), [{ type: "read-refused", id: 2 }]);
});

Deno.test("step() lets no late answer to an earlier attempt answer a read that is asked again (bug 18)", () => {
  const core = follow({ readTicks: 4 });
  read(core, 5);
  for (let n = 0; n < 4; n++) {
    tick(core);
    hear(core, B, appendRequest({ term: t(1) }));
  }
  // Asked again under an id of its own: the round that confirms it begins after it was asked.
  read(core, 6);
  const late = { type: "read-reply", term: t(1), id: 5, granted: true, index: i(3) } as const;
  assertEquals(hear(core, B, late), []);
  assertEquals(hear(core, B, { ...late, id: 6, index: i(8) }), [
    { type: "read-ready", id: 6, index: i(8) },
  ]);
  const leader = leadSettled(start());
  const request = { type: "read-request", term: t(1), id: 5, lease: false } as const;
  hear(leader, B, request);
  propose(leader, bytes(1));
  persisted(leader);
  hear(leader, B, { ...request, id: 6 });
  const replies = [acknowledge(leader, C), acknowledge(leader, C)].map((effects) => {
    return sent(effects).flatMap(({ message }) => {
      return message.type === "read-reply" ? [[message.id, message.index]] : [];
    });
  });
  assertEquals(replies, [[[5, 1]], [[6, 2]]]);
});

Deno.test("step() asks for no more than the leader had committed, though a follower has applied more (bug 22)", () => {
  const core = follow({ log: [1, 1, 1], commit: 3 });
  read(core, 5);
  const reply = { type: "read-reply", term: t(1), id: 5, granted: true, index: i(2) } as const;
  assertEquals(hear(core, B, reply), [{ type: "read-ready", id: 5, index: i(2) }]);
  // The leader's index is what is committed: how far its own state machine is does not come into it.
  const leader = leadSettled(start());
  propose(leader, bytes(1));
  persisted(leader);
  const committed = only(acknowledge(leader, B), "commit");
  read(leader, 6);
  assertEquals(only(acknowledge(leader, B), "read-ready"), [
    { type: "read-ready", id: 6, index: committed[0].index },
  ]);
});
