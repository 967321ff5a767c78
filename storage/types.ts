/**
 * What a replica asks of its disk. Implemented over Deno KV (a file, `:memory:`) and in plain memory.
 *
 * @module
 */
import type {
  Entry,
  HardState,
  LogIndex,
  NodeId,
  SnapshotInfo,
  SnapshotMeta,
  Term,
} from "../raft/types.ts";

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
  /** The position and term of the last entry that compaction cut off; 0 and 0 if it never did. */
  readonly baseIndex: LogIndex;
  readonly baseTerm: Term;
  /** All entries, consecutive, from `baseIndex` + 1. */
  readonly entries: readonly Entry[];
  /** The current snapshot, `baseIndex` or later; null if there is none. Its chunks are checked as they are read. */
  readonly snapshot: SnapshotInfo | null;
  /** How often this directory was opened, this time included: a fence and a session in one. */
  readonly boot: number;
  /**
   * Drawn at random (48 bits) when there was no data yet, and kept as long as it lives: by it the others
   * tell a node from one that begins anew under the same name, with its votes forgotten.
   */
  readonly incarnation: number;
  /** As `rememberPeers` was told last; empty before. */
  readonly peers: ReadonlyMap<NodeId, KnownPeer>;
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

export function sameIdentity(a: Identity, b: Identity): boolean {
  return a.clusterId === b.clusterId && a.nodeId === b.nodeId;
}

/** What a node remembers of another member, over restarts of both. */
export interface KnownPeer {
  readonly incarnation: number;
  /** The highest that it has shown. */
  readonly boot: number;
  /** The log index of the configuration that added it, as far as was known; 0 for a founder. */
  readonly since: number;
  /** What it has acknowledged to this node: its term, and how far its log went; 0 for nothing. */
  readonly heldTerm: number;
  readonly heldIndex: number;
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
  /**
   * Replaces what is remembered of the peers, durably once it resolves. Waits for the commit that is
   * running; a failure leaves the log as usable as it was.
   *
   * @throws {Fenced} {StorageFull}
   * @throws {RangeError} if there are more than KNOWN_PEERS_MAX.
   */
  rememberPeers(peers: ReadonlyMap<NodeId, KnownPeer>): Promise<void>;
  /** The snapshots of the same replica, under the same fence. Valid while the log is open. */
  readonly snapshots: SnapshotStore;
  /**
   * Declares that what is here must not be built upon (a snapshot that does not read back, a state
   * that differs from the quorum's): the next `open` finds an empty log, no snapshot, term and vote as
   * they were, and this reason as damage. Nothing is deleted before `repaired`. The store takes no
   * more commits until it is opened anew.
   */
  quarantine(reason: string): Promise<void>;
  /** Room that is kept free for what must still be written once the disk is full. */
  readonly reserve: Reserve;
  /** Waits for what is under way and lets go of everything. May be called twice. */
  close(): Promise<void>;
}

/**
 * A file of nothing (RESERVE_BYTES) beside the data. It is deleted by the `commit`, `open` or writing
 * of a snapshot that finds the disk full, so that what frees room again (deletes, compaction) and what
 * keeps the cluster going (terms, votes) finds room. Whoever writes anything else while it is released
 * uses it up.
 */
export interface Reserve {
  /** True if it is not there. Never where there is no directory to keep it in. */
  readonly released: boolean;
  /**
   * Makes it again, provided that as much again is free beside it; does nothing if it is there. True if
   * it is there afterwards. `open` tries it as well. Commits wait for it.
   */
  restore(): Promise<boolean>;
}

/**
 * The snapshots of one replica. One is current; one more may be in the making, and one more on its way
 * in. What is neither is deleted, a bounded piece at a time, except what is pinned.
 */
export interface SnapshotStore {
  /** The current one. */
  readonly current: SnapshotInfo | null;
  /**
   * Begins a snapshot of this replica's own state; whatever was begun before and not finished is
   * dropped.
   */
  create(meta: SnapshotMeta): Promise<SnapshotWriter>;
  /**
   * Goes on to receive a leader's snapshot: after a restart from the first chunk that is not durable
   * yet. Whatever was being received under another id is dropped.
   */
  receive(info: SnapshotInfo): Promise<SnapshotReceiver>;
  /**
   * Reads one chunk of the current or a pinned snapshot.
   *
   * @throws {CorruptSnapshot} if it is not what was written.
   * @throws {RangeError} if that snapshot is gone.
   */
  read(info: SnapshotInfo, chunk: number): Promise<Uint8Array>;
  /**
   * Keeps a snapshot readable, though another becomes current, until it is released as often as it was
   * pinned, or the log closed.
   *
   * @throws {RangeError} if it is neither current nor pinned.
   */
  pin(info: SnapshotInfo): void;
  release(info: SnapshotInfo): void;
}

/**
 * A snapshot in the making. Its chunks do not pass the gate of the log's commits, nor delay them. After
 * the first failure only `abort` is left.
 */
export interface SnapshotWriter {
  /**
   * Appends one chunk of at most SNAPSHOT_CHUNK_BYTES_MAX; durable when it resolves.
   *
   * @throws {StorageFull} {Fenced}
   * @throws {RangeError} if the snapshot is gone: another was begun, or a later one installed.
   */
  add(chunk: Uint8Array): Promise<void>;
  /**
   * Makes it the current one, durably and in one step, and cuts the log off at `compactTo` or shortly
   * before (not behind the snapshot, and never further ahead than it already is). Gives where the log
   * begins now. May be called beside a commit: it waits for that one, and later commits for it.
   *
   * @throws {StorageFull} {Fenced}
   * @throws {RangeError} if it is gone, or has no chunk.
   * @throws {InvariantError} if its index lies behind the end of the log.
   * @throws whatever else a commit may; as after that, the log must be opened anew then.
   */
  finish(
    compactTo: LogIndex,
  ): Promise<
    { readonly info: SnapshotInfo; readonly baseIndex: LogIndex; readonly baseTerm: Term }
  >;
  /** Deletes it. Does nothing once `finish` was called, or it is gone. */
  abort(): Promise<void>;
}

/** A snapshot on its way in. */
export interface SnapshotReceiver {
  readonly info: SnapshotInfo;
  /** The chunk wanted next; as many as there are chunks when it is complete. */
  readonly next: number;
  /**
   * Keeps chunk `next`, durably.
   *
   * @throws {RangeError} if it is another one, or if the snapshot is gone: another is being received.
   * @throws {CorruptSnapshot} if, being the last, it shows that the contents do not fit the id. All of
   * it is dropped then; `receive` begins anew.
   * @throws {StorageFull} {Fenced}
   */
  add(chunk: number, data: Uint8Array): Promise<void>;
  /** Reads a chunk back, to build the state with. @throws {CorruptSnapshot} */
  read(chunk: number): Promise<Uint8Array>;
  /**
   * Makes it the current one, in one atomic step with the log: entries behind its index stay if
   * `keepLog` (the entry at its index must then be here), otherwise the log is empty behind it. The
   * hint becomes at least its index. Goes through the gate of the log's commits: it waits for the one
   * that is running, and after a failure the log must be opened anew. Nothing of the old log is lost
   * before that step. A snapshot in the making is dropped.
   *
   * @throws {RangeError} if it is not complete, or gone, which it is once the current one is as late.
   * @throws {InvariantError} if the entry to be kept is not here.
   * @throws {StorageFull} {Fenced}
   */
  install(keepLog: boolean): Promise<void>;
  /** Deletes what was received. Does nothing once `install` was called, or it is gone. */
  discard(): Promise<void>;
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

/** A chunk of a snapshot, or all of them together, are not what was written. */
export class CorruptSnapshot extends Error {
  override readonly name = "CorruptSnapshot";
}
