/**
 * What any runtime behind actors/types.ts must hold, as checks over a factory: they pass for ours,
 * and conformance_test.ts shows that they reject one whose gate or expiry is broken.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import type { Reply } from "../../actors/types.ts";
import { newWorld, pause, probe, recorder, type SystemFactory } from "./world.ts";

type Put = { readonly name: string; readonly reply?: Reply<string> };

/**
 * The output gate: nothing that a turn emits is seen before its commit, or ever if that fails.
 *
 * @throws {AssertionError}
 */
export async function checkGate(factory: SystemFactory): Promise<void> {
  const { env, system } = newWorld(1, factory);
  const seen: string[] = [];
  const witness = system.spawn("witness", recorder(seen));
  let fails = false;
  const ref = system.spawn<Put, null>("gated", {
    init: () => null,
    receive(state, batch, ctx) {
      for (const { name, reply } of batch) {
        ctx.send(witness, name);
        ctx.after(() => seen.push(`after ${name}`));
        if (reply) ctx.reply(reply, name);
      }
      return state;
    },
    async commit(_state, ctx) {
      await pause(ctx, 100);
      if (fails) throw new Error("disk");
    },
  });
  const ask = (name: string) =>
    probe(ref.ask<string>((reply) => ({ name, reply }), { timeoutMs: 60_000 }));
  const good = ask("good");
  await env.advance(99);
  assertEquals([...seen, good.state], ["pending"], "seen before the commit");
  await env.advance(1);
  assertEquals([...seen, good.value], ["after good", "good", "good"], "not seen after it");
  seen.length = 0;
  fails = true;
  const bad = ask("bad");
  await env.advance(1_000);
  assertEquals([...seen, bad.error?.name], ["ActorFailed"], "seen of a turn that failed");
  await ended(system.stop(0), env);
}

/**
 * Expiry: what nobody waits for any more is never executed, and what is in time always is.
 *
 * @throws {AssertionError}
 */
export async function checkExpiry(factory: SystemFactory): Promise<void> {
  const { env, system } = newWorld(1, factory);
  const executed: string[] = [];
  const ref = system.spawn<Put, null>("slow", {
    init: () => null,
    async receive(state, batch, ctx) {
      for (const { name } of batch) executed.push(name);
      await pause(ctx, 100);
      return state;
    },
  });
  ref.tell({ name: "first" });
  await env.advance(0);
  const controller = new AbortController();
  const ask = (name: string, timeoutMs: number, signal?: AbortSignal) =>
    void ref.ask<string>((reply) => ({ name, reply }), { timeoutMs, signal }).catch(() => {});
  ref.tell({ name: "tell late" }, { deadlineMs: 50 });
  ref.tell({ name: "tell in time" }, { deadlineMs: 150 });
  ask("ask late", 50);
  ask("ask in time", 150);
  ask("ask aborted", 1_000, controller.signal);
  await env.advance(20);
  controller.abort();
  await env.advance(1_000);
  assertEquals(executed, ["first", "tell in time", "ask in time"]);
  await ended(system.stop(0), env);
}

async function ended(stopped: Promise<unknown>, env: { advance(ms: number): Promise<void> }) {
  await env.advance(5_000);
  await stopped;
}
