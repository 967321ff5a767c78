/**
 * An actor system: a family of actors that share one environment, and are started, observed and
 * stopped together. It knows nothing of what its actors do.
 *
 * @module
 */
import { type Cell, spawnCell } from "./cell.ts";
import { ActorStopped } from "./errors.ts";
import type { Counters, EventListener } from "./events.ts";
import { whenStopped } from "./lifecycle.ts";
import { cellOf } from "./ref.ts";
import { Runtime } from "./runtime.ts";
import type { Behavior, Env, Ref, SpawnOptions, StopReason } from "./types.ts";

export interface SystemOptions {
  readonly env: Env;
  /** Hears of everything in events.ts, synchronously. What it throws is counted and goes no further. */
  readonly onEvent?: EventListener;
}

/** What a system holds right now; every field is zero once it has stopped. */
export interface Gauges {
  readonly actors: number;
  /** Messages in mailboxes. */
  readonly queued: number;
  /** Asks without an end yet, queued or held by an actor. */
  readonly asksPending: number;
  /** Environment timers that actors' own timers hold. */
  readonly timersArmed: number;
  /** 1 while any ask has a deadline to wait for. */
  readonly deadlineTimersArmed: number;
  readonly abortListeners: number;
}

/** One actor, seen from outside. */
export interface Inspection {
  readonly phase: "starting" | "running" | "restarting" | "stopping" | "stopped";
  readonly isInTurn: boolean;
  readonly userDepth: number;
  readonly userBytes: number;
  readonly controlDepth: number;
  readonly controlBytes: number;
  /** Asks that the actor took and has not answered. */
  readonly asksHeld: number;
}

/** `drained`: everything that was taken has been served. `cut`: the deadline came first. */
export type StopOutcome = "drained" | "cut";

export interface ActorSystem {
  readonly env: Env;
  /**
   * Starts an actor at the top, supervised by the rules it brings. Its `init` runs soon, not now.
   *
   * @throws {RangeError} when the name is empty, has a slash or is taken, or a limit is not usable.
   * @throws {ActorStopped} when the system stops or has stopped.
   */
  spawn<M, S>(name: string, behavior: Behavior<M, S>, options?: SpawnOptions): Ref<M>;
  /** Resolves once the actor has stopped for good. Never rejects. */
  whenStopped(ref: Ref<never>): Promise<StopReason>;
  inspect(ref: Ref<never>): Inspection;
  gauges(): Gauges;
  /** A copy of the counts so far. */
  counters(): Counters;
  /**
   * Stops every actor. For up to `drainMs` they serve what they hold; user messages from outside
   * are refused meanwhile. Then each is stopped, with STOP_GRACE_MS for a turn in flight and
   * `onStop`; what is still queued becomes dead letters, and its asks are rejected.
   * Calling it again changes nothing and waits for the same end.
   */
  stop(drainMs: number): Promise<StopOutcome>;
}

/**
 * Makes an empty system.
 *
 * @example
 * ```ts
 * const system = createSystem({ env: systemEnv() });
 * const greeter = system.spawn<{ name: string; reply: Reply<string> }, null>("greeter", {
 *   init: () => null,
 *   receive(state, batch, ctx) {
 *     for (const { name, reply } of batch) ctx.reply(reply, `Hello, ${name}`);
 *     return state;
 *   },
 * });
 * await greeter.ask<string>((reply) => ({ name: "Ada", reply }), { timeoutMs: 100 }); // "Hello, Ada"
 * await system.stop(1_000);
 * ```
 */
export function createSystem(options: SystemOptions): ActorSystem {
  return new System(options);
}

class System implements ActorSystem {
  readonly env: Env;
  readonly #runtime: Runtime;
  readonly #roots = new Map<string, Cell>();
  #stopping: Promise<StopOutcome> | null = null;

  constructor({ env, onEvent }: SystemOptions) {
    this.env = env;
    this.#runtime = new Runtime(env, onEvent);
  }

  spawn<M, S>(name: string, behavior: Behavior<M, S>, options?: SpawnOptions): Ref<M> {
    if (this.#stopping !== null) throw new ActorStopped(name);
    const erased = behavior as unknown as Behavior<unknown, unknown>;
    return spawnCell(this.#runtime, null, this.#roots, name, erased, options).ref as Ref<M>;
  }

  whenStopped(ref: Ref<never>): Promise<StopReason> {
    return whenStopped(cellOf(ref));
  }

  inspect(ref: Ref<never>): Inspection {
    const { phase, isInTurn, mailbox, heldCount } = cellOf(ref);
    return {
      phase,
      isInTurn,
      userDepth: mailbox.user.depth,
      userBytes: mailbox.user.bytes,
      controlDepth: mailbox.control.depth,
      controlBytes: mailbox.control.bytes,
      asksHeld: heldCount,
    };
  }

  gauges(): Gauges {
    const runtime = this.#runtime;
    let actors = 0;
    let queued = 0;
    for (const { mailbox } of this.#cells()) {
      actors++;
      queued += mailbox.user.depth + mailbox.control.depth;
    }
    return {
      actors,
      queued,
      asksPending: runtime.deadlines.size,
      timersArmed: runtime.timersArmed,
      deadlineTimersArmed: runtime.deadlines.isArmed ? 1 : 0,
      abortListeners: runtime.abortListeners,
    };
  }

  counters(): Counters {
    return { ...this.#runtime.counters };
  }

  stop(drainMs: number): Promise<StopOutcome> {
    return this.#stopping ??= this.#stop(drainMs);
  }

  async #stop(drainMs: number): Promise<StopOutcome> {
    const outcome = await this.#drain(drainMs);
    const roots = [...this.#roots.values()];
    const stopped = roots.map(whenStopped);
    for (const root of roots) root.lifecycle.stop("stop");
    await Promise.all(stopped);
    return outcome;
  }

  #drain(drainMs: number): Promise<StopOutcome> {
    const runtime = this.#runtime;
    const undrained = new Set<Cell>();
    for (const cell of this.#cells()) if (!cell.isDrained) undrained.add(cell);
    runtime.undrained = undrained;
    if (undrained.size === 0) return Promise.resolve("drained");
    return new Promise((resolve) => {
      const timer = this.env.setTimer(() => {
        runtime.onDrained = null;
        resolve("cut");
      }, drainMs);
      runtime.onDrained = () => {
        timer.cancel();
        runtime.onDrained = null;
        resolve("drained");
      };
    });
  }

  *#cells(): Generator<Cell> {
    const open = [...this.#roots.values()];
    for (let cell = open.pop(); cell !== undefined; cell = open.pop()) {
      yield cell;
      open.push(...cell.children.values());
    }
  }
}
