import { assert, assertEquals } from "@std/assert";
import { TICK_MS } from "../../actors/limits_replica.ts";
import type { ReplicaMessage } from "../../actors/replica_types.ts";
import { type Pace, Ticker } from "../../actors/ticker.ts";
import type { Ctx } from "../../actors/types.ts";
import { virtualEnv } from "../../actors/virtual_env.ts";
import fc from "fast-check";

/** A ticker whose turns the test makes; `wakes` says when its timer called for one. */
function bench() {
  const env = virtualEnv(1);
  const wakes: number[] = [];
  const ctx = {
    env,
    setTimer: (_message: ReplicaMessage, { delayMs }: { delayMs: number }) =>
      env.setTimer(() => wakes.push(env.now()), delayMs),
  } as unknown as Ctx<ReplicaMessage>;
  const ticker = new Ticker(ctx);
  return { env, wakes, take: (pace: Pace) => ticker.take(env.now(), () => pace) };
}

Deno.test("Ticker ticks once a period while there is something to do", async () => {
  const { env, wakes, take } = bench();
  let ticks = 0;
  for (let ms = 0; ms < 20 * TICK_MS; ms++) {
    await env.advance(1);
    if (wakes.at(-1) === env.now()) ticks += take("busy");
  }
  assertEquals([ticks, wakes.length], [20, 20]);
});

Deno.test("Ticker of a quiet leader wakes it up for its heartbeats, with the ticks since then", async () => {
  const { env, wakes, take } = bench();
  await env.advance(TICK_MS);
  assertEquals(take("quiet-leader"), 1);
  await env.advance(2 * TICK_MS);
  assertEquals(wakes, [TICK_MS, 3 * TICK_MS]);
  assertEquals(take("quiet-leader"), 2);
});

Deno.test("Ticker of a quiet follower rides on what it hears, and needs no timer", async () => {
  const { env, wakes, take } = bench();
  await env.advance(TICK_MS);
  take("quiet-follower");
  let ticks = 0;
  for (let i = 0; i < 10; i++) {
    await env.advance(2 * TICK_MS);
    ticks += take("quiet-follower");
    assertEquals(take("quiet-follower"), 0); // Another turn at the same time.
  }
  assertEquals([ticks, wakes], [20, [TICK_MS]]);
  await env.advance(3 * TICK_MS);
  assertEquals(wakes.length, 2);
});

Deno.test("Ticker never runs fast: at most two ticks more than fit into any stretch of time", async () => {
  const paces: Pace[] = ["busy", "quiet-leader", "quiet-follower"];
  const turn = fc.tuple(fc.integer({ min: 0, max: 4 * TICK_MS }), fc.constantFrom(...paces));
  await fc.assert(
    fc.asyncProperty(fc.array(turn, { maxLength: 60 }), async (turns) => {
      const { env, take } = bench();
      const ticks: number[] = [];
      for (const [pauseMs, pace] of turns) {
        await env.advance(pauseMs);
        for (let count = take(pace); count > 0; count--) ticks.push(env.now());
      }
      for (let from = 0; from < ticks.length; from++) {
        for (let to = from + 2; to < ticks.length; to++) {
          // One millisecond a tick is what a host's timer may be early.
          const leastMs = (to - from - 1) * (TICK_MS - 1);
          assert(ticks[to] - ticks[from] >= leastMs, `ticks at ${ticks}`);
        }
      }
    }),
    { numRuns: 100 },
  );
});
