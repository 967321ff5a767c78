import { assert, assertEquals } from "@std/assert";
import { HEARTBEAT_TICKS, TICK_MS, TICKS_AT_ONCE_MAX } from "../../actors/limits_replica.ts";
import type { ReplicaMessage } from "../../actors/replica_types.ts";
import { type Pace, Ticker } from "../../actors/ticker.ts";
import type { Ctx } from "../../actors/types.ts";
import { virtualEnv } from "../../actors/virtual_env.ts";
import fc from "fast-check";

/** A ticker whose turns the test makes; `wakes` says when its timer called for one. */
function bench() {
  const env = virtualEnv(1);
  const wakes: number[] = [];
  let fired = false;
  const ctx = {
    env,
    setTimer: (_message: ReplicaMessage, { delayMs }: { delayMs: number }) =>
      env.setTimer(() => {
        wakes.push(env.now());
        fired = true;
      }, delayMs),
  } as unknown as Ctx<ReplicaMessage>;
  const ticker = new Ticker(ctx);
  const turn = (pace: Pace): number => {
    const ticks = ticker.take(env.now());
    if (fired) ticker.fired();
    fired = false;
    ticker.rest(env.now(), () => pace);
    return ticks;
  };
  return { env, wakes, turn };
}

Deno.test("Ticker ticks once a period while there is something to do", async () => {
  const { env, wakes, turn } = bench();
  let ticks = 0;
  for (let ms = 0; ms < 20 * TICK_MS; ms++) {
    await env.advance(1);
    if (wakes.at(-1) === env.now()) ticks += turn("busy");
  }
  assertEquals([ticks, wakes.length], [20, 20]);
});

Deno.test("Ticker of a quiet leader wakes it up for its heartbeats, with the ticks since then", async () => {
  const { env, wakes, turn } = bench();
  await env.advance(TICK_MS);
  assertEquals(turn("quiet-leader"), 1);
  await env.advance(HEARTBEAT_TICKS * TICK_MS + 1);
  assertEquals(wakes, [TICK_MS, (1 + HEARTBEAT_TICKS) * TICK_MS + 1]);
  assertEquals(turn("quiet-leader"), HEARTBEAT_TICKS);
});

Deno.test("Ticker of a quiet follower rides on what it hears, and needs no timer", async () => {
  const { env, wakes, turn } = bench();
  await env.advance(TICK_MS);
  turn("quiet-follower");
  let ticks = 0;
  for (let i = 0; i < 10; i++) {
    await env.advance(HEARTBEAT_TICKS * TICK_MS + 1);
    ticks += turn("quiet-follower");
    assertEquals(turn("quiet-follower"), 0); // Another turn at the same time.
  }
  assertEquals([ticks, wakes], [10 * HEARTBEAT_TICKS, [TICK_MS]]);
  await env.advance((HEARTBEAT_TICKS + 1) * TICK_MS);
  assertEquals(wakes.length, 2);
});

Deno.test("Ticker whose timer fires early is called again, and does not tick early", async () => {
  const { env, wakes, turn } = bench();
  await env.advance(TICK_MS / 2);
  // As a host's timer that was early would have it, if by far less.
  const early = new Ticker({
    env,
    setTimer: (_: unknown, { delayMs }: { delayMs: number }) =>
      env.setTimer(() => wakes.push(env.now()), delayMs),
  } as unknown as Ctx<ReplicaMessage>);
  await env.advance(TICK_MS - 0.5);
  assertEquals(early.take(env.now()), 0);
  early.fired();
  early.rest(env.now(), () => "busy");
  wakes.length = 0;
  await env.advance(1);
  assertEquals([early.take(env.now()), wakes.length], [1, 1]);
  assertEquals(turn("busy"), 1);
});

Deno.test("Ticker never runs fast: few ticks more than fit into any stretch of time", async () => {
  const paces: Pace[] = ["busy", "quiet-leader", "quiet-follower"];
  const pause = fc.integer({ min: 0, max: 2 * HEARTBEAT_TICKS * TICK_MS });
  await fc.assert(
    fc.asyncProperty(fc.array(fc.tuple(pause, fc.constantFrom(...paces))), async (turns) => {
      const { env, turn } = bench();
      const ticks: number[] = [];
      for (const [pauseMs, pace] of turns) {
        await env.advance(pauseMs);
        for (let count = turn(pace); count > 0; count--) ticks.push(env.now());
      }
      for (let from = 0; from < ticks.length; from++) {
        for (let to = from; to < ticks.length; to++) {
          // What the first turn made up for began before it.
          const leastMs = (to - from + 1 - TICKS_AT_ONCE_MAX) * TICK_MS;
          assert(ticks[to] - ticks[from] >= leastMs, `ticks at ${ticks}`);
        }
      }
    }),
    { numRuns: 100 },
  );
});
