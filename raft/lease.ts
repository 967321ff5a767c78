/**
 * Leases (thesis 6.4.1): whoever has answered this leader stands by it for an election timeout, so while
 * a quorum's answers are younger than that, nobody else can have been elected.
 *
 * The core only says as of which of its own ticks a quorum stood by it. How long ago that was, and how
 * much clocks may differ, is for the shell to know (actors/lease.ts); nothing else in the core
 * depends on it. The argument is in docs/decisions/0011-snapshots-and-leases-in-the-core.md.
 *
 * @module
 */
import { hasCommittedOwnTerm } from "./commit.ts";
import type { Core } from "./core.ts";
import type { Effect } from "./effect.ts";
import { quorumValue } from "./quorum.ts";
import { InvariantError, type NodeId } from "./types.ts";

/**
 * The latest tick of this leader such that a quorum has answered messages that it sent in that tick or
 * later; what it sent in that tick left after the tick began. -Infinity for who does not lead, or has
 * no answers yet.
 */
export function confirmedTick(core: Core): number {
  if (core.role !== "leader") return -Infinity;
  return quorumValue(core.configuration, (voter) => {
    return voter === core.id ? core.ticks : core.progress.get(voter)?.stamp ?? -Infinity;
  });
}

/**
 * The tick from whose beginning a lease may be counted; null if there is none. There is none before the
 * leader knows what is committed (section 8), while its clock is not to be trusted, nor, for the rest
 * of its term, once it has asked another node to take over: voters then do not wait.
 */
export function leaseTick(core: Core): number | null {
  const { clockTrusted, handedOver } = core.stamps;
  if (!clockTrusted || handedOver) return null;
  const tick = confirmedTick(core);
  return tick >= 0 && hasCommittedOwnTerm(core) ? tick : null;
}

/** Whether the shell's clock may be trusted from here on. */
export function trustClock(core: Core, trusted: boolean): void {
  core.stamps.clockTrusted = trusted;
}

/**
 * Answers a batch of reads, this node's own (`from` is null) or those that a follower asked for, without
 * a round. Only for a shell that has just held {@linkcode leaseTick} against its clock.
 *
 * @throws {InvariantError} if there is no lease, whatever the clock says.
 */
export function grantByLease(core: Core, from: NodeId | null, id: number): Effect[] {
  if (leaseTick(core) === null) {
    throw new InvariantError(`Cannot read by lease: ${core.id} has none`);
  }
  const { term, commitIndex: index } = core;
  if (from === null) return [{ type: "read-ready", id, index }];
  const message = { type: "read-reply", term, id, granted: true, index } as const;
  return [{ type: "send", to: from, message, early: true }];
}
