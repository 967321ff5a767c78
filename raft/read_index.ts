/**
 * Linearizable reads without log entries (ReadIndex, thesis 6.4; section 8).
 *
 * A leader remembers its commit index, then has a round of heartbeats confirm that it still was the
 * leader after that. One round is on the way at a time; reads that come meanwhile share the next one.
 * Followers ask the leader for the index and wait for it on their own.
 *
 * Not here: waiting until the index is applied, and reading. The shell does both. No clock is assumed.
 *
 * @module
 */
import { hasCommittedOwnTerm } from "./commit.ts";
import { type Core, emit, send } from "./core.ts";
import type { ReadReply, ReadRequest } from "./message.ts";
import { quorumValue } from "./quorum.ts";
import type { PendingRead } from "./reads.ts";
import { broadcast } from "./sending.ts";
import type { LogIndex, NodeId } from "./types.ts";

/**
 * Reads of this node's own clients. `lease` is for the leader's shell to look at, which answers such
 * reads by itself if it may (lease.ts); what comes here is confirmed by a round.
 */
export function read(core: Core, id: number, lease: boolean): void {
  const { reads } = core;
  if (core.role === "leader") {
    if (isFull(core)) emit(core, { type: "read-refused", id });
    else enqueue(core, { from: null, id });
  } else if (core.leader === null || reads.asked.size >= core.limits.readsPendingMax) {
    emit(core, { type: "read-refused", id });
  } else {
    reads.asked.set(id, core.ticks);
    send(core, core.leader, { type: "read-request", term: core.term, id, lease }, true);
  }
}

export function onReadRequest(core: Core, from: NodeId, request: ReadRequest): void {
  if (core.role === "leader" && request.term === core.term && !isFull(core)) {
    enqueue(core, { from, id: request.id });
  } else {
    refuse(core, { from, id: request.id });
  }
}

/** An answer from another term than this one, or to a read given up meanwhile, is void. */
export function onReadReply(core: Core, from: NodeId, reply: ReadReply): void {
  if (reply.term !== core.term || from !== core.leader) return;
  if (!core.reads.asked.delete(reply.id)) return;
  if (reply.granted) emit(core, { type: "read-ready", id: reply.id, index: reply.index });
  else emit(core, { type: "read-refused", id: reply.id });
}

function isFull(core: Core): boolean {
  const { confirming, waiting } = core.reads;
  return confirming.length + waiting.length >= core.limits.readsPendingMax;
}

function enqueue(core: Core, pending: PendingRead): void {
  core.reads.waiting.push(pending);
  if (advanceReads(core)) broadcast(core);
}

/**
 * Answers the reads that a quorum's answers have confirmed, and begins the next round if reads wait for
 * one. True if it began one that needs messages: the caller broadcasts.
 */
export function advanceReads(core: Core): boolean {
  const { reads } = core;
  if (reads.confirming.length > 0 && isConfirmed(core)) answerConfirmed(core);
  if (reads.confirming.length > 0 || reads.waiting.length === 0) return false;
  // Before that, the commit index may lie behind what former leaders have committed.
  if (!hasCommittedOwnTerm(core)) return false;
  reads.round++;
  reads.index = core.commitIndex;
  reads.confirming = reads.waiting;
  reads.waiting = [];
  if (!isConfirmed(core)) return true;
  // This node alone is a quorum.
  answerConfirmed(core);
  return false;
}

function isConfirmed(core: Core): boolean {
  const round = quorumValue(core.configuration, (voter) => {
    if (voter === core.id) return core.reads.round;
    return core.progress.get(voter)?.round ?? 0;
  });
  return round >= core.reads.round;
}

function answerConfirmed(core: Core): void {
  const { confirming, index } = core.reads;
  core.reads.confirming = [];
  for (const { from, id } of confirming) {
    if (from === null) emit(core, { type: "read-ready", id, index });
    else send(core, from, { type: "read-reply", term: core.term, id, granted: true, index }, true);
  }
}

/** Gives up every pending read: the leader or the term is no longer the one that they were asked of. */
export function refuseReads(core: Core): void {
  const { reads } = core;
  const pending = [...reads.confirming, ...reads.waiting];
  reads.confirming = [];
  reads.waiting = [];
  for (const each of pending) refuse(core, each);
  for (const id of reads.asked.keys()) emit(core, { type: "read-refused", id });
  reads.asked.clear();
}

/** On each tick: gives up what the leader has not answered in time, so that nothing is kept for ever. */
export function expireReads(core: Core): void {
  const { asked } = core.reads;
  for (const [id, tick] of asked) {
    if (core.ticks - tick < core.limits.readTicks) return;
    asked.delete(id);
    emit(core, { type: "read-refused", id });
  }
}

function refuse(core: Core, { from, id }: PendingRead): void {
  if (from === null) {
    emit(core, { type: "read-refused", id });
    return;
  }
  const index = 0 as LogIndex;
  send(core, from, { type: "read-reply", term: core.term, id, granted: false, index }, false);
}
