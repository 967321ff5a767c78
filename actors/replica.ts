/**
 * The replica: the actor that is a node's member of a Raft group. It runs the core, the store and
 * the log store, one turn at a time (docs/architecture.md walks one write through it):
 *
 * 1. drain the mailbox: peers and ticks first, then client commands and reads;
 * 2. step the core with each, collecting effects;
 * 3. send at once what may leave early: a leader's appends overlap its own fsync (thesis 10.2.1),
 *    and answers from entries that a quorum already holds wait for nothing;
 * 4. commit: one durable batch, the group commit of everything the turn brought; a leader's new
 *    entries are written beside its next turns instead;
 * 5. release what waited for the disk (votes, acknowledgements), apply, answer.
 *
 * Not here: the protocol (raft/), what commands mean (kv/), where bytes go (storage/, transport/).
 *
 * @module
 */
import { capture } from "./capture.ts";
import { beginRead, onReadRequest, watchClock } from "./lease.ts";
import { PROPOSE_BYTES_MAX } from "./limits_replica.ts";
import { NotServing } from "./outcomes.ts";
import { perform } from "./replica_effects.ts";
import { expire, hasExpired, onceExpired } from "./replica_expiry.ts";
import { answerReads, noteFreshness, takeRead } from "./replica_reads.ts";
import { continueSoon, openState, type State, statusOf } from "./replica_state.ts";
import type { ReplicaMessage, ReplicaOptions, ReplicaView } from "./replica_types.ts";
import type { Behavior, StopReason } from "./types.ts";
import { CommandKind, commandKind } from "../kv/command.ts";
import { recovered } from "../raft/core.ts";
import type { HashReport, Message } from "../raft/message.ts";
import { step } from "../raft/step.ts";
import { EntryKind, type LogIndex, type NodeId } from "../raft/types.ts";

/** Makes the replica's behaviour, and the view of whichever incarnation of it is running. */
export function createReplica(
  options: ReplicaOptions,
): { behavior: Behavior<ReplicaMessage, unknown>; view: ReplicaView } {
  let current: State | null = null;
  const behavior: Behavior<ReplicaMessage, State> = {
    async init(ctx) {
      const state = await openState(options, ctx);
      const { configuration } = state.core;
      options.onEvent({ type: "configuration", configuration });
      perform(state, recovered(state.core));
      applyCommitted(state);
      if (state.turn.isDirty) continueSoon(state);
      current = state;
      return state;
    },
    receive(state, batch) {
      drain(state, batch);
      return state;
    },
    commit(state) {
      if (!state.turn.isDirty) return;
      if (state.core.role === "leader" && state.turn.isAppendOnly) return overlap(state);
      return makeDurable(state);
    },
    released: release,
    async onStop(state, why) {
      current = null;
      await stop(state, why);
    },
  };
  const view: ReplicaView = {
    status: () => current === null ? null : statusOf(current),
    get damaged() {
      return current !== null && current.core.damaged;
    },
  };
  return { behavior: behavior as Behavior<ReplicaMessage, unknown>, view };
}

function drain(state: State, batch: readonly ReplicaMessage[]): void {
  const timeMs = state.clock.nowMs();
  let ticked = false;
  for (const message of batch) {
    take(state, message, timeMs);
    ticked ||= message.type === "tick";
  }
  expire(state, timeMs);
  if (mayPropose(state) || ticked && hasRoom(state)) propose(state, timeMs);
  beginReads(state);
  state.outbox.flush();
  applyCommitted(state);
  state.administration.settle(state);
}

function take(state: State, message: ReplicaMessage, timeMs: number): void {
  switch (message.type) {
    case "peer":
      onPeer(state, message.from, message.message, timeMs);
      break;
    case "tick":
      onTick(state, timeMs);
      break;
    case "write":
      message.taken = true;
      state.proposals.admit(message.command, message.reply, message.deadlineMs);
      break;
    case "read":
      takeRead(state, message, timeMs);
      break;
    case "written":
      if (message.boot === state.boot) onWritten(state, message);
      break;
    case "continue":
      state.continuing = false;
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
  }
}

function onPeer(
  state: State,
  from: NodeId,
  message: Message | HashReport,
  timeMs: number,
): void {
  if (message.type === "hash-report") return; // actors A: goes to the hash check.
  const receive = () =>
    void perform(state, step(state.core, { type: "message", from, message, timeMs }));
  if (message.type === "read-request") {
    onceExpired(state, timeMs, () => onReadRequest(state, from, message));
  } else if (message.type === "forward") state.forwards.add(from, message);
  else receive();
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

function onTick(state: State, timeMs: number): void {
  state.ticks.note(state.core.ticks + 1);
  perform(state, step(state.core, { type: "tick", timeMs }));
  const nowMs = watchClock(state);
  noteFreshness(state);
  const leads = state.core.role === "leader";
  const hasLeader = state.core.leader !== null;
  state.proposals.tick(nowMs, leads, hasLeader);
  state.reads.tick(nowMs, leads, hasLeader);
  state.sessionReads.tick(nowMs, state.store.index);
}

/** A node that is removed, and cannot learn it from the log any more, leaves the others in peace. */
function setOutcast(state: State, outcast: boolean): void {
  if (state.outcast === outcast) return;
  state.outcast = outcast;
  perform(state, step(state.core, { type: "stand", standing: !outcast }));
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
    perform(state, step(state.core, { type: "message", from, message, timeMs }));
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

/**
 * Writes a leader's new entries beside its turns (thesis 10.2.1): nothing waits for this disk in
 * particular, since a quorum of the others may commit them, and then their answers go ahead. One
 * write at a time; what comes meanwhile goes with the next.
 */
function overlap(state: State): void {
  if (state.writing !== null) return;
  const { boot, core: { log }, ctx } = state;
  const written = { type: "written", boot, index: log.lastIndex, term: log.lastTerm } as const;
  const end = (error: unknown) => {
    state.writing = null;
    ctx.self.tell({ ...written, error }, { lane: "control" });
  };
  state.writing = state.log.commit(state.turn.takeBatch()).then(() => end(null), end);
}

/** @throws what the write failed with: as in a turn's own commit, its outcome is unknown. */
function onWritten(state: State, written: Extract<ReplicaMessage, { type: "written" }>): void {
  const { core } = state;
  const { index, term, error } = written;
  if (error !== null) throw error;
  // Entries that were replaced meanwhile are not what became durable.
  if (!core.log.matches(index, term)) return;
  state.durableIndex = Math.max(state.durableIndex, index) as LogIndex;
  perform(state, step(core, { type: "persisted", index, term }));
}

async function makeDurable(state: State): Promise<void> {
  // Should it have failed, the store is shut, and the commit below fails, too.
  if (state.writing !== null) await state.writing;
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
  const mustWrite = turn.isDirty && state.writing === null;
  if (mustWrite || hasExpired(state) || canGoOn) continueSoon(state);
}

/**
 * Applies what is committed, answers its writers, then the reads that waited for it. A follower
 * applies only what is durable here; a leader's entries may be committed by the others' disks.
 */
function applyCommitted(state: State): void {
  const { core, store, proposals } = state;
  const leads = core.role === "leader";
  const last = leads ? state.commitIndex : Math.min(state.commitIndex, state.durableIndex);
  for (let index = store.index + 1; index <= last; index++) {
    const { timeMs, kind, data } = core.log.entry(index as LogIndex);
    const isCommand = kind === EntryKind.Command;
    const { session, sequence, result } = store.apply({ index, timeMs, data, isCommand });
    if (!isCommand) continue;
    if (commandKind(data) === CommandKind.OpenSession) proposals.sessionOpened(session);
    else proposals.applied(session, sequence, result);
  }
  answerReads(state);
}

async function stop(state: State, why: StopReason): Promise<void> {
  state.proposals.abandon();
  const ended = new NotServing(`Cannot read: the replica ended (${why})`);
  state.reads.abandon(ended);
  state.sessionReads.abandon(ended);
  await state.log.close();
}
