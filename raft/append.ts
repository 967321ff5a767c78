/**
 * What a follower does with an AppendEntries request (figure 2, section 5.3).
 *
 * Not here: whether the sender may lead at all; step.ts compares terms first.
 *
 * @module
 */
import { setCommit } from "./commit.ts";
import { type Core, persistEntries, resetElectionTimer, send } from "./core.ts";
import { onEcho, sentStamp } from "./freshness.ts";
import type { AppendRequest } from "./message.ts";
import { repairIfComplete } from "./repair.ts";
import { becomeFollower } from "./roles.ts";
import { InvariantError, type LogIndex, type NodeId, type Term } from "./types.ts";

/** @throws {InvariantError} if two leaders hold one term, or a committed entry would be lost. */
export function onAppendRequest(core: Core, from: NodeId, request: AppendRequest): void {
  if (request.term < core.term) {
    // The sender may lead our term, too, by the time this comes: it must not take the round and stamp of
    // then for those of now, and believe that somebody has just stood by it.
    refuse(core, from, NO_APPEND, 0 as LogIndex, 0 as Term);
    return;
  }
  follow(core, from);
  onEcho(core, request);
  const { prevIndex, prevTerm, entries } = request;
  const lastIndex = prevIndex + entries.length as LogIndex;
  if (prevIndex < core.log.baseIndex) {
    // Nothing is left here to compare with, but what is committed matches every later leader's log.
    acknowledge(core, from, request, core.commitIndex);
    return;
  }
  if (!core.log.matches(prevIndex, prevTerm)) {
    const conflict = conflictBefore(core, prevIndex);
    refuse(core, from, request, conflict.index, conflict.term);
    return;
  }
  store(core, request);
  const commit = Math.min(request.commit, lastIndex) as LogIndex;
  if (commit > core.commitIndex) setCommit(core, commit);
  repairIfComplete(core, request.commit);
  acknowledge(core, from, request, lastIndex);
}

/**
 * The sender leads our term: it is heard, and a campaign of ours in the same term is over.
 *
 * @throws {InvariantError} if another one leads it.
 */
export function follow(core: Core, leader: NodeId): void {
  if (core.role === "leader" || (core.leader !== null && core.leader !== leader)) {
    throw new InvariantError(
      `Cannot follow ${leader}: ${core.leader} already leads term ${core.term}`,
    );
  }
  if (core.leader !== leader) becomeFollower(core, core.term, leader);
  core.leaderHeardTick = core.ticks;
  resetElectionTimer(core);
}

/** Takes in the entries that are new. Only a real conflict truncates: the request may be an old one. */
function store(core: Core, { prevIndex, entries }: AppendRequest): void {
  const { log } = core;
  let known = 0;
  while (known < entries.length && log.matches(entries[known].index, entries[known].term)) known++;
  if (known === entries.length) return;
  const from = prevIndex + 1 + known as LogIndex;
  if (from <= core.commitIndex) {
    throw new InvariantError(
      `Cannot replace entry ${from} of term ${log.term(from)} by one of term ` +
        `${entries[known].term}: entries up to ${core.commitIndex} are committed`,
    );
  }
  const truncateFrom = from <= log.lastIndex ? from : null;
  // The array that arrived carries its encoding: whole, it is written as it is.
  persistEntries(core, truncateFrom, known === 0 ? entries : entries.slice(known));
}

/** Where to look next: behind the log's end, or at the start of the conflicting term (section 5.3). */
function conflictBefore(core: Core, prevIndex: LogIndex): { index: LogIndex; term: Term } {
  const { log } = core;
  if (prevIndex > log.lastIndex) return { index: log.lastIndex + 1 as LogIndex, term: 0 as Term };
  const term = log.term(prevIndex);
  const first = Math.max(log.firstIndexOfTerm(term), core.commitIndex + 1);
  return { index: Math.min(first, prevIndex) as LogIndex, term };
}

/** What a reply says of the request that it answers. One that answers no append stands for none. */
type Answered = Pick<AppendRequest, "prevIndex" | "round" | "stamp">;

export const NO_APPEND: Answered = { prevIndex: 0 as LogIndex, round: 0, stamp: 0 };

/** What lies at `index` and before is durable once this turn is, and the reply waits for that. */
export function acknowledge(
  core: Core,
  to: NodeId,
  { round, stamp }: Answered,
  index: LogIndex,
): void {
  send(core, to, {
    type: "append-reply",
    term: core.term,
    success: true,
    index,
    conflictIndex: 0 as LogIndex,
    conflictTerm: 0 as Term,
    round,
    stamp,
    sent: sentStamp(core),
    counts: !core.damaged,
  }, false);
}

export function refuse(
  core: Core,
  to: NodeId,
  { prevIndex, round, stamp }: Answered,
  conflictIndex: LogIndex,
  conflictTerm: Term,
): void {
  send(core, to, {
    type: "append-reply",
    term: core.term,
    success: false,
    index: prevIndex,
    conflictIndex,
    conflictTerm,
    round,
    stamp,
    sent: sentStamp(core),
    counts: !core.damaged,
  }, false);
}
