/**
 * What becomes of members that leave (section 6, thesis 4.2): of a leader, of who may still be needed, of
 * who has to be told; and of nodes that never were members.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { configurationOf, createCore } from "../../raft/mod.ts";
import {
  add,
  change,
  configurationEntry,
  configurationsIn,
  leaderOf,
  membersOf,
  refused,
  remove,
  replicate,
  transfer,
} from "./changes.ts";
import {
  A,
  acknowledge,
  appendReply,
  appendRequest,
  appendsTo,
  B,
  C,
  D,
  E,
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
  take,
  tick,
  voteRequest,
  wholeLog,
} from "./script.ts";

const THREE = membersOf([A, B, C]);

Deno.test("step() that leads but is removed does not count itself, hands over and steps down (6)", () => {
  const core = leaderOf(THREE);
  change(core, remove(A));
  replicate(core, B, C);
  assertEquals(core.configuration.voters, [B, C]);
  // It takes nothing more that the next leader would lack.
  assertEquals(propose(core, new Uint8Array(1)), [{ type: "refused", count: 1 }]);
  hear(core, B, { type: "forward", term: t(1), commands: [new Uint8Array(1)] });
  assertEquals(core.log.lastIndex, 3);
  assertEquals(transfer(core, B), refused("not-ready"));
  persisted(core);
  // Its own copy and B's are no majority of B and C.
  assertEquals(only(acknowledge(core, B), "commit"), []);
  const effects = acknowledge(core, C);
  assertEquals(effects.slice(0, 2), [
    { type: "commit", index: i(3) },
    { type: "configuration", configuration: membersOf([B, C]), index: i(3), committed: true },
  ]);
  assertEquals(appendsTo(effects, B).map(({ commit }) => commit), [i(3)]);
  assertEquals(sent(effects).filter(({ message }) => message.type === "timeout-now"), [
    { to: B, message: { type: "timeout-now", term: t(1) }, early: true },
  ]);
  assertEquals(effects.at(-1), { type: "status", role: "follower", term: t(1), leader: null });
  assertEquals(tick(core, 200), []);
});

Deno.test("step() that is out of the configuration stays out of elections once that is committed", () => {
  const entries = [configurationEntry(membersOf([B, C]), 1, 1)];
  const core = start({ configuration: THREE });
  hear(core, B, appendRequest({ term: t(1), commit: i(1), entries }));
  assertEquals([core.role, core.configuration], ["follower", membersOf([B, C])]);
  assertEquals(sent(tick(core, 200)), []);
  assertEquals([core.role, core.term], ["follower", 1]);
});

Deno.test("step() that is out by an entry that may come to nothing still stands (thesis 4.2.2)", () => {
  // Two voters, one is to leave, and the other has crashed before it got C_new: this one has the longer
  // log and has to be the one to stand, or nobody ever leads again.
  const joint = membersOf([B], { votersOutgoing: [A, B] });
  const core = start({ configuration: membersOf([A, B]) });
  const entries = [configurationEntry(joint, 1, 1), configurationEntry(membersOf([B]), 2, 1)];
  hear(core, B, appendRequest({ term: t(1), commit: i(1), entries }));
  lead(core);
  assertEquals(core.term, 2);
  persisted(core);
  // It leads without a vote of its own for the commit, and leaves as soon as C_new has one.
  const effects = acknowledge(core, B);
  assertEquals(only(effects, "commit"), [{ type: "commit", index: i(3) }]);
  assertEquals(core.role, "follower");
});

Deno.test("step() that was never told of any member never stands (a joiner)", () => {
  const core = start({ configuration: configurationOf([]) });
  assertEquals(tick(core, 200), []);
  // Nor does it vote: under a wiped disk it may have voted before.
  for (const pre of [false, true]) {
    assertEquals(hear(core, B, voteRequest({ term: t(2), pre })), []);
  }
  // It hears whoever leads, and learns who the members are.
  const grown = membersOf([B, C], { learners: [A] });
  const request = appendRequest({ term: t(3), entries: [configurationEntry(grown, 1, 3)] });
  const effects = hear(core, B, request);
  assertEquals(configurationsIn(effects), [[grown, 1, false]]);
  assertEquals([core.leader, core.term, core.configuration], [B, 3, grown]);
  assertEquals(sent(tick(core, 100)), []);
});

Deno.test("step() believes its leader's answers to reads, member or not", () => {
  const core = start({ configuration: THREE });
  hear(core, D, appendRequest({ term: t(1) }));
  read(core, 5);
  const reply = { type: "read-reply", term: t(1), id: 5, granted: true, index: i(0) } as const;
  assertEquals(hear(core, E, reply), []);
  assertEquals(hear(core, D, reply), [{ type: "read-ready", id: 5, index: i(0) }]);
});

Deno.test("step() feeds who was removed until it knows (bug 26)", () => {
  const core = leaderOf(membersOf([A, B, C, D]));
  change(core, remove(D));
  replicate(core, B, C);
  // D gets C_new, though it is not in it.
  acknowledge(core, D, i(2));
  const effects = replicate(core, B, C);
  assertEquals(only(effects, "commit"), [{ type: "commit", index: i(3) }]);
  // It has the entry, but may not know yet that it is committed: this left in the same tick.
  const stored = appendReply({ term: t(1), index: i(3), stamp: core.ticks });
  assertEquals(appendsTo(hear(core, D, stored), D).map(({ commit }) => commit), [i(3)]);
  tick(core, 2);
  // Nor does this say that it has the entry.
  hear(core, D, appendReply({ term: t(1), index: i(2), stamp: core.ticks }));
  assertEquals([...core.progress.keys()], [B, C, D]);
  const told = appendReply({ term: t(1), index: i(3), stamp: core.ticks });
  hear(core, D, told);
  assertEquals([...core.progress.keys()], [B, C]);
  assertEquals(hear(core, D, told), []);
});

Deno.test("step() feeds nobody any more who was removed before its term, or after it", () => {
  const entries = [configurationEntry(membersOf([A, B]), 1, 1)];
  const core = start({ configuration: THREE });
  hear(core, B, appendRequest({ term: t(1), commit: i(1), entries }));
  lead(core);
  assertEquals([...core.progress.keys()], [B]);
  acknowledge(core, B);
  change(core, remove(B));
  for (let n = 0; n < 2; n++) replicate(core, B);
  assertEquals([core.configuration.voters, [...core.departed.keys()]], [[A], [B]]);
  hear(core, C, appendRequest({ term: t(9) }));
  assertEquals([core.role, core.departed.size], ["follower", 0]);
});

Deno.test("step() forgets with its log the configurations that nothing can bring back", () => {
  const core = leaderOf(THREE);
  change(core, add(D));
  replicate(core, B, C);
  change(core, add(E));
  replicate(core, B, C);
  const kept = (index: number) => {
    take(core, { type: "compacted", index: i(index) });
    return core.configurations.map((each) => each.index);
  };
  assertEquals([kept(1), kept(2), kept(3)], [[0, 2, 3], [2, 3], [3]]);
});

Deno.test("step() gives up on a removed member that does not answer", () => {
  const core = leaderOf(membersOf([A, B, C, D]));
  change(core, remove(D));
  replicate(core, B, C);
  replicate(core, B, C);
  assertEquals(core.configuration.voters, [A, B, C]);
  for (let ticks = 0; ticks < 39; ticks++) {
    tick(core);
    for (const id of [B, C]) acknowledge(core, id);
  }
  assertEquals(core.progress.has(D), true);
  tick(core);
  assertEquals(core.progress.has(D), false);
});

Deno.test("step() waits no longer for one that left because others leave after it", () => {
  const core = leaderOf(membersOf([A, B, C, D, E]));
  change(core, remove(D));
  for (let n = 0; n < 2; n++) replicate(core, B, C);
  change(core, remove(E));
  acknowledge(core, D);
  hear(core, D, appendReply({ term: t(1), index: i(3), stamp: core.ticks + 1 }));
  tick(core);
  hear(core, D, appendReply({ term: t(1), index: i(3), stamp: core.ticks }));
  assertEquals([...core.progress.keys()], [B, C, E]);
});

Deno.test("step() that takes office feeds who leaves by a change that is not finished", () => {
  const core = createCore({
    id: A,
    configuration: membersOf([A, B, C]),
    hardState: { term: t(1), vote: null, commit: i(1) },
    log: wholeLog([
      configurationEntry(membersOf([A, B], { votersOutgoing: [A, B, C] }), 1, 1),
      configurationEntry(membersOf([A, B]), 2, 1),
    ]),
    snapshot: null,
    seed: 1,
    damaged: false,
  });
  lead(core);
  assertEquals([...core.progress.keys()].toSorted(), [B, C]);
  assertEquals(only(acknowledge(core, C), "commit"), []);
  assertEquals(only(acknowledge(core, B), "commit").map(({ index }) => index), [3]);
  tick(core, 2);
  hear(core, C, appendReply({ term: t(2), index: i(3), stamp: core.ticks }));
  assertEquals([...core.progress.keys()], [B]);
});

Deno.test("step() takes a late refusal of one that was added again for what it is", () => {
  // What it holds is known already; that its log ended before ours begins was true once.
  const core = leaderOf(membersOf([A, B, C], { learners: [D] }));
  for (let n = 0; n < 3; n++) propose(core, new Uint8Array(1));
  replicate(core, B, C);
  take(core, { type: "compacted", index: i(2) });
  for (const what of [remove(D), add(D)]) {
    change(core, what);
    replicate(core, B, C);
  }
  acknowledge(core, D, i(4));
  const refusal = { success: false, index: i(6), conflictIndex: i(1) };
  hear(core, D, appendReply({ term: t(1), ...refusal }));
  const { match, next, paused } = core.progress.get(D)!;
  assertEquals([match, next, paused], [4, 5, false]);
});

Deno.test("step() believes nothing that a member said before it was removed and added again", () => {
  const core = leaderOf(membersOf([A, B, C, D]));
  change(core, remove(D));
  for (let n = 0; n < 2; n++) replicate(core, B, C, D);
  assertEquals(core.progress.get(D)?.match, 3);
  change(core, add(D));
  assertEquals([core.progress.get(D)?.match, core.progress.get(D)?.probing], [0, true]);
});

Deno.test("step() lets a removed node's later term disturb nobody (bug 26)", () => {
  const core = leaderOf(membersOf([A, B, C, D]));
  change(core, remove(D));
  for (let n = 0; n < 2; n++) replicate(core, B, C);
  for (const success of [true, false]) {
    assertEquals(hear(core, D, appendReply({ term: t(9), success })), []);
  }
  assertEquals([core.role, core.term], ["leader", 1]);
});
