/**
 * Asks: the reply cell that stands for one question, and the way a question is put.
 *
 * A reply cell settles once, whoever comes first: the answer, the deadline, the abort signal, or
 * the failure of the actor that was asked. Everybody later is dropped and counted. Cells are never
 * reused, so a late answer cannot reach another question.
 *
 * @module
 */
import type { Cell } from "./cell.ts";
import type { Deadlined } from "./deadline_wheel.ts";
import { ActorStopped, AskCycle, AskTimeout } from "./errors.ts";
import { ASK_TIMEOUT_MAX_MS } from "./limits.ts";
import type { Admission, Ticket } from "./mailbox.ts";
import type { AskOptions, Reply } from "./types.ts";

/** One question, from the asker's call to its end. Lies on the deadline wheel and in its actor's list of held asks. */
export class ReplyCell<R> implements Reply<R>, Ticket, Deadlined {
  settled = false;
  dueSlot = -1;
  wheelPrevious: Deadlined | null = null;
  wheelNext: Deadlined | null = null;
  heldPrevious: ReplyCell<unknown> | null = null;
  heldNext: ReplyCell<unknown> | null = null;
  isHeld = false;
  readonly #target: Cell;
  readonly #dueMs: number;
  readonly #options: AskOptions;
  readonly #resolve: (value: R) => void;
  readonly #reject: (error: Error) => void;
  /** The actor whose turn waits for the answer, and which turn that was. */
  #asker: Cell | null = null;
  #askerTurn = 0;

  constructor(
    target: Cell,
    options: AskOptions,
    nowMs: number,
    resolve: (value: R) => void,
    reject: (error: Error) => void,
  ) {
    this.#target = target;
    this.#options = options;
    this.#dueMs = nowMs + options.timeoutMs;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  /** Makes the clocks run: from here on the ask ends by itself. */
  start(asker: Cell | null, nowMs: number): void {
    const { runtime } = this.#target;
    runtime.deadlines.add(this, nowMs, this.#dueMs);
    if (this.#options.signal !== undefined) {
      this.#options.signal.addEventListener("abort", this);
      runtime.abortListeners++;
    }
    if (asker !== null) {
      this.#asker = asker;
      this.#askerTurn = asker.turnNumber;
      asker.waitsFor.push(this.#target);
    }
  }

  resolve(value: R): void {
    if (this.settled) return this.#late();
    this.#settle();
    this.#resolve(value);
  }

  reject(error: Error): void {
    if (this.settled) return this.#late();
    this.#settle();
    this.#reject(error);
  }

  /** Rejects unless somebody was first; for the runtime's own reasons, which are nobody's late answer. */
  abandon(error: Error): void {
    if (this.settled) return;
    this.#settle();
    this.#reject(error);
  }

  admit(nowMs: number): Admission {
    if (this.settled) return "expired";
    if (nowMs >= this.#dueMs) {
      this.expire();
      return "expired";
    }
    this.#target.hold(this as ReplyCell<unknown>);
    return "deliver";
  }

  discard(): void {
    this.abandon(new ActorStopped(this.#target.name));
  }

  expire(): void {
    if (this.settled) return;
    const { runtime, name } = this.#target;
    const { timeoutMs } = this.#options;
    runtime.counters.askTimeouts++;
    this.abandon(new AskTimeout(name, timeoutMs));
    if (runtime.isObserved) runtime.emit({ type: "ask-timeout", actor: name, timeoutMs });
  }

  /** The abort signal's listener; an object, so that an ask needs no closure for it. */
  handleEvent(): void {
    this.abandon(abortError(this.#options.signal as AbortSignal));
  }

  #settle(): void {
    this.settled = true;
    const { runtime } = this.#target;
    runtime.deadlines.remove(this);
    if (this.#options.signal !== undefined) {
      this.#options.signal.removeEventListener("abort", this);
      runtime.abortListeners--;
    }
    if (this.#asker !== null) {
      if (this.#asker.turnNumber === this.#askerTurn) this.#asker.stopWaitingFor(this.#target);
      this.#asker = null;
    }
    if (this.isHeld) this.#target.unhold(this as ReplyCell<unknown>);
  }

  #late(): void {
    const { runtime, name } = this.#target;
    runtime.counters.lateReplies++;
    if (runtime.isObserved) runtime.emit({ type: "late-reply", actor: name });
  }
}

/**
 * Puts a question to `target`. `asker` is the actor whose turn is running, or null outside of any.
 *
 * The outcomes are those of `Ref.ask`.
 */
export function ask<R>(
  target: Cell,
  asker: Cell | null,
  make: (reply: Reply<R>) => unknown,
  options: AskOptions,
): Promise<R> {
  return new Promise<R>((resolve, reject) => {
    const { timeoutMs, signal, lane = "user", bytes = 0 } = options;
    if (!(timeoutMs <= ASK_TIMEOUT_MAX_MS)) {
      throw new RangeError(
        `could not ask ${target.name}: timeoutMs must be at most ${ASK_TIMEOUT_MAX_MS}, got ${timeoutMs}`,
      );
    }
    if (signal?.aborted) throw abortError(signal);
    if (timeoutMs <= 0) throw new AskTimeout(target.name, timeoutMs);
    if (asker !== null && waits(target, asker)) throw new AskCycle(asker.name, target.name);
    const nowMs = target.runtime.env.now();
    const cell = new ReplyCell<R>(target, options, nowMs, resolve, reject);
    const refusal = target.offerAsk(lane, make, cell, bytes, asker !== null);
    if (refusal !== null) {
      cell.settled = true;
      throw refusal;
    }
    if (!cell.settled) cell.start(asker, nowMs);
  });
}

/** Whether `from` cannot go on before `asker`'s turn ends, directly or through others. */
function waits(from: Cell, asker: Cell): boolean {
  if (from === asker) return true;
  if (from.waitsFor.length === 0) return false;
  const seen = new Set<Cell>([from]);
  const open = [from];
  for (let cell = open.pop(); cell !== undefined; cell = open.pop()) {
    for (const next of cell.waitsFor) {
      if (next === asker) return true;
      if (!seen.has(next)) {
        seen.add(next);
        open.push(next);
      }
    }
  }
  return false;
}

/** Always an AbortError, so that askers need to tell one name only; the caller's own reason is its cause. */
function abortError(signal: AbortSignal): DOMException {
  const { reason } = signal;
  if (reason instanceof DOMException && reason.name === "AbortError") return reason;
  const error = new DOMException("The ask was aborted", "AbortError");
  Object.defineProperty(error, "cause", { value: reason });
  return error;
}
