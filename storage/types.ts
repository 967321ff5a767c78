/**
 * What a replica asks of its disk. Implemented over Deno KV (a file, `:memory:`) and in plain memory.
 *
 * @module
 */
import type { Entry, HardState, LogIndex } from "../raft/types.ts";

/** One atomic change: forget all entries from `truncateFrom`, append `entries`, replace the hard state. */
export interface LogBatch {
  readonly hardState: HardState | null;
  readonly truncateFrom: LogIndex | null;
  readonly entries: readonly Entry[];
}

/** What `open` found. */
export interface Recovery {
  /** Its commit hint is true of `entries`, even if they are the middle of a batch that was cut off. */
  readonly hardState: HardState;
  /** All entries, consecutive, from `firstIndex`. */
  readonly entries: readonly Entry[];
  /** How often this directory was opened, this time included: a fence and a session in one. */
  readonly boot: number;
  /**
   * Null if the log holds all that was ever acknowledged from here. Otherwise what is missing, in a
   * sentence: the replica must neither vote, acknowledge nor lead until a quorum has repaired it.
   * Term and vote then are at least as new as the newest that were made durable; the hint is the log's.
   */
  readonly damage: string | null;
}

/** Who the data belongs to. Written at first open; a different one is refused from then on. */
export interface Identity {
  readonly clusterId: string;
  readonly nodeId: string;
}

/** The durable log and hard state of one replica. */
export interface LogStore {
  /**
   * Reads everything back and fences off any other process on the same data.
   *
   * @throws {CorruptLog} if the data is not what was written: never silently shorter.
   * @throws {WrongIdentity} if the data belongs to another node or cluster.
   * @throws {UnsupportedFormat} if a newer version has written the data.
   * @throws {StorageFull} if there is no room left to note this opening.
   */
  open(): Promise<Recovery>;
  /**
   * Resolves once the batch is durable. One call at a time. A rejection leaves the outcome unknown:
   * open anew, never retry.
   *
   * @throws {Fenced} if another process has opened the same data since.
   * @throws {StorageFull} if the disk has no room left.
   */
  commit(batch: LogBatch): Promise<void>;
  /** Declares the damage that `open` found mended: the log as it is now is the reference again. */
  repaired(): Promise<void>;
  close(): Promise<void>;
}

/** Another process opened the same data directory: this one must stop. */
export class Fenced extends Error {
  override readonly name = "Fenced";
}

/** What was read back is not what was written. */
export class CorruptLog extends Error {
  override readonly name = "CorruptLog";
}

/** The data directory belongs to another node or cluster. */
export class WrongIdentity extends Error {
  override readonly name = "WrongIdentity";
}

/** The data was written in a format that this version does not know. */
export class UnsupportedFormat extends Error {
  override readonly name = "UnsupportedFormat";
}

/** The disk has no room left. As after any failed commit, open anew; what was acknowledged is there. */
export class StorageFull extends Error {
  override readonly name = "StorageFull";
}
