/**
 * Log compaction (section 7): what the core has to do with snapshots.
 *
 * It never sees their bytes. It tells the shell which follower needs one and which chunks to keep, and
 * is told when one is installed, or when the log was cut off behind one.
 *
 * Not here: taking, storing, sending and verifying snapshots; those are the shell's and the disk's.
 *
 * @module
 */
import { acknowledge, follow, NO_APPEND, refuse } from "./append.ts";
import { setCommit } from "./commit.ts";
import { compactConfigurations, configurationAt, installConfiguration } from "./configuration.ts";
import { type Core, emit } from "./core.ts";
import type { SnapshotChunk, SnapshotReply } from "./message.ts";
import type { Progress } from "./progress.ts";
import { becomeFollower } from "./roles.ts";
import {
  InvariantError,
  type LogIndex,
  type NodeId,
  type SnapshotInfo,
  type SnapshotMeta,
  type Term,
} from "./types.ts";

/**
 * Whether a snapshot of `index` could say who the members were there. A node that joins does not know who
 * founded the cluster, until its log has come to a configuration.
 */
export function knowsMembersAt(core: Core, index: LogIndex): boolean {
  return configurationAt(core, index).configuration.voters.length > 0;
}

/**
 * What a snapshot of the state that has applied all up to `index` says of itself.
 *
 * @param timeMs the latest stamp of what was applied: the entry at `index` may be cut off.
 * @throws {InvariantError} if that is not committed, or lies before the log's base, or the members there are
 * not known: nobody could take such a snapshot in.
 */
export function snapshotMeta(core: Core, index: LogIndex, timeMs: number): SnapshotMeta {
  if (index > core.commitIndex) {
    throw new InvariantError(
      `Cannot take a snapshot of ${index}: only entries up to ${core.commitIndex} are committed`,
    );
  }
  if (!knowsMembersAt(core, index)) {
    throw new InvariantError(`Cannot take a snapshot of ${index}: its members are not known`);
  }
  const { configuration } = configurationAt(core, index);
  return { index, term: core.log.term(index), timeMs, configuration };
}

/** As a leader: `peer` lacks what was cut off. Its heartbeats go on, and show when it has caught up. */
export function pause(core: Core, peer: Progress): void {
  peer.paused = peer.probing = peer.probeSent = true;
  peer.next = core.log.firstIndex;
  peer.inflight.reset();
  peer.commitSent = Math.min(peer.commitSent, peer.match) as LogIndex;
  askForSnapshot(core, peer);
}

export function askForSnapshot(core: Core, peer: Progress): void {
  emit(core, { type: "snapshot-needed", to: peer.id });
}

/** @throws {InvariantError} if the sender leads a term that another one leads. */
export function onSnapshotChunk(core: Core, from: NodeId, chunk: SnapshotChunk): void {
  if (chunk.term < core.term) {
    // Whoever sends it has to learn that its term is over.
    refuse(core, from, NO_APPEND, 0 as LogIndex, 0 as Term);
    return;
  }
  follow(core, from);
  if (chunk.info.meta.index <= core.commitIndex) {
    acknowledge(core, from, NO_APPEND, core.commitIndex);
  } else {
    emit(core, { type: "snapshot-chunk", from, chunk });
  }
}

/** `reply` is of this node's term; step.ts has dropped what is older. */
export function onSnapshotReply(core: Core, from: NodeId, reply: SnapshotReply): void {
  if (core.role !== "leader" || reply.index > core.log.lastIndex) return;
  emit(core, { type: "snapshot-reply", from, reply });
}

/**
 * What a leader's snapshot, complete and verified, is to this replica: of no use any more, or to be
 * installed and the entries behind it kept (they follow it) or dropped (section 7). The shell asks just
 * before it installs, with nothing of the log still on its way to the disk.
 */
export function installVerdict(core: Core, meta: SnapshotMeta): "stale" | "keep-log" | "drop-log" {
  // Who leads has all that is committed, and another one's snapshot came in an earlier term.
  if (core.role === "leader" || meta.index <= core.commitIndex) return "stale";
  return core.log.matches(meta.index, meta.term) ? "keep-log" : "drop-log";
}

/**
 * The snapshot is this replica's state now.
 *
 * @throws {InvariantError} if what was done to the disk is not what {@linkcode installVerdict} says.
 */
export function onInstalled(core: Core, { meta }: SnapshotInfo, keptLog: boolean): void {
  const verdict = installVerdict(core, meta);
  if (verdict !== (keptLog ? "keep-log" : "drop-log")) {
    throw new InvariantError(
      `Cannot install the snapshot of ${meta.index} and ${keptLog ? "keep" : "drop"} the log: ` +
        `it is "${verdict}"`,
    );
  }
  // A campaign spoke for the log as it was.
  if (core.role !== "follower") becomeFollower(core, core.term, null);
  if (keptLog) core.log.compact(meta.index);
  else core.log.reset(meta.index, meta.term, meta.timeMs);
  core.durableIndex = keptLog
    ? Math.max(core.durableIndex, meta.index) as LogIndex
    : core.log.lastIndex;
  installConfiguration(core, meta);
  setCommit(core, meta.index);
  if (core.leader !== null) acknowledge(core, core.leader, NO_APPEND, core.commitIndex);
}

/**
 * The disk has let go of all up to `index`; so does the memory.
 *
 * @throws {InvariantError} if that is not committed here.
 */
export function onCompacted(core: Core, index: LogIndex): void {
  if (index > core.commitIndex) {
    throw new InvariantError(
      `Cannot compact up to ${index}: only entries up to ${core.commitIndex} are committed`,
    );
  }
  core.log.compact(index);
  core.durableIndex = Math.max(core.durableIndex, core.log.baseIndex) as LogIndex;
  compactConfigurations(core, core.log.baseIndex);
  for (const peer of core.progress.values()) {
    if (peer.next > core.log.baseIndex) continue;
    if (peer.paused) peer.next = core.log.firstIndex;
    else pause(core, peer);
  }
}
