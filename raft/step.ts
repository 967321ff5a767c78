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
import { checkQuorum, onVoteReply, onVoteRequest, reportStatus, tickElection } from "./election.ts";
import type { Message } from "./message.ts";
import { onForward, propose } from "./proposals.ts";
import { isMember } from "./quorum.ts";
import { expireReads, onReadReply, onReadRequest, read } from "./read_index.ts";
import { onAppendReply, onPersisted } from "./replies.ts";
import { becomeFollower } from "./roles.ts";
import { heartbeat } from "./sending.ts";
import type { NodeId } from "./types.ts";
import { isWellFormed } from "./validate.ts";

/**
 * Advances `core` by one input. The effects are in order; the first call also returns those of starting
 * (see `recovered`). Once it has thrown, the core must not be used any more.
 *
 * @throws {InvariantError} if a rule is found broken that only a bug or a lying disk can break.
 */
export function step(core: Core, input: Input): Effect[] {
  switch (input.type) {
    case "tick":
      core.nowMs = input.timeMs;
      tick(core);
      break;
    case "message":
      core.nowMs = input.timeMs;
      if (isAdmitted(core, input.from, input.message)) receive(core, input.from, input.message);
      break;
    case "propose":
      core.nowMs = input.timeMs;
      propose(core, input.commands);
      break;
    case "read":
      read(core, input.id);
      break;
    case "persisted":
      onPersisted(core, input.index, input.term);
      break;
  }
  reportStatus(core);
  return takeOutbox(core);
}

function tick(core: Core): void {
  core.ticks++;
  if (core.role === "leader") {
    checkQuorum(core);
    if (core.role === "leader") heartbeat(core);
  } else {
    tickElection(core);
    expireReads(core);
  }
}

/** Strangers are not heard, whatever they say; nor is what cannot have been sent by this protocol. */
function isAdmitted(core: Core, from: NodeId, message: Message): boolean {
  return from !== core.id && isMember(core.configuration, from) && isWellFormed(message);
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
