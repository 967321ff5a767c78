/**
 * What the node offers to its doors (routes/): the store as a service, one outcome for each thing a
 * client can tell apart. Implemented by actors/node.ts; the routes see nothing below.
 *
 * @module
 */
import type { ApplyResult, AtomicWrite, ReadQuery, ReadResult, StateHash } from "../kv/types.ts";
import type { Role } from "../raft/types.ts";

/** How fresh a read must be, and what it may cost. Later: lease, session, eventual. */
export type Consistency =
  /** ReadIndex: sees every write acknowledged before the read was asked. Assumes no clock. */
  "linearizable";

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
   */
  read(query: ReadQuery, consistency: Consistency, options?: CallOptions): Promise<ReadResult>;
  status(): ClusterStatus;
  /** Null when requests can be served now, otherwise why not. */
  notReady(): string | null;
}

export interface MemberStatus {
  readonly id: string;
  /** The HTTP address for clients. */
  readonly url: string;
  /** host:port for peers. */
  readonly peer: string;
  readonly role: "voter" | "learner";
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
