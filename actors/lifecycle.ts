/**
 * An actor's beginnings and ends: `init`, faults, restarts with backoff, stops with a grace
 * period, children, watchers. None of it is on the hot path, so it may await.
 *
 * Each life that `init` completed ends with `onStop` exactly once, before the next `init`.
 *
 * @module
 */
import { type Cell, spawnCell } from "./cell.ts";
import { ActorFailed } from "./errors.ts";
import type { FaultPhase } from "./events.ts";
import { STOP_GRACE_MS } from "./limits.ts";
import { isThenable } from "./runtime.ts";
import type { Judgement, RestartPolicy } from "./supervision.ts";
import type { Behavior, SpawnOptions, StopReason, Timer } from "./types.ts";

export type StopListener = (why: StopReason) => void;

export class Lifecycle {
  readonly #cell: Cell;
  readonly #parent: Cell | null;
  readonly #policy: RestartPolicy;
  readonly #onGone: () => void;
  readonly #watchers = new Set<StopListener>();
  /** Whether a state exists that `onStop` must see. */
  #hasState = false;
  #isEndingLife = false;
  #restarts = 0;
  #stopWhy: StopReason | null = null;
  #escalated: ActorFailed | null = null;
  #backoff: Timer | null = null;
  #grace: Timer | null = null;

  constructor(cell: Cell, parent: Cell | null, policy: RestartPolicy, onGone: () => void) {
    this.#cell = cell;
    this.#parent = parent;
    this.#policy = policy;
    this.#onGone = onGone;
  }

  /** Calls back once when the actor has stopped for good; at once if it has. */
  addWatcher(listener: StopListener): void {
    if (this.#cell.phase === "stopped") listener(this.#stopWhy ?? "stop");
    else this.#watchers.add(listener);
  }

  removeWatcher(listener: StopListener): void {
    this.#watchers.delete(listener);
  }

  spawn(name: string, behavior: Behavior<unknown, unknown>, options?: SpawnOptions): Cell {
    const { runtime, children } = this.#cell;
    return spawnCell(runtime, this.#cell, children, name, behavior, options);
  }

  /** Starts the first life; `init` runs in a callback of its own, never inside the caller's turn. */
  start(): void {
    this.#cell.phase = "starting";
    this.#cell.runtime.env.defer(this.#init);
  }

  /** After a turn: carries out what was asked for meanwhile. False when the actor must not go on. */
  mayGoOn(): boolean {
    if (this.#stopWhy !== null) {
      this.#shutDown();
      return false;
    }
    if (this.#escalated !== null) {
      const error = this.#escalated;
      this.#escalated = null;
      this.fault("child", error);
      return false;
    }
    return true;
  }

  /** The actor is between turns and has failed. */
  fault(phase: FaultPhase, error: unknown): void {
    const { runtime, name } = this.#cell;
    runtime.counters.faults++;
    this.#escalated = null;
    this.#cell.failHeld(new ActorFailed(name, "failed before it answered", error));
    const { directive, backoffMs } = this.#stopWhy === null
      ? this.#judge(error)
      : { directive: "stop", backoffMs: 0 } as const;
    runtime.emit({ type: "fault", actor: name, phase, error, directive });
    if (this.#stopWhy !== null) return this.#shutDown();
    if (directive === "restart" || directive === "retry") {
      void this.#restart(backoffMs);
      return;
    }
    this.stop("fault");
    // At the top there is nobody above: there, escalate is stop.
    if (directive === "escalate") {
      this.#parent?.lifecycle.childFailed(new ActorFailed(name, "failed and escalated", error));
    }
  }

  childFailed(error: ActorFailed): void {
    if (this.#cell.isInTurn) this.#escalated = error;
    else if (this.#cell.phase === "running") this.fault("child", error);
    // Otherwise this actor is already ending the life that the child belongs to.
  }

  /** Stops for good: after the turn in flight if there is one, without it after the grace period. */
  stop(why: StopReason): void {
    if (this.#stopWhy !== null) return;
    this.#stopWhy = why;
    this.#grace = this.#cell.runtime.env.setTimer(() => this.finish(), STOP_GRACE_MS);
    if (this.#cell.isInTurn || this.#isEndingLife) this.#cell.life.abort();
    else this.#shutDown();
  }

  /** Ends the actor now, whatever is still in flight. */
  finish(): void {
    const cell = this.#cell;
    if (cell.phase === "stopped") return;
    this.#grace?.cancel();
    this.#backoff?.cancel();
    for (const child of [...cell.children.values()]) child.lifecycle.finish();
    if (cell.isInTurn) cell.dropTurn();
    cell.life.end();
    cell.phase = "stopped";
    cell.bury();
    this.#onGone();
    const why = this.#stopWhy ?? "stop";
    cell.runtime.emit({ type: "stopped", actor: cell.name, why });
    for (const listener of this.#watchers) listener(why);
    this.#watchers.clear();
    cell.runtime.quiet(cell);
  }

  /** A step of a turn that was given up has ended after all: now its state may be closed. */
  cameLate(): void {
    void this.#closeState("fault");
  }

  readonly #init = (): void => {
    const cell = this.#cell;
    if (cell.phase !== "starting") return;
    cell.openTurn();
    let state: unknown;
    cell.runtime.current = cell;
    try {
      state = cell.behavior.init(cell.context);
    } catch (error) {
      return cell.fail("init", error);
    } finally {
      cell.runtime.current = null;
    }
    if (isThenable(state)) cell.follow(state, "init", this.#started);
    else this.#started(state);
  };

  readonly #started = (state: unknown): void => {
    const cell = this.#cell;
    cell.state = state;
    this.#hasState = true;
    cell.release();
    cell.closeTurn();
    cell.phase = "running";
    cell.runtime.emit({ type: "started", actor: cell.name, restarts: this.#restarts });
    if (this.mayGoOn()) cell.rest();
  };

  #judge(error: unknown): Judgement {
    const { runtime, name } = this.#cell;
    try {
      return this.#policy.judge(error, runtime.env.now(), runtime.env.randomUint32());
    } catch (fault) {
      runtime.emit({ type: "effect-failed", actor: name, what: "decide", error: fault });
      return { directive: "stop", backoffMs: 0 };
    }
  }

  async #restart(backoffMs: number): Promise<void> {
    const cell = this.#cell;
    cell.phase = "restarting";
    cell.runtime.counters.restarts++;
    this.#restarts++;
    cell.runtime.emit({ type: "restart", actor: cell.name, backoffMs });
    await this.#endLife("fault");
    if (cell.phase !== "restarting") return;
    if (this.#stopWhy !== null) return this.#shutDown();
    this.#backoff = cell.runtime.env.setTimer(() => {
      this.#backoff = null;
      cell.newLife();
      this.start();
    }, backoffMs);
  }

  #shutDown(): void {
    const cell = this.#cell;
    if (cell.phase === "stopping" || cell.phase === "stopped") return;
    this.#backoff?.cancel();
    cell.phase = "stopping";
    cell.bury();
    void this.#endLife(this.#stopWhy ?? "stop").then(() => this.finish());
  }

  async #endLife(why: StopReason): Promise<void> {
    this.#isEndingLife = true;
    this.#cell.life.end();
    const children = [...this.#cell.children.values()];
    if (children.length > 0) {
      await Promise.all(children.map((child) => {
        const stopped = whenStopped(child);
        child.lifecycle.stop("stop");
        return stopped;
      }));
    }
    await this.#closeState(why);
    this.#isEndingLife = false;
  }

  /** Runs `onStop`, at most once for a life, and waits for it no longer than the grace period. */
  async #closeState(why: StopReason): Promise<void> {
    if (!this.#hasState) return;
    this.#hasState = false;
    const { runtime, name, behavior, state } = this.#cell;
    this.#cell.state = undefined;
    let timer: Timer | undefined;
    try {
      const closed = behavior.onStop?.(state, why);
      if (!isThenable(closed)) return;
      const late = new Promise<never>((_, reject) => {
        const error = new ActorFailed(name, `did not finish onStop within ${STOP_GRACE_MS} ms`);
        timer = runtime.env.setTimer(() => reject(error), STOP_GRACE_MS);
      });
      await Promise.race([closed, late]);
    } catch (error) {
      runtime.emit({ type: "effect-failed", actor: name, what: "onStop", error });
    } finally {
      timer?.cancel();
    }
  }
}

/** Resolves with the reason once the actor has stopped for good. */
export function whenStopped(cell: Cell): Promise<StopReason> {
  return new Promise((resolve) => cell.lifecycle.addWatcher(resolve));
}
