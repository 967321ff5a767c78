/**
 * One life of an actor, from `init` to its failure or stop: what belongs to it and must end with
 * it (timers, watches, the abort signal). A restart makes a new one, so nothing that an old life
 * left behind can speak for the new.
 *
 * @module
 */
import type { Cell } from "./cell.ts";
import { TIMERS_MAX, WATCHES_MAX } from "./limits.ts";
import type { Admission, Ticket } from "./mailbox.ts";
import type { Runtime } from "./runtime.ts";
import { ActorTimer } from "./timers.ts";
import type { StopReason, Timer } from "./types.ts";

export class Incarnation {
  readonly cell: Cell;
  readonly runtime: Runtime;
  readonly timers = new Set<ActorTimer>();
  readonly watches = new Set<Watch>();
  isOver = false;
  #abort: AbortController | null = null;

  constructor(cell: Cell) {
    this.cell = cell;
    this.runtime = cell.runtime;
  }

  /** Made on demand: most actors never ask for it. */
  get signal(): AbortSignal {
    if (this.#abort === null) {
      this.#abort = new AbortController();
      if (this.isOver) this.#abort.abort();
    }
    return this.#abort.signal;
  }

  setTimer(message: unknown, delayMs: number, repeat: boolean): Timer {
    if (this.isOver) return { cancel: () => {} };
    if (this.timers.size >= TIMERS_MAX) {
      throw new RangeError(`actor ${this.cell.name} may hold at most ${TIMERS_MAX} timers`);
    }
    const timer = new ActorTimer(this, message, delayMs, repeat);
    this.timers.add(timer);
    return timer;
  }

  watch(target: Cell, make: (why: StopReason) => unknown): void {
    if (this.isOver) return;
    if (this.watches.size >= WATCHES_MAX) {
      throw new RangeError(`actor ${this.cell.name} may hold at most ${WATCHES_MAX} watches`);
    }
    const watch = new Watch(this, target, make);
    this.watches.add(watch);
    target.lifecycle.addWatcher(watch.notify);
  }

  /** Delivers a message of the runtime's own: never refused, since there is one for each timer and watch at most. */
  signalSelf(message: unknown, ticket: Ticket): void {
    if (!this.isOver) this.cell.enqueueSignal(message, ticket);
  }

  ticksMissed(ticks: number): void {
    if (this.runtime.isObserved) {
      this.runtime.emit({ type: "ticks-missed", actor: this.cell.name, ticks });
    }
  }

  /** Ends this life's work in progress; `end` ends all of it. */
  abort(): void {
    this.#abort?.abort();
  }

  end(): void {
    if (this.isOver) return;
    this.isOver = true;
    for (const timer of this.timers) timer.cancel();
    for (const watch of this.watches) watch.cancel();
    this.abort();
  }
}

/** One actor's interest in the end of another; the ticket of the message that tells of it. */
class Watch implements Ticket {
  #cancelled = false;
  readonly #owner: Incarnation;
  readonly #target: Cell;
  readonly #make: (why: StopReason) => unknown;

  constructor(owner: Incarnation, target: Cell, make: (why: StopReason) => unknown) {
    this.#owner = owner;
    this.#target = target;
    this.#make = make;
  }

  readonly notify = (why: StopReason): void => {
    try {
      this.#owner.signalSelf(this.#make(why), this);
    } catch (error) {
      const { runtime, cell } = this.#owner;
      runtime.emit({ type: "effect-failed", actor: cell.name, what: "watch", error });
    }
  };

  cancel(): void {
    this.#cancelled = true;
    this.#owner.watches.delete(this);
    this.#target.lifecycle.removeWatcher(this.notify);
  }

  admit(): Admission {
    if (this.#cancelled) return "cancelled";
    this.#owner.watches.delete(this);
    return "deliver";
  }

  discard(): void {}
}
