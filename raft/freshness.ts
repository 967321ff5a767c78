/**
 * How stale a replica can be, without a read round and without comparing clocks.
 *
 * Each reply to an append says in which tick of its sender it was sent. Once a quorum has confirmed the
 * leader after that (thesis 6.4), its commit index covers all that anybody had committed when the reply
 * was sent, and the next append says so: it echoes the reply's tick beside that commit index. So the
 * receiver learns, in its own ticks, as of when it lacks nothing behind an index.
 *
 * Not here: milliseconds, and waiting for the index to be applied (actors/staleness.ts).
 *
 * @module
 */
import { hasCommittedOwnTerm } from "./commit.ts";
import type { Core } from "./core.ts";
import { confirmedTick } from "./lease.ts";
import type { AppendReply, AppendRequest } from "./message.ts";
import type { Progress } from "./progress.ts";
import type { Freshness } from "./stamps.ts";

/**
 * What is known of how fresh this node's log is: a replica that has applied `index` lacks nothing that
 * was committed anywhere when its own tick `tick` began. Null until that is known of any tick.
 */
export function freshness(core: Core): Freshness | null {
  const { fresh } = core.stamps;
  const tick = confirmedTick(core);
  if (tick < 0 || !hasCommittedOwnTerm(core)) return fresh;
  return fresh !== null && fresh.tick > tick ? fresh : { tick, index: core.commitIndex };
}

/** What this node's replies carry as `sent`. */
export function sentStamp(core: Core): number {
  return core.stamps.sentBase + core.ticks;
}

/** As a follower: takes in what the leader's append says of this node's own tick. */
export function onEcho(core: Core, { echo, commit }: AppendRequest): void {
  const { stamps } = core;
  const tick = echo - stamps.sentBase;
  // Whatever lies outside was sent by an earlier life, or never.
  if (tick < 0 || tick > core.ticks) return;
  // Of two claims for one tick the earlier has the lower index.
  if (stamps.fresh === null || tick > stamps.fresh.tick) stamps.fresh = { tick, index: commit };
}

/** As a leader: notes a reply's tick, to be echoed once a quorum has confirmed this leader after it. */
export function noteSent(core: Core, peer: Progress, reply: AppendReply): void {
  advanceEcho(core, peer);
  // One that waits is not replaced, or steady replies would put it off for ever.
  if (peer.echoNext !== 0) return;
  peer.echoNext = reply.sent;
  peer.echoNextTick = core.ticks;
}

/** The latest tick of `peer` that may be echoed to it beside the commit index; 0 for none. */
export function echoFor(core: Core, peer: Progress): number {
  advanceEcho(core, peer);
  return peer.echo;
}

function advanceEcho(core: Core, peer: Progress): void {
  if (peer.echoNext === 0 || core.ticks === peer.echoNextTick) return;
  // Strictly later: within one tick the order of sending and hearing is not known.
  if (confirmedTick(core) <= peer.echoNextTick || !hasCommittedOwnTerm(core)) return;
  peer.echo = peer.echoNext;
  peer.echoNext = 0;
}
