/**
 * Statement 18: the checks of conformance.ts pass for the runtime, and each of them fails for a
 * runtime with one deliberate fault. The faults are wrapped around the real runtime from outside,
 * so there is no switch for them in it.
 *
 * @module
 */
import { AssertionError, assertRejects } from "@std/assert";
import { AskTimeout } from "../../actors/errors.ts";
import { type ActorSystem, createSystem, type SystemOptions } from "../../actors/system.ts";
import type { AskOptions, Behavior, Ctx, Ref, Reply, TellOptions } from "../../actors/types.ts";
import { checkExpiry, checkGate } from "./conformance.ts";

Deno.test("actors 18: the runtime passes the gate check and the expiry check", async () => {
  await checkGate(createSystem);
  await checkExpiry(createSystem);
});

type CtxFault = (ctx: Ctx<never>) => Partial<Ctx<never>>;

/** A runtime whose behaviours get a context with some of its methods replaced. */
function withContext(fault: CtxFault): typeof createSystem {
  return (options: SystemOptions) => {
    const system = createSystem(options);
    const broken = <M>(ctx: Ctx<M>): Ctx<M> => {
      const replaced = fault(ctx as unknown as Ctx<never>) as Record<PropertyKey, unknown>;
      return new Proxy(ctx, {
        get(target, key) {
          if (key in replaced) return replaced[key];
          const value = Reflect.get(target, key, target);
          return typeof value === "function" ? value.bind(target) : value;
        },
      });
    };
    const spawn: ActorSystem["spawn"] = <M, S>(name: string, behavior: Behavior<M, S>) =>
      system.spawn<M, S>(name, {
        init: (ctx) => behavior.init(broken(ctx)),
        receive: (state, batch, ctx) => behavior.receive(state, batch, broken(ctx)),
        commit: (state, ctx) => behavior.commit?.(state, broken(ctx)),
      });
    return wrapped(system, spawn);
  };
}

/** A runtime whose addresses are replaced. */
function withRef(fault: <M>(ref: Ref<M>) => Ref<M>): typeof createSystem {
  return (options: SystemOptions) => {
    const system = createSystem(options);
    return wrapped(
      system,
      <M, S>(name: string, behavior: Behavior<M, S>) => fault(system.spawn<M, S>(name, behavior)),
    );
  };
}

function wrapped(system: ActorSystem, spawn: ActorSystem["spawn"]): ActorSystem {
  return {
    env: system.env,
    spawn,
    whenStopped: (ref) => system.whenStopped(ref),
    inspect: (ref) => system.inspect(ref),
    gauges: () => system.gauges(),
    counters: () => system.counters(),
    stop: (drainMs) => system.stop(drainMs),
  };
}

const brokenGates: [string, CtxFault][] = [
  ["replies at once", (ctx) => ({ reply: (to, value) => ctx.replyEarly(to, value) })],
  ["sends at once", (ctx) => ({ send: (to, message) => void ctx.sendEarly(to, message) })],
  ["runs effects at once", () => ({ after: (effect) => effect() })],
  ["never releases replies", () => ({ reply: () => {} })],
];

for (const [how, fault] of brokenGates) {
  Deno.test(`actors 18: the gate check rejects a runtime that ${how}`, async () => {
    await assertRejects(() => checkGate(withContext(fault)), AssertionError);
  });
}

/** Tells without their deadline. */
function deaf<M>(ref: Ref<M>): Ref<M> {
  return {
    name: ref.name,
    tell: (message: M, options?: TellOptions) =>
      ref.tell(message, { ...options, deadlineMs: undefined }),
    ask: (make, options) => ref.ask(make, options),
  };
}

/** Ends asks for the asker alone: the question stays in the queue and is executed. */
function halfDeaf<M>(ref: Ref<M>): Ref<M> {
  return {
    name: ref.name,
    tell: (message: M, options?: TellOptions) => ref.tell(message, options),
    ask<R>(make: (reply: Reply<R>) => M, { timeoutMs, signal, ...rest }: AskOptions): Promise<R> {
      const aborted = new Promise<never>((_, reject) =>
        signal?.addEventListener("abort", () => reject(new AskTimeout(ref.name, timeoutMs)))
      );
      return Promise.race([ref.ask(make, { ...rest, timeoutMs: 3_600_000 }), aborted]);
    },
  };
}

/** Takes everything for expired. */
function hasty<M>(ref: Ref<M>): Ref<M> {
  return {
    name: ref.name,
    tell: (message: M, options?: TellOptions) =>
      ref.tell(message, options?.deadlineMs === undefined ? options : { deadlineMs: 1 }),
    ask: (make, options) => ref.ask(make, { ...options, timeoutMs: 1 }),
  };
}

for (
  const [how, fault] of [
    ["executes expired tells", deaf],
    ["executes questions whose asker has gone", halfDeaf],
    ["expires what is in time", hasty],
  ] as const
) {
  Deno.test(`actors 18: the expiry check rejects a runtime that ${how}`, async () => {
    await assertRejects(() => checkExpiry(withRef(fault)), AssertionError);
  });
}
