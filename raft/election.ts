/**
 * Leader election (sections 5.2 and 5.4.1) with its rehearsal, pre-vote (thesis 9.6), and with voters
 * that stand by a leader they hear (thesis 6.2 and 4.2.3).
 *
 * @module
 */
import { isElectable } from "./configuration.ts";
import { type Core, emit, nextTerm, resetElectionTimer, send, setTerm } from "./core.ts";
import { LAST_RESORT_TIMEOUTS } from "./limits.ts";
import type { VoteReply, VoteRequest } from "./message.ts";
import { isOnlyVoter, isVoter, members, quorumValue, voteResult } from "./quorum.ts";
import { becomeFollower, becomeLeader } from "./roles.ts";
import type { NodeId, Term } from "./types.ts";

/** On each tick of a node that does not lead. */
export function tickElection(core: Core): void {
  core.electionElapsedTicks++;
  if (core.electionElapsedTicks >= patienceTicks(core)) {
    campaign(core);
  } else if (core.role !== "follower") {
    // Requests get lost, and voters that still heard the old leader gave no answer.
    if (core.electionElapsedTicks % core.limits.heartbeatTicks === 0) requestVotes(core);
  }
}

/**
 * How long to wait for a leader. Who should not lead (Input, `stand`) waits until all others have had
 * their chance; if none of them can, a leader that takes only some requests is better than none.
 */
function patienceTicks(core: Core): number {
  if (core.standing || core.role !== "follower" || isOnlyVoter(core.configuration, core.id)) {
    return core.electionTimeoutTicks;
  }
  return LAST_RESORT_TIMEOUTS * core.electionTimeoutTicks;
}

/** On each tick of a leader: it must have heard from a quorum within the shortest election timeout. */
export function checkQuorum(core: Core): void {
  const heard = quorumValue(core.configuration, (voter) => {
    return voter === core.id ? core.ticks : core.progress.get(voter)?.heardTick ?? 0;
  });
  if (core.ticks - heard >= core.limits.electionTicks) becomeFollower(core, core.term, null);
}

/** Begins with a rehearsal: who cannot win does not disturb the others with a new term. */
function campaign(core: Core): void {
  resetElectionTimer(core);
  becomeFollower(core, core.term, null);
  if (core.damaged || isBlank(core) || !isElectable(core)) return;
  core.role = "pre-candidate";
  core.forTransfer = false;
  core.votes.set(core.id, true);
  if (voteResult(core.configuration, core.votes) === "won") standForElection(core);
  else requestVotes(core);
}

function standForElection(core: Core): void {
  core.role = "candidate";
  core.votes.clear();
  core.votes.set(core.id, true);
  resetElectionTimer(core);
  setTerm(core, nextTerm(core.term), core.id);
  if (voteResult(core.configuration, core.votes) === "won") becomeLeader(core);
  else requestVotes(core);
}

/** Asks every voter that has not answered. A real request says that we voted for ourselves, so it waits. */
function requestVotes(core: Core): void {
  const pre = core.role === "pre-candidate";
  const message: VoteRequest = {
    type: "vote-request",
    term: pre ? nextTerm(core.term) : core.term,
    pre,
    lastIndex: core.log.lastIndex,
    lastTerm: core.log.lastTerm,
    transfer: core.forTransfer,
  };
  for (const id of members(core.configuration)) {
    if (id === core.id || core.votes.has(id) || !isVoter(core.configuration, id)) continue;
    send(core, id, message, pre);
  }
}

export function onVoteRequest(core: Core, from: NodeId, request: VoteRequest): void {
  // A damaged replica may have acknowledged entries that it no longer sees: it cannot judge logs. Nor
  // can one that was told of no member yet; no leader needs its vote before it has the log.
  if (core.damaged || isBlank(core) || members(core.configuration).length === 0) return;
  if (!request.transfer && hearsLeader(core)) return;
  const granted = isFree(core, from, request) && isUpToDate(core, request);
  if (!request.pre) {
    if (granted) grant(core, request.term, from);
    else if (request.term > core.term) becomeFollower(core, request.term, null);
  }
  const term = granted ? request.term : core.term;
  send(core, from, { type: "vote-reply", term, pre: request.pre, granted }, false);
}

/**
 * Leader stickiness: for an election timeout after a leader was heard, requests are ignored, their terms
 * included. That holds even if its term is known to be over: its lease may count on us until then. A
 * node that has just started does not remember whom it heard, and counts from its start (core.ts).
 */
function hearsLeader(core: Core): boolean {
  return core.role === "leader" || core.ticks - core.leaderHeardTick < core.limits.electionTicks;
}

/** The leader of our term wants us to take over: without rehearsal, and without waiting (thesis 3.10). */
export function onTimeoutNow(core: Core, from: NodeId): void {
  if (core.role === "leader" || (core.leader !== null && core.leader !== from)) return;
  if (core.damaged || !core.standing || !isVoter(core.configuration, core.id)) return;
  becomeFollower(core, core.term, null);
  core.forTransfer = true;
  standForElection(core);
}

/**
 * An outcast without a log has lost its directory, and what it had voted for and acknowledged is forgotten.
 * Others may have lost theirs with it: one such node alone makes no quorum, but two of three would, and
 * begin anew as if nothing had ever been written. No last resort is worth that.
 */
function isBlank({ outcast, log }: Core): boolean {
  return outcast && log.lastIndex === 0;
}

/** Whether our vote in the requested term is still to be had, or already theirs (section 5.2). */
function isFree(core: Core, from: NodeId, request: VoteRequest): boolean {
  if (request.term < core.term) return false;
  return request.term > core.term || core.vote === null || core.vote === from;
}

/** Section 5.4.1: the later last term wins; within one term, the longer log. */
function isUpToDate(core: Core, { lastTerm, lastIndex }: VoteRequest): boolean {
  const { log } = core;
  return lastTerm > log.lastTerm || (lastTerm === log.lastTerm && lastIndex >= log.lastIndex);
}

/** A repeated request finds the vote given, and durable with this turn at the latest. */
function grant(core: Core, term: Term, candidate: NodeId): void {
  becomeFollower(core, term, null, candidate);
  resetElectionTimer(core);
}

export function onVoteReply(core: Core, from: NodeId, reply: VoteReply): void {
  const pre = core.role === "pre-candidate";
  if (core.role !== "candidate" && !pre) return;
  if (reply.pre !== pre || !isVoter(core.configuration, from)) return;
  // A granted rehearsal names the term rehearsed, a refused one whatever term the voter is in.
  if (pre ? reply.granted && reply.term !== core.term + 1 : reply.term !== core.term) return;
  core.votes.set(from, reply.granted);
  switch (voteResult(core.configuration, core.votes)) {
    case "won":
      if (pre) standForElection(core);
      else becomeLeader(core);
      break;
    case "lost":
      becomeFollower(core, core.term, null);
      break;
    case "pending":
      break;
  }
}

/** Tells the shell if role, term or leader are not what it was told last. */
export function reportStatus(core: Core): void {
  const { role, term, leader, status } = core;
  if (status.role === role && status.term === term && status.leader === leader) return;
  core.status = { role, term, leader };
  emit(core, { type: "status", role, term, leader });
}
