/**
 * The disk of one node in the harness, as storage promises it: each change is one atomic step, a log is
 * cut off only behind a snapshot, and what was lost is noticed.
 *
 * The state machine is a digest of everything applied, so that a snapshot of it is a few bytes.
 *
 * @module
 */
import {
  type Entry,
  type HardState,
  type LogIndex,
  logIndex,
  type PersistBatch,
  type SnapshotInfo,
  type SnapshotMeta,
  type Term,
  term,
} from "../../raft/mod.ts";

/** What a node has applied: up to where, and what that came to. */
export interface Applied {
  readonly index: LogIndex;
  readonly digest: number;
}

export const NOTHING_APPLIED: Applied = { index: logIndex(0), digest: 0 };

/** FNV-1a over what the entry is, so that equal digests mean equal histories. */
export function applyEntry({ digest }: Applied, entry: Entry): Applied {
  let hash = digest ^ 0x811c9dc5;
  for (const part of [entry.index, entry.term, entry.kind, ...entry.data]) {
    hash = Math.imul(hash ^ part, 0x01000193);
  }
  return { index: entry.index, digest: hash >>> 0 };
}

export interface StoredSnapshot {
  readonly info: SnapshotInfo;
  readonly applied: Applied;
}

/** A snapshot on its way in: the chunks so far. */
interface Incoming {
  readonly info: SnapshotInfo;
  readonly chunks: Uint8Array[];
}

export interface Disk {
  hardState: HardState;
  baseIndex: LogIndex;
  baseTerm: Term;
  entries: Entry[];
  snapshot: StoredSnapshot | null;
  incoming: Incoming | null;
  damaged: boolean;
}

export function emptyDisk(): Disk {
  return {
    hardState: { term: term(0), vote: null, commit: logIndex(0) },
    baseIndex: logIndex(0),
    baseTerm: term(0),
    entries: [],
    snapshot: null,
    incoming: null,
    damaged: false,
  };
}

export function lastIndexOf(disk: Disk): LogIndex {
  return logIndex(disk.baseIndex + disk.entries.length);
}

export function commitBatch(disk: Disk, batch: PersistBatch): void {
  if (batch.truncateFrom !== null) disk.entries.length = batch.truncateFrom - disk.baseIndex - 1;
  if (batch.entries.length > 0 && batch.entries[0].index !== lastIndexOf(disk) + 1) {
    throw new Error(`Cannot append entry ${batch.entries[0].index} behind ${lastIndexOf(disk)}`);
  }
  disk.entries.push(...batch.entries);
  disk.hardState = batch.hardState ?? disk.hardState;
}

const CHUNK_BYTES = 5;

/** One step makes the snapshot current and cuts the log off at `compactTo`, which it reaches. */
export function storeSnapshot(
  disk: Disk,
  meta: SnapshotMeta,
  applied: Applied,
  compactTo: LogIndex,
): void {
  const hex = (value: number) => value.toString(16).padStart(8, "0");
  const chunks = 1 + applied.digest % 4;
  const id = hex(applied.index) + hex(applied.digest);
  disk.snapshot = { info: { meta, id, chunks, bytes: chunks * CHUNK_BYTES }, applied };
  if (compactTo <= disk.baseIndex) return;
  disk.baseTerm = disk.entries[compactTo - disk.baseIndex - 1].term;
  disk.entries.splice(0, compactTo - disk.baseIndex);
  disk.baseIndex = compactTo;
}

export function chunkOf({ applied: { digest } }: StoredSnapshot, chunk: number): Uint8Array {
  const data = new Uint8Array(CHUNK_BYTES);
  const view = new DataView(data.buffer);
  view.setUint8(0, chunk);
  view.setUint32(1, digest);
  return data;
}

/** Keeps a chunk if it is the next one; says which one is wanted then. */
export function receiveChunk(
  disk: Disk,
  info: SnapshotInfo,
  chunk: number,
  data: Uint8Array,
): number {
  if (disk.incoming?.info.id !== info.id) disk.incoming = { info, chunks: [] };
  const { chunks } = disk.incoming;
  if (chunk === chunks.length) chunks.push(data);
  return chunks.length;
}

/** What the chunks that came in make, or null if they are not what was sent: then they are dropped. */
export function verifyIncoming(disk: Disk): StoredSnapshot | null {
  const { info, chunks } = disk.incoming!;
  const digest = parseInt(info.id.slice(8), 16);
  const snapshot = { info, applied: { index: info.meta.index, digest } };
  const isWhole = chunks.every((data, at) => {
    return chunkOf(snapshot, at).every((byte, position) => data[position] === byte);
  });
  if (isWhole) return snapshot;
  disk.incoming = { info, chunks: [] };
  return null;
}

/** One step makes the snapshot current, and drops the log or what it has of it. */
export function installSnapshot(disk: Disk, snapshot: StoredSnapshot, keepLog: boolean): void {
  const { index, term } = snapshot.info.meta;
  disk.entries = keepLog ? disk.entries.slice(index - disk.baseIndex) : [];
  disk.baseIndex = index;
  disk.baseTerm = term;
  disk.snapshot = snapshot;
  disk.incoming = null;
}

/** Loses the last `count` entries. A log that no longer reaches its snapshot is begun anew behind it. */
export function loseTail(disk: Disk, count: number): void {
  disk.entries.length -= count;
  disk.damaged = true;
  const meta = disk.snapshot?.info.meta;
  if (meta === undefined || lastIndexOf(disk) >= meta.index) return;
  disk.entries = [];
  disk.baseIndex = meta.index;
  disk.baseTerm = meta.term;
}

/** Loses everything but the hard state, as a replica does that must not trust its state. */
export function quarantine(disk: Disk): void {
  Object.assign(disk, { ...emptyDisk(), hardState: disk.hardState, damaged: true });
}
