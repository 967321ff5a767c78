/** How often a replica has what its followers acknowledged made durable. */
import { assertEquals } from "@std/assert";
import { noteAcknowledged } from "../../actors/holdings.ts";
import { ACKNOWLEDGED_KEEP_TICKS } from "../../actors/limits_replica.ts";
import type { State } from "../../actors/replica_state.ts";

Deno.test("what is acknowledged is made durable once in so many ticks, and no more often", () => {
  let kept = 0;
  const state = {
    core: { role: "follower" },
    options: { acknowledged: () => {}, keepAcknowledged: () => void kept++ },
    unkeptTicks: 0,
  } as unknown as State;
  for (let ticks = 1; ticks <= 3 * ACKNOWLEDGED_KEEP_TICKS; ticks++) {
    noteAcknowledged(state, 1);
    assertEquals(kept, Math.floor(ticks / ACKNOWLEDGED_KEEP_TICKS));
  }
});
