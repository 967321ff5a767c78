/**
 * The replica: the actor that is a node's member of a Raft group. It runs the core, the store and
 * the log store, one turn at a time (docs/architecture.md walks one write through it):
 *
 * 1. drain the mailbox: peers and ticks first, then client commands and reads;
 * 2. step the core with each, collecting effects;
 * 3. send at once what may leave early: a leader's appends overlap its own fsync (thesis 10.2.1),
 *    and answers from entries that a quorum already holds wait for nothing;
 * 4. commit: one durable batch, the group commit of everything the turn brought; a leader's new
 *    entries are written beside its next turns instead. While the disk is at work, apply what was
 *    committed before, and answer;
 * 5. release what waited for the disk (votes, acknowledgements), apply and answer what that brought.
 *
 * Not here: the protocol (raft/), what commands mean (kv/), where bytes go (storage/, transport/).
 *
 * @module
 */
import { capture } from "./capture.ts";
import { standInput } from "./disk_full.ts";
import { beginRead, onReadRequest, watchClock } from "./lease.ts";
import { PROPOSE_BYTES_MAX } from "./limits_replica.ts";
import { holdingOf, noteAcknowledged } from "./holdings.ts";
import { NotServing, StorageExhausted } from "./outcomes.ts";
import { applyCommitted, applyRecovered } from "./replica_apply.ts";
import { commitTurn, noteWritten } from "./replica_commit.ts";
import { perform } from "./replica_effects.ts";
import { expire, hasExpired, onceExpired } from "./replica_expiry.ts";
import { noteFreshness, takeRead } from "./replica_reads.ts";
import { breathe } from "./replica_recovery.ts";
import { continueSoon, openState, paceOf, type State, statusOf } from "./replica_state.ts";
import type { ReplicaMessage, ReplicaOptions, ReplicaView } from "./replica_types.ts";
import { onWatchTick, takeWatch } from "./replica_watches.ts";
import type { Behavior, StopReason } from "./types.ts";
import { recovered } from "../raft/core.ts";
import type { HashReport, Message } from "../raft/message.ts";
import { step } from "../raft/step.ts";
import type { NodeId } from "../raft/types.ts";
import { HOLDS_ALL } from "../transport/acquaintances.ts";

/** Makes the replica's behaviour, and the view of whichever life of it is running. */
export function createReplica(
  options: ReplicaOptions,
): { behavior: Behavior<ReplicaMessage, unknown>; view: ReplicaView } {
  let current: State | null = null;
  // Also while it starts, and after it has ended: what its core has had, its disk does not lose.
  let latest: State | null = null;
  const behavior: Behavior<ReplicaMessage, State> = {
    async init(ctx) {
      const state = latest = await openState(options, ctx);
      options.observer?.opened(state);
      try {
        await start(state);
      } catch (error) {
        await close(state);
        throw error;
      }
      current = state;
      return state;
    },
    receive(state, batch) {
      drain(state, batch);
      return state;
    },
    commit: commitTurn,
    released: release,
    async onStop(state, why) {
      current = null;
      await stop(state, why);
    },
  };
  const view: ReplicaView = {
    status: () => current === null ? null : statusOf(current),
    get holding() {
      return latest === null ? HOLDS_ALL : holdingOf(latest.core);
    },
    get diskFull() {
      return current !== null && current.disk.isFull;
    },
  };
  return { behavior: behavior as Behavior<ReplicaMessage, unknown>, view };
}

async function start(state: State): Promise<void> {
  const { options, ctx, core } = state;
  for (const { index, configuration } of core.configurations) {
    const committed = index <= core.commitIndex;
    options.onEvent({ type: "configuration", configuration, index, committed });
  }
  perform(state, recovered(core));
  await applyRecovered(state, () => breathe(ctx));
  if (state.turn.isDirty || state.hashCheck.mismatch !== null) continueSoon(state);
}

function drain(state: State, batch: readonly ReplicaMessage[]): void {
  if (state.hashCheck.mismatch !== null) return; // Its commit puts an end to it.
  noteWritten(state);
  const timeMs = state.clock.nowMs();
  const nowMs = state.ctx.env.now();
  const ticks = state.ticker.take(nowMs);
  if (ticks > 0) onTicks(state, ticks, timeMs);
  for (const message of batch) take(state, message, timeMs);
  expire(state, timeMs);
  if (mayPropose(state) || ticks > 0 && hasRoom(state)) propose(state, timeMs);
  beginReads(state);
  noteAcknowledged(state, ticks);
  state.outbox.flush();
  state.ticker.rest(nowMs, () => paceOf(state));
}

function take(state: State, message: ReplicaMessage, timeMs: number): void {
  switch (message.type) {
    case "peer":
      onPeer(state, message.from, message.message, timeMs);
      break;
    case "tick":
      state.ticker.fired();
      break;
    case "write":
      takeWrite(state, message);
      break;
    case "read":
      takeRead(state, message, timeMs);
      break;
    case "watch":
      takeWatch(state, message);
      break;
    case "continue":
      state.continuing = false;
      break;
    case "news-due":
      state.outbox.due();
      break;
    case "own-write-due":
      state.ownWrite.due();
      break;
    case "prove-fence":
      proveFence(state);
      break;
    case "change":
      state.administration.change(state, message.change, message.retried, message.reply);
      break;
    case "transfer":
      state.administration.transfer(state, message.to, message.reply);
      break;
    case "outcast":
      setOutcast(state, message.outcast);
      break;
    case "capture":
      capture(state, message);
      break;
    case "take-snapshot":
      state.taking.takeOnDemand(state, message.reply);
      break;
    case "job":
      if (message.boot === state.boot) message.run(state);
      break;
  }
}

function takeWrite(state: State, message: Extract<ReplicaMessage, { type: "write" }>): void {
  const { command, reply, deadlineMs } = message;
  message.taken = true;
  if (state.disk.admits(command)) state.proposals.admit(command, reply, deadlineMs);
  else state.ctx.failEarly(reply, new StorageExhausted("Cannot write: the disk is full"));
}

function onPeer(
  state: State,
  from: NodeId,
  message: Message | HashReport,
  timeMs: number,
): void {
  switch (message.type) {
    case "hash-report":
      state.hashCheck.reported(state, from, message);
      break;
    case "read-request":
      onceExpired(state, timeMs, () => onReadRequest(state, from, message));
      break;
    case "forward":
      state.forwards.add(from, state.disk.forwarded(state, from, message));
      break;
    case "append-request":
      receive(state, from, state.disk.admitted(state.core.log, message), timeMs);
      break;
    default:
      receive(state, from, message, timeMs);
  }
}

function receive(state: State, from: NodeId, message: Message, timeMs: number): void {
  perform(state, step(state.core, { type: "message", from, message, timeMs }));
}

/**
 * Whether there is nothing to wait for before the next batch. A leader has one batch under way: what
 * comes meanwhile is gathered, so that the turns in which its followers answer write nothing, and the
 * answers need not wait for a commit. A tick proposes all the same, so that a slow quorum costs
 * latency, not throughput (docs/decisions/0009-replica.md). While leadership is handed over nothing is
 * taken; all that waits here goes out in the turn in which the new leader is known.
 */
function mayPropose({ core, commitIndex }: State): boolean {
  if (core.transfer !== null) return false;
  return core.role !== "leader" || core.log.lastIndex === commitIndex;
}

/** What counts ticks gets each of them; what looks at the clock does so once. */
function onTicks(state: State, ticks: number, timeMs: number): void {
  const nowMs = watchClock(state);
  for (let i = 0; i < ticks; i++) {
    state.ticks.note(state.core.ticks + 1, nowMs);
    perform(state, step(state.core, { type: "tick", timeMs }));
    state.sending.tick(state);
    state.hashCheck.tick(state);
    state.disk.tick(state);
  }
  noteFreshness(state);
  onWatchTick(state);
  const leads = state.core.role === "leader";
  const hasLeader = state.core.leader !== null;
  state.proposals.tick(nowMs, leads, hasLeader);
  state.reads.tick(nowMs, leads, hasLeader);
  state.sessionReads.tick(nowMs, state.store.index);
}

/** A node that must not lead: removed, or refused for its data (membership.ts). */
function setOutcast(state: State, outcast: boolean): void {
  if (state.outcast === outcast) return;
  state.outcast = outcast;
  perform(state, step(state.core, standInput(state)));
}

/** Persists what is persisted already: the commit fails if another process has opened the data. */
function proveFence({ core, turn }: State): void {
  const hardState = { term: core.term, vote: core.vote, commit: core.commitIndex };
  turn.persist({ type: "persist", hardState, truncateFrom: null, entries: [] });
}

/** Whether one more batch may go beside the one that is under way. */
function hasRoom({ core }: State): boolean {
  return core.transfer === null && core.uncommittedBytes <= PROPOSE_BYTES_MAX;
}

function propose(state: State, timeMs: number): void {
  for (const { from, message } of state.forwards.take()) {
    receive(state, from, message, timeMs);
    state.outbox.awaits(from, state.core.log.lastIndex);
  }
  if (state.core.leader === null) return;
  const commands = state.proposals.take();
  if (commands.length === 0) return;
  const handedOver = perform(state, step(state.core, { type: "propose", commands, timeMs }));
  state.proposals.outcome(handedOver);
  if (handedOver && state.proposals.hasQueue) continueSoon(state);
}

function beginReads(state: State): void {
  if (state.core.leader === null) return;
  for (const attempt of state.reads.begin()) beginRead(state, attempt);
}

function release(state: State): void {
  const { options, core, turn } = state;
  for (const { to, message } of turn.takeHeld()) options.send(to, options.group, message);
  if (state.untold) {
    state.untold = false;
    const index = state.durableIndex;
    perform(state, step(core, { type: "persisted", index, term: core.log.term(index) }));
  }
  applyCommitted(state);
  state.administration.settle(state);
  state.outbox.flush();
  // What the completion itself made the core write, and reads it set free, belong to the next turn;
  // a write under way brings one by itself.
  const gathered = state.proposals.hasQueue || state.forwards.size > 0;
  const canGoOn = core.role === "leader" && gathered && mayPropose(state);
  const hasUnwritten = turn.isDirty && state.writing === null && !state.ownWrite.isWaiting;
  const mustWrite = hasUnwritten || state.hashCheck.mismatch !== null;
  if (mustWrite || hasExpired(state) || canGoOn) continueSoon(state);
}

async function stop(state: State, why: StopReason): Promise<void> {
  state.proposals.abandon();
  const ended = new NotServing(`Cannot read: the replica ended (${why})`);
  state.reads.abandon(ended);
  state.sessionReads.abandon(ended);
  state.watching.end();
  await close(state);
}

/** Work beside the turns goes on to its next wait; what it still has to write, the log refuses. */
async function close({ background, log }: State): Promise<void> {
  const ended = background.end();
  await log.close();
  await ended;
}
