/**
 * Histories of what clients did, and whether a store can have answered them so.
 *
 * Pure: no clock, no I/O. Files are read and written by `formats/` and `recorder.ts`.
 *
 * @module
 */
export {
  checkLinearizable,
  type CheckOptions,
  type Linearizable,
  type NotLinearizable,
  type Offence,
  type Order,
  type Undecided,
  type Verdict,
} from "./checker.ts";
export { describe } from "./explain.ts";
export {
  type Action,
  type Check,
  type CheckFailed,
  compareVersionstamps,
  type Entry,
  type Failed,
  keysOf,
  MalformedHistory,
  type Mutation,
  type Operation,
  type Outcome,
  type ReadAction,
  type ReadOk,
  type ReadOperation,
  type ReadOutcome,
  type Span,
  type Unknown,
  type Value,
  type Versionstamp,
  type WriteAction,
  type WriteOk,
  type WriteOperation,
  type WriteOutcome,
} from "./types.ts";
