/**
 * What the tests of the actor runtime share: a virtual world with one system in it, and small
 * tools to look at promises and events. No assertions about the runtime itself but one: a world
 * that is closed leaves nothing behind.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import type { RuntimeEvent } from "../../actors/events.ts";
import { type ActorSystem, createSystem } from "../../actors/system.ts";
import type { Behavior, Ctx, Reply } from "../../actors/types.ts";
import { type VirtualEnv, virtualEnv } from "../../actors/virtual_env.ts";

export interface World {
  readonly env: VirtualEnv;
  readonly system: ActorSystem;
  readonly events: RuntimeEvent[];
  eventsOf<T extends RuntimeEvent["type"]>(type: T): Extract<RuntimeEvent, { type: T }>[];
  /** Stops the system and asserts that neither it nor the environment holds anything any more. */
  close(): Promise<void>;
}

/** Makes the system under test; a check that takes one can be shown a broken runtime too. */
export type SystemFactory = typeof createSystem;

export function newWorld(seed = 1, factory: SystemFactory = createSystem): World {
  const env = virtualEnv(seed);
  const events: RuntimeEvent[] = [];
  const system = factory({ env, onEvent: (event) => void events.push(event) });
  return {
    env,
    system,
    events,
    eventsOf: <T extends RuntimeEvent["type"]>(type: T) =>
      events.filter((event): event is Extract<RuntimeEvent, { type: T }> => event.type === type),
    close: async () => {
      const stopped = system.stop(0);
      await env.advance(10_000);
      await stopped;
      assertNothingHeld(system, env);
    },
  };
}

export function assertNothingHeld(system: ActorSystem, env: VirtualEnv): void {
  assertEquals(system.gauges(), {
    actors: 0,
    queued: 0,
    asksPending: 0,
    timersArmed: 0,
    deadlineTimersArmed: 0,
    abortListeners: 0,
  });
  assertEquals(env.timersPending, 0, "timers left in the environment");
  const { accepted, processed, failed, expired, cancelled, deadLettered } = system.counters();
  assertEquals(
    accepted,
    processed + failed + expired + cancelled + deadLettered,
    "a message was lost or counted twice",
  );
}

/** What a promise has come to so far. */
export interface Probe<T> {
  state: "pending" | "resolved" | "rejected";
  value?: T;
  error?: Error;
}

export function probe<T>(promise: Promise<T>): Probe<T> {
  const result: Probe<T> = { state: "pending" };
  promise.then(
    (value) => {
      result.state = "resolved";
      result.value = value;
    },
    (error) => {
      result.state = "rejected";
      result.error = error;
    },
  );
  return result;
}

/** Waits on the virtual clock, as a turn waits for I/O. */
export function pause(ctx: Pick<Ctx<never>, "env">, ms: number): Promise<void> {
  return new Promise((resolve) => void ctx.env.setTimer(resolve, ms));
}

/** A stateless behaviour that handles each message by itself. */
export function each<M>(
  handle: (message: M, ctx: Ctx<M>) => void,
  more: Partial<Behavior<M, null>> = {},
): Behavior<M, null> {
  return {
    init: () => null,
    receive(state, batch, ctx) {
      for (const message of batch) handle(message, ctx);
      return state;
    },
    ...more,
  };
}

/** Writes down what it is sent. */
export function recorder<M>(log: M[]): Behavior<M, null> {
  return each((message) => void log.push(message));
}

export type Question = { readonly reply: Reply<string> };

export const question = (reply: Reply<string>): Question => ({ reply });
