/**
 * One turn at a time, and the output gate (statements 1, 2 and 4).
 *
 * @module
 */
import { assert, assertEquals, assertInstanceOf } from "@std/assert";
import { ActorFailed } from "../../actors/errors.ts";
import { systemEnv } from "../../actors/env.ts";
import { GATE_OUTPUTS_MAX } from "../../actors/limits.ts";
import { createSystem } from "../../actors/system.ts";
import type { Behavior, Ref, Reply } from "../../actors/types.ts";
import { each, newWorld, pause, probe, type Question, question, recorder } from "./world.ts";

Deno.test("actors 1: a turn that awaits is never overlapped by another, over 100 seeds", async () => {
  for (let seed = 0; seed < 100; seed++) {
    const world = newWorld(seed);
    let running = 0;
    let runningMax = 0;
    let seen = 0;
    const enter = () => runningMax = Math.max(runningMax, ++running);
    const ref = world.system.spawn<number, null>("slow", {
      init: () => null,
      async receive(state, batch, ctx) {
        enter();
        seen += batch.length;
        await pause(ctx, ctx.env.randomUint32() % 10);
        running--;
        return state;
      },
      async commit(_state, ctx) {
        enter();
        await pause(ctx, ctx.env.randomUint32() % 10);
        running--;
      },
    });
    for (let i = 0; i < 20; i++) {
      ref.tell(i);
      await world.env.advance(world.env.randomUint32() % 5);
    }
    await world.env.advance(1_000);
    assertEquals({ runningMax, seen }, { runningMax: 1, seen: 20 }, `seed ${seed}`);
    await world.close();
  }
});

Deno.test("a turn takes all that arrived while the last one awaited, in order", async () => {
  const { env, system, close } = newWorld();
  const batches: number[][] = [];
  const ref = system.spawn<number, null>("slow", {
    init: () => null,
    async receive(state, batch, ctx) {
      batches.push([...batch]);
      await pause(ctx, 10);
      return state;
    },
  });
  ref.tell(1);
  await env.advance(5);
  for (const n of [2, 3, 4]) ref.tell(n);
  await env.advance(100);
  assertEquals(batches, [[1], [2, 3, 4]]);
  await close();
});

Deno.test("a turn takes at most turnMessagesMax messages and leaves the rest to the next", async () => {
  const { env, system, eventsOf, close } = newWorld();
  const sizes: number[] = [];
  const ref = system.spawn<number, null>("small", {
    init: () => null,
    receive: (state, batch) => (sizes.push(batch.length), state),
  }, { mailbox: { turnMessagesMax: 4 } });
  for (let i = 0; i < 10; i++) ref.tell(i);
  await env.runUntilIdle();
  assertEquals(sizes, [4, 4, 2]);
  assertEquals(eventsOf("turn").map((turn) => turn.userDepth), [6, 2, 0]);
  await close();
});

Deno.test("a turn whose steps return no promise runs to its end without a microtask", async () => {
  const { env, system, close } = newWorld();
  const order: string[] = [];
  const ref = system.spawn<string, null>("sync", {
    init: () => null,
    receive(state, _batch, ctx) {
      queueMicrotask(() => order.push("microtask"));
      ctx.after(() => order.push("after"));
      order.push("receive");
      return state;
    },
    commit: () => void order.push("commit"),
    released: () => void order.push("released"),
  });
  ref.tell("go");
  await env.runUntilIdle();
  assertEquals(order, ["receive", "commit", "after", "released", "microtask"]);
  await close();
});

type Emit = Question & { readonly tag: string };

/** A behaviour that emits everything it can in one turn, whose commit is `commit`. */
function emitting(
  to: Ref<string>,
  log: string[],
  commit: Behavior<Emit, null>["commit"],
): Behavior<Emit, null> {
  return {
    init: () => null,
    receive(state, batch, ctx) {
      for (const { tag, reply } of batch) {
        ctx.send(to, `${tag} sent`);
        ctx.reply(reply, `${tag} answered`);
        ctx.after(() => log.push(`${tag} after`));
        ctx.sendEarly(to, `${tag} early`);
      }
      return state;
    },
    commit,
    released: () => void log.push("released"),
  };
}

const crashes: [string, Behavior<Emit, null>["commit"]][] = [
  ["throws", () => {
    throw new Error("disk");
  }],
  ["rejects", () => Promise.reject(new Error("disk"))],
  ["rejects later", async (_state, ctx) => {
    await pause(ctx, 20);
    throw new Error("disk");
  }],
];

for (const [how, commit] of crashes) {
  Deno.test(`actors 2: when commit ${how}, no reply, message or effect of the turn is seen`, async () => {
    const { env, system, events, close } = newWorld();
    const log: string[] = [];
    const to = system.spawn("to", recorder(log));
    const ref = system.spawn("emitter", emitting(to, log, commit));
    const answer = probe(
      ref.ask<string>((reply) => ({ tag: "a", reply }), { timeoutMs: 5_000 }),
    );
    await env.advance(1_000);
    assertEquals(log, ["a early"], "only what was sent early may be seen");
    assertInstanceOf(answer.error, ActorFailed);
    assertEquals((answer.error.cause as Error).message, "disk");
    assertEquals(
      events.filter((event) => event.type === "fault").map((event) => event.phase),
      ["commit"],
    );
    await close();
  });
}

Deno.test("actors 2: while commit has not resolved, nothing of the turn is seen; then all of it, in order", async () => {
  const { env, system, close } = newWorld();
  const log: string[] = [];
  const to = system.spawn("to", recorder(log));
  const ref = system.spawn("emitter", emitting(to, log, (_state, ctx) => pause(ctx, 100)));
  const answer = probe(ref.ask<string>((reply) => ({ tag: "a", reply }), { timeoutMs: 5_000 }));
  await env.advance(99);
  assertEquals(log, ["a early"]);
  assertEquals(answer.state, "pending");
  await env.advance(1);
  assertEquals(log, ["a early", "a after", "released", "a sent"]);
  assertEquals(answer.value, "a answered");
  await close();
});

Deno.test("actors 2: a throw in receive after emitting shows nothing either, and later mail is served", async () => {
  const { env, system, close } = newWorld();
  const log: string[] = [];
  const to = system.spawn("to", recorder(log));
  const ref = system.spawn<string, null>(
    "emitter",
    each((message, ctx) => {
      ctx.send(to, message);
      if (message === "bad") throw new Error("bad");
    }),
    { mailbox: { turnMessagesMax: 2 } },
  );
  for (const message of ["good 1", "bad", "good 2", "good 3"]) ref.tell(message);
  await env.advance(10_000);
  assertEquals(log, ["good 2", "good 3"], "what was not in the failed turn survives the restart");
  await close();
});

Deno.test("actors 4: what a tick emits waits for the commit like what a request emits", async () => {
  const { env, system, close } = newWorld();
  const log: string[] = [];
  const to = system.spawn("to", recorder(log));
  let failing = false;
  system.spawn<string, null>("ticking", {
    init(ctx) {
      ctx.setTimer("tick", { delayMs: 10 });
      return null;
    },
    receive(state, batch, ctx) {
      for (const message of batch) ctx.send(to, message);
      return state;
    },
    async commit(_state, ctx) {
      await pause(ctx, 5);
      // The first life's commit fails, so its tick must never be seen.
      failing = !failing;
      if (failing) throw new Error("disk");
    },
  }, { supervision: { backoffMinMs: 100, backoffMaxMs: 100 } });
  await env.advance(60);
  assertEquals(log, [], "the first tick's commit failed");
  await env.advance(1_000);
  assertEquals(log, ["tick"], "the tick of the second life");
  await close();
});

Deno.test("early exits pass an open gate: replyEarly and sendEarly leave before the commit", async () => {
  const { env, system, close } = newWorld();
  const log: string[] = [];
  const to = system.spawn("to", recorder(log));
  const ref = system.spawn<Question, null>(
    "early",
    each(({ reply }, ctx) => {
      ctx.replyEarly(reply, "durable before");
      assertEquals(ctx.sendEarly(to, "append"), "ok");
      assert(reply.settled);
    }, { commit: (_state, ctx) => pause(ctx, 100) }),
  );
  const answer = probe(ref.ask(question, { timeoutMs: 1_000 }));
  await env.runUntilIdle();
  assertEquals([answer.value, ...log], ["durable before", "append"]);
  await close();
});

Deno.test("released() may still emit, and its outputs leave at once", async () => {
  const { env, system, close } = newWorld();
  const log: string[] = [];
  const to = system.spawn("to", recorder(log));
  const ref = system.spawn<string, null>("actor", {
    ...each<string>((message, ctx) => ctx.send(to, message)),
    released: (_state, ctx) => ctx.send(to, "from released"),
  });
  ref.tell("from receive");
  await env.runUntilIdle();
  assertEquals(log, ["from receive", "from released"]);
  await close();
});

Deno.test("an after effect that throws harms neither the turn nor the outputs behind it", async () => {
  const { env, system, eventsOf, close } = newWorld();
  const ref = system.spawn<Question, null>(
    "actor",
    each(({ reply }, ctx) => {
      ctx.after(() => {
        throw new Error("effect");
      });
      ctx.reply(reply, "still");
    }),
  );
  const answer = probe(ref.ask(question, { timeoutMs: 1_000 }));
  await env.runUntilIdle();
  assertEquals(answer.value, "still");
  assertEquals(eventsOf("effect-failed").map((event) => event.what), ["after"]);
  assertEquals(system.counters().faults, 0);
  await close();
});

Deno.test("a gated call outside of a turn is dropped, reported, and fails the question it answered", async () => {
  const { env, system, eventsOf, close } = newWorld();
  const log: string[] = [];
  const to = system.spawn("to", recorder(log));
  const ref = system.spawn<Question, null>(
    "leaky",
    each(({ reply }, ctx) => {
      ctx.env.setTimer(() => {
        ctx.send(to, "from nowhere");
        ctx.reply(reply, "from nowhere");
      }, 10);
    }),
  );
  const answer = probe(ref.ask(question, { timeoutMs: 1_000 }));
  await env.advance(20);
  assertEquals(log, []);
  assertInstanceOf(answer.error, ActorFailed);
  assertEquals(eventsOf("outside-turn").map((event) => event.call), ["send", "reply"]);
  await close();
});

Deno.test("what an earlier life still emits after a restart is dropped", async () => {
  const { env, system, close } = newWorld();
  const log: string[] = [];
  const to = system.spawn("to", recorder(log));
  const ref = system.spawn<Question | "fail", null>(
    "actor",
    each((message, ctx) => {
      if (message === "fail") throw new Error("fail");
      ctx.env.setTimer(() => {
        ctx.replyEarly(message.reply, "stale");
        assertEquals(ctx.sendEarly(to, "stale"), "stopped");
      }, 50);
    }),
  );
  const answer = probe(ref.ask<string>(question, { timeoutMs: 1_000 }));
  await env.advance(10);
  ref.tell("fail");
  await env.advance(500);
  assertInstanceOf(answer.error, ActorFailed);
  assertEquals(log, []);
  assertEquals(system.counters().lateReplies, 0);
  await close();
});

Deno.test("an actor with endless mail starves neither timers nor other actors", async () => {
  const system = createSystem({ env: systemEnv() });
  const busy = system.spawn<"again", null>(
    "busy",
    each((message, ctx) => ctx.send(ctx.self, message)),
  );
  const polite = system.spawn<Question, null>(
    "polite",
    each(({ reply }, ctx) => ctx.reply(reply, "served")),
  );
  busy.tell("again");
  const fired = new Promise<void>((resolve) => void system.env.setTimer(resolve, 1));
  await fired;
  assertEquals(await polite.ask<string>(question, { timeoutMs: 1_000 }), "served");
  assertEquals(await system.stop(1), "cut", "endless mail is never drained");
});

Deno.test("a reply that this runtime did not make is refused with TypeError, in the turn that used it", async () => {
  const { env, system, eventsOf, close } = newWorld();
  const fake: Reply<string> = { settled: false };
  const ref = system.spawn<string, null>("actor", each((_message, ctx) => ctx.reply(fake, "x")));
  ref.tell("go");
  await env.runUntilIdle();
  assertInstanceOf(eventsOf("fault")[0].error, TypeError);
  await close();
});

Deno.test("a turn that emits more than GATE_OUTPUTS_MAX fails; turns below it go on for ever", async () => {
  const { env, system, eventsOf, close } = newWorld();
  let ran = 0;
  const ref = system.spawn<number, null>(
    "chatty",
    each((outputs, ctx) => {
      for (let i = 0; i < outputs; i++) ctx.after(() => ran++);
    }),
    { mailbox: { turnMessagesMax: 1 } },
  );
  const half = GATE_OUTPUTS_MAX / 2;
  for (const outputs of [GATE_OUTPUTS_MAX + 1, half, half, half]) ref.tell(outputs);
  await env.advance(1_000);
  assertEquals(eventsOf("fault").map(({ error }) => (error as Error).name), ["RangeError"]);
  assertEquals(ran, 3 * half);
  await close();
});
