/**
 * What the snapshots of a replica ask of the place where they are kept: the seam between
 * {@linkcode Snapshots}, which knows what a snapshot is, and the stores, which know how to write.
 *
 * @module
 */
import { decodeChunk, fitsInfo } from "./chunk_codec.ts";
import { CorruptSnapshot } from "./types.ts";
import { InvariantError, type LogIndex, type SnapshotInfo, type Term } from "../raft/types.ts";

/** A snapshot and the serial number under which its chunks are kept. No two in a directory share one. */
export interface StoredSnapshot {
  readonly serial: number;
  readonly info: SnapshotInfo;
}

/** What becomes of the log when a snapshot becomes current. */
export type LogCut =
  /** It begins behind this index, or shortly before. */
  | { readonly type: "compact"; readonly to: LogIndex }
  /** It keeps what follows the snapshot, of which it has the last entry, and shortly before. */
  | { readonly type: "keep" }
  /** It is empty behind the snapshot. */
  | { readonly type: "drop" };

/** Where the log begins: the last entry that is no longer in it. */
export interface LogBase {
  readonly baseIndex: LogIndex;
  readonly baseTerm: Term;
}

/** What was found of snapshots when the log was opened. */
export interface FoundSnapshots {
  readonly current: StoredSnapshot | null;
  /** The one on its way in; not the current one. */
  readonly incoming: StoredSnapshot | null;
  /** A serial number that nothing in the directory has, nor anything later. */
  readonly nextSerial: number;
}

/** A place for snapshots, under the fence of one opening. */
export interface SnapshotPlace {
  /** Durable when it resolves. @throws {StorageFull} {Fenced} */
  putChunk(serial: number, chunk: number, value: Uint8Array): Promise<void>;
  /** Null if there is none. */
  getChunk(serial: number, chunk: number): Promise<Uint8Array | null>;
  /** The last chunk that is there; null if there is none. */
  lastChunk(
    serial: number,
  ): Promise<{ readonly chunk: number; readonly value: Uint8Array } | null>;
  /** Notes durably which snapshot is on its way in. @throws {StorageFull} {Fenced} */
  setIncoming(incoming: StoredSnapshot | null): Promise<void>;
  /**
   * Makes a snapshot the current one in one atomic step with the log, once nothing else writes to that.
   *
   * @throws {RangeError} if the one that is current by then is later ("compact") or as late.
   * @throws {InvariantError} if it stands behind the end of the log, or the entry to be kept is not here.
   * @throws {StorageFull} {Fenced}
   */
  makeCurrent(stored: StoredSnapshot, cut: LogCut): Promise<LogBase>;
  /** Begins to delete its chunks, the first so many, in pieces, beside all else. */
  discard(serial: number, chunks: number): void;
}

/** @throws {RangeError} if a snapshot must not become current, since what is current is not older. */
export function checkAdvances(
  stored: StoredSnapshot,
  current: StoredSnapshot | null,
  cut: LogCut,
): void {
  if (current === null) return;
  const { index } = stored.info.meta;
  const now = current.info.meta.index;
  // One's own snapshot may be taken anew at the same place; a leader's is then of no use.
  if (now < index || (now === index && cut.type === "compact")) return;
  throw new RangeError(
    `Cannot make snapshot at index ${index} the current one: that is at index ${now} already`,
  );
}

/**
 * What the commit hint may say once a snapshot is current: its contents are committed, and an empty log
 * says no more than that.
 */
export function hintAfter(hint: LogIndex, stored: StoredSnapshot, cut: LogCut): LogIndex {
  const { index } = stored.info.meta;
  if (cut.type === "compact") return hint;
  return cut.type === "keep" && hint > index ? hint : index;
}

/**
 * The log must reach as far as the snapshot that it is cut by, and to keep what follows the snapshot, it
 * must have the snapshot's own last entry, whose term is `termThere` (null if it is not there).
 *
 * @throws {InvariantError} if it is otherwise.
 */
export function checkLogHas(
  { info }: StoredSnapshot,
  baseIndex: number,
  lastIndex: number,
  termThere: Term | null,
  cut: LogCut,
): void {
  const { index, term } = info.meta;
  const within = baseIndex <= index && index <= lastIndex;
  if (within && (cut.type !== "keep" || termThere === term)) return;
  throw new InvariantError(
    `Cannot keep the log from ${baseIndex} to ${lastIndex} with a snapshot at index ${index} of ` +
      `term ${term}: the term there is ${termThere}`,
  );
}

/**
 * Reads one chunk of a snapshot.
 *
 * @throws {CorruptSnapshot} if it is missing or not what was written; or, being the last, shows that
 * the whole is not.
 * @throws {RangeError} if the snapshot has no such chunk.
 */
export async function readChunk(
  place: SnapshotPlace,
  { serial, info }: StoredSnapshot,
  chunk: number,
): Promise<Uint8Array> {
  if (!Number.isSafeInteger(chunk) || chunk < 0 || chunk >= info.chunks) {
    throw new RangeError(`Cannot read chunk ${chunk}: the snapshot has ${info.chunks}`);
  }
  const value = await place.getChunk(serial, chunk);
  if (value === null) {
    throw new CorruptSnapshot(`Cannot read chunk ${chunk} of snapshot ${info.id}: it is missing`);
  }
  const { data, end } = decodeChunk(value, serial, chunk);
  if (end.chunks === info.chunks && !fitsInfo(end, info)) {
    throw new CorruptSnapshot(`Cannot read snapshot ${info.id}: its last chunk is another's`);
  }
  return data;
}
