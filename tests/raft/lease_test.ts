/**
 * Reads by the leader's lease (thesis 6.4.1), as far as the core goes: as of which tick a quorum stood
 * by the leader. Milliseconds and clocks are the shell's (actors/lease.ts).
 *
 * @module
 */
import { assertEquals, assertThrows } from "@std/assert";
import { type Core, grantByLease, InvariantError, leaseTick, type NodeId } from "../../raft/mod.ts";
import { configurationOf } from "../../raft/configuration.ts";
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
  take,
  takeStamped,
  tick,
  voteRequest,
} from "./script.ts";

/** `from` answers what this leader sent in its tick `stamp`. */
function answer(core: Core, from: NodeId, stamp: number, fields = {}) {
  const index = core.log.lastIndex;
  return hear(core, from, appendReply({ term: core.term, index, stamp, ...fields }));
}

/** A leader whose log all hold, with `ticks` ticks since then in which nobody answered. */
function leadSilent(ticks: number, options = {}): Core {
  const core = leadSettled(start(options));
  tick(core, ticks);
  return core;
}

Deno.test("step() stamps appends with the leader's tick, and a reply gives the stamp back", () => {
  const core = leadSettled(start());
  const now = core.ticks;
  const stamps = [];
  for (let n = 0; n < 5; n++) {
    for (const { to, message } of sent(takeStamped(core, { type: "tick", timeMs: 0 }))) {
      if (to === B && message.type === "append-request") stamps.push(message.stamp);
    }
  }
  assertEquals(stamps, [now + 2, now + 4]);
  const follower = start({ term: 1 });
  const request = appendRequest({ term: t(1), stamp: 77 });
  for (const prevIndex of [0, 9]) {
    const input = { type: "message", from: B, timeMs: 0 } as const;
    const [{ message }] = sent(
      takeStamped(follower, { ...input, message: { ...request, prevIndex: i(prevIndex) } }),
    );
    assertEquals(message.type === "append-reply" && message.stamp, 77);
  }
});

Deno.test("leaseTick() is the latest tick that a quorum has answered", () => {
  const core = leadSilent(6, { configuration: configuration([A, B, C, D, E]) });
  const now = core.ticks;
  answer(core, B, now - 1);
  assertEquals(leaseTick(core), 0);
  answer(core, C, now - 4);
  assertEquals(leaseTick(core), now - 4);
  answer(core, D, now - 2);
  assertEquals(leaseTick(core), now - 2);
  // Late and doubled answers take nothing back, and nobody counts twice.
  answer(core, B, now);
  answer(core, B, now);
  assertEquals(leaseTick(core), now - 2);
  answer(core, B, now - 5);
  answer(core, D, now - 5);
  assertEquals(leaseTick(core), now - 2);
});

Deno.test("leaseTick() takes refusals for answers, too", () => {
  const core = leadSilent(4);
  answer(core, B, core.ticks, { success: false, index: i(9), conflictIndex: i(1) });
  assertEquals(leaseTick(core), core.ticks);
});

Deno.test("leaseTick() believes no answer to what was not sent yet, nor one of another term", () => {
  const core = leadSilent(4);
  answer(core, B, core.ticks + 1);
  answer(core, B, core.ticks, { term: t(0) });
  assertEquals(leaseTick(core), 0);
});

Deno.test("leaseTick() counts neither learners nor replicas under repair", () => {
  const core = leadSilent(4, { configuration: configurationOf([A, B, C], { learners: [D] }) });
  answer(core, D, core.ticks);
  answer(core, B, core.ticks, { counts: false });
  assertEquals(leaseTick(core), 0);
});

/** As `leadSilent`, with the removal of `id` on its way: both configurations are in charge. */
function leadJoint(voters: readonly NodeId[], id: NodeId): Core {
  const core = leadSettled(start({ configuration: configuration(voters) }));
  take(core, { type: "change", id: 1, change: { type: "remove", id }, timeMs: 0 });
  tick(core, 4);
  return core;
}

Deno.test("leaseTick() needs majorities of both configurations while they are joint (6)", () => {
  const outgoing = leadJoint([A, B, C, D], D);
  answer(outgoing, B, outgoing.ticks, { index: i(1) });
  assertEquals(leaseTick(outgoing), 0);
  answer(outgoing, C, outgoing.ticks, { index: i(1) });
  assertEquals(leaseTick(outgoing), outgoing.ticks);
  const incoming = leadJoint([A, B, C], C);
  answer(incoming, C, incoming.ticks, { index: i(1) });
  assertEquals(leaseTick(incoming), 0);
  answer(incoming, B, incoming.ticks, { index: i(1) });
  assertEquals(leaseTick(incoming), incoming.ticks);
});

Deno.test("leaseTick() is this very tick for a node on its own", () => {
  const core = lead(start({ configuration: configuration([A]) }));
  tick(core, 3);
  assertEquals(leaseTick(core), core.ticks);
});

Deno.test("leaseTick() is null before an entry of the leader's own term is committed (8, bug 17)", () => {
  const core = lead(start({ log: [1, 1], term: 1, commit: 1 }));
  answer(core, B, core.ticks, { index: i(2) });
  assertEquals(leaseTick(core), null);
  answer(core, B, core.ticks);
  assertEquals(leaseTick(core), core.ticks);
});

Deno.test("leaseTick() is null for who has not heard from a quorum in this term", () => {
  const core = lead(start());
  assertEquals(leaseTick(core), null);
  assertEquals(leaseTick(start()), null);
});

Deno.test("leaseTick() is null for whoever leads no more, and old answers do not count in a new term", () => {
  const core = leadSilent(2);
  const stamp = core.ticks;
  answer(core, B, stamp);
  hear(core, B, appendReply({ term: t(4), success: false }));
  assertEquals(leaseTick(core), null);
  leadSettled(core);
  answer(core, B, core.ticks, { term: t(1) });
  assertEquals(leaseTick(core), 0);
});

Deno.test("leaseTick() is null while the shell does not trust its clock (bug 20)", () => {
  const core = leadSilent(2);
  answer(core, B, core.ticks);
  assertEquals(take(core, { type: "lease-clock", trusted: false }), []);
  assertEquals(leaseTick(core), null);
  answer(core, C, core.ticks);
  assertEquals(leaseTick(core), null);
  take(core, { type: "lease-clock", trusted: true });
  assertEquals(leaseTick(core), core.ticks);
});

Deno.test("leaseTick() distrusts the clock beyond a change of term", () => {
  const core = leadSettled(start());
  take(core, { type: "lease-clock", trusted: false });
  hear(core, B, appendReply({ term: t(4), success: false }));
  leadSettled(core);
  assertEquals(leaseTick(core), null);
});

Deno.test("leaseTick() falls behind a leader that is not answered, as if its clock were slow (bug 20)", () => {
  const core = leadSilent(0);
  answer(core, B, core.ticks);
  const answered = core.ticks;
  tick(core, 9);
  // The leader goes on for a while; what it may do with so old a tick is for its clock to say.
  assertEquals([core.role, leaseTick(core)], ["leader", answered]);
  tick(core);
  assertEquals([core.role, leaseTick(core)], ["follower", null]);
});

Deno.test("leaseTick() is null for the rest of a term in which another node was asked to take over (bug 21)", () => {
  const core = leadSettled(start());
  answer(core, B, core.ticks);
  assertEquals(leaseTick(core), core.ticks);
  const effects = take(core, { type: "transfer", id: 1, to: B, timeMs: 0 });
  const asked = sent(effects).filter(({ message }) => message.type === "timeout-now");
  assertEquals(asked.map(({ to }) => to), [B]);
  assertEquals(leaseTick(core), null);
  // B does not take over, and the transfer is given up: its votes may still be on the way.
  for (let n = 0; n < 2 * core.limits.electionTicks; n++) {
    tick(core);
    answer(core, B, core.ticks);
    answer(core, C, core.ticks);
    assertEquals([core.role, core.term, leaseTick(core)], ["leader", 1, null]);
  }
  // In its next term nobody was asked anything.
  hear(core, B, appendReply({ term: t(4), success: false }));
  leadSettled(core);
  assertEquals(leaseTick(core), 0);
});

Deno.test("leaseTick() stays while a transfer waits for its target, which is not asked yet", () => {
  const core = leadSettled(start());
  propose(core, bytes(1));
  persisted(core);
  answer(core, C, core.ticks);
  const effects = take(core, { type: "transfer", id: 1, to: B, timeMs: 0 });
  assertEquals(sent(effects).filter(({ message }) => message.type === "timeout-now"), []);
  assertEquals(leaseTick(core), core.ticks);
  answer(core, B, core.ticks);
  assertEquals(leaseTick(core), null);
});

// What a lease rests on: a voter stands by whom it has heard for an election timeout, whatever happens.

Deno.test("step() gives no vote for an election timeout after it has answered an append", () => {
  for (const pre of [false, true]) {
    const core = start({ term: 1 });
    hear(core, B, appendRequest({ term: t(1) }));
    const request = voteRequest({ term: t(2), pre, lastIndex: i(9), lastTerm: t(1) });
    for (let n = 1; n < core.limits.electionTicks; n++) {
      assertEquals(only(tick(core), "send"), []);
      assertEquals(hear(core, C, request), []);
    }
  }
});

Deno.test("step() gives no vote for an election timeout after a restart: it may have answered before", () => {
  const request = voteRequest({ term: t(2), lastIndex: i(9), lastTerm: t(1) });
  const core = start({ term: 1, electionTicks: 5, justStarted: true });
  for (let n = 0; n < 5; n++) {
    assertEquals(hear(core, C, request), []);
    tick(core);
  }
  assertEquals(sent(hear(core, C, request)).map(({ message }) => message.type), ["vote-reply"]);
  // A node that never was in a term cannot have answered anybody.
  const fresh = hear(start({ term: 0, justStarted: true }), C, request);
  assertEquals(sent(fresh).map(({ message }) => message.type), ["vote-reply"]);
});

// Granting.

Deno.test("grantByLease() answers a node's own reads and a follower's with the commit index", () => {
  const core = leadSettled(start());
  propose(core, bytes(1));
  persisted(core);
  assertEquals(grantByLease(core, null, 7), [{ type: "read-ready", id: 7, index: i(1) }]);
  acknowledge(core, B);
  const reply = { type: "read-reply", term: t(1), id: 8, granted: true, index: i(2) } as const;
  assertEquals(grantByLease(core, C, 8), [{ type: "send", to: C, message: reply, early: true }]);
  assertEquals([core.reads.confirming, core.reads.waiting, core.outbox], [[], [], []]);
});

Deno.test("grantByLease() throws where there is no lease, whatever the clock says", () => {
  assertThrows(() => grantByLease(start(), null, 1), InvariantError, "Cannot read by lease");
  const core = leadSettled(start());
  take(core, { type: "lease-clock", trusted: false });
  assertThrows(() => grantByLease(core, C, 1), InvariantError, "Cannot read by lease");
});

Deno.test("step() tells the leader which reads are content with its lease, and confirms them by a round", () => {
  const follower = start({ term: 1 });
  hear(follower, B, appendRequest({ term: t(1) }));
  const asked = { type: "read-request", term: t(1), id: 5, lease: true } as const;
  assertEquals(take(follower, { type: "read", id: 5, lease: true }), [
    { type: "send", to: B, message: asked, early: true },
  ]);
  const core = leadSettled(start());
  assertEquals(only(take(core, { type: "read", id: 6, lease: true }), "read-ready"), []);
  assertEquals(only(hear(core, C, asked), "send"), []);
  assertEquals(only(acknowledge(core, B), "read-ready"), [
    { type: "read-ready", id: 6, index: i(1) },
  ]);
  assertEquals(read(start(), 1), [{ type: "read-refused", id: 1 }]);
});
