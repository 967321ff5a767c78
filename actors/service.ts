/**
 * What the node offers to its doors (routes/): the store as a service, one outcome for each thing a
 * client can tell apart. Implemented by actors/node.ts; the routes see nothing below.
 *
 * @module
 */
import type {
  ApplyResult,
  AtomicWrite,
  Change,
  ReadQuery,
  ReadResult,
  StateHash,
  Versionstamp,
} from "../kv/types.ts";
import type { Selection } from "../kv/watchers.ts";
import type { Role } from "../raft/types.ts";

/** How fresh a read must be, and what it may cost. docs/operations.md says what each assumes. */
export type Consistency =
  /** ReadIndex: sees every write acknowledged before the read was asked. Assumes no clock. */
  | { readonly mode: "linearizable" }
  /**
   * The same by the leader's lease, without a round of messages, provided that clocks run at rates
   * that differ by less than the documented bound. Without a valid lease it is done as linearizable.
   */
  | { readonly mode: "lease" }
  /** From any replica that has applied log index `minIndex`: read your writes, and monotonic reads. */
  | { readonly mode: "session"; readonly minIndex: number }
  /** From this replica as it is; refused if that may be staler than `maxStalenessMs` (null: never). */
  | { readonly mode: "eventual"; readonly maxStalenessMs: number | null };

export const LINEARIZABLE: Consistency = { mode: "linearizable" };

/** The answer to a read, and what was done for it. */
export interface ServedRead extends ReadResult {
  /**
   * `linearizable` also where a lease was asked for and there was none. Another node than the leader's is
   * not told, and says `lease`: the weaker of the two.
   */
  readonly served: Consistency["mode"];
  /**
   * For `eventual`: the state read is at most so old, in ms; null if this replica cannot tell, since
   * it has not heard from a leader. Null for the other modes.
   */
  readonly stalenessMs: number | null;
}

export interface CallOptions {
  /** Bounds the whole call; the node's own default (5 s) otherwise. */
  readonly deadlineMs?: number;
  readonly signal?: AbortSignal;
}

/** What a write came to. The statuses that a client cannot see (`session-unknown`, `stale`) are dealt with inside. */
export type WriteResult = Extract<
  ApplyResult,
  { status: "applied" | "check-failed" | "refused" }
>;

/** What a watch tells, each event behind the one before it. */
export type WatchEvent =
  /** First of all: changes behind `position` will be told. */
  | { readonly type: "watching"; readonly position: Versionstamp }
  /** All that one write did to watched keys, or all of them that expired with one entry. Never empty. */
  | {
    readonly type: "changes";
    readonly versionstamp: Versionstamp;
    readonly changes: readonly Change[];
  }
  /**
   * Changes behind `since` and up to `position` may be lacking: this replica does not have them (any more).
   * A read that is asked from now on sees what they came to; changes behind `position` will be told.
   */
  | { readonly type: "compacted"; readonly since: Versionstamp; readonly position: Versionstamp }
  /** There was nothing for a while: no watched key has changed up to `position`. */
  | { readonly type: "progress"; readonly position: Versionstamp }
  /** This node tells no more; another may, from the last event on. */
  | { readonly type: "ended" };

/** A stream of committed changes, in the order of the log; nothing is told twice or left out in silence. */
export interface Watch {
  /** The next event if there is one now. */
  take(): WatchEvent | null;
  /** Waits for the next event; one call at a time. After `ended` it gives that for ever. */
  next(): Promise<WatchEvent>;
  /** Must be called once nobody reads it any more. */
  close(): void;
}

export interface WatchRequest {
  /** At most `WATCH_KEYS_MAX` keys and prefixes (kv/limits.ts). */
  readonly selection: Selection;
  /** Changes behind this one are wanted; null for those that this replica applies from now on. */
  readonly since: Versionstamp | null;
}

export interface KvService {
  /**
   * Applies one atomic write, exactly once, whatever leaders do meanwhile.
   *
   * The write must be within the limits of kv/limits.ts; the doors check that with `checkAtomicWrite`.
   *
   * @throws {NoLeader} {Overloaded} {Draining} {NotServing}: certainly not applied.
   * @throws {OutcomeUnknown} it may have been applied, or still be.
   */
  write(write: AtomicWrite, options?: CallOptions): Promise<WriteResult>;
  /**
   * Reads from one state.
   *
   * @throws {NoLeader} {Overloaded} {Draining} {NotServing}
   * @throws {TooStale} for `eventual`; {NotCaughtUp} for `session`, if `minIndex` was not applied in time.
   */
  read(query: ReadQuery, consistency: Consistency, options?: CallOptions): Promise<ServedRead>;
  /**
   * Watches keys in this replica's state. One that has not applied `since` yet waits for that.
   *
   * @throws {AheadOfCluster} if the cluster has never come to `since`; {NotCaughtUp} if this replica has not
   * in time, and may; {TooStale} if this replica heard no leader for long.
   * @throws {Overloaded} {Draining} {NotServing}
   */
  watch(request: WatchRequest, options?: CallOptions): Promise<Watch>;
  status(): ClusterStatus;
  /** Null when requests can be served now, otherwise why not. */
  notReady(): string | null;
}

/** A member to be added. The doors check the form of its fields. */
export interface MemberRequest {
  readonly id: string;
  readonly url: string;
  readonly peer: string;
  /** A voter joins as a learner, and is promoted once it has caught up. */
  readonly role: "voter" | "learner";
  /** The voter that it takes the place of, in one step with its own promotion; null for none. */
  readonly replaces: string | null;
  /** If given, it must be this cluster's. */
  readonly clusterId: string | null;
}

/** A consistent copy of the whole state, as a stream. */
export interface Backup {
  /** The log index that the copy stands at, and its state hash. */
  readonly stateHash: StateHash;
  /** The file's bytes (kv/backup_file.ts has their form). Cancelling it ends the backup. */
  readonly body: ReadableStream<Uint8Array>;
}

/** What the node offers to operators. Every node takes every request; the leader's business is passed on to it. */
export interface ClusterService {
  /**
   * Adds a member as a learner; resolves once that is committed, with the members as they are then.
   *
   * @throws {AdminRefused} with nothing changed; {OutcomeUnknown} if it may still happen.
   * @throws {NoLeader} {Draining} {NotServing}
   */
  addMember(member: MemberRequest, options?: CallOptions): Promise<readonly MemberStatus[]>;
  /** Removes a member; resolves once it is out for good. @throws as `addMember`. */
  removeMember(id: string, options?: CallOptions): Promise<readonly MemberStatus[]>;
  /** Hands leadership to `to`, or (null) to the voter best prepared; gives who leads now. @throws as `addMember`. */
  transferLeadership(to: string | null, options?: CallOptions): Promise<string>;
  /**
   * Takes a snapshot of this node's state now, and compacts its log; gives the snapshot's index.
   *
   * @throws {AdminRefused} if one is being taken already; {StorageExhausted} if the disk is full.
   * @throws {NotServing} also if writing it fails, or takes too long; {Overloaded} {Draining}
   */
  takeSnapshot(options?: CallOptions): Promise<number>;
  /** Copies the state as of a linearizable read at this node. @throws {Overloaded} {NoLeader} {NotServing} {Draining} */
  backup(options?: CallOptions): Promise<Backup>;
}

export interface MemberStatus {
  readonly id: string;
  /** The HTTP address for clients. */
  readonly url: string;
  /** host:port for peers. */
  readonly peer: string;
  /**
   * `joining`: a learner that will be a voter, or a voter whose configuration is not committed yet; `leaving`: a
   * voter of the outgoing half of a joint configuration.
   */
  readonly role: "voter" | "learner" | "joining" | "leaving";
}

export interface ReplicaStatus {
  readonly group: string;
  readonly role: Role;
  readonly term: number;
  readonly leader: string | null;
  readonly firstIndex: number;
  readonly lastIndex: number;
  readonly commitIndex: number;
  readonly appliedIndex: number;
  readonly snapshotIndex: number;
  readonly stateHash: StateHash;
  /**
   * What its disk was found to lack of what it acknowledged, until it is repaired: as long as it neither
   * votes, acknowledges nor leads. Null if nothing.
   */
  readonly damage: string | null;
}

/** `GET /v1/cluster`, field for field. */
export interface ClusterStatus {
  readonly clusterId: string;
  readonly node: string;
  readonly leader: string | null;
  readonly term: number;
  readonly members: readonly MemberStatus[];
  readonly replicas: readonly ReplicaStatus[];
}
