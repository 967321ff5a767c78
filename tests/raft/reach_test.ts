/** Whether a leader can commit without its own disk for now. */
import { assertEquals } from "@std/assert";
import { HEARTBEAT_TICKS } from "../../actors/limits_replica.ts";
import { othersSuffice } from "../../raft/reach.ts";
import { leaderOf, membersOf } from "./changes.ts";
import {
  A,
  acknowledge,
  appendReply,
  B,
  bytes,
  C,
  D,
  E,
  hear,
  lead,
  propose,
  start,
  t,
  tick,
} from "./script.ts";
import type { NodeId } from "../../raft/mod.ts";

/** A settled leader of these voters which the peers in `heard` have just answered. */
function leaderHeardBy(voters: readonly NodeId[], heard: readonly NodeId[]) {
  const core = leaderOf(membersOf(voters));
  tick(core, core.limits.heartbeatTicks + 1);
  for (const peer of heard) acknowledge(core, peer);
  return core;
}

Deno.test("othersSuffice() asks for a quorum beside the leader", () => {
  const cases: readonly [readonly NodeId[], readonly NodeId[], boolean][] = [
    [[A], [], false],
    [[A, B], [B], false],
    [[A, B, C], [B, C], true],
    [[A, B, C], [B], false],
    [[A, B, C], [], false],
    [[A, B, C, D], [B, C], false],
    [[A, B, C, D, E], [B, C, D], true],
    [[A, B, C, D, E], [B, C], false],
  ];
  for (const [voters, heard, expected] of cases) {
    assertEquals(othersSuffice(leaderHeardBy(voters, heard)), expected, `${voters}: ${heard}`);
  }
});

Deno.test("othersSuffice() asks for a quorum of both halves of a joint configuration", () => {
  const joint = membersOf([A, B, C], { votersOutgoing: [A, B, D] });
  const core = lead(start({ configuration: joint }));
  // As if they had answered; real answers would commit the way out of the joint configuration.
  const answered = { counts: true, probing: false, heardTick: core.ticks };
  for (const peer of [B, C]) Object.assign(core.progress.get(peer)!, answered);
  assertEquals(othersSuffice(core), false);
  Object.assign(core.progress.get(D)!, answered);
  assertEquals(othersSuffice(core), true);
});

Deno.test("othersSuffice() forgets a peer after a heartbeat's time without an answer", () => {
  const core = leaderHeardBy([A, B, C], [B, C]);
  tick(core, core.limits.heartbeatTicks);
  assertEquals(othersSuffice(core), true);
  tick(core);
  assertEquals(othersSuffice(core), false);
  assertEquals(core.limits.heartbeatTicks <= HEARTBEAT_TICKS, true);
});

Deno.test("othersSuffice() does not count a peer that is probed", () => {
  const core = leaderHeardBy([A, B, C], [B, C]);
  propose(core, bytes(1));
  const { lastIndex } = core.log;
  hear(core, C, appendReply({ term: t(core.term), success: false, index: lastIndex }));
  assertEquals(core.progress.get(C)!.probing, true);
  assertEquals(othersSuffice(core), false);
});
