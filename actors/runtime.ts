/**
 * What the actors of one system share: the environment, the ask deadlines, the counters, and the
 * listener. Internal to the runtime; system.ts is its public face.
 *
 * @module
 */
import type { Cell } from "./cell.ts";
import { DeadlineWheel } from "./deadline_wheel.ts";
import { type Counters, type EventListener, newCounters, type RuntimeEvent } from "./events.ts";
import type { Env } from "./types.ts";

export class Runtime {
  readonly env: Env;
  readonly deadlines: DeadlineWheel;
  readonly counters: Counters = newCounters();
  timersArmed = 0;
  abortListeners = 0;
  /** The actor whose turn is on the stack right now; null between turns and after a turn's first await. */
  current: Cell | null = null;
  /** While the system drains: the actors that still have something to do. */
  undrained: Set<Cell> | null = null;
  onDrained: (() => void) | null = null;
  readonly #listener: EventListener | undefined;

  constructor(env: Env, listener: EventListener | undefined) {
    this.env = env;
    this.deadlines = new DeadlineWheel(env);
    this.#listener = listener;
  }

  /** Whether an event is worth making. */
  get isObserved(): boolean {
    return this.#listener !== undefined;
  }

  emit(event: RuntimeEvent): void {
    if (this.#listener === undefined) return;
    try {
      this.#listener(event);
    } catch {
      this.counters.listenerFaults++;
    }
  }

  /** Called whenever an actor may have run out of work. */
  quiet(cell: Cell): void {
    if (this.undrained === null || !cell.isDrained) return;
    this.undrained.delete(cell);
    if (this.undrained.size === 0) this.onDrained?.();
  }
}

/** Whether a result must be waited for. Turns that are not do not pay for a promise. */
export function isThenable<T>(value: T | PromiseLike<T>): value is PromiseLike<T> {
  return value instanceof Promise ||
    (typeof value === "object" && value !== null && "then" in value &&
      typeof value.then === "function");
}
