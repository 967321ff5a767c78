/**
 * Leadership transfer (thesis 3.10), and leaving office unasked.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { configurationOf, type Core, type Effect, type Message } from "../../raft/mod.ts";
import { add, change, leaderOf, membersOf, refused, replicate, transfer } from "./changes.ts";
import {
  A,
  acknowledge,
  appendReply,
  appendRequest,
  appendsTo,
  B,
  bytes,
  C,
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
  sent,
  start,
  t,
  take,
  tick,
  tickToCampaign,
  voteReply,
  voteRequest,
} from "./script.ts";

const THREE = membersOf([A, B, C]);
const TIMEOUT_NOW: Message = { type: "timeout-now", term: t(1) };
const MOVE: Effect = { type: "send", to: B, message: TIMEOUT_NOW, early: true };

/** The receivers of timeout-now among the effects. */
function asked(effects: readonly Effect[]) {
  return sent(effects).flatMap(({ to, message }) => message.type === "timeout-now" ? [to] : []);
}

function results(effects: readonly Effect[]) {
  return only(effects, "transfer-result").map(({ id, result }) => ({ id, ...result }));
}

function stand(core: Core, standing: boolean): Effect[] {
  return take(core, { type: "stand", standing });
}

Deno.test("step() asks a target that has it all to stand, at once (thesis 3.10)", () => {
  const core = leaderOf(THREE);
  assertEquals(transfer(core, B), [MOVE]);
  assertEquals(core.role, "leader");
});

Deno.test("step() says that leadership moved when it sees the later term", () => {
  const core = leaderOf(THREE);
  transfer(core, B, 5);
  const request = voteRequest({
    term: t(2),
    transfer: true,
    lastIndex: core.log.lastIndex,
    lastTerm: core.log.lastTerm,
  });
  // The vote itself is held against the leader that it is; the next leader's append tells it.
  assertEquals(hear(core, B, { ...request, transfer: false }), []);
  const effects = hear(core, B, request);
  assertEquals(results(effects), [{ id: 5, status: "moved", to: B }]);
  assertEquals([core.role, core.term, core.vote], ["follower", 2, B]);
});

Deno.test("step() waits until the target has durably what it lacks (bug 29)", () => {
  const core = leaderOf(THREE);
  propose(core, bytes(1));
  propose(core, bytes(2));
  persisted(core);
  // The target was sent both entries, and has flushed neither; then one.
  assertEquals(transfer(core, B), []);
  acknowledge(core, C);
  assertEquals(asked(acknowledge(core, B, i(2))), []);
  assertEquals(core.stamps.handedOver, false);
  assertEquals(asked(acknowledge(core, B)), [B]);
  assertEquals(core.stamps.handedOver, true);
  // Answers that were on the way do not make it ask again.
  assertEquals(asked(acknowledge(core, B)), []);
});

Deno.test("step() takes no proposals while it hands over, and takes them again when it gives up", () => {
  const core = leaderOf(THREE);
  transfer(core, B, 3);
  assertEquals(propose(core, bytes(1)), [{ type: "refused", count: 1 }]);
  hear(core, C, { type: "forward", term: t(1), commands: [bytes(2)] });
  assertEquals(change(core, add(D)), [
    { type: "change-result", id: 1, result: { status: "refused", reason: "not-ready" } },
  ]);
  assertEquals(core.log.lastIndex, 1);
  for (let ticks = 1; ticks < 10; ticks++) {
    assertEquals(results(tick(core)), []);
    acknowledge(core, C);
  }
  assertEquals(results(tick(core)), [{ id: 3, status: "timed-out", to: B }]);
  assertEquals(core.role, "leader");
  assertEquals(only(propose(core, bytes(1)), "accepted").length, 1);
});

Deno.test("step() repeats its request to the target: it may have been lost", () => {
  const core = leaderOf(THREE);
  transfer(core, B);
  assertEquals([1, 2, 3, 4].map(() => asked(tick(core))), [[], [B], [], [B]]);
});

Deno.test("step() keeps its leases void for the rest of the term, transferred or not (bug 21)", () => {
  const core = leaderOf(THREE);
  transfer(core, B);
  for (let ticks = 0; ticks < 10; ticks++) {
    tick(core);
    for (const id of [B, C]) acknowledge(core, id);
  }
  assertEquals([core.role, core.transfer, core.stamps.handedOver], ["leader", null, true]);
  // In its next term it is trusted again.
  hear(core, B, appendReply({ term: t(7), success: false }));
  leadSettled(core);
  assertEquals([core.term, core.stamps.handedOver], [8, false]);
});

Deno.test("step() says so when it loses office to somebody else before the target was asked", () => {
  const core = leaderOf(THREE);
  propose(core, bytes(1));
  transfer(core, B, 4);
  assertEquals(results(hear(core, C, appendReply({ term: t(3), success: false }))), [
    { id: 4, status: "refused", reason: "not-leader" },
  ]);
});

Deno.test("step() does not say that leadership moved when it only lost its quorum", () => {
  const core = leaderOf(THREE);
  tick(core, 5);
  transfer(core, B, 4);
  assertEquals(results(tick(core, 5)), [{ id: 4, status: "refused", reason: "not-leader" }]);
  assertEquals([core.role, core.term], ["follower", 1]);
});

Deno.test("step() refuses a transfer where it does not lead, is not ready, or hands over already", () => {
  assertEquals(transfer(start({ configuration: THREE }), B), refused("not-leader"));
  const fresh = lead(start({ configuration: THREE }));
  assertEquals(transfer(fresh, B), refused("not-ready"));
  const core = leaderOf(THREE);
  transfer(core, B);
  for (const to of [B, C, null, A]) {
    assertEquals(transfer(core, to, 2), refused("transfer-in-progress", 2));
  }
});

Deno.test("step() refuses a transfer to strangers, to learners and to voters on their way out", () => {
  const core = leaderOf(membersOf([A, B, C], { learners: [D] }));
  assertEquals(transfer(core, E), refused("unknown-member"));
  assertEquals(transfer(core, D), refused("not-a-voter"));
  change(core, { type: "remove", id: C });
  assertEquals(transfer(core, C), refused("not-a-voter"));
  const alone = leaderOf(membersOf([A], { learners: [D] }));
  assertEquals(transfer(alone, null), refused("not-a-voter"));
});

Deno.test("step() refuses a transfer to a voter that it does not hear", () => {
  const core = leaderOf(THREE);
  for (let ticks = 0; ticks < 10; ticks++) {
    tick(core);
    acknowledge(core, C);
  }
  assertEquals(transfer(core, B), refused("target-unreachable"));
  // One that was never heard, and one that is damaged, are no better.
  const other = lead(start({ configuration: THREE }));
  acknowledge(other, C);
  assertEquals(transfer(other, B), refused("target-unreachable"));
  hear(other, B, appendReply({ term: t(1), index: i(1), counts: false }));
  assertEquals(transfer(other, B), refused("target-unreachable"));
});

Deno.test("step() refuses a transfer to a voter that lacks more than a leader holds uncommitted", () => {
  const core = leadSettled(start({ configuration: THREE, uncommittedBytesMax: 100 }));
  for (let n = 0; n < 6; n++) {
    propose(core, bytes(n));
    persisted(core);
    acknowledge(core, C);
  }
  // Six entries of 18 bytes.
  assertEquals(transfer(core, B), refused("target-lagging"));
  acknowledge(core, B, i(2));
  assertEquals(transfer(core, B), []);
});

Deno.test("step() refuses a transfer to a voter that waits for a snapshot", () => {
  const core = leadSettled(start({ configuration: THREE }));
  for (let n = 0; n < 3; n++) {
    propose(core, bytes(n));
    persisted(core);
    acknowledge(core, C);
  }
  take(core, { type: "compacted", index: i(3) });
  assertEquals(transfer(core, B), refused("target-lagging"));
});

Deno.test("step() picks the voter with the longest log among those that it hears", () => {
  const core = leaderOf(membersOf([A, B, C, D], { learners: [E] }));
  propose(core, bytes(1));
  persisted(core);
  for (const id of [E, C]) acknowledge(core, id);
  assertEquals(asked(transfer(core, null)), [C]);
  // The best one is silent.
  const silent = leaderOf(membersOf([A, B, C, D]));
  propose(silent, bytes(1));
  persisted(silent);
  acknowledge(silent, C);
  for (let ticks = 0; ticks < 10; ticks++) {
    tick(silent);
    for (const id of [B, D]) acknowledge(silent, id, i(1));
  }
  assertEquals(transfer(silent, null), []);
  assertEquals(silent.transfer?.to, B);
});

Deno.test("step() has nothing to do when it is asked to hand over to itself", () => {
  const core = leaderOf(THREE);
  assertEquals(transfer(core, A, 6), [
    { type: "transfer-result", id: 6, result: { status: "moved", to: A } },
  ]);
  assertEquals(core.transfer, null);
});

Deno.test("step() goes on with a change that a transfer held up, once that has ended", () => {
  const core = leaderOf(THREE);
  change(core, { type: "remove", id: C });
  transfer(core, B);
  replicate(core, B, C);
  assertEquals([core.commitIndex, core.log.lastIndex], [2, 2]);
  for (let ticks = 0; ticks < 10; ticks++) {
    tick(core);
    for (const id of [B, C]) acknowledge(core, id);
  }
  assertEquals([core.transfer, core.configuration.votersOutgoing], [null, []]);
});

Deno.test("step() stands for election at once when its leader asks, without a rehearsal", () => {
  const core = start({ configuration: THREE });
  hear(core, B, appendRequest({ term: t(1), entries: entriesOf([1]) }));
  const effects = hear(core, B, TIMEOUT_NOW);
  const request = voteRequest({
    term: t(2),
    transfer: true,
    lastIndex: i(1),
    lastTerm: t(1),
  });
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
  // Repeated to who did not answer, still as a transfer.
  hear(core, B, voteReply({ term: t(2), granted: false }));
  const repeated = tick(core, 2).filter(({ type }) => type === "send");
  assertEquals(repeated, [{ type: "send", to: C, message: request, early: false }]);
  // What comes after it is an election as any other.
  hear(core, C, voteReply({ term: t(2), granted: false }));
  const later = sent(tickToCampaign(core)).map(({ message }) => message);
  assertEquals(later.map((each) => each.type === "vote-request" && [each.pre, each.transfer]), [
    [true, false],
    [true, false],
  ]);
});

Deno.test("step() gives a transfer's candidate its vote though it hears a leader", () => {
  const core = start({ configuration: THREE });
  hear(core, B, appendRequest({ term: t(1) }));
  assertEquals(hear(core, C, voteRequest({ term: t(2) })), []);
  const reply = sent(hear(core, C, voteRequest({ term: t(2), transfer: true })));
  assertEquals(reply.map(({ message }) => message), [voteReply({ term: t(2) })]);
});

const NOT_STANDING: [string, (core: Core) => void, Partial<Parameters<typeof start>[0]>][] = [
  ["that is damaged", () => {}, { damaged: true }],
  ["that does not vote", () => {}, { configuration: membersOf([B, C], { learners: [A] }) }],
  ["that no configuration knows", () => {}, { configuration: configurationOf([]) }],
  ["that should not lead", (core) => stand(core, false), {}],
  ["that follows another one", (core) => hear(core, C, appendRequest({ term: t(1) })), {}],
  ["that is in a later term", () => {}, { term: 2 }],
];

for (const [what, prepare, options] of NOT_STANDING) {
  Deno.test(`step() ignores timeout-now at a node ${what}`, () => {
    const core = start({ configuration: THREE, term: 0, ...options });
    prepare(core);
    const { vote } = core;
    hear(core, B, TIMEOUT_NOW);
    assertEquals([core.role, core.vote], ["follower", vote]);
    assertEquals(core.term <= 2, true);
  });
}

Deno.test("step() with a full disk hands over to the best voter and does not wait for it", () => {
  const core = leaderOf(THREE);
  propose(core, bytes(1));
  persisted(core);
  acknowledge(core, C);
  const effects = stand(core, false);
  assertEquals(asked(effects), [C]);
  assertEquals(effects.at(-1), { type: "status", role: "follower", term: t(1), leader: null });
});

Deno.test("step() with a full disk stands only after everybody else had several chances", () => {
  const standing = start({ configuration: THREE, seed: 9 });
  tickToCampaign(standing);
  const core = start({ configuration: THREE, seed: 9, standing: false });
  assertEquals(sent(tick(core, 4 * standing.ticks - 1)), []);
  // Nobody else could: now a leader that takes only some requests is better than none.
  assertEquals(sent(tick(core)).map(({ to }) => to), [B, C]);
  // Told again, it gives way again; and with room again, it stands as any other.
  stand(core, false);
  assertEquals(core.role, "follower");
  stand(core, true);
  tickToCampaign(core);
  assertEquals(core.role, "pre-candidate");
});

Deno.test("step() that is the only voter leads on with a full disk", () => {
  const core = leaderOf(membersOf([A], { learners: [B] }));
  assertEquals(stand(core, false), []);
  assertEquals(core.role, "leader");
  const restarted = start({ configuration: membersOf([A], { learners: [B] }), standing: false });
  tickToCampaign(restarted);
  assertEquals(restarted.role, "leader");
});

Deno.test("step() sends its target the entries that it lacks before it asks", () => {
  const core = leaderOf(THREE);
  propose(core, bytes(1));
  persisted(core);
  acknowledge(core, C);
  // The append was lost: the target says so when it hears the heartbeat behind it.
  transfer(core, B);
  hear(core, B, appendReply({ term: t(1), success: false, index: i(2), conflictIndex: i(2) }));
  assertEquals(core.progress.get(B)?.match, 1);
  assertEquals(asked(acknowledge(core, B)), [B]);
  assertEquals(appendsTo(tick(core, 2), B).length > 0, true);
});
