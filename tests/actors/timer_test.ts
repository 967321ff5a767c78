/**
 * Timers: the control lane, coalescing, cancellation (statement 5).
 *
 * @module
 */
import { assert, assertEquals, assertInstanceOf } from "@std/assert";
import type { Behavior, Timer } from "../../actors/types.ts";
import { each, newWorld, pause } from "./world.ts";

Deno.test("actors 5: a thousand missed ticks deliver one", async () => {
  const { env, system, eventsOf, close } = newWorld();
  const ticksAtMs: number[] = [];
  const ref = system.spawn<"tick" | "block", null>("actor", {
    init(ctx) {
      ctx.setTimer("tick", { delayMs: 10, repeat: true });
      return null;
    },
    async receive(state, batch, ctx) {
      for (const message of batch) {
        if (message === "tick") ticksAtMs.push(ctx.env.now());
        else await pause(ctx, 10_000);
      }
      return state;
    },
  });
  await env.advance(25);
  ref.tell("block");
  await env.advance(9_999);
  assertEquals(ticksAtMs, [10, 20]);
  assertEquals(system.inspect(ref).controlDepth, 1, "one tick waits, whatever was missed");
  await env.advance(26);
  // The turn ended at 10,025: the missed ticks come as one, and the phase is kept.
  assertEquals(ticksAtMs, [10, 20, 10_025, 10_030, 10_040, 10_050]);
  assertEquals(eventsOf("ticks-missed").map((event) => event.ticks), [999]);
  await close();
});

Deno.test("a timer that fires once delivers once and is then gone", async () => {
  const { env, system, close } = newWorld();
  const atMs: number[] = [];
  system.spawn<"tick", null>(
    "actor",
    each((_tick, ctx) => void atMs.push(ctx.env.now()), {
      init(ctx) {
        ctx.setTimer("tick", { delayMs: 10 });
        return null;
      },
    }),
  );
  await env.advance(100);
  assertEquals(atMs, [10]);
  assertEquals(system.gauges().timersArmed, 0);
  assertEquals(env.timersPending, 0);
  await close();
});

Deno.test("a cancelled timer delivers nothing, not even the tick already queued", async () => {
  const { env, system, close } = newWorld();
  const seen: string[] = [];
  let armed: Timer;
  let queued: Timer;
  const ref = system.spawn<string, null>("actor", {
    init(ctx) {
      queued = ctx.setTimer("queued", { delayMs: 10, repeat: true });
      armed = ctx.setTimer("armed", { delayMs: 500 });
      return null;
    },
    async receive(state, batch, ctx) {
      seen.push(...batch);
      if (batch.includes("block")) await pause(ctx, 100);
      return state;
    },
  });
  await env.advance(1);
  ref.tell("block");
  await env.advance(50);
  queued!.cancel();
  queued!.cancel();
  armed!.cancel();
  await env.advance(1_000);
  assertEquals(seen, ["block"]);
  assertEquals(system.gauges().timersArmed, 0);
  assertEquals(env.timersPending, 0);
  assertEquals(system.counters().cancelled, 1);
  await close();
});

Deno.test("timers end with the life that set them: at a restart and at a stop", async () => {
  const { env, system, close } = newWorld();
  const seen: string[] = [];
  let lives = 0;
  const behavior: Behavior<string, null> = {
    init(ctx) {
      ctx.setTimer(`life ${++lives}`, { delayMs: 100, repeat: true });
      return null;
    },
    receive(state, batch, ctx) {
      seen.push(...batch);
      if (batch.includes("fail")) throw new Error("fail");
      if (batch.includes("stop")) ctx.stop();
      return state;
    },
  };
  const ref = system.spawn("actor", behavior, {
    supervision: { backoffMinMs: 10, backoffMaxMs: 10 },
  });
  await env.advance(150);
  ref.tell("fail");
  await env.advance(150);
  ref.tell("stop");
  await env.advance(1_000);
  assertEquals(seen, ["life 1", "fail", "life 2", "stop"]);
  assertEquals(env.timersPending, 0);
  await close();
});

Deno.test("a turn that goes on after its life was ended sets no timer any more", async () => {
  const { env, system, close } = newWorld();
  let wasSet = false;
  const ref = system.spawn<"go", null>("late", {
    init: () => null,
    async receive(state, _batch, ctx) {
      await pause(ctx, 5_000);
      ctx.setTimer("go", { delayMs: 60_000 });
      wasSet = true;
      return state;
    },
  });
  ref.tell("go");
  await env.advance(10);
  system.stop(100);
  await env.advance(10_000);
  assert(wasSet);
  assertEquals([env.timersPending, system.gauges().timersArmed], [0, 0]);
  await close();
});

Deno.test("a tick of a failed life that was still queued is not delivered to the next", async () => {
  const { env, system, close } = newWorld();
  const seen: string[] = [];
  let lives = 0;
  const ref = system.spawn<string, null>("actor", {
    init(ctx) {
      if (++lives === 1) ctx.setTimer("tick", { delayMs: 10 });
      return null;
    },
    async receive(state, batch, ctx) {
      seen.push(...batch);
      await pause(ctx, 50);
      if (batch.includes("fail")) throw new Error("fail");
      return state;
    },
  });
  await env.advance(0);
  ref.tell("fail");
  await env.advance(1_000);
  assertEquals({ seen, lives }, { seen: ["fail"], lives: 2 });
  await close();
});

Deno.test("a delay that is none fails the turn that asked for it", async () => {
  for (
    const [delayMs, repeat] of [[-1, false], [NaN, false], [Infinity, false], [0, true]] as const
  ) {
    const { env, system, eventsOf, close } = newWorld();
    const ref = system.spawn<string, null>(
      "actor",
      each((_message, ctx) => void ctx.setTimer("tick", { delayMs, repeat })),
    );
    ref.tell("go");
    await env.runUntilIdle();
    const [fault] = eventsOf("fault");
    assertInstanceOf(fault.error, RangeError);
    assert(fault.error.message.includes(String(delayMs)));
    await close();
  }
});
