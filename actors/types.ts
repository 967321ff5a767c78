/**
 * The actor runtime's vocabulary. Nothing here knows of Raft.
 *
 * @module
 */

/** All that an actor may know of the world outside its mailbox. The simulator brings a virtual one. */
export interface Env {
  /** Monotonic clock, in ms, with fractions. */
  now(): number;
  /** Wall clock, in ms since the epoch. */
  wallNowMs(): number;
  /** Calls `callback` once, after at least `delayMs`. */
  setTimer(callback: () => void, delayMs: number): Timer;
  /** Calls `callback` soon, after the I/O that is ready now. */
  defer(callback: () => void): void;
  /** A whole number in [0, 2^32). */
  randomUint32(): number;
}

export interface Timer {
  cancel(): void;
}

/** Control messages (timers, peers, supervision) are served first and never evicted; user messages may be refused. */
export type Lane = "control" | "user";

export type TellResult = "ok" | "full" | "stopped";

export interface TellOptions {
  /** `"user"` unless told. */
  readonly lane?: Lane;
  /** The size that counts against the mailbox's byte limit; 0 unless told. */
  readonly bytes?: number;
  /** After so long in the queue the message is dropped unexecuted, and counted. */
  readonly deadlineMs?: number;
}

export interface AskOptions {
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
  readonly lane?: Lane;
  readonly bytes?: number;
}

/** The address of an actor. Stays valid over restarts; after a stop, `tell` answers `"stopped"`. */
export interface Ref<M> {
  readonly name: string;
  /** Never throws and never blocks. */
  tell(message: M, options?: TellOptions): TellResult;
  /**
   * Sends a question and waits for its answer.
   *
   * @throws {MailboxFull} @throws {ActorStopped} at once: the question was certainly not taken.
   * @throws {AskTimeout} @throws {DOMException} `AbortError`: it may have been.
   * @throws {ActorFailed} the turn that held it failed.
   * @throws {AskCycle} the answer would have to wait for the asker.
   * @throws whatever the actor gave to `ctx.fail`.
   */
  ask<R>(make: (reply: Reply<R>) => M, options: AskOptions): Promise<R>;
}

/** The right to answer one ask, once. Opaque: used through the context only. */
export interface Reply<R> {
  readonly [replyType]?: (value: R) => void;
  /** True once nobody waits any more (answered, timed out, aborted): work for it may be dropped. */
  readonly settled: boolean;
}
declare const replyType: unique symbol;

export interface Ctx<M> {
  readonly self: Ref<M>;
  readonly env: Env;
  /** Aborted when the actor stops or restarts. */
  readonly signal: AbortSignal;
  /** Leaves when this turn's commit has resolved. */
  send<T>(to: Ref<T>, message: T, options?: TellOptions): void;
  /** Runs when this turn's commit has resolved; how a turn speaks to what is not an actor. */
  after(effect: () => void): void;
  /** Leaves at once: for what claims nothing about this turn's durability. */
  sendEarly<T>(to: Ref<T>, message: T, options?: TellOptions): TellResult;
  /** Answers when this turn's commit has resolved. */
  reply<R>(to: Reply<R>, value: R): void;
  fail(to: Reply<never>, error: Error): void;
  /** Answers at once: for what was durable before this turn began. */
  replyEarly<R>(to: Reply<R>, value: R): void;
  failEarly(to: Reply<never>, error: Error): void;
  /**
   * Asks from inside a turn that waits for the answer, and fails at once with `AskCycle` if the
   * answer would have to wait for this turn. Leaves at once, like `sendEarly`. To ask without
   * waiting, use `to.ask` in an `after` effect.
   *
   * `to.ask` in a turn's synchronous part is watched likewise; after an `await` only this is.
   */
  ask<T, R>(to: Ref<T>, make: (reply: Reply<R>) => T, options: AskOptions): Promise<R>;
  /** Delivers `message` in the control lane. Missed repetitions coalesce into one. Cancelled by stop and restart. */
  setTimer(message: M, options: { delayMs: number; repeat?: boolean }): Timer;
  /** Starts a child, supervised by this actor. */
  spawn<N, S>(name: string, behavior: Behavior<N, S>, options?: SpawnOptions): Ref<N>;
  /** Delivers `message` in the control lane once `target` has stopped for good. */
  watch(target: Ref<never>, message: (why: StopReason) => M): void;
  /** Stops this actor after the turn. */
  stop(): void;
}

export type StopReason = "stop" | "fault";

/**
 * What an actor does. One turn is `receive` over everything that the mailbox held (up to the turn
 * limits), then `commit`; no second turn starts before. A turn that throws in either releases
 * nothing, rejects its asks, and is answered by supervision: `init` anew from what is durable.
 */
export interface Behavior<M, S> {
  init(ctx: Ctx<M>): S | Promise<S>;
  receive(state: S, batch: readonly M[], ctx: Ctx<M>): S | Promise<S>;
  commit?(state: S, ctx: Ctx<M>): void | Promise<void>;
  /** Runs after the commit and the release of what waited for it, still inside the turn. Must not throw. */
  released?(state: S, ctx: Ctx<M>): void;
  onStop?(state: S, why: StopReason): void | Promise<void>;
}

/**
 * What a supervisor does about a failed child. `retry` is a restart that the budget does not count: for
 * what somebody else will mend, and nobody knows when.
 */
export type Directive = "restart" | "retry" | "stop" | "escalate";

export interface Supervision {
  /** `"restart"` for every error unless told. */
  readonly decide: (error: unknown) => Directive;
  /** Restarts allowed within `withinMs`; one more stops the actor. */
  readonly restartsMax: number;
  readonly withinMs: number;
  readonly backoffMinMs: number;
  readonly backoffMaxMs: number;
}

export interface SpawnOptions {
  readonly mailbox?: Partial<MailboxLimits>;
  readonly supervision?: Partial<Supervision>;
}

export interface MailboxLimits {
  readonly userMessagesMax: number;
  readonly userBytesMax: number;
  readonly controlMessagesMax: number;
  readonly controlBytesMax: number;
  /** Messages in one turn, both lanes together. */
  readonly turnMessagesMax: number;
}
