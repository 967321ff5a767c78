/** Work beside a replica's turns: its waits, its steps, its failures and its end. */
import { assertEquals, assertThrows } from "@std/assert";
import { Background } from "../../actors/background.ts";
import type { State } from "../../actors/replica_state.ts";
import type { ReplicaMessage } from "../../actors/replica_types.ts";
import type { Ctx, TellResult } from "../../actors/types.ts";
import { virtualEnv } from "../../actors/virtual_env.ts";

const STATE = {} as State;

/** A background whose steps are collected, to be run as a turn does. */
function newBench() {
  const env = virtualEnv(1);
  const messages: Extract<ReplicaMessage, { type: "job" }>[] = [];
  const lane = { result: "ok" as TellResult };
  const self = {
    tell: (message: Extract<ReplicaMessage, { type: "job" }>) => {
      if (lane.result === "ok") messages.push(message);
      return lane.result;
    },
  };
  const background = new Background({ env, self } as unknown as Ctx<ReplicaMessage>, 7);
  return { env, lane, messages, background };
}

Deno.test("Background runs work between waits, and its steps in turns of its own boot", async () => {
  const { env, messages, background } = newBench();
  const log: string[] = [];
  void background.start(async () => {
    log.push("begun");
    await background.breathe();
    log.push("breathed");
    await background.pause(100);
    background.inTurn(() => void log.push("in a turn"));
  });
  assertEquals(log, ["begun"]);
  await env.advance(99);
  assertEquals([log, messages.length], [["begun", "breathed"], 0]);
  await env.advance(1);
  assertEquals(messages.map(({ boot }) => boot), [7]);
  messages[0].run(STATE);
  assertEquals(log, ["begun", "breathed", "in a turn"]);
});

Deno.test("Background has a turn throw what its work throws", async () => {
  const { env, messages, background } = newBench();
  void background.start(() => Promise.reject(new Error("broken")));
  await env.runUntilIdle();
  assertThrows(() => messages[0].run(STATE), Error, "broken");
});

Deno.test("Background asks for its turn again when the mailbox is full", async () => {
  const { env, lane, messages, background } = newBench();
  lane.result = "full";
  background.inTurn(() => {});
  await env.advance(1000);
  assertEquals(messages, []);
  lane.result = "ok";
  await env.advance(1000);
  assertEquals(messages.length, 1);
});

Deno.test("Background ends with all of its waits, and nothing is heard of its work any more", async () => {
  const { env, messages, background } = newBench();
  const disk = Promise.withResolvers<void>();
  let ended = false;
  const gone: string[] = [];
  void background.start(async () => {
    await background.pause(1000);
    gone.push("paused");
  });
  void background.start(async () => {
    for (;;) await background.breathe();
  });
  void background.start(async () => {
    await disk.promise;
    background.inTurn(() => {});
    background.check();
    gone.push("written");
  });
  void background.end().then(() => void (ended = true));
  await env.runUntilIdle();
  assertEquals([ended, env.timersPending], [false, 0]); // The disk is waited for.
  disk.reject(new Error("the log is closed"));
  await env.runUntilIdle();
  assertEquals([ended, messages, gone], [true, [], []]);
});
