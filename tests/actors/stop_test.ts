/**
 * Stopping a system: drain, deadline, grace, accounts (statement 12).
 *
 * @module
 */
import { assert, assertEquals, assertInstanceOf, assertThrows } from "@std/assert";
import { ActorFailed, ActorStopped } from "../../actors/errors.ts";
import { STOP_GRACE_MS } from "../../actors/limits.ts";
import type { Behavior, Reply, StopReason } from "../../actors/types.ts";
import {
  assertNothingHeld,
  each,
  newWorld,
  pause,
  probe,
  type Question,
  question,
  recorder,
} from "./world.ts";

/** Takes `turnMs` for each turn, whatever is in it. */
function slow(turnMs: number): Behavior<number, null> {
  return {
    init: () => null,
    async receive(state, _batch, ctx) {
      await pause(ctx, turnMs);
      return state;
    },
  };
}

Deno.test("actors 12: a stop under load ends by its deadline, and every message is accounted for", async () => {
  const { env, system, close } = newWorld();
  const ref = system.spawn("slow", slow(10), {
    mailbox: { turnMessagesMax: 5, userMessagesMax: 1_000 },
  });
  let accepted = 0;
  let isLoading = true;
  const load = () => {
    if (!isLoading) return;
    for (let i = 0; i < 10; i++) if (ref.tell(i) === "ok") accepted++;
    env.setTimer(load, 1);
  };
  load();
  await env.advance(95);
  const stopped = probe(system.stop(100));
  const startedMs = env.now();
  // Steps, not time: a stop that spins would take an unbounded number of them.
  let steps = 0;
  while (stopped.state === "pending") {
    assert(++steps < 2_000, "the stop spins");
    await env.advance(0.25);
  }
  isLoading = false;
  assertEquals(stopped.value, "cut");
  assert(env.now() - startedMs <= 100 + 10 + 1, "only the turn in flight may outlive the deadline");
  const counters = system.counters();
  assertEquals(counters.accepted, accepted);
  assertEquals(counters.accepted, counters.processed + counters.deadLettered);
  assert(counters.processed > 0 && counters.deadLettered > 0);
  await env.advance(10);
  await close();
});

Deno.test("a stop with time enough serves everything that was taken, and nothing new from outside", async () => {
  const { env, system, close } = newWorld();
  const log: number[] = [];
  const end = system.spawn("end", recorder(log));
  const relay = system.spawn<number, null>("relay", {
    init: () => null,
    async receive(state, batch, ctx) {
      await pause(ctx, 20);
      for (const message of batch) ctx.send(end, message);
      return state;
    },
  }, { mailbox: { turnMessagesMax: 1 } });
  for (let i = 0; i < 5; i++) relay.tell(i);
  await env.advance(0);
  const stopped = probe(system.stop(10_000));
  assertEquals(relay.tell(99), "stopped");
  assertEquals(relay.tell(5, { lane: "control" }), "ok", "peers go on, so that work can end");
  assertThrows(() => system.spawn("late", slow(1)), ActorStopped);
  await env.advance(110);
  assertEquals(stopped.state, "pending");
  await env.advance(15);
  assertEquals(stopped.value, "drained");
  assertEquals(log, [0, 5, 1, 2, 3, 4]);
  assertEquals(env.now(), 125);
  assertNothingHeld(system, env);
  await close();
});

Deno.test("a stop waits for the questions that an actor keeps, and fails them at the deadline", async () => {
  const { env, system, close } = newWorld();
  const kept: Reply<string>[] = [];
  type Message = Question | "answer one";
  const ref = system.spawn<Message, null>(
    "keeper",
    each((message, ctx) => {
      if (message === "answer one") ctx.reply(kept.shift()!, "in time");
      else kept.push(message.reply);
    }, {
      init(ctx) {
        ctx.setTimer("answer one", { delayMs: 50 });
        return null;
      },
    }),
  );
  const answers = [1, 2].map(() => probe(ref.ask<string>(question, { timeoutMs: 60_000 })));
  await env.runUntilIdle();
  const stopped = probe(system.stop(100));
  await env.advance(99);
  assertEquals([answers[0].value, answers[1].state, stopped.state], [
    "in time",
    "pending",
    "pending",
  ]);
  await env.advance(1);
  assertEquals(stopped.value, "cut");
  assertInstanceOf(answers[1].error, ActorFailed);
  await close();
});

Deno.test("a stop ends as soon as the last kept question ends, also by its own deadline or abort", async () => {
  for (const how of ["deadline", "abort"]) {
    const { env, system, close } = newWorld();
    const ref = system.spawn<Question, null>("keeper", each(() => {}));
    const controller = new AbortController();
    const options = { timeoutMs: how === "deadline" ? 80 : 60_000, signal: controller.signal };
    const answer = probe(ref.ask<string>(question, options));
    await env.runUntilIdle();
    const stopped = probe(system.stop(10_000));
    await env.advance(79);
    assertEquals(stopped.state, "pending");
    if (how === "abort") controller.abort();
    await env.advance(1);
    assertEquals([answer.state, stopped.value], ["rejected", "drained"]);
    await close();
  }
});

Deno.test("a stop rejects queued asks before it waits for onStop", async () => {
  const { env, system, close } = newWorld();
  const ref = system.spawn<Question | "stop", null>("slow to close", {
    ...each<Question | "stop">((_message, ctx) => ctx.stop()),
    onStop: () => new Promise((resolve) => void env.setTimer(resolve, 500)),
  }, { mailbox: { turnMessagesMax: 1 } });
  ref.tell("stop");
  const queued = probe(ref.ask<string>(question, { timeoutMs: 60_000 }));
  await env.runUntilIdle();
  assertEquals(system.inspect(ref).phase, "stopping");
  assertInstanceOf(queued.error, ActorStopped);
  await close();
});

Deno.test("a stop rejects queued asks as certainly not executed", async () => {
  const { env, system, eventsOf, close } = newWorld();
  const ref = system.spawn<Question, null>("slow", {
    init: () => null,
    async receive(state, _batch, ctx) {
      await pause(ctx, 50);
      return state;
    },
  });
  const taken = probe(ref.ask<string>(question, { timeoutMs: 60_000 }));
  await env.runUntilIdle();
  const queued = probe(ref.ask<string>(question, { timeoutMs: 60_000 }));
  system.stop(10);
  await env.advance(100);
  assertInstanceOf(taken.error, ActorFailed);
  assertInstanceOf(queued.error, ActorStopped);
  assertEquals(eventsOf("dead-letter").length, 1);
  await close();
});

for (const where of ["init", "receive", "commit", "onStop"] as const) {
  Deno.test(`a stop is not held up for ever by ${where} that never ends`, async () => {
    const { env, system, close } = newWorld();
    const never = new Promise<never>(() => {});
    const behavior: Behavior<string, null> = {
      init: () => where === "init" ? never : null,
      receive: (state) => where === "receive" ? never : state,
      commit: () => where === "commit" ? never : undefined,
      onStop: () => where === "onStop" ? never : undefined,
    };
    const ref = system.spawn<string, null>("parent", {
      init(ctx) {
        ctx.spawn("stuck", behavior).tell("go");
        return null;
      },
      receive: (state) => state,
    });
    await env.advance(10);
    const stopped = probe(system.stop(100));
    await env.advance(100 + STOP_GRACE_MS);
    assertEquals(stopped.state, "resolved");
    assertEquals(system.inspect(ref).phase, "stopped");
    await close();
  });
}

Deno.test("a child that begins to stop late does not prolong its parent's grace", async () => {
  const { env, system, eventsOf, close } = newWorld();
  const ref = system.spawn<string, null>("parent", {
    init(ctx) {
      ctx.spawn<string, null>("stuck", {
        init: () => null,
        receive: () => new Promise<never>(() => {}),
      }).tell("go");
      return null;
    },
    async receive(state, _batch, ctx) {
      await pause(ctx, 900);
      return state;
    },
  });
  await env.runUntilIdle();
  ref.tell("go");
  await env.runUntilIdle();
  const stopped = probe(system.stop(0));
  await env.advance(STOP_GRACE_MS);
  assertEquals(stopped.state, "resolved");
  assertEquals(eventsOf("stopped").map(({ actor }) => actor), ["parent/stuck", "parent"]);
  await close();
});

Deno.test("a turn that was given up shows nothing when it ends after all, and closes its state then", async () => {
  const { env, system, close } = newWorld();
  const log: string[] = [];
  const ref = system.spawn<Question, null>("late", {
    init: () => null,
    async receive(state, batch, ctx) {
      await pause(ctx, 5_000);
      ctx.after(() => log.push("after"));
      for (const { reply } of batch) ctx.reply(reply, "late");
      return state;
    },
    commit: () => void log.push("commit"),
    onStop: (_state, why) => void log.push(`onStop ${why}`),
  });
  const answer = probe(ref.ask<string>(question, { timeoutMs: 60_000 }));
  await env.advance(10);
  const stopped = probe(system.stop(100));
  await env.advance(2_000);
  assertEquals([stopped.state, answer.error?.name, ...log], ["resolved", "ActorFailed"]);
  await env.advance(5_000);
  assertEquals(log, ["onStop fault"]);
  await close();
});

Deno.test("children stop before their parent, and onStop is awaited", async () => {
  const { env, system, close } = newWorld();
  const log: string[] = [];
  const closing = (name: string): Behavior<string, null> => ({
    init(ctx) {
      if (name.length < 3) ctx.spawn(`${name}c`, closing(`${name}c`));
      return null;
    },
    receive: (state) => state,
    async onStop() {
      log.push(`${name} stops`);
      await new Promise<void>((resolve) => void env.setTimer(resolve, 10));
      log.push(`${name} stopped`);
    },
  });
  system.spawn("a", closing("a"));
  await env.runUntilIdle();
  const stopped = probe(system.stop(0));
  await env.advance(30);
  assertEquals(stopped.value, "drained");
  assertEquals(log, ["acc", "ac", "a"].flatMap((name) => [`${name} stops`, `${name} stopped`]));
  await close();
});

Deno.test("an actor stopped while it waits for its restart stops, and serves no more", async () => {
  const { env, system, close } = newWorld();
  let inits = 0;
  const endings: StopReason[] = [];
  const ref = system.spawn<string, null>("actor", {
    init: () => (inits++, null),
    receive() {
      throw new Error("fail");
    },
    onStop: (_state, why) => void endings.push(why),
  }, { supervision: { backoffMinMs: 1_000, backoffMaxMs: 1_000 } });
  ref.tell("fail");
  await env.advance(10);
  ref.tell("queued");
  const stopped = probe(system.stop(20));
  await env.advance(5_000);
  assertEquals([stopped.value, inits, system.counters().deadLettered], ["cut", 1, 1]);
  assertEquals(endings, ["fault"], "each life ends once");
  await close();
});

Deno.test("an empty system stops at once, and stopping again gives the same end", async () => {
  const { env, system } = newWorld();
  const first = system.stop(1_000);
  assert(first === system.stop(0));
  assertEquals(await first, "drained");
  assertNothingHeld(system, env);
});
