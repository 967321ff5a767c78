/**
 * What a leader learns from the answers to its appends (figure 2 "Rules for Servers: Leaders", section
 * 5.3). Answers may be doubled, late or out of order: each is read as "at some time in this term".
 *
 * @module
 */
import { advanceCommit } from "./commit.ts";
import type { Core } from "./core.ts";
import { noteSent } from "./freshness.ts";
import { advanceMembership, releaseDeparted } from "./membership.ts";
import type { AppendReply } from "./message.ts";
import type { Progress } from "./progress.ts";
import { advancePromotion } from "./promotion.ts";
import { advanceReads } from "./read_index.ts";
import { broadcast, sync } from "./sending.ts";
import { askForSnapshot, pause } from "./snapshots.ts";
import { advanceTransfer } from "./transfer.ts";
import type { LogIndex, NodeId, Term } from "./types.ts";

/** `reply` is of this node's term; step.ts has dropped what is older. */
export function onAppendReply(core: Core, from: NodeId, reply: AppendReply): void {
  if (core.role !== "leader") return;
  const peer = core.progress.get(from);
  // Nobody can hold more than we have, or answer a round or a tick that has not begun.
  if (peer === undefined || reply.round > core.reads.round || reply.stamp > core.ticks) return;
  if (reply.success && reply.index > core.log.lastIndex) return;
  if (reply.counts) {
    peer.counts = true;
    peer.heardTick = core.ticks;
    peer.round = Math.max(peer.round, reply.round);
    peer.stamp = Math.max(peer.stamp, reply.stamp);
  }
  noteSent(core, peer, reply);
  if (reply.success) onSuccess(core, peer, reply);
  else onRefusal(core, peer, reply);
  const committed = advanceCommit(core);
  if (advanceReads(core) || committed) broadcast(core);
  else sync(core, peer);
  advanceTransfer(core, peer);
  advancePromotion(core, peer);
  if (committed) advanceMembership(core);
  releaseDeparted(core, from, reply);
}

/** Durable entries of this node's own log: its share in the quorum (thesis 10.2.1). */
export function onPersisted(core: Core, index: LogIndex, term: Term): void {
  // What was truncated meanwhile is not what became durable; completions may come out of order.
  if (!core.log.matches(index, term) || index <= core.durableIndex) return;
  core.durableIndex = index;
  if (core.role !== "leader") return;
  if (index >= core.termStartIndex) core.termDurable = true;
  const committed = advanceCommit(core);
  if (advanceReads(core) || committed) broadcast(core);
  if (committed) advanceMembership(core);
}

function onSuccess(core: Core, peer: Progress, { index, stamp }: AppendReply): void {
  if (index > peer.match) {
    peer.match = index;
    peer.inflight.freeTo(index);
  }
  if (peer.paused && index >= core.log.baseIndex) {
    peer.paused = false;
    // What it was probed with before its snapshot says nothing of its room now.
    peer.probedFrom = 0 as LogIndex;
  }
  if (peer.probing && index >= peer.next - 1) {
    if (!lacksProbed(peer, index)) peer.probing = false;
    // What left a heartbeat after the probe has found nothing of it: it is repeated. Not at any other
    // answer, its own least of all, or a follower without room would be asked again without end.
    else if (stamp - peer.probedTick >= core.limits.heartbeatTicks) peer.probeSent = false;
  }
  if (peer.next <= index) peer.next = index + 1 as LogIndex;
}

/**
 * Whether a success at the probe's place leaves open whether its entries arrive: they may be lost, or
 * the follower has room for none of them. Only taking one shows that more are of use.
 */
function lacksProbed({ next, probedFrom }: Progress, index: LogIndex): boolean {
  return index < next && probedFrom === next;
}

function onRefusal(core: Core, peer: Progress, reply: AppendReply): void {
  // What matched once in this term stays matching: a refusal from before that is void.
  if (reply.index <= peer.match) return;
  if (peer.paused) {
    // Its snapshot is not there yet. The shell hears of it again, in case it gave up or forgot.
    askForSnapshot(core, peer);
    return;
  }
  if (peer.probing) {
    if (reply.index !== peer.next - 1) return;
    if (lacksCompacted(core, peer, reply)) {
      pause(core, peer);
      return;
    }
    const next = Math.max(nextProbe(core, reply), peer.match + 1, core.log.firstIndex) as LogIndex;
    // No way back is left: heartbeats go on, but nothing is gained by asking again at once.
    if (next >= peer.next) return;
    peer.next = next;
  } else {
    // Something before it was lost, or overtaken: all is known to match up to `match`.
    peer.probing = true;
    peer.next = Math.max(peer.match + 1, core.log.firstIndex) as LogIndex;
    peer.inflight.reset();
  }
  peer.probeSent = false;
  peer.commitSent = Math.min(peer.commitSent, peer.match) as LogIndex;
}

/** Whether a probe's refusal says that the logs part, or the follower's ends, before ours begins. */
function lacksCompacted(core: Core, peer: Progress, reply: AppendReply): boolean {
  const { baseIndex } = core.log;
  // What it held once in this term it holds still: a refusal that says less is an old one.
  if (baseIndex === 0 || peer.match >= baseIndex) return false;
  const isTooShort = reply.conflictTerm === 0 && reply.conflictIndex <= baseIndex;
  return isTooShort || peer.next <= baseIndex + 1;
}

/** Skips a whole term of the follower's or of ours at a time, never ahead of what was refused. */
function nextProbe(core: Core, { index, conflictIndex, conflictTerm }: AppendReply): number {
  if (conflictTerm > 0) {
    const behind = core.log.firstIndexOfTerm(conflictTerm + 1 as Term);
    const last = behind - 1 as LogIndex;
    if (last < index && core.log.matches(last, conflictTerm)) return behind;
  }
  return Math.min(conflictIndex, index);
}
