/**
 * The one way into the core: an input goes in, ordered effects come out.
 *
 * This file only says which input goes where, and compares terms (figure 2, "Rules for Servers: All
 * Servers"); the rules themselves are in the files it imports.
 *
 * @module
 */
import { onAppendRequest } from "./append.ts";
import { type Core, takeOutbox } from "./core.ts";
import type { Effect, Input } from "./effect.ts";
import {
  checkQuorum,
  onTimeoutNow,
  onVoteReply,
  onVoteRequest,
  reportStatus,
  tickElection,
} from "./election.ts";
import { trustClock } from "./lease.ts";
import { TERM_JUMP_MAX } from "./limits.ts";
import type { Message } from "./message.ts";
import { changeMembership, tickMembership } from "./membership.ts";
import { onForward, propose } from "./proposals.ts";
import { isMember } from "./quorum.ts";
import { expireReads, onReadReply, onReadRequest, read } from "./read_index.ts";
import { onAppendReply, onPersisted } from "./replies.ts";
import { becomeFollower } from "./roles.ts";
import { heartbeat } from "./sending.ts";
import { onCompacted, onInstalled, onSnapshotChunk, onSnapshotReply } from "./snapshots.ts";
import { stand } from "./stepping_down.ts";
import { tickTransfer, transferLeadership } from "./transfer.ts";
import type { NodeId } from "./types.ts";
import { isWellFormed } from "./validate.ts";

/**
 * Advances `core` by one input. The effects are in order; the first call also returns those of starting
 * (see `recovered`). Once it has thrown, the core must not be used any more.
 *
 * @throws {InvariantError} if a rule is found broken that only a bug or a lying disk can break.
 */
export function step(core: Core, input: Input): Effect[] {
  if ("timeMs" in input) core.nowMs = input.timeMs;
  switch (input.type) {
    case "tick":
      tick(core);
      break;
    case "message":
      if (isAdmitted(core, input.from, input.message)) receive(core, input.from, input.message);
      break;
    case "propose":
      propose(core, input.commands);
      break;
    case "read":
      read(core, input.id, input.lease);
      break;
    case "persisted":
      onPersisted(core, input.index, input.term);
      break;
    case "lease-clock":
      trustClock(core, input.trusted);
      break;
    case "change":
      changeMembership(core, input.id, input.change);
      break;
    case "transfer":
      transferLeadership(core, input.id, input.to);
      break;
    case "stand":
      stand(core, input.standing, input.outcast ?? false);
      break;
    case "compacted":
      onCompacted(core, input.index);
      break;
    case "installed":
      onInstalled(core, input.info, input.keptLog);
      break;
  }
  reportStatus(core);
  return takeOutbox(core);
}

function tick(core: Core): void {
  core.ticks++;
  if (core.role === "leader") {
    checkQuorum(core);
    if (core.role !== "leader") return;
    tickTransfer(core);
    tickMembership(core);
    heartbeat(core);
  } else {
    tickElection(core);
    expireReads(core);
  }
}

/**
 * What cannot have been sent by this protocol is not heard. Of strangers is heard what Raft needs
 * (thesis 4.2.2): a leader or candidate may be a member by a configuration that has not arrived here
 * yet. For the rest one must be a member, or still be told by this leader that one is not.
 */
function isAdmitted(core: Core, from: NodeId, message: Message): boolean {
  if (from === core.id || !isWellFormed(message)) return false;
  // No cluster gets so far ahead of a member of its own, and the terms that are left must last.
  if (message.term > core.term + TERM_JUMP_MAX) return false;
  if (isMember(core.configuration, from)) return true;
  switch (message.type) {
    case "append-request":
    case "snapshot-chunk":
    case "vote-request":
    case "timeout-now":
      return true;
    case "append-reply":
    case "snapshot-reply":
      return core.departed.has(from) && message.term <= core.term;
    case "read-reply":
      return from === core.leader;
    case "vote-reply":
    case "forward":
    case "read-request":
      return false;
  }
}

function receive(core: Core, from: NodeId, message: Message): void {
  if (message.term > core.term && provesTerm(message)) becomeFollower(core, message.term, null);
  switch (message.type) {
    case "vote-request":
      onVoteRequest(core, from, message);
      break;
    case "vote-reply":
      onVoteReply(core, from, message);
      break;
    case "append-request":
      onAppendRequest(core, from, message);
      break;
    case "append-reply":
      if (message.term === core.term) onAppendReply(core, from, message);
      break;
    case "forward":
      onForward(core, message);
      break;
    case "read-request":
      onReadRequest(core, from, message);
      break;
    case "read-reply":
      onReadReply(core, from, message);
      break;
    case "timeout-now":
      if (message.term === core.term) onTimeoutNow(core, from);
      break;
    case "snapshot-chunk":
      onSnapshotChunk(core, from, message);
      break;
    case "snapshot-reply":
      if (message.term === core.term) onSnapshotReply(core, from, message);
      break;
  }
}

/**
 * Whether the sender is in the term that the message names, which then is ours, too. Rehearsals name
 * terms that nobody is in yet; a request for votes is first held against the leader that we hear.
 */
function provesTerm(message: Message): boolean {
  if (message.type === "vote-request") return false;
  return !(message.type === "vote-reply" && message.pre && message.granted);
}
