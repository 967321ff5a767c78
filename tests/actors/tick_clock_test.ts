import { assertEquals } from "@std/assert";
import { CLOCK_JUMP_MS, TICKS_KEPT } from "../../actors/limits_replica.ts";
import { TickClock } from "../../actors/tick_clock.ts";
import { NodeEnv } from "./node_env.ts";
import { virtualEnv } from "../../actors/virtual_env.ts";

Deno.test("TickClock knows when each of the last ticks was, and no other", async () => {
  const env = virtualEnv(1);
  const clock = new TickClock(env);
  assertEquals(clock.timeOf(0), null);
  for (let tick = 1; tick <= TICKS_KEPT + 5; tick++) {
    await env.advance(20);
    clock.note(tick, env.now());
  }
  assertEquals(clock.timeOf(TICKS_KEPT + 5), (TICKS_KEPT + 5) * 20);
  assertEquals(clock.timeOf(6), 120);
  assertEquals(clock.timeOf(5), null);
  assertEquals(clock.timeOf(TICKS_KEPT + 6), null);
});

Deno.test("TickClock sees the wall clock jump, forwards and backwards, and not drift", async () => {
  const inner = virtualEnv(1);
  const env = new NodeEnv(inner);
  const clock = new TickClock(env);
  await inner.advance(10_000); // Nobody looked for a long time: both clocks moved on alike.
  clock.nowMs();
  assertEquals(clock.jumpedMs, -Infinity);
  for (
    const [jumpMs, isJump] of [[CLOCK_JUMP_MS, false], [CLOCK_JUMP_MS + 1, true], [-101, true]]
  ) {
    await inner.advance(1000);
    env.jumpWall(jumpMs as number);
    const beforeMs = clock.jumpedMs;
    const nowMs = clock.nowMs();
    assertEquals(clock.jumpedMs, isJump ? nowMs : beforeMs);
  }
});

Deno.test("TickClock takes a suspended machine's lost time for a jump", async () => {
  const inner = virtualEnv(1);
  const env = new NodeEnv(inner);
  const clock = new TickClock(env);
  await inner.advance(1000);
  env.suspend(); // The monotonic clock stands still, the wall clock does not.
  await inner.advance(5000);
  env.resume();
  const nowMs = clock.nowMs();
  assertEquals([nowMs, clock.jumpedMs], [1000, 1000]);
});

Deno.test("TickClock adds what a machine missed that was suspended for moments", async () => {
  const inner = virtualEnv(1);
  const env = new NodeEnv(inner);
  const clock = new TickClock(env);
  for (let times = 1; times <= 10; times++) {
    env.suspend();
    await inner.advance(CLOCK_JUMP_MS);
    env.resume();
    assertEquals([clock.nowMs(), clock.jumpedMs], [times * CLOCK_JUMP_MS, -Infinity]);
  }
});

Deno.test("TickClock takes no noise of the wall clock for time, and never goes back", async () => {
  const inner = virtualEnv(1);
  const env = new NodeEnv(inner);
  const clock = new TickClock(env);
  for (let looks = 1; looks <= 100; looks++) {
    await inner.advance(20);
    env.jumpWall(looks % 2 === 0 ? 1 : -1); // As whole ms read.
    assertEquals(clock.nowMs(), looks * 20);
  }
  env.jumpWall(-CLOCK_JUMP_MS);
  assertEquals([clock.nowMs(), clock.jumpedMs], [2000, -Infinity]);
});
