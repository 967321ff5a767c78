/**
 * Faults: restart, budget, backoff, stop, escalate, watch (statements 10 and 11).
 *
 * @module
 */
import { assert, assertEquals, assertInstanceOf, assertThrows } from "@std/assert";
import { ActorStopped } from "../../actors/errors.ts";
import { CHILDREN_MAX, STOP_GRACE_MS } from "../../actors/limits.ts";
import { RestartPolicy } from "../../actors/supervision.ts";
import type { Behavior, Directive, Ref, Reply, StopReason } from "../../actors/types.ts";
import { each, newWorld, pause, probe, type Question, question } from "./world.ts";

/** Fails on "fail", and writes down what it lives through. */
function mortal(log: string[]): Behavior<string, number> {
  let lives = 0;
  return {
    init: () => (log.push(`init ${++lives}`), lives),
    receive(state, batch) {
      for (const message of batch) {
        if (message === "fail") throw new Error("fail");
        log.push(message);
      }
      return state;
    },
    onStop: (state, why) => void log.push(`onStop ${state} ${why}`),
  };
}

for (
  const [how, init] of [
    ["throws", () => {
      throw new Error("init");
    }],
    ["rejects", () => Promise.reject(new Error("init"))],
  ] as const
) {
  Deno.test(`actors 10: an init that ${how} ends as stopped, notifies watchers, rejects queued asks`, async () => {
    const { env, system, eventsOf, close } = newWorld();
    const ref = system.spawn<Question, null>(
      "broken",
      { init, receive: (state) => state },
      { supervision: { restartsMax: 3 } },
    );
    const seen: string[] = [];
    system.spawn<StopReason, null>(
      "watcher",
      each((why) => void seen.push(why), {
        init(ctx) {
          ctx.watch(ref, (why) => why);
          return null;
        },
      }),
    );
    const answer = probe(ref.ask<string>(question, { timeoutMs: 3_600_000 }));
    const stopped = probe(system.whenStopped(ref));
    ref.tell({ reply: undefined as unknown as Reply<string> });
    await env.advance(60_000);
    assertEquals(system.inspect(ref).phase, "stopped");
    assertEquals(seen, ["fault"]);
    assertEquals(stopped.value, "fault");
    assertInstanceOf(answer.error, ActorStopped);
    assertEquals(
      eventsOf("fault").map(({ phase, directive }) => `${phase} ${directive}`),
      ["init restart", "init restart", "init restart", "init stop"],
    );
    assertEquals(system.counters().deadLettered, 2);
    assertEquals(ref.tell({ reply: undefined as unknown as Reply<string> }), "stopped");
    await close();
  });
}

Deno.test("actors 11: siblings that fail once each do not exhaust one restart budget", async () => {
  const { env, system, eventsOf, close } = newWorld();
  const children: Ref<string>[] = [];
  const logs: string[][] = [];
  system.spawn<string, null>("parent", {
    init(ctx) {
      for (let i = 0; i < 20; i++) {
        const log: string[] = [];
        logs.push(log);
        children.push(ctx.spawn(`c${i}`, mortal(log), { supervision: { restartsMax: 1 } }));
      }
      return null;
    },
    receive: (state) => state,
  });
  await env.runUntilIdle();
  for (const child of children) child.tell("fail");
  await env.advance(1_000);
  for (const child of children) child.tell("alive");
  await env.runUntilIdle();
  for (const log of logs) {
    assertEquals(log, ["init 1", "onStop 1 fault", "init 2", "alive"]);
  }
  assertEquals(eventsOf("fault").length, 20, "every fault is an event");
  assertEquals(eventsOf("stopped").length, 0);
  children[0].tell("fail");
  await env.advance(1_000);
  assertEquals(system.inspect(children[0]).phase, "stopped", "its own budget is spent");
  assertEquals(system.inspect(children[1]).phase, "running");
  await close();
});

Deno.test("restarts older than withinMs are forgotten", async () => {
  const { env, system, close } = newWorld();
  const ref = system.spawn("actor", mortal([]), {
    supervision: { restartsMax: 1, withinMs: 1_000, backoffMinMs: 10, backoffMaxMs: 10 },
  });
  for (let i = 0; i < 5; i++) {
    ref.tell("fail");
    await env.advance(1_001);
  }
  assertEquals(system.inspect(ref).phase, "running");
  ref.tell("fail");
  await env.advance(500);
  ref.tell("fail");
  await env.advance(500);
  assertEquals(system.inspect(ref).phase, "stopped");
  await close();
});

Deno.test("retry restarts without end and costs no budget, after pauses that grow to their maximum", async () => {
  const { env, system, eventsOf, close } = newWorld();
  const ref = system.spawn("actor", mortal([]), {
    supervision: {
      decide: (error) => String(error).includes("fail") ? "retry" : "restart",
      restartsMax: 0,
      backoffMinMs: 10,
      backoffMaxMs: 80,
    },
  });
  for (let i = 0; i < 20; i++) {
    ref.tell("fail");
    await env.advance(100);
  }
  assertEquals(system.inspect(ref).phase, "running");
  const pausesMs = eventsOf("restart").map(({ backoffMs }) => backoffMs);
  assertEquals(pausesMs.length, 20);
  assert(pausesMs[0] <= 10 && pausesMs[1] <= 20);
  assert(pausesMs.slice(3).every((ms) => ms >= 40 && ms <= 80), pausesMs.join());
  await close();
});

Deno.test("RestartPolicy doubles the pause up to its maximum, with jitter from half to all of it", () => {
  const rules = { restartsMax: 6, backoffMinMs: 100, backoffMaxMs: 1_000 };
  const pauses = (random: number) => {
    const policy = new RestartPolicy(rules);
    return Array.from({ length: 6 }, () => policy.judge(null, 0, random).backoffMs);
  };
  assertEquals(pauses(0), [50, 100, 200, 400, 500, 500]);
  const upper = pauses(2 ** 32 - 1);
  [100, 200, 400, 800, 1_000, 1_000].forEach((fullMs, i) => {
    assert(upper[i] <= fullMs && upper[i] > 0.999 * fullMs);
  });
});

Deno.test("supervision limits that are not usable are refused when the actor is started", () => {
  const { system } = newWorld();
  const start = (supervision: object) => system.spawn("a", mortal([]), { supervision });
  assertThrows(() => start({ restartsMax: -1 }), RangeError);
  assertThrows(() => start({ withinMs: 0 }), RangeError);
  assertThrows(() => start({ backoffMinMs: 10, backoffMaxMs: 5 }), RangeError);
  assertThrows(
    () => system.spawn("a", mortal([]), { mailbox: { turnMessagesMax: 0 } }),
    RangeError,
  );
  assertThrows(() => system.spawn("a/b", mortal([])), RangeError);
  assertThrows(() => system.spawn("", mortal([])), RangeError);
});

Deno.test("decide sees the error and chooses; a decide that throws stops the actor", async () => {
  const { env, system, eventsOf, close } = newWorld();
  const phaseAfter = async (name: string, decide: (error: unknown) => Directive) => {
    const ref = system.spawn(name, mortal([]), { supervision: { decide } });
    ref.tell("fail");
    await env.advance(1_000);
    return system.inspect(ref).phase;
  };
  const stopIt = (error: unknown) => (error as Error).message === "fail" ? "stop" : "restart";
  assertEquals(await phaseAfter("stops", stopIt), "stopped");
  assertEquals(await phaseAfter("restarts", () => "restart"), "running");
  assertEquals(await phaseAfter("tops out", () => "escalate"), "stopped");
  assertEquals(
    await phaseAfter("confused", () => {
      throw new Error("decide");
    }),
    "stopped",
  );
  assertEquals(eventsOf("effect-failed").map((event) => event.what), ["decide"]);
  await close();
});

Deno.test("escalate stops the child and restarts its parent, which starts its children anew", async () => {
  for (const isParentBusy of [false, true]) {
    const { env, system, eventsOf, close } = newWorld();
    const log: string[] = [];
    const children: Ref<string>[] = [];
    const parent = system.spawn<string, null>("parent", {
      init(ctx) {
        log.push("parent init");
        const supervision = { decide: () => "escalate" as const };
        children.push(ctx.spawn("child", mortal(log), { supervision }));
        ctx.spawn("sibling", mortal([]));
        return null;
      },
      async receive(state, batch, ctx) {
        await pause(ctx, 10);
        log.push(...batch);
        return state;
      },
      onStop: (_state, why) => void log.push(`parent onStop ${why}`),
    });
    await env.runUntilIdle();
    if (isParentBusy) parent.tell("turn ends well");
    children[0].tell("fail");
    await env.advance(5_000);
    assertEquals(log, [
      "parent init",
      "init 1",
      "onStop 1 fault",
      ...isParentBusy ? ["turn ends well"] : [],
      "parent onStop fault",
      "parent init",
      "init 1",
    ]);
    assertEquals(
      eventsOf("fault").map(({ actor, phase }) => `${actor} ${phase}`),
      ["parent/child receive", "parent child"],
    );
    assertEquals([children[0].tell("x"), children[1].tell("x")], ["stopped", "ok"]);
    await close();
  }
});

Deno.test("a watch tells once, also of an actor that has already stopped, and ends with its life", async () => {
  const { env, system, eventsOf, close } = newWorld();
  const target = system.spawn<string, null>("target", each((_m, ctx) => ctx.stop()));
  const seen: string[] = [];
  const watcher = system.spawn<string, null>(
    "watcher",
    each((message, ctx) => {
      seen.push(message);
      if (message === "watch") ctx.watch(target, (why) => `stopped: ${why}`);
      if (message === "bad watch") {
        ctx.watch(target, () => {
          throw new Error("make");
        });
      }
      if (message === "fail") throw new Error("fail");
    }),
  );
  watcher.tell("watch");
  await env.runUntilIdle();
  watcher.tell("fail");
  await env.advance(1_000);
  target.tell("stop");
  await env.advance(1_000);
  assertEquals(seen, ["watch", "fail"], "the watch belonged to the life that failed");
  watcher.tell("watch");
  watcher.tell("bad watch");
  await env.runUntilIdle();
  assertEquals(seen.slice(2), ["watch", "bad watch", "stopped: stop"]);
  assertEquals(eventsOf("effect-failed").map((event) => event.what), ["watch"]);
  await close();
});

Deno.test("a watch signal of a failed life that was still queued is not delivered to the next", async () => {
  const { env, system, close } = newWorld();
  const target = system.spawn<string, null>("target", each((_m, ctx) => ctx.stop()));
  const seen: string[] = [];
  const watcher = system.spawn<string, null>("watcher", {
    init: () => null,
    async receive(state, batch, ctx) {
      seen.push(...batch);
      if (batch[0] !== "fail") return state;
      ctx.watch(target, (why) => `stopped: ${why}`);
      await pause(ctx, 100);
      throw new Error("fail");
    },
  });
  watcher.tell("fail");
  await env.runUntilIdle();
  target.tell("stop");
  await env.advance(50);
  assertEquals(system.inspect(watcher).controlDepth, 1);
  await env.advance(1_000);
  assertEquals(seen, ["fail"]);
  assertEquals(system.counters().cancelled, 1);
  await close();
});

Deno.test("a child's name is its parent's and its own, taken while it lives and free afterwards", async () => {
  const { env, system, close } = newWorld();
  const names: string[] = [];
  const parent = system.spawn<string, null>(
    "parent",
    each((message, ctx) => {
      if (message === "spawn") {
        const child = ctx.spawn<string, null>("child", each((_m, inner) => inner.stop()));
        names.push(child.name);
        assertThrows(() => ctx.spawn("child", mortal([])), RangeError, "taken");
        ctx.send(child, "stop");
      }
    }),
  );
  parent.tell("spawn");
  await env.runUntilIdle();
  parent.tell("spawn");
  await env.runUntilIdle();
  assertEquals(names, ["parent/child", "parent/child"]);
  assert(CHILDREN_MAX > 0);
  await close();
});

Deno.test("a turn that fails has not asked to stop; its signal is aborted when it restarts", async () => {
  const { env, system, close } = newWorld();
  const signals: AbortSignal[] = [];
  const ref = system.spawn<string, null>(
    "actor",
    each((message, ctx) => {
      ctx.stop();
      if (message === "fail") throw new Error("fail");
    }, {
      init(ctx) {
        signals.push(ctx.signal);
        return null;
      },
    }),
  );
  ref.tell("fail");
  await env.advance(1_000);
  assertEquals(system.inspect(ref).phase, "running");
  assertEquals(signals.map((signal) => signal.aborted), [true, false]);
  ref.tell("stop");
  await env.runUntilIdle();
  assertEquals(system.inspect(ref).phase, "stopped");
  assertEquals(signals.map((signal) => signal.aborted), [true, true]);
  await close();
});

Deno.test("a restart waits for onStop, but not for ever, and an onStop that throws is reported", async () => {
  const { env, system, eventsOf, close } = newWorld();
  const log: string[] = [];
  const closings: (() => Promise<void>)[] = [
    () => new Promise((resolve) => void env.setTimer(resolve, 200)),
    () => Promise.reject(new Error("close")),
    () => new Promise(() => {}),
  ];
  const ref = system.spawn<string, null>("actor", {
    init: () => (log.push(`init at ${env.now()}`), null),
    receive() {
      throw new Error("fail");
    },
    onStop: (_state, why) => why === "fault" ? closings.shift()?.() : undefined,
  }, { supervision: { backoffMinMs: 0, backoffMaxMs: 0 } });
  for (const _ of [1, 2, 3]) {
    ref.tell("fail");
    await env.advance(STOP_GRACE_MS + 1);
  }
  const startsAtMs = [0, 200, STOP_GRACE_MS + 1, 2 * (STOP_GRACE_MS + 1) + STOP_GRACE_MS];
  assertEquals(log, startsAtMs.map((atMs) => `init at ${atMs}`));
  assertEquals(eventsOf("effect-failed").map((event) => event.what), ["onStop", "onStop"]);
  await close();
});
