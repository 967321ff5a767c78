/**
 * Asks: deadlines, aborts, late answers, cycles (statements 8, 9 and 16).
 *
 * @module
 */
import { assert, assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import { ActorFailed, ActorStopped, AskTimeout, MailboxFull } from "../../actors/errors.ts";
import { DEADLINE_SLOT_MS } from "../../actors/limits.ts";
import type { Behavior, Ctx, Ref, Reply } from "../../actors/types.ts";
import { each, newWorld, pause, probe, type Question, question } from "./world.ts";

/** Keeps every question until it is told to answer them all. */
function keeper(): Behavior<Question | { answer: string }, Reply<string>[]> {
  return {
    init: () => [],
    receive(kept, batch, ctx) {
      for (const message of batch) {
        if ("reply" in message) kept.push(message.reply);
        else for (const reply of kept.splice(0)) ctx.reply(reply, message.answer);
      }
      return kept;
    },
  };
}

Deno.test("actors 8: a late answer reaches no later ask, and is counted", async () => {
  const { env, system, eventsOf, close } = newWorld();
  const ref = system.spawn("keeper", keeper());
  const first = probe(ref.ask<string>(question, { timeoutMs: 100 }));
  await env.advance(100 + DEADLINE_SLOT_MS);
  assertInstanceOf(first.error, AskTimeout);
  const second = probe(ref.ask<string>(question, { timeoutMs: 100 }));
  ref.tell({ answer: "for both" });
  await env.runUntilIdle();
  assertEquals(second.value, "for both");
  assertEquals(system.counters().lateReplies, 1);
  assertEquals(eventsOf("late-reply").length, 1);
  assertEquals(first.state, "rejected");
  await close();
});

Deno.test("actors 8: an ask that ends, however it ends, leaves no timer and no abort listener", async () => {
  const { env, system, close } = newWorld();
  const ref = system.spawn("keeper", keeper());
  const controller = new AbortController();
  const { signal } = controller;
  let listeners = 0;
  const { addEventListener, removeEventListener } = signal;
  signal.addEventListener = (...args: Parameters<typeof addEventListener>) => {
    listeners++;
    addEventListener.apply(signal, args);
  };
  signal.removeEventListener = (...args: Parameters<typeof removeEventListener>) => {
    listeners--;
    removeEventListener.apply(signal, args);
  };
  const options = { timeoutMs: 100, signal };
  const assertZero = (when: string) => {
    const { asksPending, deadlineTimersArmed, abortListeners } = system.gauges();
    assertEquals(
      { asksPending, deadlineTimersArmed, abortListeners, listeners },
      { asksPending: 0, deadlineTimersArmed: 0, abortListeners: 0, listeners: 0 },
      when,
    );
    assertEquals(env.timersPending, 0, when);
  };

  const answered = probe(ref.ask(question, options));
  assertEquals([listeners, env.timersPending], [1, 1]);
  ref.tell({ answer: "yes" });
  await env.runUntilIdle();
  assertEquals(answered.value, "yes");
  assertZero("after an answer");

  const timedOut = probe(ref.ask(question, options));
  await env.advance(200);
  assertInstanceOf(timedOut.error, AskTimeout);
  assertZero("after a timeout");

  const throwing = probe(ref.ask<string>(() => {
    throw new Error("make");
  }, options));
  const aborted = [probe(ref.ask(question, options)), probe(ref.ask(question, options))];
  controller.abort("enough");
  await env.runUntilIdle();
  assertEquals(throwing.error?.message, "make");
  for (const { error } of aborted) {
    assertInstanceOf(error, DOMException);
    assertEquals([error.name, error.cause], ["AbortError", "enough"]);
  }
  assertZero("after aborts");

  const dead = probe(ref.ask(question, options));
  await env.runUntilIdle();
  assertEquals(dead.error?.name, "AbortError", "a signal aborted before asks nothing");
  assertZero("after an ask with a dead signal");
  assertEquals(system.counters().accepted, 5);
  await close();
});

Deno.test("ten thousand asks share one timer, time out by their slot and never early", async () => {
  const { env, system, close } = newWorld();
  const ref = system.spawn("keeper", keeper());
  const ended: { timeoutMs: number; atMs: number }[] = [];
  for (let i = 0; i < 10_000; i++) {
    const timeoutMs = 1 + env.randomUint32() % 20_000;
    ref.ask(question, { timeoutMs }).catch(() => ended.push({ timeoutMs, atMs: env.now() }));
    assertEquals(env.timersPending, 1);
  }
  await env.advance(30_000);
  assertEquals(ended.length, 10_000);
  for (const { timeoutMs, atMs } of ended) {
    assert(
      atMs >= timeoutMs && atMs <= timeoutMs + DEADLINE_SLOT_MS,
      `asked for ${timeoutMs} ms, ended at ${atMs}`,
    );
  }
  assertEquals(env.timersPending, 0);
  await close();
});

Deno.test("actors 9: a message that expired in the queue is never executed", async () => {
  const { env, system, eventsOf, close } = newWorld();
  const executed: string[] = [];
  type Message = { name: string; reply?: Reply<string> };
  const ref = system.spawn<Message, null>("slow", {
    init: () => null,
    async receive(state, batch, ctx) {
      for (const { name, reply } of batch) {
        executed.push(name);
        if (reply) ctx.reply(reply, name);
      }
      await pause(ctx, 100);
      return state;
    },
  });
  ref.tell({ name: "first" });
  await env.advance(0);
  const controller = new AbortController();
  const asking = (name: string, timeoutMs: number, signal?: AbortSignal) =>
    probe(ref.ask<string>((reply) => ({ name, reply }), { timeoutMs, signal }));
  ref.tell({ name: "tell, 99 ms" }, { deadlineMs: 99 });
  ref.tell({ name: "tell, 100 ms" }, { deadlineMs: 100 });
  ref.tell({ name: "tell, 101 ms" }, { deadlineMs: 101 });
  const asks = [
    asking("ask, 99 ms", 99),
    asking("ask, 100 ms", 100),
    asking("ask, 101 ms", 101),
    asking("ask, aborted", 1_000, controller.signal),
  ];
  await env.advance(50);
  controller.abort();
  await env.advance(200);
  assertEquals(executed, ["first", "tell, 101 ms", "ask, 101 ms"]);
  assertEquals(asks.map(({ state, error }) => error?.name ?? state), [
    "AskTimeout",
    "AskTimeout",
    // Taken in time, but its turn's commit, 100 ms later, was not: the outcome is unknown to the asker.
    "AskTimeout",
    "AbortError",
  ]);
  assertEquals(system.counters().expired, 5);
  assertEquals(eventsOf("expired").length, 5);
  assertEquals(eventsOf("ask-timeout").length, 3);
  await close();
});

Deno.test("a refused ask says which refusal it was, and never makes its message", async () => {
  const { env, system, close } = newWorld();
  const ref = system.spawn<Question | "stop", null>(
    "actor",
    each((message, ctx) => {
      if (message === "stop") ctx.stop();
    }),
    { mailbox: { userMessagesMax: 1 } },
  );
  let made = 0;
  const counted = (reply: Reply<string>) => (made++, { reply });
  ref.tell("stop");
  await assertRejects(() => ref.ask(counted, { timeoutMs: 10 }), MailboxFull);
  await env.runUntilIdle();
  await assertRejects(() => ref.ask(counted, { timeoutMs: 10 }), ActorStopped);
  await assertRejects(() => ref.ask(counted, { timeoutMs: 0 }), AskTimeout);
  await assertRejects(() => ref.ask(counted, { timeoutMs: NaN }), RangeError);
  await assertRejects(() => ref.ask(counted, { timeoutMs: Infinity }), RangeError);
  assertEquals(made, 0);
  await close();
});

Deno.test("an ask gets what its actor gave to fail, and a second answer is dropped", async () => {
  const { env, system, close } = newWorld();
  const ref = system.spawn<Question, null>(
    "actor",
    each(({ reply }, ctx) => {
      ctx.fail(reply, new RangeError("no"));
      ctx.reply(reply, "twice");
    }),
  );
  const answer = probe(ref.ask(question, { timeoutMs: 10 }));
  await env.runUntilIdle();
  assertInstanceOf(answer.error, RangeError);
  assertEquals(system.counters().lateReplies, 1);
  await close();
});

type Go = { readonly go: true } | Question;

/** An actor that on `go`, or on any question, does `act` inside its turn and writes down how it ended. */
function acting(
  log: string[],
  act: (ctx: Ctx<Go>) => Promise<string>,
): Behavior<Go, null> {
  return {
    init: () => null,
    async receive(state, batch, ctx) {
      for (const message of batch) {
        const outcome = await act(ctx).catch((error: Error) => error.name);
        log.push(`${ctx.self.name}: ${outcome}`);
        if ("reply" in message) ctx.reply(message.reply, outcome);
      }
      return state;
    },
  };
}

const timeoutMs = 60_000;

Deno.test("actors 16: an actor that asks itself fails at once, by ctx.ask or by its own ref", async () => {
  const { env, system, close } = newWorld();
  const log: string[] = [];
  const byContext = system.spawn(
    "ctx",
    acting(log, (ctx) => ctx.ask(ctx.self, question, { timeoutMs })),
  );
  const byRef = system.spawn("ref", acting(log, (ctx) => ctx.self.ask(question, { timeoutMs })));
  const afterAwait = system.spawn(
    "awaited",
    acting(log, async (ctx) => {
      await pause(ctx, 5);
      return await ctx.ask(ctx.self, question, { timeoutMs });
    }),
  );
  for (const ref of [byContext, byRef, afterAwait]) ref.tell({ go: true });
  await env.advance(5);
  assertEquals(log, ["ctx: AskCycle", "ref: AskCycle", "awaited: AskCycle"]);
  await close();
});

Deno.test("actors 16: an actor that asks itself in init or commit fails at once as well", async () => {
  const { env, system, close } = newWorld();
  const log: string[] = [];
  const asking = async (ctx: Ctx<Question>) =>
    void log.push(await ctx.self.ask(question, { timeoutMs }).catch((error) => error.name));
  const ref = system.spawn<Question, null>("actor", {
    async init(ctx) {
      await asking(ctx);
      return null;
    },
    receive: (state) => state,
    commit: (_state, ctx) => asking(ctx),
  });
  ref.tell({ reply: undefined as unknown as Reply<string> });
  await env.runUntilIdle();
  assertEquals(log, ["AskCycle", "AskCycle"]);
  await close();
});

for (const length of [2, 3, 5]) {
  Deno.test(`actors 16: a cycle of ${length} turns that wait for each other fails at once`, async () => {
    const { env, system, close } = newWorld();
    const log: string[] = [];
    const refs: Ref<Go>[] = [];
    for (let i = 0; i < length; i++) {
      const next = (ctx: Ctx<Go>) =>
        ctx.ask<Go, string>(refs[(i + 1) % length], question, { timeoutMs });
      refs.push(system.spawn(`a${i}`, acting(log, next)));
    }
    refs[0].tell({ go: true });
    await env.runUntilIdle();
    // The last one finds the cycle; the others get its answer.
    const expected = Array.from({ length }, (_, i) => `a${length - 1 - i}: AskCycle`);
    assertEquals(log, expected);
    assertEquals(env.now(), 0);
    await close();
  });
}

Deno.test("actors 16: two actors whose turns ask each other at the same time fail at once", async () => {
  const { env, system, close } = newWorld();
  const log: string[] = [];
  const refs: Ref<Go>[] = [];
  for (const i of [0, 1]) {
    refs.push(system.spawn(
      `a${i}`,
      acting(log, async (ctx) => {
        await pause(ctx, 5);
        return await ctx.ask<Go, string>(refs[1 - i], question, { timeoutMs });
      }),
    ));
  }
  for (const ref of refs) ref.tell({ go: true });
  await env.advance(10);
  assertEquals(log[0], "a1: AskCycle", "the second to ask closes the cycle");
  assertEquals(env.now(), 10);
  await close();
});

Deno.test("asks that form no cycle are let through: a diamond, and an ask that no turn waits for", async () => {
  const { env, system, close } = newWorld();
  const log: string[] = [];
  const leaf = system.spawn<Go, null>(
    "leaf",
    each((message, ctx) => {
      if ("reply" in message) ctx.reply(message.reply, "leaf");
    }),
  );
  const middle = ["m1", "m2"].map((name) =>
    system.spawn(name, acting(log, (ctx) => ctx.ask<Go, string>(leaf, question, { timeoutMs })))
  );
  const top = system.spawn(
    "top",
    acting(log, async (ctx) => {
      const answers = middle.map((ref) => ctx.ask<Go, string>(ref, question, { timeoutMs }));
      return (await Promise.all(answers)).join("+");
    }),
  );
  top.tell({ go: true });
  const selfish = system.spawn<Go, null>(
    "selfish",
    each((message, ctx) => {
      if ("reply" in message) return ctx.reply(message.reply, "to myself");
      ctx.after(() => {
        ctx.self.ask<string>(question, { timeoutMs }).then((answer) => log.push(answer));
        ctx.ask<Go, string>(ctx.self, question, { timeoutMs }).then((answer) => log.push(answer));
      });
    }),
  );
  selfish.tell({ go: true });
  await env.runUntilIdle();
  assertEquals(log.sort(), ["m1: leaf", "m2: leaf", "to myself", "to myself", "top: leaf+leaf"]);
  await close();
});

Deno.test("an ask whose turn is over holds nobody up any more", async () => {
  const { env, system, close } = newWorld();
  const log: string[] = [];
  const refs: Record<string, Ref<Go>> = {};
  refs.b = system.spawn(
    "b",
    acting(log, async (ctx) => {
      await pause(ctx, 10);
      return await ctx.ask<Go, string>(refs.a, question, { timeoutMs });
    }),
  );
  refs.a = system.spawn<Go, null>(
    "a",
    each((message, ctx) => {
      if ("reply" in message) return ctx.reply(message.reply, "a");
      // Not waited for: this turn ends long before the answer.
      ctx.ask<Go, string>(refs.b, question, { timeoutMs }).then((answer) =>
        log.push(`then ${answer}`)
      );
    }),
  );
  refs.a.tell({ go: true });
  await env.advance(50);
  assertEquals(log, ["b: a", "then a"]);
  await close();
});

for (const how of ["was answered within the turn", "was put by a turn that failed"]) {
  Deno.test(`an ask that ${how} holds nobody up any more`, async () => {
    const { env, system, close } = newWorld();
    const fails = how === "was put by a turn that failed";
    const log: string[] = [];
    const refs: Record<string, Ref<Go>> = {};
    // Answers at once if asked well; in any case asks a back, 50 ms later, in a turn of its own.
    refs.b = system.spawn<Go, null>("b", {
      init(ctx) {
        ctx.setTimer({ go: true }, { delayMs: 50 });
        return null;
      },
      async receive(state, batch, ctx) {
        for (const message of batch) {
          if ("reply" in message) {
            if (!fails) ctx.reply(message.reply, "b");
          } else {
            const asked = ctx.ask<Go, string>(refs.a, question, { timeoutMs });
            log.push(`b got ${await asked.catch((error) => error.name)}`);
          }
        }
        return state;
      },
    });
    refs.a = system.spawn<Go, null>("a", {
      init: () => null,
      async receive(state, batch, ctx) {
        for (const message of batch) {
          if ("reply" in message) {
            ctx.reply(message.reply, "a");
            continue;
          }
          const asked = ctx.ask<Go, string>(refs.b, question, { timeoutMs });
          if (fails) {
            asked.catch(() => {});
            throw new Error("fail");
          }
          log.push(`a got ${await asked}`);
          await pause(ctx, 100);
        }
        return state;
      },
    }, { supervision: { backoffMinMs: 200, backoffMaxMs: 200 } });
    refs.a.tell({ go: true });
    await env.advance(500);
    assertEquals(log, fails ? ["b got a"] : ["a got b", "b got a"]);
    await close();
  });
}

Deno.test("an actor that fails or stops fails the questions it kept from earlier turns", async () => {
  for (const end of ["fail", "stop"] as const) {
    const { env, system, close } = newWorld();
    const kept: Reply<string>[] = [];
    const ref = system.spawn<Question | "fail" | "stop", null>(
      "actor",
      each((message, ctx) => {
        if (message === "fail") throw new Error("fail");
        if (message === "stop") return ctx.stop();
        kept.push(message.reply);
      }),
      { mailbox: { turnMessagesMax: 1 } },
    );
    const early = probe(ref.ask<string>(question, { timeoutMs: 60_000 }));
    await env.runUntilIdle();
    assertEquals(system.inspect(ref).asksHeld, 1);
    ref.tell(end);
    const queued = probe(ref.ask<string>(question, { timeoutMs: 60_000 }));
    await env.advance(1_000);
    assertInstanceOf(early.error, ActorFailed);
    if (end === "fail") assertEquals(queued.state, "pending", "queued mail survives a restart");
    else assertInstanceOf(queued.error, ActorStopped);
    assert(kept[0].settled);
    await close();
  }
});
