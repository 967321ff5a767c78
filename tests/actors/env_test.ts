/**
 * Both environments: what they promise alike, and what the virtual one adds.
 *
 * @module
 */
import { assert, assertEquals, assertNotEquals, assertRejects } from "@std/assert";
import fc from "fast-check";
import { DeadlineWheel } from "../../actors/deadline_wheel.ts";
import { systemEnv } from "../../actors/env.ts";
import { DEADLINE_SLOT_MS } from "../../actors/limits.ts";
import { virtualEnv } from "../../actors/virtual_env.ts";

Deno.test("virtualEnv runs timers by time, then by the order in which they were set, and cancels", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.record({ delayMs: fc.integer({ min: 0, max: 50 }), cancelled: fc.boolean() })),
      async (plan) => {
        const env = virtualEnv(1);
        const fired: number[] = [];
        const timers = plan.map(({ delayMs }, id) => env.setTimer(() => fired.push(id), delayMs));
        plan.forEach(({ cancelled }, id) => cancelled && timers[id].cancel());
        await env.advance(50);
        const expected = plan
          .map(({ delayMs, cancelled }, id) => ({ delayMs, cancelled, id }))
          .filter(({ cancelled }) => !cancelled)
          .sort((a, b) => a.delayMs - b.delayMs || a.id - b.id);
        assertEquals(fired, expected.map(({ id }) => id));
        assertEquals(env.timersPending, 0);
      },
    ),
    { numRuns: 100, seed: 15 },
  );
});

Deno.test("virtualEnv lets promises run between two events, and time pass only when told to", async () => {
  const env = virtualEnv(1);
  const order: string[] = [];
  const wallMs = env.wallNowMs();
  env.setTimer(async () => {
    order.push(`first at ${env.now()}`);
    await Promise.resolve();
    await Promise.resolve();
    order.push("its promises");
    env.defer(() => order.push(`deferred at ${env.now()}`));
  }, 10);
  env.setTimer(() => order.push(`second at ${env.now()}`), 10);
  await env.runUntilIdle();
  assertEquals([order.length, env.now(), env.timersPending, env.nextAtMs()], [0, 0, 2, 10]);
  await env.advance(15.5);
  assertEquals(order, ["first at 10", "its promises", "second at 10", "deferred at 10"]);
  assertEquals([env.now(), env.wallNowMs() - wallMs, env.nextAtMs()], [15.5, 15, null]);
});

Deno.test("virtualEnv steps through events one by one", () => {
  const env = virtualEnv(1);
  const order: string[] = [];
  env.setTimer(() => order.push("timer"), 5);
  env.defer(() => order.push("deferred"));
  assertEquals([env.deferredPending, env.timersPending], [1, 1]);
  assert(env.step());
  assertEquals([order.at(-1), env.now()], ["deferred", 0]);
  assert(env.step());
  assertEquals([order.at(-1), env.now(), env.step()], ["timer", 5, false]);
});

Deno.test("virtualEnv draws the same words for the same seed, others for another, spread over all bits", () => {
  const words = (seed: number) => {
    const env = virtualEnv(seed);
    return Array.from({ length: 1_000 }, () => env.randomUint32());
  };
  assertEquals(words(42), words(42));
  for (let seed = 0; seed < 20; seed++) assertNotEquals(words(seed), words(seed + 1));
  for (let bit = 0; bit < 32; bit++) {
    const ones = words(7).filter((word) => (word >>> bit) & 1).length;
    assert(ones > 400 && ones < 600, `bit ${bit} is set in ${ones} of 1000 words`);
  }
});

Deno.test("systemEnv defers behind promises, fires no earlier than asked, and cancels", async () => {
  const env = systemEnv();
  const order: string[] = [];
  const startedMs = env.now();
  const cancelled = env.setTimer(() => order.push("cancelled"), 1);
  cancelled.cancel();
  // Beyond the host's range a timer would fire at once if it were not chained.
  const distant = env.setTimer(() => order.push("distant"), 2 ** 33);
  await new Promise<void>((resolve) => {
    env.setTimer(() => {
      order.push("timer");
      resolve();
    }, 5);
    env.defer(() => order.push("deferred"));
    queueMicrotask(() => order.push("promise"));
  });
  distant.cancel();
  assertEquals(order, ["promise", "deferred", "timer"]);
  // The host's timers count in whole milliseconds.
  assert(env.now() - startedMs >= 4);
  assert(Math.abs(env.wallNowMs() - Date.now()) < 1_000);
  const words = new Set(Array.from({ length: 1_000 }, () => env.randomUint32()));
  assert(words.size > 990);
  for (const word of words) assert(Number.isInteger(word) && word >= 0 && word < 2 ** 32);
});

Deno.test("DeadlineWheel expires each item in its slot, whatever is added and removed, on one timer", async () => {
  const step = fc.oneof(
    fc.record({ add: fc.integer({ min: 0, max: 30_000 }) }),
    fc.record({ remove: fc.nat(50) }),
    fc.record({ passMs: fc.integer({ min: 1, max: 20_000 }) }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
      const env = virtualEnv(1);
      const wheel = new DeadlineWheel(env);
      const waiting = new Map<number, { dueMs: number; item: ReturnType<typeof newItem> }>();
      const newItem = (id: number, dueMs: number) => ({
        dueSlot: -1,
        wheelPrevious: null,
        wheelNext: null,
        expire() {
          assert(waiting.delete(id), "expired twice or after its removal");
          assert(env.now() >= dueMs, "early");
          assert(env.now() <= Math.max(dueMs, 0) + 2 * DEADLINE_SLOT_MS, "late");
        },
      });
      let id = 0;
      for (const action of steps) {
        if ("add" in action) {
          const dueMs = env.now() + action.add;
          const item = newItem(++id, dueMs);
          waiting.set(id, { dueMs, item });
          wheel.add(item, env.now(), dueMs);
        } else if ("remove" in action) {
          const entry = [...waiting][action.remove];
          if (entry) {
            waiting.delete(entry[0]);
            wheel.remove(entry[1].item);
            wheel.remove(entry[1].item);
          }
        } else {
          await env.advance(action.passMs);
          for (const { dueMs } of waiting.values()) {
            assert(dueMs + 2 * DEADLINE_SLOT_MS > env.now());
          }
        }
        assertEquals(wheel.size, waiting.size);
        assertEquals(env.timersPending, waiting.size > 0 ? 1 : 0);
        assertEquals(wheel.isArmed, waiting.size > 0);
      }
    }),
    { numRuns: 150, seed: 8 },
  );
});

Deno.test("DeadlineWheel catches up after a pause of many rounds", () => {
  const env = virtualEnv(1);
  let nowMs = 0;
  const wheel = new DeadlineWheel({
    now: () => nowMs,
    wallNowMs: () => env.wallNowMs(),
    setTimer: (callback, delayMs) => env.setTimer(callback, delayMs),
    defer: (callback) => env.defer(callback),
    randomUint32: () => env.randomUint32(),
  });
  const expired: number[] = [];
  for (const dueMs of [10, 5_000, 9_000, 100_000, 10_000_000]) {
    wheel.add(
      { dueSlot: -1, wheelPrevious: null, wheelNext: null, expire: () => expired.push(dueMs) },
      0,
      dueMs,
    );
  }
  // The process was suspended: the timer armed for 10 ms fires an hour late.
  nowMs = 3_600_000;
  env.step();
  assertEquals(expired.sort((a, b) => a - b), [10, 5_000, 9_000, 100_000]);
  assertEquals([wheel.size, wheel.isArmed], [1, true]);
});

for (const isAtOnce of [false, true]) {
  const how = isAtOnce ? "at once" : "in laps";
  Deno.test(`virtualEnv.run() runs promises ${how} behind each event, and stops where it is told`, async () => {
    const reactions: (() => void)[] = [];
    const settle = () => {
      for (const react of reactions.splice(0)) react();
    };
    const env = virtualEnv(1, { settle: isAtOnce ? settle : null });
    const order: string[] = [];
    for (const ms of [1, 2, 3]) {
      env.setTimer(() => {
        order.push(`event ${ms}`);
        const react = () => order.push(`promise ${ms}`);
        if (isAtOnce) reactions.push(react);
        else void Promise.resolve().then(react);
      }, ms);
    }
    await env.run(2.5, () => order.push("after") > 0);
    const first = ["event 1", "promise 1", "after", "event 2", "promise 2", "after"];
    assertEquals([order, env.now()], [first, 2.5]);
    env.setTimer(() => order.push("never"), 5);
    await env.run(10, () => false);
    assertEquals([order, env.now()], [[...first, "event 3", "promise 3"], 3]);
    env.setTimer(() => {}, 1);
    await assertRejects(() =>
      env.run(10, () => {
        throw new RangeError("broken");
      }), RangeError);
  });
}
