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
  /** `data` is a cluster configuration (section 6). Reserved: nothing proposes one yet. */
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

/** Who votes and who only listens (thesis 4.3). In a joint configuration `votersOutgoing` is not empty. */
export interface Configuration {
  readonly voters: readonly NodeId[];
  readonly votersOutgoing: readonly NodeId[];
  readonly learners: readonly NodeId[];
}

export type Role = "follower" | "pre-candidate" | "candidate" | "leader";

/** A rule that can only break through a bug or a lying disk was found broken: the replica must stop. */
export class InvariantError extends Error {
  override readonly name = "InvariantError";
}
