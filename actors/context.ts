/**
 * What a behaviour is given to act with: the gated half goes through its cell's output gate, the
 * early half straight out.
 *
 * A context belongs to one life of its actor. What an old life still says after a restart, or any
 * life outside of a turn, has no commit to wait for: it is dropped and reported, and a question
 * answered that way fails at once instead of hanging.
 *
 * @module
 */
import { ask, ReplyCell } from "./ask.ts";
import type { Cell } from "./cell.ts";
import { ActorFailed, ActorStopped } from "./errors.ts";
import type { Incarnation } from "./incarnation.ts";
import { cellOf } from "./ref.ts";
import type { AskOptions, Behavior, Ctx, Env, Ref, Reply, SpawnOptions } from "./types.ts";
import type { StopReason, TellOptions, TellResult, Timer } from "./types.ts";

export class Context implements Ctx<unknown> {
  readonly self: Ref<unknown>;
  readonly env: Env;
  readonly #cell: Cell;
  readonly #life: Incarnation;

  constructor(cell: Cell, life: Incarnation) {
    this.self = cell.ref;
    this.env = cell.runtime.env;
    this.#cell = cell;
    this.#life = life;
  }

  get signal(): AbortSignal {
    return this.#life.signal;
  }

  send<T>(to: Ref<T>, message: T, options?: TellOptions): void {
    if (this.#inTurn("send")) this.#cell.gate.send(to as Ref<unknown>, message, options);
  }

  after(effect: () => void): void {
    if (this.#inTurn("after")) this.#cell.gate.after(effect);
  }

  sendEarly<T>(to: Ref<T>, message: T, options?: TellOptions): TellResult {
    if (this.#life.isOver) return "stopped";
    return cellOf(to as Ref<never>).offer(message, options, true);
  }

  reply<R>(to: Reply<R>, value: R): void {
    const cell = replyCell(to);
    if (this.#inTurn("reply")) this.#cell.gate.reply(cell, value);
    else this.#disown(cell);
  }

  fail(to: Reply<never>, error: Error): void {
    const cell = replyCell(to);
    if (this.#inTurn("fail")) this.#cell.gate.fail(cell, error);
    else this.#disown(cell);
  }

  replyEarly<R>(to: Reply<R>, value: R): void {
    const cell = replyCell(to);
    if (this.#life.isOver) this.#disown(cell);
    else cell.resolve(value);
  }

  failEarly(to: Reply<never>, error: Error): void {
    const cell = replyCell(to);
    if (this.#life.isOver) this.#disown(cell);
    else cell.reject(error);
  }

  ask<T, R>(to: Ref<T>, make: (reply: Reply<R>) => T, options: AskOptions): Promise<R> {
    const target = cellOf(to as Ref<never>);
    if (this.#life.isOver) return Promise.reject(new ActorStopped(this.#cell.name));
    return ask(target, this.#cell.isBlocking ? this.#cell : null, make, options);
  }

  setTimer(message: unknown, options: { delayMs: number; repeat?: boolean }): Timer {
    return this.#life.setTimer(message, options.delayMs, options.repeat ?? false);
  }

  spawn<N, S>(name: string, behavior: Behavior<N, S>, options?: SpawnOptions): Ref<N> {
    if (this.#life.isOver) throw new ActorStopped(this.#cell.name);
    const child = this.#cell.lifecycle.spawn(
      name,
      behavior as unknown as Behavior<unknown, unknown>,
      options,
    );
    return child.ref as Ref<N>;
  }

  watch(target: Ref<never>, message: (why: StopReason) => unknown): void {
    this.#life.watch(cellOf(target), message);
  }

  stop(): void {
    if (this.#life.isOver) return;
    const { lifecycle, gate, isInTurn } = this.#cell;
    // An output like any other: a turn that fails has not asked to stop.
    if (isInTurn) gate.after(() => lifecycle.stop("stop"));
    else lifecycle.stop("stop");
  }

  #inTurn(call: string): boolean {
    if (this.#cell.isInTurn && !this.#life.isOver) return true;
    this.#cell.runtime.emit({ type: "outside-turn", actor: this.#cell.name, call });
    return false;
  }

  #disown(reply: ReplyCell<unknown>): void {
    reply.abandon(new ActorFailed(this.#cell.name, "answered outside of a turn"));
  }
}

/** @throws {TypeError} when the reply is not one that this runtime made. */
function replyCell(reply: Reply<never>): ReplyCell<unknown> {
  if (reply instanceof ReplyCell) return reply;
  throw new TypeError("could not answer: the reply was not made by this actor runtime");
}
