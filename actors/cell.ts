/**
 * One actor from the inside: its mailbox, its turn loop, its output gate. A turn is: drain,
 * `receive`, `commit`, release what was gated, `released`; the next starts in a later callback of
 * the environment, so actors with endless mail starve neither timers nor each other.
 *
 * Steps that return no promise follow each other in one call: such a turn pays for no microtask.
 * Beginnings and ends (init, faults, restarts, stops) are lifecycle.ts.
 *
 * @module
 */
import type { ReplyCell } from "./ask.ts";
import { Context } from "./context.ts";
import { ActorFailed, ActorStopped, MailboxFull } from "./errors.ts";
import type { FaultPhase } from "./events.ts";
import { type GateExit, OutputGate } from "./gate.ts";
import { Incarnation } from "./incarnation.ts";
import { Lifecycle } from "./lifecycle.ts";
import { CHILDREN_MAX, MAILBOX_LIMITS } from "./limits.ts";
import { Deadline, Mailbox, type Ticket } from "./mailbox.ts";
import { ActorRef } from "./ref.ts";
import { isThenable, type Runtime } from "./runtime.ts";
import { RestartPolicy } from "./supervision.ts";
import type { Behavior, Lane, MailboxLimits, Reply, SpawnOptions } from "./types.ts";
import type { Ref, TellOptions, TellResult } from "./types.ts";

/** `starting` until `init` has succeeded, `restarting` from a fault to the next start. */
export type Phase = "starting" | "running" | "restarting" | "stopping" | "stopped";

export class Cell implements GateExit {
  readonly name: string;
  readonly runtime: Runtime;
  readonly behavior: Behavior<unknown, unknown>;
  readonly ref: Ref<unknown>;
  readonly mailbox: Mailbox;
  readonly gate = new OutputGate();
  readonly lifecycle: Lifecycle;
  readonly children = new Map<string, Cell>();
  phase: Phase = "starting";
  life: Incarnation;
  state: unknown = undefined;
  /** True from the start of `init` or `receive` to the end of the release: nothing else may start meanwhile. */
  isInTurn = false;
  turnNumber = 0;
  /** The actors whose answers this turn waits for. */
  readonly waitsFor: Cell[] = [];
  heldCount = 0;
  #held: ReplyCell<unknown> | null = null;
  #context: Context;
  #isScheduled = false;
  #isReleasing = false;
  #turnMessages = 0;
  #turnStartedMs = 0;
  #full: MailboxFull | null = null;
  readonly #turnMessagesMax: number;

  constructor(
    runtime: Runtime,
    parent: Cell | null,
    name: string,
    behavior: Behavior<unknown, unknown>,
    options: SpawnOptions,
    onGone: () => void,
  ) {
    const limits = checkedLimits({ ...MAILBOX_LIMITS, ...options.mailbox });
    this.runtime = runtime;
    this.name = name;
    this.behavior = behavior;
    this.mailbox = new Mailbox(limits);
    this.#turnMessagesMax = limits.turnMessagesMax;
    this.ref = new ActorRef(this);
    this.lifecycle = new Lifecycle(this, parent, new RestartPolicy(options.supervision), onGone);
    this.life = new Incarnation(this);
    this.#context = new Context(this, this.life);
  }

  get context(): Context {
    return this.#context;
  }

  /** Whether a question put now would hold up this actor's turn. */
  get isBlocking(): boolean {
    return this.isInTurn && !this.#isReleasing;
  }

  /** Nothing queued, nothing running, nobody waiting for an answer. */
  get isDrained(): boolean {
    return this.phase === "stopped" ||
      (!this.isInTurn && !this.#isScheduled && this.mailbox.isEmpty && this.heldCount === 0);
  }

  newLife(): void {
    this.life = new Incarnation(this);
    this.#context = new Context(this, this.life);
  }

  /** Takes a message from outside, or from an actor when `isInternal`: a draining system refuses the former. */
  offer(message: unknown, options: TellOptions | undefined, isInternal: boolean): TellResult {
    const lane = options?.lane ?? "user";
    if (!this.#accepts(lane, isInternal)) {
      this.#refuse(lane, "stopped", message);
      return "stopped";
    }
    const deadlineMs = options?.deadlineMs;
    const ticket = deadlineMs === undefined
      ? null
      : new Deadline(this.runtime.env.now() + deadlineMs);
    if (!this.mailbox.push(lane, message, ticket, byteCount(options?.bytes))) {
      this.#refuse(lane, "full", message);
      return "full";
    }
    this.#arrived();
    return "ok";
  }

  /**
   * Takes a question; null when it did. `make` is called only when there is room.
   *
   * @throws what `make` throws.
   */
  offerAsk<R>(
    lane: Lane,
    make: (reply: Reply<R>) => unknown,
    reply: ReplyCell<R>,
    bytes: number,
    isInternal: boolean,
  ): Error | null {
    if (!this.#accepts(lane, isInternal)) {
      this.#refuse(lane, "stopped", undefined);
      return new ActorStopped(this.name);
    }
    const size = byteCount(bytes);
    // The second look is for a `make` that itself sends to this actor.
    if (
      !this.mailbox.hasRoom(lane, size) || !this.mailbox.push(lane, make(reply), reply, size)
    ) {
      this.#refuse(lane, "full", undefined);
      // Shared: under overload the stack of each refusal would cost more than the refusal.
      return this.#full ??= new MailboxFull(this.name);
    }
    this.#arrived();
    return null;
  }

  /** Takes a message of the runtime's own, whatever the limits say. */
  enqueueSignal(message: unknown, ticket: Ticket): void {
    this.mailbox.control.push(message, ticket, 0);
    this.#arrived();
  }

  /** A question has been handed to the behaviour, which now owes its answer. */
  hold(reply: ReplyCell<unknown>): void {
    reply.isHeld = true;
    reply.heldNext = this.#held;
    if (this.#held !== null) this.#held.heldPrevious = reply;
    this.#held = reply;
    this.heldCount++;
  }

  unhold(reply: ReplyCell<unknown>): void {
    const { heldPrevious, heldNext } = reply;
    if (heldPrevious !== null) heldPrevious.heldNext = heldNext;
    else this.#held = heldNext;
    if (heldNext !== null) heldNext.heldPrevious = heldPrevious;
    reply.heldPrevious = null;
    reply.heldNext = null;
    reply.isHeld = false;
    this.heldCount--;
    if (this.heldCount === 0) this.runtime.quiet(this);
  }

  /** The state that knew of them is gone: whoever waits is told now, not at the deadline. */
  failHeld(error: Error): void {
    while (this.#held !== null) this.#held.abandon(error);
  }

  stopWaitingFor(target: Cell): void {
    const place = this.waitsFor.indexOf(target);
    if (place >= 0) this.waitsFor.splice(place, 1);
  }

  /** Ends the queue of an actor that serves no more. */
  bury(): void {
    const { counters } = this.runtime;
    this.mailbox.clear((lane, message, ticket) => {
      counters.deadLettered++;
      ticket?.discard();
      if (this.runtime.isObserved) {
        this.runtime.emit({ type: "dead-letter", actor: this.name, lane, message });
      }
    });
    this.failHeld(new ActorFailed(this.name, "stopped before it answered"));
  }

  openTurn(): void {
    this.isInTurn = true;
    this.turnNumber++;
  }

  /** Ends a turn, or an `init`, whose outputs may leave. */
  release(): void {
    this.#isReleasing = true;
    this.waitsFor.length = 0;
    this.gate.release(this);
  }

  closeTurn(): void {
    this.isInTurn = false;
    this.#isReleasing = false;
    this.waitsFor.length = 0;
  }

  /** Ends a turn that failed or is given up: nothing of it may be seen. */
  dropTurn(): void {
    this.gate.discard();
    this.runtime.counters.failed += this.#turnMessages;
    this.#turnMessages = 0;
    this.closeTurn();
  }

  /** Between turns: goes on if there is mail. */
  rest(): void {
    if (this.phase !== "running" || this.isInTurn || this.#isScheduled) return;
    if (this.mailbox.isEmpty) this.runtime.quiet(this);
    else this.#schedule();
  }

  /** Waits for a step of a turn, unless the life that it belongs to has ended before it does. */
  follow<T>(step: PromiseLike<T>, phase: FaultPhase, next: (value: T) => void): void {
    const { life } = this;
    Promise.resolve(step).then(
      (value) => life.isOver ? this.lifecycle.cameLate() : next(value),
      (error) => life.isOver ? this.lifecycle.cameLate() : this.fail(phase, error),
    );
  }

  fail(phase: FaultPhase, error: unknown): void {
    this.dropTurn();
    this.lifecycle.fault(phase, error);
  }

  deliver(to: Ref<unknown>, message: unknown, options: TellOptions | undefined): void {
    if (to instanceof ActorRef) {
      to.cell.offer(message, options, true);
      return;
    }
    try {
      to.tell(message, options);
    } catch (error) {
      this.runtime.emit({ type: "effect-failed", actor: this.name, what: "send", error });
    }
  }

  run(effect: () => void): void {
    try {
      effect();
    } catch (error) {
      this.runtime.emit({ type: "effect-failed", actor: this.name, what: "after", error });
    }
  }

  #accepts(lane: Lane, isInternal: boolean): boolean {
    if (this.phase === "stopping" || this.phase === "stopped") return false;
    return this.runtime.undrained === null || isInternal || lane === "control";
  }

  #refuse(lane: Lane, why: "full" | "stopped", message: unknown): void {
    this.runtime.counters.refused++;
    if (!this.runtime.isObserved) return;
    this.runtime.emit({ type: "refused", actor: this.name, lane, why, message });
  }

  #arrived(): void {
    this.runtime.counters.accepted++;
    this.runtime.undrained?.add(this);
    if (!this.#isScheduled && !this.isInTurn && this.phase === "running") this.#schedule();
  }

  #schedule(): void {
    this.#isScheduled = true;
    this.runtime.env.defer(this.#turn);
  }

  readonly #turn = (): void => {
    this.#isScheduled = false;
    if (this.phase !== "running") return;
    this.#turnStartedMs = this.runtime.env.now();
    const batch = this.mailbox.drain(this.#turnMessagesMax, this.#turnStartedMs, this.#onDrop);
    if (batch.length === 0) return this.rest();
    this.#turnMessages = batch.length;
    this.openTurn();
    let next: unknown;
    this.runtime.current = this;
    try {
      next = this.behavior.receive(this.state, batch, this.#context);
    } catch (error) {
      return this.fail("receive", error);
    } finally {
      this.runtime.current = null;
    }
    if (isThenable(next)) this.follow(next, "receive", this.#commit);
    else this.#commit(next);
  };

  readonly #commit = (state: unknown): void => {
    this.state = state;
    if (this.behavior.commit === undefined) return this.#finish();
    let done: void | Promise<void>;
    this.runtime.current = this;
    try {
      done = this.behavior.commit(state, this.#context);
    } catch (error) {
      return this.fail("commit", error);
    } finally {
      this.runtime.current = null;
    }
    if (isThenable(done)) this.follow(done, "commit", this.#finish);
    else this.#finish();
  };

  readonly #finish = (): void => {
    const messages = this.#turnMessages;
    this.#turnMessages = 0;
    this.runtime.counters.turns++;
    this.runtime.counters.processed += messages;
    this.release();
    if (this.behavior.released !== undefined) {
      try {
        this.behavior.released(this.state, this.#context);
      } catch (error) {
        return this.fail("released", error);
      }
      this.gate.release(this);
    }
    this.closeTurn();
    if (this.runtime.isObserved) this.#report(messages);
    if (this.lifecycle.mayGoOn()) this.rest();
  };

  #report(messages: number): void {
    this.runtime.emit({
      type: "turn",
      actor: this.name,
      messages,
      durationMs: this.runtime.env.now() - this.#turnStartedMs,
      controlDepth: this.mailbox.control.depth,
      userDepth: this.mailbox.user.depth,
    });
  }

  readonly #onDrop = (lane: Lane, message: unknown, why: "expired" | "cancelled"): void => {
    this.runtime.counters[why]++;
    if (why !== "expired" || !this.runtime.isObserved) return;
    this.runtime.emit({ type: "expired", actor: this.name, lane, message });
  };
}

/**
 * Starts an actor among `siblings`, which know it by its own name; the whole name says its parents too.
 *
 * @throws {RangeError} when the name is empty, has a slash or is taken, or a limit is not usable.
 */
export function spawnCell(
  runtime: Runtime,
  parent: Cell | null,
  siblings: Map<string, Cell>,
  name: string,
  behavior: Behavior<unknown, unknown>,
  options: SpawnOptions = {},
): Cell {
  if (name === "" || name.includes("/")) {
    throw new RangeError(`an actor's name must be non-empty and without slash, got "${name}"`);
  }
  if (siblings.has(name)) throw new RangeError(`the actor name "${name}" is taken`);
  if (siblings.size >= CHILDREN_MAX) {
    throw new RangeError(`could not start actor "${name}": at most ${CHILDREN_MAX} siblings`);
  }
  const path = parent === null ? name : `${parent.name}/${name}`;
  const cell = new Cell(runtime, parent, path, behavior, options, () => siblings.delete(name));
  siblings.set(name, cell);
  cell.lifecycle.start();
  return cell;
}

/** Sizes are trusted only as far as they cannot break the count. */
function byteCount(bytes: number | undefined): number {
  return bytes !== undefined && bytes > 0 ? bytes : 0;
}

function checkedLimits(limits: MailboxLimits): MailboxLimits {
  for (const [name, value] of Object.entries(limits)) {
    if (!(value >= 1)) throw new RangeError(`${name} must be at least 1, got ${value}`);
  }
  return limits;
}
