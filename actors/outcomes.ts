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
