/**
 * Voters that stand by a leader (thesis 4.2.3 and 6.2): for as long as its lease may count on them,
 * whatever else they hear, and after a restart.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import type { Core } from "../../raft/mod.ts";
import { leaderOf, membersOf } from "./changes.ts";
import {
  A,
  acknowledge,
  appendRequest,
  B,
  C,
  D,
  hear,
  i,
  only,
  persisted,
  sent,
  snapshotInfo,
  start,
  t,
  tick,
  voteReply,
  voteRequest,
} from "./script.ts";

/** The ticks that pass until `core` answers requests for votes. */
function ticksOfSilence(core: Core, from = C): number {
  for (let ticks = 0; ticks < 20; ticks++) {
    const request = voteRequest({ term: t(core.term + 1), pre: true, lastIndex: i(9) });
    if (hear(core, from, { ...request, lastTerm: t(core.term) }).length > 0) return ticks;
    tick(core);
  }
  return Infinity;
}

Deno.test("step() stands by its leader for an election timeout", () => {
  const core = start({ term: 1 });
  hear(core, B, appendRequest({ term: t(1) }));
  assertEquals(ticksOfSilence(core), 10);
});

Deno.test("step() stands by its leader however long it counts its own timeout already", () => {
  const core = start({ term: 1 });
  tick(core, 8);
  hear(core, B, appendRequest({ term: t(1) }));
  assertEquals(ticksOfSilence(core), 10);
});

Deno.test("step() stands by a leader whose snapshot it receives", () => {
  const core = start({ term: 1 });
  const data = new Uint8Array(2);
  const info = snapshotInfo({ index: i(5) });
  hear(core, B, { type: "snapshot-chunk", term: t(1), info, chunk: 0, data });
  assertEquals(ticksOfSilence(core), 10);
});

Deno.test("step() stands by a leader whose term it hears to be over", () => {
  // Somebody rehearsed while the leader was not heard, and won. Its late answer raises the term; a vote
  // at once would elect it while the leader still holds a lease on what this node last acknowledged.
  const core = start({ term: 1 });
  hear(core, B, appendRequest({ term: t(1) }));
  tick(core, 3);
  hear(core, C, voteReply({ term: t(2), pre: true, granted: false }));
  assertEquals([core.term, core.leader], [2, null]);
  assertEquals(ticksOfSilence(core), 7);
});

Deno.test("step() votes for nobody just after a restart: it forgot whom it heard", () => {
  const core = start({ term: 1, justStarted: true });
  const request = voteRequest({ term: t(2), lastIndex: i(9), lastTerm: t(1) });
  assertEquals(hear(core, C, request), []);
  assertEquals(core.term, 1);
  assertEquals(ticksOfSilence(core), 10);
});

Deno.test("step() votes just after a restart if the leader asked for the election", () => {
  const core = start({ term: 1, justStarted: true });
  const request = voteRequest({ term: t(2), transfer: true, lastIndex: i(9), lastTerm: t(1) });
  assertEquals(sent(hear(core, C, request)).map(({ message }) => message), [
    voteReply({ term: t(2) }),
  ]);
});

Deno.test("step() of a new replica votes at once: it can have heard nobody", () => {
  const core = start({ justStarted: true });
  assertEquals(ticksOfSilence(core), 0);
});

Deno.test("step() that just started campaigns no later for that", () => {
  const core = start({ term: 1, justStarted: true });
  for (let ticks = 1; ticks < core.electionTimeoutTicks; ticks++) tick(core);
  assertEquals(core.role, "follower");
  tick(core);
  assertEquals(core.role, "pre-candidate");
});

Deno.test("step() that leads does not answer requests for votes, of members or strangers (bug 26)", () => {
  const core = leaderOf(membersOf([A, B, C]));
  persisted(core);
  for (const from of [B, D]) {
    for (const pre of [false, true]) {
      assertEquals(hear(core, from, voteRequest({ term: t(9), pre, lastIndex: i(9) })), []);
    }
  }
  assertEquals([core.role, core.term], ["leader", 1]);
});

Deno.test("step() that hears a leader is not disturbed by a removed node (bug 26)", () => {
  const core = start({ configuration: membersOf([A, B, C]), term: 1 });
  hear(core, B, appendRequest({ term: t(1) }));
  for (const pre of [false, true]) {
    assertEquals(hear(core, D, voteRequest({ term: t(9), pre, lastIndex: i(9) })), []);
  }
  assertEquals([core.term, core.leader], [1, B]);
});

Deno.test("step() that cannot reach a quorum steps down, half-connected or not (bug 26)", () => {
  // It is heard by all, but hears only c.
  const core = leaderOf(membersOf([A, B, C, D]));
  for (let ticks = 1; ticks < 10; ticks++) {
    tick(core);
    acknowledge(core, C);
    assertEquals(core.role, "leader");
  }
  assertEquals(only(tick(core), "status"), [
    { type: "status", role: "follower", term: t(1), leader: null },
  ]);
});
