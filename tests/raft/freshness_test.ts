/**
 * What bounds the staleness of a replica: replies say when they were sent, and appends echo that once
 * the leader was confirmed after it (raft/freshness.ts).
 *
 * @module
 */
import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { type AppendRequest, type Core, freshness, type NodeId } from "../../raft/mod.ts";
import { configurationOf } from "../../raft/configuration.ts";
import {
  acknowledge,
  appendReply,
  appendRequest,
  B,
  bytes,
  C,
  configuration,
  D,
  hear,
  i,
  lead,
  leadSettled,
  persisted,
  propose,
  sent,
  start,
  t,
  takeStamped,
  tick,
} from "./script.ts";
import { A } from "./script.ts";

/** What the leader's appends of the next tick that brings some to `to` carry. */
function nextAppend(core: Core, to: NodeId): AppendRequest {
  for (let n = 0; n < 10; n++) {
    for (const each of sent(takeStamped(core, { type: "tick", timeMs: 0 }))) {
      if (each.to === to && each.message.type === "append-request") return each.message;
    }
  }
  throw new Error(`Cannot find an append to ${to}: none was sent in 10 ticks`);
}

function answer(core: Core, from: NodeId, fields: { sent?: number; stamp?: number } = {}) {
  const { term, ticks, log: { lastIndex: index } } = core;
  return hear(core, from, appendReply({ term, index, stamp: ticks, ...fields }));
}

/** What a follower's reply to an append with these fields carries as `sent`. */
function reply(core: Core, fields: Partial<AppendRequest> = {}): number {
  const message = appendRequest({ term: t(1), ...fields });
  const [answered] = sent(takeStamped(core, { type: "message", from: B, message, timeMs: 0 }));
  if (answered.message.type !== "append-reply") throw new Error("Cannot read the reply");
  return answered.message.sent;
}

// The leader.

Deno.test("step() echoes a reply once a quorum has confirmed the leader after it, and not before", () => {
  const core = leadSettled(start({ heartbeatTicks: 1 }));
  tick(core);
  answer(core, B, { sent: 500 });
  // The reply came in the tick that it answers: nothing says yet that the leader led after it.
  assertEquals(nextAppend(core, B).echo, 0);
  answer(core, C);
  assertEquals(nextAppend(core, B).echo, 500);
  assertEquals(nextAppend(core, C).echo, 0);
});

Deno.test("step() echoes nothing new while no quorum confirms it, though a follower answers", () => {
  const core = leadSettled(start({
    configuration: configurationOf([A, B, C], { learners: [D] }),
    heartbeatTicks: 1,
  }));
  for (let n = 0; n < 4; n++) {
    tick(core);
    answer(core, D, { sent: 500 + n });
    assertEquals(nextAppend(core, D).echo, 0);
  }
});

Deno.test("step() echoes nothing before an entry of its own term is committed", () => {
  const core = lead(start({ log: [1], term: 1, heartbeatTicks: 1 }));
  for (let n = 0; n < 5; n++) {
    tick(core);
    const { term, ticks: stamp } = core;
    hear(core, B, appendReply({ term, index: i(1), stamp, sent: 500 }));
    assertEquals(nextAppend(core, B).echo, 0);
  }
});

Deno.test("step() is not put off by replies that keep coming", () => {
  const core = leadSettled(start({ heartbeatTicks: 1 }));
  const echoes: number[] = [];
  for (let n = 1; n <= 6; n++) {
    const { echo } = nextAppend(core, B);
    echoes.push(echo);
    for (let each = 0; each < 3; each++) answer(core, B, { sent: 100 * n + each });
  }
  assertEquals(echoes, [0, 0, 100, 200, 300, 400]);
});

Deno.test("step() echoes to a follower that started again what its new life sent", () => {
  const core = leadSettled(start({ heartbeatTicks: 1 }));
  for (const sentAt of [900, 900, 40, 40, 40]) {
    answer(core, B, { sent: sentAt });
    nextAppend(core, B);
  }
  assertEquals(nextAppend(core, B).echo, 40);
});

Deno.test("freshness() of a leader is the tick that a quorum has confirmed, and its commit index", () => {
  const core = leadSettled(start());
  propose(core, bytes(1));
  persisted(core);
  tick(core, 3);
  assertEquals(freshness(core), { tick: 0, index: 1 });
  answer(core, B);
  assertEquals(freshness(core), { tick: core.ticks, index: 2 });
  const alone = lead(start({ configuration: configuration([A]) }));
  assertEquals(freshness(alone), { tick: alone.ticks, index: 1 });
  // It speaks of the past, so neither a jumping clock nor a transfer makes it untrue.
  takeStamped(core, { type: "lease-clock", trusted: false });
  core.stamps.handedOver = true;
  assertEquals(freshness(core), { tick: core.ticks, index: 2 });
});

Deno.test("freshness() of a leader is what it knew before, until it knows what is committed", () => {
  const core = start({ term: 1, log: [1] });
  const sentAt = reply(core);
  tick(core);
  reply(core, { prevIndex: i(1), prevTerm: t(1), echo: sentAt, commit: i(1) });
  const before = freshness(core);
  assertEquals(before, { tick: 0, index: 1 });
  lead(core);
  for (const id of [B, C]) {
    hear(core, id, appendReply({ term: core.term, index: i(1), stamp: core.ticks }));
  }
  assertEquals([core.commitIndex, freshness(core)], [1, before]);
  acknowledge(core, B);
  answer(core, C);
  assertEquals(freshness(core), { tick: core.ticks, index: 2 });
});

// The follower.

Deno.test("freshness() of a follower is its own tick that the leader echoes, with the leader's commit index", () => {
  const core = start({ term: 1 });
  assertEquals(freshness(core), null);
  tick(core, 2);
  const first = reply(core);
  tick(core, 3);
  assertEquals(reply(core) - first, 3);
  assertEquals(freshness(core), null);
  reply(core, { echo: first, commit: i(7) });
  assertEquals(freshness(core), { tick: 2, index: 7 });
});

Deno.test("freshness() keeps the later tick, and of claims for one tick the first", () => {
  const core = start({ term: 1 });
  const first = reply(core);
  tick(core, 3);
  const second = reply(core);
  reply(core, { echo: second, commit: i(7) });
  reply(core, { echo: first, commit: i(6) });
  reply(core, { echo: second, commit: i(8) });
  assertEquals(freshness(core), { tick: 3, index: 7 });
});

Deno.test("freshness() believes no echo of what was not sent, nor one of an earlier term", () => {
  const core = start({ term: 1 });
  const now = reply(core);
  for (const echo of [0, 1, now - 1, now + 1]) reply(core, { echo, commit: i(7) });
  assertEquals(freshness(core), null);
  tick(core);
  reply(core, { term: t(2) });
  reply(core, { term: t(1), echo: now, commit: i(7) });
  assertEquals(freshness(core), null);
});

Deno.test("freshness() tells its own replies from those of an earlier life", () => {
  const lives = [1, 2, 3, 4].map((seed) => {
    const core = start({ term: 1, seed });
    tick(core, 4);
    return { core, sentAt: reply(core) };
  });
  for (const { core } of lives) {
    for (const { core: other, sentAt } of lives) {
      if (other === core) continue;
      assertNotEquals(sentAt, reply(core));
      reply(core, { echo: sentAt, commit: i(7) });
    }
    assertEquals(freshness(core), null);
  }
});

Deno.test("freshness() survives the leader: what was true of a tick stays true", () => {
  const core = start({ term: 1 });
  const sentAt = reply(core);
  reply(core, { echo: sentAt, commit: i(7) });
  hear(core, C, appendRequest({ term: t(2) }));
  assertEquals(freshness(core), { tick: 0, index: 7 });
});

Deno.test("what a reply carries stays a whole number that fits on the wire", () => {
  for (const seed of [0, 1, 2 ** 31, 2 ** 32 - 1]) {
    const sentAt = reply(start({ term: 1, seed }));
    assert(Number.isSafeInteger(sentAt) && sentAt > 0 && sentAt < 2 ** 47);
  }
});
