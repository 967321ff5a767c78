/**
 * The replica: the actor that is a node's member of a Raft group. It runs the core, the store and
 * the log store, one turn at a time (docs/architecture.md walks one write through it):
 *
 * 1. drain the mailbox: peers and ticks first, then client commands and reads;
 * 2. step the core with each, collecting effects;
 * 3. send at once what may leave early: a leader's appends overlap its own fsync (thesis 10.2.1),
 *    and answers from entries that a quorum already holds wait for nothing;
 * 4. commit: one durable batch, the group commit of everything the turn brought;
 * 5. release what waited for the disk (votes, acknowledgements), apply, answer.
 *
 * Not here: the protocol (raft/), what commands mean (kv/), where bytes go (storage/, transport/).
 *
 * @module
 */
import type { Behavior, Ctx, Reply, StopReason, Timer } from "./types.ts";
import type { ReplicaStatus, WriteResult } from "./service.ts";
import { NotServing } from "./outcomes.ts";
import { Proposals } from "./proposals.ts";
import { type PendingRead, Reads } from "./reads.ts";
import { ELECTION_TICKS, HEARTBEAT_TICKS, TICK_MS } from "./limits_replica.ts";
import { Turn } from "./replica_turn.ts";
import { type Core, createCore, recovered } from "../raft/core.ts";
import { step } from "../raft/step.ts";
import {
  type Configuration,
  EntryKind,
  type GroupId,
  type LogIndex,
  type NodeId,
} from "../raft/types.ts";
import type { Effect } from "../raft/effect.ts";
import type { Message } from "../raft/message.ts";
import type { LogStore } from "../storage/types.ts";
import type { ReadQuery, ReadResult } from "../kv/types.ts";
import { CommandKind, commandKind, encodeClock } from "../kv/command.ts";
import { Store } from "../kv/store.ts";

export type ReplicaMessage =
  | { readonly type: "peer"; readonly from: NodeId; readonly message: Message }
  | { readonly type: "tick" }
  /** There is work left over from the last turn. */
  | { readonly type: "continue" }
  /** Somebody knows of a later boot of this node: write something, to see whether the fence still holds. */
  | { readonly type: "prove-fence" }
  | {
    readonly type: "write";
    /** Encoded by `encodeAtomicWrite`; the replica stamps it. */
    readonly command: Uint8Array;
    readonly deadlineMs: number;
    readonly reply: Reply<WriteResult>;
  }
  | {
    readonly type: "read";
    readonly query: ReadQuery;
    readonly deadlineMs: number;
    readonly reply: Reply<ReadResult>;
  };

/** What the replica tells its node, outside any request. */
export type ReplicaEvent =
  | { readonly type: "opened"; readonly boot: number; readonly damage: string | null }
  | {
    readonly type: "role";
    readonly role: string;
    readonly term: number;
    readonly leader: NodeId | null;
  }
  | { readonly type: "repaired" };

export interface ReplicaOptions {
  readonly id: NodeId;
  readonly group: GroupId;
  readonly configuration: Configuration;
  /** Opens the durable log; called at every start and restart. */
  readonly openLog: () => LogStore;
  /** One-way and unreliable; false if the message was certainly not sent. */
  readonly send: (to: NodeId, group: GroupId, message: Message) => boolean;
  /** Called outside of any turn's gate: what it tells is observation, never acknowledgement. */
  readonly onEvent: (event: ReplicaEvent) => void;
}

/** The replica's parts, alive from `init` to the next stop or restart. */
interface State {
  readonly log: LogStore;
  readonly core: Core;
  readonly store: Store;
  readonly proposals: Proposals;
  readonly reads: Reads;
  readonly timer: Timer;
  readonly turn: Turn;
  /** The last index known durable here. */
  durableIndex: LogIndex;
  /** What the core says is committed; applied as far as durable. */
  commitIndex: LogIndex;
  /** Appends that may leave early, by peer, so that of two in one turn an empty one is not sent. */
  readonly outbox: Map<NodeId, Message>;
  /** Reads and read requests that wait until what was due when they came has expired. */
  readonly expiring: Deferred[];
  /** The last entry that this leader proposed to move time on, and its term. */
  clockIndex: number;
  clockTerm: number;
  leaderKnown: NodeId | null;
  leaderTerm: number;
  /** Whether entries became durable in this turn that the core has not been told of. */
  untold: boolean;
  continuing: boolean;
}

type Deferred = { readonly untilMs: number; readonly run: (state: State, ctx: ReplicaCtx) => void };
type ReplicaCtx = Ctx<ReplicaMessage>;

/** A window into the running replica for status pages; null parts while it is down. */
export interface ReplicaView {
  /** Null while the replica is starting, restarting or stopped. */
  status(): ReplicaStatus | null;
  /** Whether it has no trust in its own log yet. */
  readonly damaged: boolean;
}

/** Makes the replica's behaviour, and the view of whichever incarnation of it is running. */
export function createReplica(
  options: ReplicaOptions,
): { behavior: Behavior<ReplicaMessage, unknown>; view: ReplicaView } {
  let current: State | null = null;
  const behavior: Behavior<ReplicaMessage, State> = {
    async init(ctx) {
      current = await start(options, ctx);
      return current;
    },
    receive(state, batch, ctx) {
      drain(state, batch, ctx, options);
      return state;
    },
    commit(state) {
      if (state.turn.isDirty) return makeDurable(state);
    },
    released(state, ctx) {
      release(state, ctx, options);
    },
    async onStop(state, why) {
      current = null;
      await stop(state, why);
    },
  };
  const view: ReplicaView = {
    status: () => current === null ? null : statusOf(current, options.group),
    get damaged() {
      return current !== null && current.core.damaged;
    },
  };
  return { behavior: behavior as Behavior<ReplicaMessage, unknown>, view };
}

async function start(options: ReplicaOptions, ctx: ReplicaCtx): Promise<State> {
  const log = options.openLog();
  const recovery = await log.open();
  const core = createCore({
    id: options.id,
    configuration: options.configuration,
    hardState: recovery.hardState,
    log: { entries: recovery.entries },
    seed: ctx.env.randomUint32(),
    damaged: recovery.damage !== null,
    electionTicks: ELECTION_TICKS,
    heartbeatTicks: HEARTBEAT_TICKS,
  });
  options.onEvent({ type: "opened", boot: recovery.boot, damage: recovery.damage });
  const state: State = {
    log,
    core,
    store: new Store(),
    // Early, because what they answer is on a quorum's disks, whatever this turn still has to write.
    proposals: new Proposals(() => randomSession(ctx), {
      resolve: (reply, result) => ctx.replyEarly(reply, result),
      reject: (reply, error) => ctx.failEarly(reply, error),
    }),
    reads: new Reads((reply, error) => ctx.failEarly(reply, error)),
    timer: ctx.setTimer({ type: "tick" }, { delayMs: TICK_MS, repeat: true }),
    turn: new Turn(),
    durableIndex: core.log.lastIndex,
    commitIndex: core.commitIndex,
    outbox: new Map(),
    expiring: [],
    clockIndex: 0,
    clockTerm: 0,
    leaderKnown: null,
    leaderTerm: 0,
    untold: false,
    continuing: false,
  };
  perform(state, recovered(core), ctx, options);
  applyCommitted(state, ctx);
  if (state.turn.isDirty) continueSoon(state, ctx);
  return state;
}

function drain(
  state: State,
  batch: readonly ReplicaMessage[],
  ctx: ReplicaCtx,
  options: ReplicaOptions,
): void {
  const timeMs = ctx.env.wallNowMs();
  for (const message of batch) {
    switch (message.type) {
      case "peer":
        onPeer(state, message.from, message.message, timeMs, ctx, options);
        break;
      case "tick":
        onTick(state, timeMs, ctx, options);
        break;
      case "write":
        state.proposals.admit(message.command, message.reply, message.deadlineMs);
        break;
      case "read":
        onRead(state, message, timeMs);
        break;
      case "continue":
        state.continuing = false;
        break;
      case "prove-fence":
        proveFence(state);
        break;
    }
  }
  expire(state, timeMs, ctx, options);
  propose(state, timeMs, ctx, options);
  beginReads(state, ctx, options);
  flushOutbox(state, options);
  applyCommitted(state, ctx);
}

function onPeer(
  state: State,
  from: NodeId,
  message: Message,
  timeMs: number,
  ctx: ReplicaCtx,
  options: ReplicaOptions,
): void {
  if (message.type === "read-request" && mustExpireFirst(state, timeMs)) {
    defer(state, timeMs, (state, ctx) => {
      const input = { type: "message", from, message, timeMs } as const;
      perform(state, step(state.core, input), ctx, options);
    });
    return;
  }
  perform(state, step(state.core, { type: "message", from, message, timeMs }), ctx, options);
}

/** Persists what is persisted already: the commit fails if another process has opened the data. */
function proveFence({ core, turn }: State): void {
  const hardState = { term: core.term, vote: core.vote, commit: core.commitIndex };
  turn.persist({ type: "persist", hardState, truncateFrom: null, entries: [] });
}

function onTick(state: State, timeMs: number, ctx: ReplicaCtx, options: ReplicaOptions): void {
  perform(state, step(state.core, { type: "tick", timeMs }), ctx, options);
  const nowMs = ctx.env.now();
  const hasLeader = state.core.leader !== null;
  state.proposals.tick(nowMs, state.core.role === "leader", hasLeader);
  state.reads.tick(nowMs, hasLeader);
}

function onRead(state: State, read: PendingRead, timeMs: number): void {
  if (mustExpireFirst(state, timeMs)) defer(state, timeMs, (state) => state.reads.admit(read));
  else state.reads.admit(read);
}

/** Whether a leader that read now would show what is already due. */
function mustExpireFirst(state: State, timeMs: number): boolean {
  return state.core.role === "leader" && isDue(state.store.nextVisibleExpiryMs(), timeMs);
}

function isDue(expiryMs: number | null, timeMs: number): boolean {
  return expiryMs !== null && expiryMs <= timeMs;
}

function defer(state: State, untilMs: number, run: Deferred["run"]): void {
  state.expiring.push({ untilMs, run });
}

/**
 * Expiry happens at a log position, never by a clock that a replica reads alone: when something is
 * due, the leader proposes the time, and reads that came meanwhile wait until it is applied.
 */
function expire(state: State, timeMs: number, ctx: ReplicaCtx, options: ReplicaOptions): void {
  const { core, store } = state;
  const inFlight = state.clockTerm === core.term && state.clockIndex > store.index;
  if (core.role === "leader" && !inFlight && isDue(store.nextExpiryMs(), timeMs)) {
    const effects = step(core, { type: "propose", commands: [encodeClock()], timeMs });
    for (const effect of effects) {
      if (effect.type !== "accepted") continue;
      state.clockIndex = effect.firstIndex;
      state.clockTerm = effect.term;
    }
    perform(state, effects, ctx, options);
  }
  while (isExpiredUpTo(state)) state.expiring.shift()!.run(state, ctx);
}

/** Whether the first read that waits for expiry need not wait any longer. */
function isExpiredUpTo(state: State): boolean {
  const first = state.expiring[0];
  if (first === undefined) return false;
  return state.core.role !== "leader" || !isDue(state.store.nextVisibleExpiryMs(), first.untilMs);
}

function propose(state: State, timeMs: number, ctx: ReplicaCtx, options: ReplicaOptions): void {
  if (state.core.leader === null) return;
  const commands = state.proposals.take();
  if (commands.length === 0) return;
  const effects = step(state.core, { type: "propose", commands, timeMs });
  const handedOver = perform(state, effects, ctx, options);
  state.proposals.outcome(handedOver);
  if (handedOver && state.proposals.hasQueue) continueSoon(state, ctx);
}

function beginReads(state: State, ctx: ReplicaCtx, options: ReplicaOptions): void {
  if (state.core.leader === null) return;
  const id = state.reads.begin();
  if (id !== null) perform(state, step(state.core, { type: "read", id }), ctx, options);
}

/**
 * Carries out effects in order. Answers whether proposals among them may have reached a leader: if
 * any message that forwards them was taken by the transport, all of them count as handed over.
 */
function perform(
  state: State,
  effects: readonly Effect[],
  ctx: ReplicaCtx,
  options: ReplicaOptions,
): boolean {
  let accepted = false;
  let forwards = 0;
  for (const effect of effects) {
    switch (effect.type) {
      case "persist":
        onPersist(state, effect);
        break;
      case "send":
        if (!effect.early) state.turn.hold(effect.to, effect.message);
        else if (sendEarly(state, effect.to, effect.message, options)) {
          forwards += effect.message.type === "forward" ? 1 : 0;
        }
        break;
      case "commit":
        state.commitIndex = effect.index;
        break;
      case "read-ready":
        state.reads.confirmed(effect.id, effect.index);
        break;
      case "read-refused":
        state.reads.refused(effect.id);
        break;
      case "accepted":
        accepted = true;
        break;
      case "forwarded":
      case "refused":
        break;
      case "status":
        onStatus(state, effect, options);
        break;
      case "repaired":
        state.turn.repaired = true;
        options.onEvent({ type: "repaired" });
        break;
    }
  }
  return accepted || forwards > 0;
}

function onPersist(state: State, effect: Extract<Effect, { type: "persist" }>): void {
  state.turn.persist(effect);
  const from = effect.truncateFrom;
  if (from !== null) state.durableIndex = minIndex(state.durableIndex, (from - 1) as LogIndex);
}

function onStatus(
  state: State,
  status: Extract<Effect, { type: "status" }>,
  options: ReplicaOptions,
): void {
  const isNews = status.leader !== state.leaderKnown || status.term !== state.leaderTerm;
  state.leaderKnown = status.leader;
  state.leaderTerm = status.term;
  if (isNews && status.leader !== null) state.proposals.leaderChanged();
  options.onEvent(
    { type: "role", role: status.role, term: status.term, leader: status.leader },
  );
}

/** Appends wait to the end of the drain, where an empty one is replaced by the next to the same peer. */
function sendEarly(
  state: State,
  to: NodeId,
  message: Message,
  options: ReplicaOptions,
): boolean {
  if (message.type !== "append-request") return options.send(to, options.group, message);
  const before = state.outbox.get(to);
  if (before !== undefined && !isSuperseded(before, message)) {
    options.send(to, options.group, before);
  }
  state.outbox.set(to, message);
  return true;
}

/** Whether `next` says all that the empty append `before` says, and more. */
function isSuperseded(before: Message, next: Message): boolean {
  return before.type === "append-request" && next.type === "append-request" &&
    before.entries.length === 0 && before.term === next.term &&
    before.prevIndex <= next.prevIndex && before.commit <= next.commit &&
    before.round <= next.round;
}

function flushOutbox(state: State, options: ReplicaOptions): void {
  if (state.outbox.size === 0) return;
  for (const [to, message] of state.outbox) options.send(to, options.group, message);
  state.outbox.clear();
}

async function makeDurable(state: State): Promise<void> {
  const batch = state.turn.takeBatch();
  await state.log.commit(batch);
  if (state.turn.repaired) {
    await state.log.repaired();
    state.turn.repaired = false;
  }
  // No step runs while the turn waits, so the core's log is what the batch has just completed.
  state.durableIndex = state.core.log.lastIndex;
  state.untold = batch.entries.length > 0;
}

function release(state: State, ctx: ReplicaCtx, options: ReplicaOptions): void {
  for (const { to, message } of state.turn.takeHeld()) options.send(to, options.group, message);
  if (state.untold) {
    state.untold = false;
    const index = state.durableIndex;
    const term = state.core.log.term(index);
    perform(state, step(state.core, { type: "persisted", index, term }), ctx, options);
  }
  applyCommitted(state, ctx);
  flushOutbox(state, options);
  // What the completion itself made the core write, and reads it set free, belong to the next turn.
  if (state.turn.isDirty || isExpiredUpTo(state)) continueSoon(state, ctx);
}

function continueSoon(state: State, ctx: ReplicaCtx): void {
  if (state.continuing) return;
  state.continuing = ctx.self.tell({ type: "continue" }, { lane: "control" }) === "ok";
}

/** Applies what is committed and durable here, answers its writers, then the reads that waited for it. */
function applyCommitted(state: State, ctx: ReplicaCtx): void {
  const { core, store, proposals } = state;
  const last = minIndex(state.commitIndex, state.durableIndex);
  for (let index = store.index + 1; index <= last; index++) {
    const { timeMs, kind, data } = core.log.entry(index as LogIndex);
    const isCommand = kind === EntryKind.Command;
    const applied = store.apply({ index, timeMs, data, isCommand });
    if (!isCommand) continue;
    if (commandKind(data) === CommandKind.OpenSession) proposals.sessionOpened(applied.session);
    else proposals.applied(applied.session, applied.sequence, applied.result);
  }
  answerReads(state, ctx);
}

function answerReads(state: State, ctx: ReplicaCtx): void {
  for (const read of state.reads.takeReady(state.store.index)) {
    if (!read.reply.settled) ctx.replyEarly(read.reply, state.store.read(read.query));
  }
}

async function stop(state: State, why: StopReason): Promise<void> {
  state.timer.cancel();
  state.proposals.abandon();
  state.reads.abandon(new NotServing(`Cannot read: the replica ended (${why})`));
  await state.log.close();
}

function statusOf(state: State, group: GroupId): ReplicaStatus {
  const { core, store } = state;
  return {
    group,
    role: core.role,
    term: core.term,
    leader: core.leader,
    firstIndex: core.log.firstIndex,
    lastIndex: core.log.lastIndex,
    commitIndex: state.commitIndex,
    appliedIndex: store.index,
    snapshotIndex: core.log.firstIndex - 1,
    stateHash: store.hash(),
  };
}

function randomSession(ctx: ReplicaCtx): number {
  // Never 0, which stands for no session.
  return (ctx.env.randomUint32() & 0xffff) * 2 ** 32 + (ctx.env.randomUint32() || 1);
}

function minIndex(a: LogIndex, b: LogIndex): LogIndex {
  return a < b ? a : b;
}
