/**
 * Mailboxes: bounds, lanes, refusals (statements 6 and 7).
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { Mailbox } from "../../actors/mailbox.ts";
import { createSystem } from "../../actors/system.ts";
import type { Ref } from "../../actors/types.ts";
import { virtualEnv } from "../../actors/virtual_env.ts";
import { each, newWorld, pause, recorder } from "./world.ts";

const noDrops = () => {
  throw new Error("nothing here can be dropped");
};

Deno.test("Mailbox equals a model of two bounded queues, control first", () => {
  const command = fc.oneof(
    fc.record({
      lane: fc.constantFrom("user" as const, "control" as const),
      bytes: fc.integer({ min: 0, max: 40 }),
    }),
    fc.record({ drain: fc.integer({ min: 1, max: 20 }) }),
  );
  fc.assert(
    fc.property(fc.array(command, { maxLength: 300 }), (commands) => {
      const limits = {
        userMessagesMax: 20,
        userBytesMax: 300,
        controlMessagesMax: 40,
        controlBytesMax: 500,
        turnMessagesMax: 20,
      };
      const mailbox = new Mailbox(limits);
      const model = { user: [] as [number, number][], control: [] as [number, number][] };
      const bytesOf = (lane: "user" | "control") => model[lane].reduce((sum, [, b]) => sum + b, 0);
      commands.forEach((step, id) => {
        if ("drain" in step) {
          const expected = [
            ...model.control.splice(0, step.drain),
          ];
          expected.push(...model.user.splice(0, step.drain - expected.length));
          assertEquals(mailbox.drain(step.drain, 0, noDrops), expected.map(([id]) => id));
        } else {
          const { lane, bytes } = step;
          const fits = model[lane].length < limits[`${lane}MessagesMax`] &&
            bytesOf(lane) + bytes <= limits[`${lane}BytesMax`];
          assertEquals(mailbox.push(lane, id, null, bytes), fits);
          if (fits) model[lane].push([id, bytes]);
        }
        assertEquals(mailbox.user.depth, model.user.length);
        assertEquals(mailbox.user.bytes, bytesOf("user"));
        assertEquals(mailbox.control.depth, model.control.length);
        assertEquals(mailbox.control.bytes, bytesOf("control"));
      });
    }),
    { numRuns: 300, seed: 6 },
  );
});

for (
  const [how, mailbox] of [
    ["in messages", { userMessagesMax: 4 }],
    ["in bytes", { userBytesMax: 400 }],
  ] as const
) {
  Deno.test(`actors 6: a user lane full ${how} neither evicts nor delays timers, peers and watch signals`, async () => {
    const { env, system, close } = newWorld();
    const batches: string[][] = [];
    const watched = system.spawn<"stop", null>("watched", each((_m, ctx) => ctx.stop()));
    const ref = system.spawn<string, null>("busy", {
      init(ctx) {
        ctx.setTimer("tick", { delayMs: 10 });
        ctx.watch(watched, (why) => `watched: ${why}`);
        return null;
      },
      async receive(state, batch, ctx) {
        batches.push([...batch]);
        await pause(ctx, 100);
        return state;
      },
    }, { mailbox });
    ref.tell("first");
    await env.advance(1);
    const results = ["a", "b", "c", "d", "e"].map((m) => ref.tell(m, { bytes: 100 }));
    assertEquals(results, ["ok", "ok", "ok", "ok", "full"]);
    watched.tell("stop");
    assertEquals(ref.tell("peer", { lane: "control", bytes: 1_000 }), "ok");
    await env.advance(50);
    assertEquals(ref.tell("f"), how === "in bytes" ? "ok" : "full");
    await env.advance(100);
    const user = ["a", "b", "c", "d", ...how === "in bytes" ? ["f"] : []];
    assertEquals(batches, [["first"], ["peer", "watched: stop", "tick", ...user]]);
    await close();
  });
}

Deno.test("actors 6: a full user lane does not delay a stop", async () => {
  const { env, system, close } = newWorld();
  const ref = system.spawn<string, null>(
    "actor",
    each((message, ctx) => {
      if (message === "stop") ctx.stop();
    }),
    { mailbox: { userMessagesMax: 100, turnMessagesMax: 1 } },
  );
  while (ref.tell("work") === "ok");
  ref.tell("stop", { lane: "control" });
  await env.runUntilIdle();
  const { phase } = system.inspect(ref);
  const { processed, deadLettered } = system.counters();
  assertEquals({ phase, processed, deadLettered }, {
    phase: "stopped",
    processed: 1,
    deadLettered: 100,
  });
  await close();
});

Deno.test("a full control lane refuses peers but never the runtime's own ticks", async () => {
  const { env, system, close } = newWorld();
  const seen: string[] = [];
  const ref = system.spawn<string, null>("actor", {
    init(ctx) {
      ctx.setTimer("tick", { delayMs: 5 });
      return null;
    },
    async receive(state, batch, ctx) {
      seen.push(...batch);
      await pause(ctx, 10);
      return state;
    },
  }, { mailbox: { controlMessagesMax: 2 } });
  ref.tell("first");
  await env.advance(1);
  const results = ["p1", "p2", "p3"].map((m) => ref.tell(m, { lane: "control" }));
  await env.advance(100);
  assertEquals(results, ["ok", "ok", "full"]);
  assertEquals(seen, ["first", "p1", "p2", "tick"]);
  await close();
});

Deno.test("actors 7: tell never throws into the sender, even when every event listener throws", async () => {
  const env = virtualEnv(7);
  const system = createSystem({
    env,
    onEvent: () => {
      throw new Error("listener");
    },
  });
  const options = { mailbox: { userMessagesMax: 1 } };
  const full = system.spawn("full", recorder<string>([]), options);
  const stopped = system.spawn<string, null>("stopped", each((_m, ctx) => ctx.stop()));
  const crashed = system.spawn<string, null>(
    "crashed",
    each(() => {
      throw new Error("crash");
    }),
    { supervision: { backoffMinMs: 1_000 } },
  );
  assertEquals([full.tell("a"), full.tell("b")], ["ok", "full"]);
  stopped.tell("stop");
  stopped.tell("a dead letter");
  crashed.tell("crash");
  await env.advance(100);
  assertEquals(stopped.tell("late"), "stopped");
  assertEquals(crashed.tell("while it waits for its restart"), "ok");
  assertEquals(system.inspect(crashed).phase, "restarting");
  assertEquals(system.counters().listenerFaults > 0, true);
  const ending = system.stop(0);
  await env.advance(0);
  await ending;
  assertEquals(full.tell("after the end"), "stopped");
});

Deno.test("actors 7: what a turn sends to a full or foreign address harms nobody and is reported", async () => {
  const { env, system, eventsOf, close } = newWorld();
  const full = system.spawn("full", recorder<string>([]), { mailbox: { userMessagesMax: 1 } });
  const foreign: Ref<string> = {
    name: "foreign",
    tell: () => {
      throw new Error("foreign");
    },
    ask: () => Promise.reject(new Error("foreign")),
  };
  const log: string[] = [];
  const ref = system.spawn<string, null>(
    "sender",
    each((message, ctx) => {
      ctx.send(full, message);
      ctx.send(full, message);
      ctx.send(foreign, message);
      ctx.after(() => log.push("reached"));
    }),
  );
  ref.tell("x");
  await env.runUntilIdle();
  assertEquals(log, ["reached"]);
  assertEquals(eventsOf("refused").map(({ actor, why }) => [actor, why]), [["full", "full"]]);
  assertEquals(eventsOf("effect-failed").map(({ what }) => what), ["send"]);
  await close();
});

Deno.test("sizes that are no sizes cannot break a mailbox's count", async () => {
  const { env, system, close } = newWorld();
  const ref = system.spawn("actor", recorder<string>([]), { mailbox: { userBytesMax: 10 } });
  for (const bytes of [-5, NaN, 4, undefined]) assertEquals(ref.tell("x", { bytes }), "ok");
  assertEquals(system.inspect(ref).userBytes, 4);
  assertEquals([ref.tell("y", { bytes: 7 }), ref.tell("y", { bytes: 6 })], ["full", "ok"]);
  await env.runUntilIdle();
  assertEquals(system.inspect(ref).userBytes, 0);
  await close();
});
