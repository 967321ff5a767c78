/**
 * The messages that replicas of one group send each other. One-way and unreliable by contract: any
 * of them may be lost, doubled, delayed or reordered, and the core stays safe.
 *
 * Those of a {@linkcode ShellMessage} travel the same way but are none of the core's business.
 *
 * Not here: who sent a message and to which group it belongs. The transport's envelope says that.
 *
 * @module
 */
import type { Entry, LogIndex, SnapshotInfo, Term } from "./types.ts";

/** RequestVote (figure 2), and its rehearsal PreVote (thesis 9.6). */
export interface VoteRequest {
  readonly type: "vote-request";
  /** The term campaigned for; for a pre-vote, the term that the candidate would move to. */
  readonly term: Term;
  readonly pre: boolean;
  readonly lastIndex: LogIndex;
  readonly lastTerm: Term;
  /** Set when the leader asked for this election (thesis 3.10): voters ignore the leader they hear. */
  readonly transfer: boolean;
}

export interface VoteReply {
  readonly type: "vote-reply";
  /** A grant of a pre-vote echoes the requested term; every other reply carries the voter's own. */
  readonly term: Term;
  readonly pre: boolean;
  readonly granted: boolean;
}

/** AppendEntries (figure 2). With no entries it is a heartbeat, a probe, or news of the commit index. */
export interface AppendRequest {
  readonly type: "append-request";
  readonly term: Term;
  readonly prevIndex: LogIndex;
  readonly prevTerm: Term;
  readonly commit: LogIndex;
  /** The leader's current read round (see ReadIndex, thesis 6.4); the reply echoes it. */
  readonly round: number;
  /** The leader's tick of sending. The reply echoes it, which is what leases rest on (thesis 6.4.1). */
  readonly stamp: number;
  /**
   * The latest `sent` of the receiver's replies after which a quorum has confirmed the leader, so that
   * `commit` covers all that was committed before it; 0 for none (raft/freshness.ts).
   */
  readonly echo: number;
  readonly entries: readonly Entry[];
}

export interface AppendReply {
  readonly type: "append-reply";
  readonly term: Term;
  readonly success: boolean;
  /**
   * On success: the last index known to match the leader's log and to be durable here.
   * On refusal: the `prevIndex` that was refused, so that a stale refusal can be told.
   */
  readonly index: LogIndex;
  /** On refusal: where the leader should look next (section 5.3, "the term of the conflicting entry"). */
  readonly conflictIndex: LogIndex;
  /** On refusal: the term at `conflictIndex`, 0 when the follower's log is too short. */
  readonly conflictTerm: Term;
  /** The round of the request this answers. */
  readonly round: number;
  /** The stamp of the request this answers. */
  readonly stamp: number;
  /** The replier's own tick of sending; the leader's next append echoes it, which bounds staleness. */
  readonly sent: number;
  /**
   * False while the replica is being repaired after it lost acknowledged data: the leader feeds it,
   * but counts it neither for commit, nor for leadership, nor for reads.
   */
  readonly counts: boolean;
}

/** Proposals taken by a follower, on their way to the leader. */
export interface Forward {
  readonly type: "forward";
  readonly term: Term;
  readonly commands: readonly Uint8Array[];
}

/** A follower asks the leader for a ReadIndex. */
export interface ReadRequest {
  readonly type: "read-request";
  readonly term: Term;
  /** Chosen by the asker, never used again, restarts included (see Input, `read`). */
  readonly id: number;
  /** A leader with a valid lease answers at once; one without answers after a round, as always. */
  readonly lease: boolean;
}

export interface ReadReply {
  readonly type: "read-reply";
  readonly term: Term;
  readonly id: number;
  /** False: not the leader, or not yet sure of it; ask again. */
  readonly granted: boolean;
  /** The asker may read once it has applied this index. */
  readonly index: LogIndex;
}

/** Leadership transfer (thesis 3.10): the receiver shall stand for election at once. */
export interface TimeoutNow {
  readonly type: "timeout-now";
  readonly term: Term;
}

/** InstallSnapshot (section 7), one chunk of it. Each carries the whole description: any may be the first. */
export interface SnapshotChunk {
  readonly type: "snapshot-chunk";
  readonly term: Term;
  readonly info: SnapshotInfo;
  /** From 0. */
  readonly chunk: number;
  readonly data: Uint8Array;
}

export interface SnapshotReply {
  readonly type: "snapshot-reply";
  readonly term: Term;
  /** SnapshotInfo.id and its position. */
  readonly id: string;
  readonly index: LogIndex;
  /**
   * The chunk wanted next. All before it are durable at the receiver, so that whoever restarts goes on
   * from here; after a snapshot that proved corrupt it is 0 again. As many as there are chunks: it has
   * them all, and is installing or has installed it.
   */
  readonly next: number;
}

/** The messages of the protocol. */
export type Message =
  | VoteRequest
  | VoteReply
  | AppendRequest
  | AppendReply
  | Forward
  | ReadRequest
  | ReadReply
  | TimeoutNow
  | SnapshotChunk
  | SnapshotReply;

/** An operator's request that only the leader can serve, passed on by another node. */
export interface AdminRequest {
  readonly type: "admin-request";
  /** Chosen by the asker, unique in its life. */
  readonly id: number;
  /** JSON in UTF-8; actors/admin.ts knows its form. */
  readonly body: Uint8Array;
}

export interface AdminReply {
  readonly type: "admin-reply";
  readonly id: number;
  readonly body: Uint8Array;
}

/** The sender's state hash after it applied entry `index`, a hash mark (kv/command.ts). */
export interface HashReport {
  readonly type: "hash-report";
  readonly index: LogIndex;
  /** 32 hex digits. */
  readonly hash: string;
}

/** What the replicas' shells say to each other beside the protocol. As unreliable as the rest. */
export type ShellMessage = AdminRequest | AdminReply | HashReport;

/** All that goes over a transport. */
export type PeerMessage = Message | ShellMessage;
