/**
 * How members are added and removed (section 6, thesis 4.2 and 4.3): each step of a change, and what
 * a leader refuses.
 *
 * @module
 */
import { assertEquals, assertThrows } from "@std/assert";
import {
  type ChangeRefusal,
  configurationOf,
  createCore,
  decodeConfiguration,
  type Effect,
  InvariantError,
  type MembershipChange,
  snapshotMeta,
} from "../../raft/mod.ts";
import {
  add,
  address,
  change,
  configurationEntry,
  configurationsIn,
  leaderOf,
  membersOf,
  remove,
  replicate,
} from "./changes.ts";
import {
  A,
  acknowledge,
  appendRequest,
  appendsTo,
  B,
  C,
  D,
  E,
  entriesOf,
  hear,
  i,
  lead,
  only,
  persisted,
  propose,
  snapshotInfo,
  start,
  t,
  tick,
  wholeLog,
} from "./script.ts";

const THREE = membersOf([A, B, C]);

function refusal(reason: ChangeRefusal): Effect[] {
  return [{ type: "change-result", id: 1, result: { status: "refused", reason } }];
}

Deno.test("step() adds a learner in one entry, which takes effect at once (6, thesis 4.2.1)", () => {
  const core = leaderOf(THREE);
  const grown = membersOf([A, B, C], { learners: [D] }, { [D]: 2 });
  const entry = { ...configurationEntry(grown, 2, 1), timeMs: 1_000 };
  const effects = change(core, add(D), 7);
  assertEquals(effects.filter(({ type }) => type !== "send"), [
    { type: "configuration", configuration: grown, index: i(2), committed: false },
    { type: "persist", hardState: null, truncateFrom: null, entries: [entry] },
    { type: "change-result", id: 7, result: { status: "appended", index: i(2) } },
  ]);
  assertEquals(appendsTo(effects, B).map(({ entries }) => entries), [[entry]]);
  // A new member is probed from the log's end.
  assertEquals(appendsTo(effects, D).map(({ prevIndex }) => prevIndex), [i(2)]);
  assertEquals(configurationsIn(replicate(core, B)), [[grown, 2, true]]);
  assertEquals(core.configuration, grown);
});

Deno.test("step() counts no learner for a commit, however far it is", () => {
  const core = leaderOf(THREE);
  change(core, add(D));
  replicate(core, B, D);
  propose(core, new Uint8Array(1));
  assertEquals(only(replicate(core, D), "commit"), []);
  assertEquals(only(acknowledge(core, B), "commit"), [{ type: "commit", index: i(3) }]);
});

Deno.test("step() removes a learner in one entry", () => {
  const core = leaderOf(membersOf([A, B, C], { learners: [D, E] }));
  change(core, remove(D));
  const shrunk = membersOf([A, B, C], { learners: [E] });
  assertEquals(configurationsIn(replicate(core, B)), [[shrunk, 2, true]]);
});

Deno.test("step() removes a voter through a joint configuration, each half committed (6)", () => {
  const core = leaderOf(membersOf([A, B, C, D]));
  const joint = membersOf([A, B, C], { votersOutgoing: [A, B, C, D] });
  assertEquals(configurationsIn(change(core, remove(D))), [[joint, 2, false]]);
  persisted(core);
  // Two of the three that stay, but only two of the four that were.
  assertEquals(only(acknowledge(core, B), "commit"), []);
  const effects = acknowledge(core, D);
  const after = membersOf([A, B, C]);
  assertEquals(only(effects, "commit"), [{ type: "commit", index: i(2) }]);
  // The leader goes on by itself.
  assertEquals(configurationsIn(effects), [[joint, 2, true], [after, 3, false]]);
  persisted(core);
  // D counts no longer.
  assertEquals(only(acknowledge(core, D), "commit"), []);
  assertEquals(configurationsIn(acknowledge(core, C)), [[after, 3, true]]);
});

Deno.test("step() goes on with a change at once when its own disk completes the quorum", () => {
  const core = leaderOf(membersOf([A, B], { learners: [D] }));
  change(core, remove(B));
  acknowledge(core, B);
  const alone = membersOf([A], { learners: [D] });
  assertEquals(configurationsIn(persisted(core)).at(-1), [alone, 3, false]);
  assertEquals(configurationsIn(persisted(core)), [[alone, 3, true]]);
});

Deno.test("step() ends a joint configuration that a former leader left behind", () => {
  const joint = membersOf([A, B, C], { votersOutgoing: [A, B, C, D] });
  const core = createCore({
    id: A,
    configuration: membersOf([A, B, C, D]),
    hardState: { term: t(1), vote: null, commit: i(2) },
    log: wholeLog([...entriesOf([1]), configurationEntry(joint, 2, 1)]),
    snapshot: null,
    seed: 1,
    damaged: false,
  });
  assertEquals(core.configuration, joint);
  lead(core);
  // Committed long ago, but not by an entry of this term.
  tick(core);
  assertEquals(core.log.lastIndex, 3);
  acknowledge(core, B);
  assertEquals(configurationsIn(acknowledge(core, D)), [[membersOf([A, B, C]), 4, false]]);
});

Deno.test("step() takes C_old,new for what it is only while it is in the log: a truncation undoes it", () => {
  const core = start({ log: [1], configuration: THREE });
  const joint = membersOf([A, B], { votersOutgoing: [A, B, C] });
  const shrunk = membersOf([A, B]);
  const adopted = hear(
    core,
    B,
    appendRequest({
      term: t(1),
      prevIndex: i(1),
      prevTerm: t(1),
      entries: [configurationEntry(joint, 2, 1), configurationEntry(shrunk, 3, 1)],
    }),
  );
  assertEquals(configurationsIn(adopted), [[shrunk, 3, false]]);
  const back = (prevIndex: number, inTerm: number) =>
    hear(
      core,
      C,
      appendRequest({
        term: t(inTerm),
        prevIndex: i(prevIndex),
        prevTerm: t(1),
        entries: entriesOf([inTerm], prevIndex + 1),
      }),
    );
  assertEquals(configurationsIn(back(2, 2)), [[joint, 2, false]]);
  assertEquals(configurationsIn(back(1, 3)), [[THREE, 0, true]]);
  assertEquals(core.configuration, THREE);
});

Deno.test("step() says of a member which entry added it, and of one that came back that it is another", () => {
  const core = leaderOf(membersOf([A, B, C, D]));
  change(core, remove(D));
  for (let n = 0; n < 2; n++) replicate(core, B, C);
  change(core, add(D));
  const back = membersOf([A, B, C], { learners: [D] }, { [D]: 4 });
  assertEquals(configurationsIn(replicate(core, B, C)), [[back, 4, true]]);
  // Others come and go beside it, and nothing changes for it.
  change(core, remove(B));
  for (let n = 0; n < 2; n++) replicate(core, B, C);
  change(core, add(E, true));
  const promoting = [{ id: E, replaces: null }];
  const both = membersOf([A, C], { learners: [D, E], promoting }, { [D]: 4, [E]: 7 });
  assertEquals(configurationsIn(replicate(core, C)), [[both, 7, true]]);
  // So it is in the log, and in a snapshot.
  assertEquals(decodeConfiguration(core.log.entry(i(7)).data), both);
  assertEquals(snapshotMeta(core, i(7), 0).configuration, both);
});

Deno.test("step() ignores what an operator's request says of when the member was added", () => {
  const core = leaderOf(THREE);
  const member = { ...address(D), since: i(99) };
  change(core, { type: "add", member, voter: false, replaces: null });
  assertEquals(core.configuration, membersOf([A, B, C], { learners: [D] }, { [D]: 2 }));
});

Deno.test("step() goes back with a truncated return to when the member was added before", () => {
  const core = start({ log: [1], configuration: THREE });
  const joint = membersOf([A, B], { votersOutgoing: [A, B, C] });
  const returned = membersOf([A, B], { learners: [C] }, { [C]: 4 });
  const request = appendRequest({
    term: t(1),
    prevIndex: i(1),
    prevTerm: t(1),
    entries: [
      configurationEntry(joint, 2, 1),
      configurationEntry(membersOf([A, B]), 3, 1),
      configurationEntry(returned, 4, 1),
    ],
  });
  // Of one batch the last one is told: it says that C was away.
  assertEquals(configurationsIn(hear(core, B, request)), [[returned, 4, false]]);
  const other = appendRequest({
    term: t(2),
    prevIndex: i(1),
    prevTerm: t(1),
    entries: entriesOf([2], 2),
  });
  assertEquals(configurationsIn(hear(core, C, other)), [[THREE, 0, true]]);
});

Deno.test("step() tells a follower's shell when a configuration is committed, once", () => {
  const core = start({ log: [1], configuration: THREE });
  const grown = membersOf([A, B, C], { learners: [D] });
  const request = appendRequest({
    term: t(1),
    prevIndex: i(1),
    prevTerm: t(1),
    entries: [configurationEntry(grown, 2, 1), ...entriesOf([1], 3)],
  });
  assertEquals(configurationsIn(hear(core, B, request)), [[grown, 2, false]]);
  assertEquals(configurationsIn(hear(core, B, { ...request, commit: i(2) })), [[grown, 2, true]]);
  assertEquals(configurationsIn(hear(core, B, { ...request, commit: i(3) })), []);
});

Deno.test("createCore() starts in the latest configuration of its log, not in the founders'", () => {
  const joint = membersOf([A], { votersOutgoing: [A, B, C] });
  const alone = membersOf([A]);
  const entries = [configurationEntry(joint, 1, 1), configurationEntry(alone, 2, 1)];
  const core = createCore({
    id: A,
    configuration: THREE,
    hardState: { term: t(1), vote: null, commit: i(0) },
    log: wholeLog([...entries, ...entriesOf([1], 3)]),
    snapshot: null,
    seed: 1,
    damaged: false,
  });
  assertEquals(core.configuration, alone);
});

Deno.test("createCore() starts in its snapshot's configuration, whatever is left of the log before it", () => {
  const grown = membersOf([A, B, C], { learners: [D] });
  const { configurations } = createCore({
    id: A,
    configuration: THREE,
    hardState: { term: t(1), vote: null, commit: i(0) },
    log: wholeLog([configurationEntry(grown, 1, 1), ...entriesOf([1, 1], 2)]),
    snapshot: snapshotInfo({ index: i(2), configuration: grown }),
    seed: 1,
    damaged: false,
  });
  assertEquals(configurations, [{ index: i(2), configuration: grown }]);
});

Deno.test("createCore() and step() do not take a configuration that does not decode", () => {
  const broken = { ...configurationEntry(THREE, 1, 1), data: new Uint8Array([9]) };
  const options = {
    id: A,
    configuration: THREE,
    hardState: { term: t(1), vote: null, commit: i(0) },
    log: wholeLog([broken]),
    snapshot: null,
    seed: 1,
    damaged: false,
  };
  assertThrows(() => createCore(options), InvariantError, "configuration of entry 1");
  const contradictory = { ...options, log: wholeLog(), configuration: configurationOf([A, A]) };
  assertThrows(() => createCore(contradictory), RangeError, "stands in it twice");
  // On the wire it is noise.
  const core = start({ configuration: THREE });
  assertEquals(hear(core, B, appendRequest({ term: t(1), entries: [broken] })), []);
});

Deno.test("step() changes nothing before an entry of the leader's term is committed (bug 25)", () => {
  // Ongaro's report of 2015: a leader that cannot see how far the last change got begins another one.
  const core = lead(start({ configuration: membersOf([A, B, C, D]) }));
  assertEquals(change(core, remove(D)), refusal("not-ready"));
  assertEquals(change(core, add(E)), refusal("not-ready"));
  assertEquals(core.log.lastIndex, 1);
  acknowledge(core, B);
  assertEquals(change(core, remove(D)), refusal("not-ready"));
  acknowledge(core, C);
  assertEquals(only(change(core, remove(D)), "change-result")[0].result.status, "appended");
});

const REFUSALS: [string, MembershipChange, ChangeRefusal][] = [
  ["a member again", add(B), "member-exists"],
  ["a learner again", add(D, true), "member-exists"],
  ["a second voter at one peer address", {
    type: "add",
    member: { id: E, url: "http://e:1", peer: address(B).peer },
    voter: true,
    replaces: null,
  }, "address-in-use"],
  ["a second voter at one URL", {
    type: "add",
    member: { id: E, url: address(D).url, peer: "e:1" },
    voter: false,
    replaces: null,
  }, "address-in-use"],
  ["a node in place of a stranger", add(E, true, "x" as typeof E), "unknown-member"],
  ["a node in place of a learner", add(E, true, D), "unknown-member"],
  ["a second node in place of one voter", add(E, true, C), "change-in-progress"],
  ["a stranger's removal", remove(E), "unknown-member"],
];

for (const [what, asked, reason] of REFUSALS) {
  Deno.test(`step() refuses ${what}: ${reason}`, () => {
    const promoting = [{ id: D, replaces: C }];
    const core = lead(start({ configuration: membersOf([A, B, C], { learners: [D], promoting }) }));
    // D itself is not heard of, or it would be promoted.
    acknowledge(core, B);
    // What was refused leaves no trace but the answer.
    const { lastIndex } = core.log;
    assertEquals(change(core, asked), refusal(reason));
    assertEquals(core.log.lastIndex, lastIndex);
  });
}

Deno.test("step() refuses to remove the last voter, and any change where it does not lead", () => {
  const alone = leaderOf(membersOf([A], { learners: [B] }));
  assertEquals(change(alone, remove(A)), refusal("last-voter"));
  assertEquals(change(start({ configuration: THREE }), remove(B)), refusal("not-leader"));
});

Deno.test("step() removes nobody while those that are left are no majority, but who is dead", () => {
  const core = leaderOf(THREE);
  const ticks = core.limits.electionTicks;
  // C is silent for an election timeout; B answers.
  for (let at = 0; at < ticks; at++) {
    tick(core);
    acknowledge(core, B);
  }
  assertEquals(only(change(core, remove(B)), "change-result"), refusal("quorum-unreachable"));
  assertEquals(core.configuration, THREE);
  const [result] = only(change(core, remove(C)), "change-result");
  assertEquals(result.result.status, "appended");
});

Deno.test("step() makes one change at a time, until its last entry is committed", () => {
  const core = leaderOf(membersOf([A, B, C, D]));
  change(core, add(E));
  assertEquals(change(core, remove(D)), refusal("change-in-progress"));
  replicate(core, B, C);
  change(core, remove(D));
  assertEquals(change(core, remove(E)), refusal("change-in-progress"));
  replicate(core, B, C);
  // The joint half is committed, the other one is not.
  assertEquals(core.configuration.votersOutgoing, []);
  assertEquals(change(core, remove(E)), refusal("change-in-progress"));
  replicate(core, B, C);
  assertEquals(only(change(core, remove(E)), "change-result")[0].result.status, "appended");
});
