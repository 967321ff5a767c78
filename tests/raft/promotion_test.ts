/**
 * How learners become voters (thesis 4.2.1), and what happens while not everybody knows that they did.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import type { Configuration, Core } from "../../raft/mod.ts";
import {
  add,
  change,
  configurationEntry,
  configurationsIn,
  leaderOf,
  membersOf,
  remove,
  replicate,
  transfer,
} from "./changes.ts";
import {
  A,
  acknowledge,
  appendReply,
  appendRequest,
  B,
  bytes,
  C,
  D,
  E,
  entriesOf,
  hear,
  i,
  lead,
  persisted,
  propose,
  sent,
  start,
  t,
  tick,
  tickToCampaign,
  voteReply,
  voteRequest,
} from "./script.ts";

const THREE = membersOf([A, B, C]);

/** A leader of three whose learner d is to be a voter; its entry is committed, d has answered nothing. */
function promoting(replaces: typeof B | null = null): Core {
  const core = leaderOf(THREE);
  change(core, add(D, true, replaces));
  replicate(core, B, C);
  return core;
}

function voters({ voters, votersOutgoing }: Configuration) {
  return [voters, votersOutgoing];
}

Deno.test("step() makes a learner that has caught up a voter, through a joint configuration", () => {
  const core = promoting();
  const since = { [D]: 2 };
  const learner = membersOf([A, B, C], {
    learners: [D],
    promoting: [{ id: D, replaces: null }],
  }, since);
  assertEquals(core.configuration, learner);
  // It is the same member on all the way.
  const joint = membersOf([A, B, C, D], { votersOutgoing: [A, B, C] }, since);
  const after = membersOf([A, B, C, D], {}, since);
  assertEquals(configurationsIn(acknowledge(core, D)), [[joint, 3, false]]);
  assertEquals(configurationsIn(replicate(core, B, C)), [[joint, 3, true], [after, 4, false]]);
  // Three of four now.
  assertEquals(configurationsIn(replicate(core, B)), []);
  assertEquals(configurationsIn(acknowledge(core, D)), [[after, 4, true]]);
});

Deno.test("step() lets the replaced voter go in the step that makes its successor a voter", () => {
  // B is dead, which is why it is replaced.
  const core = leaderOf(THREE);
  change(core, add(D, true, B));
  assertEquals(configurationsIn(replicate(core, C)).length, 1);
  acknowledge(core, D);
  assertEquals(voters(core.configuration), [[A, C, D], [A, B, C]]);
  replicate(core, C, D);
  replicate(core, C);
  assertEquals(core.configuration, membersOf([A, C, D], {}, { [D]: 2 }));
  assertEquals(core.commitIndex, 4);
});

Deno.test("step() promotes only who gets a round's entries within an election timeout", () => {
  const core = promoting();
  propose(core, bytes(1));
  replicate(core, B, C);
  const quiet = (ticks: number) => {
    for (let n = 0; n < ticks; n++) {
      tick(core);
      for (const id of [B, C]) acknowledge(core, id);
    }
  };
  // The first round took a whole election timeout.
  quiet(10);
  acknowledge(core, D, i(2));
  assertEquals(core.configuration.learners, [D]);
  // The second one is to bring entry 3 and is done in time.
  quiet(9);
  assertEquals(core.promotions.get(D)?.target, 3);
  acknowledge(core, D, i(3));
  assertEquals(core.configuration.learners, []);
});

Deno.test("step() holds a learner to what the log held when the round began, not to its end", () => {
  const core = promoting();
  for (let n = 0; n < 3; n++) propose(core, bytes(n));
  acknowledge(core, D, i(1));
  assertEquals(core.configuration.learners, [D]);
  acknowledge(core, D, i(2));
  assertEquals(core.configuration.learners, []);
});

Deno.test("step() does not promote a learner that nobody asked to be a voter, nor a damaged one", () => {
  const core = leaderOf(membersOf([A, B, C], { learners: [D] }));
  for (let n = 0; n < 5; n++) acknowledge(core, D);
  assertEquals(core.configuration.learners, [D]);
  const other = promoting();
  const reply = appendReply({ term: t(1), index: i(2), counts: false });
  for (let n = 0; n < 5; n++) hear(other, D, reply);
  assertEquals(other.configuration.learners, [D]);
});

Deno.test("step() puts a promotion off while a change or a transfer is under way", () => {
  const core = promoting();
  change(core, add(E));
  acknowledge(core, D);
  assertEquals(core.configuration.learners, [D, E]);
  replicate(core, B, C);
  transfer(core, B);
  acknowledge(core, D);
  assertEquals(core.configuration.learners, [D, E]);
  for (let n = 0; n < 10; n++) {
    tick(core);
    for (const id of [B, C]) acknowledge(core, id);
  }
  // The transfer has failed. The round of that time took long, the next one does not.
  acknowledge(core, D);
  acknowledge(core, D);
  assertEquals(core.configuration.learners, [E]);
});

Deno.test("step() goes on with promotions that a former leader began", () => {
  const core = lead(start({
    configuration: membersOf([A, B, C], {
      learners: [D],
      promoting: [{ id: D, replaces: C }],
    }),
  }));
  acknowledge(core, D);
  assertEquals(core.configuration.learners, [D]);
  acknowledge(core, B);
  acknowledge(core, D);
  assertEquals(voters(core.configuration), [[A, B, D], [A, B, C]]);
});

Deno.test("step() replaces nobody any more if the voter to be replaced was removed meanwhile", () => {
  const core = promoting(C);
  change(core, remove(C));
  for (let n = 0; n < 2; n++) replicate(core, B, C);
  assertEquals(core.configuration.promoting, [{ id: D, replaces: null }]);
  acknowledge(core, D);
  assertEquals(voters(core.configuration), [[A, B, D], [A, B]]);
});

Deno.test("step() forgets a promotion when its learner is removed", () => {
  const core = promoting(C);
  change(core, remove(D));
  assertEquals([core.configuration, core.promotions.size], [membersOf([A, B, C]), 0]);
  // Who no longer leads counts no rounds either.
  const other = promoting();
  hear(other, B, appendReply({ term: t(7), success: false }));
  assertEquals([other.role, other.promotions.size], ["follower", 0]);
});

Deno.test("step() that does not know it was promoted votes all the same (bug 28)", () => {
  // A leader promoted a and crashed before a heard of it. The others cannot elect without a's vote.
  const before = membersOf([B, C], { learners: [A] });
  const core = start({ configuration: before, log: [1], commit: 1 });
  const request = voteRequest({ term: t(2), lastIndex: i(2), lastTerm: t(1) });
  const rehearsal = sent(hear(core, B, { ...request, pre: true }));
  assertEquals(rehearsal.map(({ message }) => message), [voteReply({ term: t(2), pre: true })]);
  const vote = sent(hear(core, B, request));
  assertEquals(vote.map(({ message }) => message), [voteReply({ term: t(2) })]);
  assertEquals(core.vote, B);
});

Deno.test("step() votes for a candidate that it does not know to be a member (bug 28)", () => {
  const core = start({ configuration: THREE, log: [1] });
  const request = voteRequest({ term: t(2), lastIndex: i(2), lastTerm: t(1) });
  assertEquals(sent(hear(core, D, request)).map(({ to, message }) => [to, message]), [
    [D, voteReply({ term: t(2) })],
  ]);
  // And follows it.
  const joint = membersOf([B, C, D], { votersOutgoing: [A, B, C] });
  const entries = [configurationEntry(joint, 2, 1), ...entriesOf([2], 3)];
  hear(core, D, appendRequest({ term: t(2), prevIndex: i(1), prevTerm: t(1), entries }));
  assertEquals([core.leader, core.configuration], [D, joint]);
});

Deno.test("step() is elected by a learner that does not know that it was promoted (bug 28)", () => {
  // a and d hold C_old,new, or will; b is dead, and c lacks nothing but is not enough.
  const joint = membersOf([A, B, D], { votersOutgoing: [A, B, C] });
  const core = start({ configuration: joint });
  assertEquals(sent(tickToCampaign(core)).map(({ to }) => to), [B, D, C]);
  hear(core, C, voteReply({ term: t(1), pre: true }));
  assertEquals(core.role, "pre-candidate");
  hear(core, D, voteReply({ term: t(1), pre: true }));
  for (const id of [C, D]) hear(core, id, voteReply({ term: t(1) }));
  assertEquals(core.role, "leader");
  // And its log reaches d.
  persisted(core);
  acknowledge(core, C);
  acknowledge(core, D);
  assertEquals(core.commitIndex, 1);
});
