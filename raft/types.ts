/**
 * The vocabulary of the Raft core: identities, log entries, durable state and configurations.
 *
 * Plain data only. Nothing here knows of time, storage, networks or the store that the log feeds.
 * Source: Ongaro and Ousterhout, "In Search of an Understandable Consensus Algorithm" (the paper),
 * and Ongaro's dissertation (the thesis).
 *
 * @module
 */

declare const brand: unique symbol;

/** A Raft term: a whole number from 0 (no election yet) to {@linkcode NUMBER_MAX}. */
export type Term = number & { readonly [brand]: "Term" };

/** A position in the log, from 1; 0 stands before the first entry. At most {@linkcode NUMBER_MAX}. */
export type LogIndex = number & { readonly [brand]: "LogIndex" };

/** The name of a node, unique in its cluster: 1 to 64 characters of `[A-Za-z0-9._-]`. */
export type NodeId = string & { readonly [brand]: "NodeId" };

/** Whether `text` may name a node. */
export function isNodeId(text: string): text is NodeId {
  return /^[A-Za-z0-9._-]{1,64}$/.test(text);
}

/** The name of a Raft group. Today there is one, `"0"`. */
export type GroupId = string & { readonly [brand]: "GroupId" };

/** Terms, indexes and times are unsigned 48-bit integers on disk and on the wire. */
export const NUMBER_MAX = 2 ** 48 - 1;

export const term = (value: number): Term => value as Term;
export const logIndex = (value: number): LogIndex => value as LogIndex;
export const nodeId = (value: string): NodeId => value as NodeId;
export const groupId = (value: string): GroupId => value as GroupId;

/** The one group of a cluster that is not sharded. */
export const GROUP_DEFAULT: GroupId = groupId("0");

/** What an entry carries. The numbers are the ones on disk and on the wire. */
export const EntryKind = {
  /** `data` is a command for the state machine. */
  Command: 0,
  /** The empty entry that a leader appends when elected (section 8). */
  NoOp: 1,
  /** `data` is a cluster configuration (section 6), as raft/configuration_codec.ts encodes it. */
  Configuration: 2,
} as const;
export type EntryKind = typeof EntryKind[keyof typeof EntryKind];

/** One log entry. Immutable; `data` is shared and must never be written to. */
export interface Entry {
  readonly term: Term;
  readonly index: LogIndex;
  /** Replicated time: milliseconds since the epoch, stamped by the leader, never decreasing along a log. */
  readonly timeMs: number;
  readonly kind: EntryKind;
  readonly data: Uint8Array;
}

/** What must survive a crash beside the log (figure 2, "persistent state"). */
export interface HardState {
  readonly term: Term;
  /** The candidate that got this node's vote in `term`. */
  readonly vote: NodeId | null;
  /** A hint: some index known committed when this was written. Never the reason for a write of its own. */
  readonly commit: LogIndex;
}

/** Where a node is reached, whether it is a member or not. */
export interface NodeAddress {
  readonly id: NodeId;
  /** The HTTP address for clients: an origin. */
  readonly url: string;
  /** host:port for the other nodes. */
  readonly peer: string;
}

/** What the configuration says of a member beside its part in it. The core never sends to an address. */
export interface MemberAddress extends NodeAddress {
  /**
   * The index of the entry that added it, 0 for a founder. Who left and came back has a higher one: under
   * the same id it is another member, that need not remember anything.
   */
  readonly since: LogIndex;
}

/** A learner that becomes a voter as soon as it has caught up. */
export interface Promotion {
  readonly id: NodeId;
  /** The voter that leaves in the same step, as its dead predecessor does; null if none leaves. */
  readonly replaces: NodeId | null;
}

/** Who votes and who only listens (thesis 4.3). In a joint configuration `votersOutgoing` is not empty. */
export interface Configuration {
  readonly voters: readonly NodeId[];
  readonly votersOutgoing: readonly NodeId[];
  readonly learners: readonly NodeId[];
  /** Those of the learners that are on their way to becoming voters. */
  readonly promoting: readonly Promotion[];
  /** One for each member; the founders' are those that they were started with. */
  readonly addresses: readonly MemberAddress[];
}

/** What a snapshot says beside the state: where in the log it stands, and who the members were there. */
export interface SnapshotMeta {
  /** The last entry that the snapshot's state has applied. */
  readonly index: LogIndex;
  readonly term: Term;
  /** The stamp of that entry, in ms: stamps must not fall behind it. */
  readonly timeMs: number;
  /** The latest configuration at or before `index`. */
  readonly configuration: Configuration;
}

/** One snapshot as stored: in chunks, each with its checksum. */
export interface SnapshotInfo {
  readonly meta: SnapshotMeta;
  /** 16 hex digits that the contents determine: the same id, the same chunks. */
  readonly id: string;
  /** From 1. */
  readonly chunks: number;
  /** Of all chunks together. */
  readonly bytes: number;
}

/** One change of who is a member, at most one at a time (thesis 4.3). */
export type MembershipChange =
  /** Adds a learner; if it is to be a voter, it becomes one once it has caught up. */
  | {
    readonly type: "add";
    readonly member: NodeAddress;
    readonly voter: boolean;
    /** A voter that leaves when the new one becomes a voter; null for none. */
    readonly replaces: NodeId | null;
  }
  /** Removes a voter (in a joint step) or a learner. */
  | { readonly type: "remove"; readonly id: NodeId };

/** Why a leader, or a node that is none, does not do what is asked of it. */
export type ChangeRefusal =
  | "not-leader"
  /** The leader has not committed an entry of its own term yet, and might undo what it cannot see. */
  | "not-ready"
  | "change-in-progress"
  | "member-exists"
  /** Another member has the same peer address or URL. */
  | "address-in-use"
  | "unknown-member"
  /** Nobody would be left to vote. */
  | "last-voter"
  /** Of those that would be left to vote, no majority answers: the change could not be finished. */
  | "quorum-unreachable";

/** Why a leadership is not handed over. */
export type TransferRefusal =
  | "not-leader"
  | "not-ready"
  | "transfer-in-progress"
  | "unknown-member"
  | "not-a-voter"
  /** Nothing was heard of it within an election timeout. */
  | "target-unreachable"
  /** It lacks more entries than it could get in an election timeout. */
  | "target-lagging";

export type Role = "follower" | "pre-candidate" | "candidate" | "leader";

/** A rule that can only break through a bug or a lying disk was found broken: the replica must stop. */
export class InvariantError extends Error {
  override readonly name = "InvariantError";
}
