/**
 * The outcomes of a call that a client can act on, one class each. What HTTP makes of them stands in
 * routes/problem.ts.
 *
 * @module
 */

/** No leader was found in time, and the request was not handed to any: certainly not applied. */
export class NoLeader extends Error {
  override readonly name = "NoLeader";
}

/** A queue is full: certainly not applied. */
export class Overloaded extends Error {
  override readonly name = "Overloaded";
}

/** The node is shutting down and takes nothing new: certainly not applied. */
export class Draining extends Error {
  override readonly name = "Draining";
}

/** The replica is starting, restarting or has failed: certainly not applied. */
export class NotServing extends Error {
  override readonly name = "NotServing";
}

/** The deadline passed after the write was proposed: it may have been applied, or still be. */
export class OutcomeUnknown extends Error {
  override readonly name = "OutcomeUnknown";
}

/** The replica's state may be older than the read allows. */
export class TooStale extends Error {
  override readonly name = "TooStale";
}

/** The replica has not applied, in time, what the read must see. */
export class NotCaughtUp extends Error {
  override readonly name = "NotCaughtUp";
}

/** A watch is to go on from where the cluster has never come to: the place is another cluster's. */
export class AheadOfCluster extends Error {
  override readonly name = "AheadOfCluster";
}

/** This node's disk is full: deletes pass, other writes are certainly not applied. */
export class StorageExhausted extends Error {
  override readonly name = "StorageExhausted";
}

/** What an operator asked for cannot be done; nothing was changed. */
export class AdminRefused extends Error {
  override readonly name = "AdminRefused";
  readonly reason: AdminRefusal;

  constructor(reason: AdminRefusal, message: string) {
    super(message);
    this.reason = reason;
  }
}

/** Why. The names are the `code`s of the problems that HTTP makes of them. */
export type AdminRefusal =
  | "member-exists"
  | "address-in-use"
  | "unknown-member"
  | "last-voter"
  | "quorum-unreachable"
  | "change-in-progress"
  | "wrong-cluster"
  | "transfer-in-progress"
  | "not-a-voter"
  | "target-unreachable"
  | "target-lagging"
  /** The target did not take over in time; the leader goes on. */
  | "transfer-failed"
  | "snapshot-in-progress";
