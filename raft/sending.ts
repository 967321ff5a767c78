/**
 * What a leader sends to its followers: appends within the inflight window, and empty ones where news
 * (a commit index, a read round, a heartbeat) has no entries to ride on.
 *
 * Not here: what their answers change (replies.ts).
 *
 * @module
 */
import { type Core, send } from "./core.ts";
import { echoFor } from "./freshness.ts";
import { entriesBytes } from "./log.ts";
import type { Progress } from "./progress.ts";
import type { Entry, LogIndex } from "./types.ts";

const NO_ENTRIES: readonly Entry[] = [];

/** Brings every follower up to date as far as its window allows. */
export function broadcast(core: Core): void {
  for (const peer of core.progress.values()) sync(core, peer);
}

/** Sends what `peer` lacks and may get now: entries first; news on its own only if none carried it. */
export function sync(core: Core, peer: Progress): void {
  // One that waits for a snapshot counts as probed: nothing of the log goes to it.
  if (!peer.probing) {
    while (peer.next <= core.log.lastIndex && !isFull(core, peer)) sendEntries(core, peer);
  } else if (!peer.probeSent) {
    sendProbe(core, peer);
  }
  const commitKnown = Math.min(core.commitIndex, peer.match);
  if (peer.roundSent < core.reads.round || peer.commitSent < commitKnown) sendNews(core, peer);
}

/** On each tick: a heartbeat for every follower that was sent nothing which shows a lost append. */
export function heartbeat(core: Core): void {
  for (const peer of core.progress.values()) {
    if (core.ticks - peer.sentTick < core.limits.heartbeatTicks) continue;
    // It stands behind the last entry sent. So it is refused if that entry was lost, and if only the
    // answers were lost it is confirmed: either way nothing stays in flight for ever.
    peer.sentTick = core.ticks;
    sendAppend(core, peer, peer.next - 1 as LogIndex, NO_ENTRIES);
  }
}

function isFull(core: Core, peer: Progress): boolean {
  return peer.inflight.isFull(core.limits.inflightBytesMax);
}

function sendEntries(core: Core, peer: Progress): void {
  const entries = entriesFrom(core, peer.next, core.limits.appendEntriesMax);
  const prevIndex = peer.next - 1 as LogIndex;
  peer.next = peer.next + entries.length as LogIndex;
  peer.inflight.add(peer.next - 1 as LogIndex, entriesBytes(entries));
  peer.sentTick = core.ticks;
  sendAppend(core, peer, prevIndex, entries);
}

function sendProbe(core: Core, peer: Progress): void {
  // What a follower may have no room for is offered again as small as it gets.
  const isRepeated = peer.probedFrom === peer.next;
  const entries = entriesFrom(core, peer.next, isRepeated ? 1 : core.limits.appendEntriesMax);
  peer.probeSent = true;
  peer.sentTick = core.ticks;
  if (entries.length > 0) {
    peer.probedFrom = peer.next;
    peer.probedTick = core.ticks;
  }
  sendAppend(core, peer, peer.next - 1 as LogIndex, entries);
}

function entriesFrom(core: Core, from: LogIndex, entriesMax: number): readonly Entry[] {
  const { appendBytesMax } = core.limits;
  const to = Math.min(core.log.lastIndex, from + entriesMax - 1) as LogIndex;
  return core.log.slice(from, to, appendBytesMax);
}

/**
 * Stands on `match`, which is never refused, so that it may overtake entries on the way. (A follower
 * that lacks what was cut off does refuse; it is told no less by that.)
 */
function sendNews(core: Core, peer: Progress): void {
  const prevIndex = Math.max(peer.match, core.log.baseIndex) as LogIndex;
  sendAppend(core, peer, prevIndex, NO_ENTRIES);
}

function sendAppend(
  core: Core,
  peer: Progress,
  prevIndex: LogIndex,
  entries: readonly Entry[],
): void {
  const { commitIndex, log, reads: { round } } = core;
  peer.roundSent = round;
  const told = Math.min(commitIndex, prevIndex + entries.length) as LogIndex;
  if (told > peer.commitSent) peer.commitSent = told;
  const message = {
    type: "append-request",
    term: core.term,
    prevIndex,
    prevTerm: log.term(prevIndex),
    commit: commitIndex,
    round,
    stamp: core.ticks,
    echo: echoFor(core, peer),
    entries,
  } as const;
  send(core, peer.id, message, core.termDurable);
}
