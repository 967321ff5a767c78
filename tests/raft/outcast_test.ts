/**
 * A node that the others will not have, because it lost its directory: what it must not do for its like
 * (docs/decisions/0017-incarnations.md).
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { LAST_RESORT_TIMEOUTS } from "../../raft/limits.ts";
import type { Core } from "../../raft/mod.ts";
import { membersOf } from "./changes.ts";
import { A, B, C, hear, i, sent, start, t, take, tick, voteRequest } from "./script.ts";

const THREE = membersOf([A, B, C]);

function outcast(core: Core): Core {
  assertEquals(take(core, { type: "stand", standing: false, outcast: true }), []);
  return core;
}

/** Longer than whoever should not lead waits before it stands all the same. */
function lastResort(core: Core): number {
  return LAST_RESORT_TIMEOUTS * core.electionTimeoutTicks + 1;
}

Deno.test("step() lets an outcast without a log neither stand, not even in the end, nor vote", () => {
  const core = outcast(start({ configuration: THREE }));
  assertEquals(sent(tick(core, lastResort(core))), []);
  for (const pre of [false, true]) {
    for (const transfer of [false, true]) {
      const request = voteRequest({ term: t(9), pre, transfer, lastIndex: i(0), lastTerm: t(0) });
      assertEquals(hear(core, B, request), []);
    }
  }
  assertEquals([core.role, core.term, core.vote], ["follower", 0, null]);
  // Taken for what it is after all, it is as any other.
  take(core, { type: "stand", standing: true });
  tick(core, lastResort(core));
  assertEquals(core.role, "pre-candidate");
});

Deno.test("step() lets an outcast with a log vote, and stand in the end: it knows what it voted", () => {
  const core = outcast(start({ configuration: THREE, log: [1, 1], term: 1 }));
  const request = voteRequest({ term: t(9), pre: true, lastIndex: i(2), lastTerm: t(1) });
  tick(core, core.limits.electionTicks);
  assertEquals(sent(hear(core, B, request)).map(({ to }) => to), [B]);
  tick(core, lastResort(core));
  assertEquals(core.role, "pre-candidate");
});
