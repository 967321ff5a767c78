/**
 * Leadership transfer (thesis 3.10): the leader takes no more proposals, brings the target's log up to
 * its own, and then asks it to stand for election at once. Voters do not hold its request against the
 * leader that they hear (thesis 4.2.3), so leases are void from that moment (lease.ts).
 *
 * Not here: what the target does (election.ts), and how a leader leaves office unasked
 * (stepping_down.ts).
 *
 * @module
 */
import { hasCommittedOwnTerm } from "./commit.ts";
import { type Core, emit, send } from "./core.ts";
import { entryBytes } from "./entry_codec.ts";
import type { Progress } from "./progress.ts";
import { isMember, isVoter } from "./quorum.ts";
import type { LogIndex, NodeId, TransferRefusal } from "./types.ts";

export interface Transfer {
  readonly id: number;
  readonly to: NodeId;
  readonly startedTick: number;
  /** When the target was last asked to stand; null while it still lacks entries. */
  askedTick: number | null;
}

/** A transfer that was asked for; `transfer-result` answers, sooner or later. */
export function transferLeadership(core: Core, id: number, to: NodeId | null): void {
  const target = targetOf(core, to);
  if (typeof target === "string") {
    emit(core, { type: "transfer-result", id, result: { status: "refused", reason: target } });
  } else if (target === null) {
    // There is nothing to hand over: it leads.
    emit(core, { type: "transfer-result", id, result: { status: "moved", to: core.id } });
  } else {
    core.transfer = { id, to: target.id, startedTick: core.ticks, askedTick: null };
    advanceTransfer(core, target);
  }
}

/** Who is to take over (null: who leads already), or why nobody is. */
function targetOf(core: Core, to: NodeId | null): Progress | TransferRefusal | null {
  if (core.role !== "leader") return "not-leader";
  if (!hasCommittedOwnTerm(core) || !isVoter(core.configuration, core.id)) return "not-ready";
  if (core.transfer !== null) return "transfer-in-progress";
  if (to === core.id) return null;
  if (to === null) {
    const isAlone = core.configuration.voters.every((voter) => voter === core.id);
    if (isAlone) return "not-a-voter";
    const best = successor(core);
    if (best === null) return "target-unreachable";
    return lagsBehind(core, best) ? "target-lagging" : best;
  }
  if (!isMember(core.configuration, to)) return "unknown-member";
  const peer = core.progress.get(to);
  if (peer === undefined || !core.configuration.voters.includes(to)) return "not-a-voter";
  if (!isHeard(core, peer)) return "target-unreachable";
  return lagsBehind(core, peer) ? "target-lagging" : peer;
}

/** The voter with the longest log among those that are heard; null without any. */
export function successor(core: Core): Progress | null {
  let best: Progress | null = null;
  for (const voter of core.configuration.voters) {
    const peer = core.progress.get(voter);
    if (peer === undefined || !isHeard(core, peer)) continue;
    if (best === null || peer.match > best.match) best = peer;
  }
  return best;
}

/** Whether a member has answered within an election timeout, as a replica that counts. */
export function isHeard(core: Core, peer: Progress): boolean {
  return peer.counts && core.ticks - peer.heardTick < core.limits.electionTicks;
}

/** One that keeps up lacks no more than what the leader may hold uncommitted. */
function lagsBehind(core: Core, { match }: Progress): boolean {
  if (match < core.log.baseIndex) return true;
  let bytes = 0;
  for (let index = match + 1; index <= core.log.lastIndex; index++) {
    bytes += entryBytes(core.log.entry(index as LogIndex));
    if (bytes > core.limits.uncommittedBytesMax) return true;
  }
  return false;
}

/** After an answer of `peer`: if it is the target and has it all, durably, it is asked to stand. */
export function advanceTransfer(core: Core, peer: Progress): void {
  const { transfer } = core;
  if (transfer === null || transfer.to !== peer.id || transfer.askedTick !== null) return;
  if (peer.match < core.log.lastIndex) return;
  transfer.askedTick = core.ticks;
  handOver(core, peer.id);
}

/** Asks `to` to stand. What it says about this node's disk, its term, is as good as in appends. */
export function handOver(core: Core, to: NodeId): void {
  core.stamps.handedOver = true;
  send(core, to, { type: "timeout-now", term: core.term }, core.termDurable);
}

/** On each tick of a leader: the request may be lost, and the target may never take over. */
export function tickTransfer(core: Core): void {
  const { transfer } = core;
  if (transfer === null) return;
  if (core.ticks - transfer.startedTick >= core.limits.electionTicks) {
    core.transfer = null;
    const result = { status: "timed-out", to: transfer.to } as const;
    emit(core, { type: "transfer-result", id: transfer.id, result });
  } else if (
    transfer.askedTick !== null && core.ticks - transfer.askedTick >= core.limits.heartbeatTicks
  ) {
    transfer.askedTick = core.ticks;
    handOver(core, transfer.to);
  }
}

/** This node leads no longer; `laterTerm` says whether somebody stood for election since. */
export function endTransfer(core: Core, laterTerm: boolean): void {
  const { transfer } = core;
  if (transfer === null) return;
  core.transfer = null;
  const moved = laterTerm && transfer.askedTick !== null;
  emit(core, {
    type: "transfer-result",
    id: transfer.id,
    result: moved
      ? { status: "moved", to: transfer.to }
      : { status: "refused", reason: "not-leader" },
  });
}
