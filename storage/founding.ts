/**
 * A new data directory from a snapshot: how a backup becomes a cluster again.
 *
 * The chunks are written first, and then in one atomic all that makes them the data of a node. What a
 * crash leaves before that is nobody's.
 *
 * @module
 */
import {
  GROUP_DEFAULT,
  type GroupId,
  type SnapshotInfo,
  type SnapshotMeta,
} from "../raft/types.ts";
import { epochBase } from "./block_codec.ts";
import {
  assertChunkSize,
  type ChunkEnd,
  CHUNKS_NONE,
  encodeChunk,
  endAfter,
  snapshotId,
} from "./chunk_codec.ts";
import { ChunkFile } from "./chunk_file.ts";
import { exists } from "./directory.ts";
import { CHUNK_FILE_NAME, diskAt, KV_FILE_NAME } from "./disk.ts";
import { storageError } from "./kv_error.ts";
import { LogKeys } from "./log_keys.ts";
import { drawIncarnation } from "./peers_record.ts";
import {
  encodeBoot,
  encodeIdentity,
  encodeState,
  STATE_EMPTY,
  type StateRecord,
} from "./record_codec.ts";
import { encodeStored } from "./snapshot_record.ts";
import { Fenced, type Identity } from "./types.ts";

/** There is data where none may be. */
export class DataPresent extends Error {
  override readonly name = "DataPresent";
}

/**
 * Makes a new data directory whose state is a snapshot: the log begins behind it, its configuration is
 * the founders', its term the snapshot's. When it fails, it leaves nothing behind; what a crash leaves
 * holds no data, and is overwritten by the next attempt.
 *
 * @throws {DataPresent} if the directory holds data.
 * @throws {RangeError} if there is no chunk, or one is empty or too large.
 * @throws {StorageFull} and whatever `chunks` throws.
 */
export async function foundFromSnapshot(options: {
  readonly directory: string;
  readonly identity: Identity;
  readonly meta: SnapshotMeta;
  readonly chunks: AsyncIterable<Uint8Array>;
  readonly group?: GroupId;
}): Promise<SnapshotInfo> {
  const { directory, identity, meta, chunks, group = GROUP_DEFAULT } = options;
  await removeUnfinished(directory);
  const isNew = !await exists(directory);
  const disk = diskAt(directory, group, 0);
  const opened: Deno.Kv[] = [];
  try {
    const chunkKv = await disk.openChunkKv!();
    opened.push(chunkKv);
    const end = await writeChunks(chunkKv, new LogKeys(group), chunks);
    const info = { meta, id: snapshotId(end), chunks: end.chunks, bytes: end.bytes };
    const kv = await disk.openKv();
    opened.push(kv);
    await writeFounded(kv, new LogKeys(group), identity, info);
    return info;
  } catch (error) {
    for (const kv of opened.splice(0)) kv.close();
    await removeFiles(directory);
    if (isNew && await exists(directory)) await Deno.remove(directory);
    throw storageError(error, "write the data");
  } finally {
    for (const kv of opened) kv.close();
  }
}

/** The serial number and boot number of a directory that is founded. */
const FIRST = 1;

async function writeChunks(
  kv: Deno.Kv,
  keys: LogKeys,
  chunks: AsyncIterable<Uint8Array>,
): Promise<ChunkEnd> {
  const file = await ChunkFile.take(kv, keys, FIRST);
  let end = CHUNKS_NONE;
  for await (const chunk of chunks) {
    assertChunkSize(chunk);
    await file.put(FIRST, end.chunks, encodeChunk(FIRST, end, chunk));
    end = endAfter(end, chunk);
  }
  if (end.chunks === 0) throw new RangeError("Cannot found from a snapshot: it has no chunk");
  return end;
}

/** One atomic: before it the directory holds no data, after it all of it. */
async function writeFounded(
  kv: Deno.Kv,
  keys: LogKeys,
  identity: Identity,
  info: SnapshotInfo,
): Promise<void> {
  const { index, term } = info.meta;
  const base = epochBase(0, index, term);
  // Commit 0, for which there need be no mark: the first opening makes one.
  const state: StateRecord = {
    ...STATE_EMPTY,
    hardState: { term, vote: null, commit: index },
    base,
    end: base,
  };
  const result = await kv.atomic()
    .check({ key: keys.boot, versionstamp: null })
    .set(keys.boot, encodeBoot(FIRST))
    .set(keys.identity, encodeIdentity({ ...identity, incarnation: drawIncarnation() }))
    .set(keys.snapshot, encodeStored({ serial: FIRST, info }))
    .set(keys.state, encodeState(state))
    .commit();
  if (!result.ok) throw new Fenced("Cannot found data: another process opened the directory");
}

/** Removes what an interrupted founding has left. @throws {DataPresent} if there is more. */
async function removeUnfinished(directory: string): Promise<void> {
  if (!await exists(directory)) return;
  for await (const { name } of Deno.readDir(directory)) {
    // Of any group.
    if (name.startsWith("mark.")) throw present(directory);
  }
  if (await exists(`${directory}/${KV_FILE_NAME}`)) {
    const kv = await Deno.openKv(`${directory}/${KV_FILE_NAME}`);
    try {
      for await (const _ of kv.list({ prefix: ["raft"] }, { limit: 1 })) throw present(directory);
    } catch (error) {
      throw storageError(error, "look at the data");
    } finally {
      kv.close();
    }
  }
  await removeFiles(directory);
}

function present(directory: string): DataPresent {
  return new DataPresent(`Cannot found data in ${directory}: it holds data already`);
}

async function removeFiles(directory: string): Promise<void> {
  for (const name of [KV_FILE_NAME, CHUNK_FILE_NAME]) {
    for (const suffix of ["", "-wal", "-shm", "-journal"]) {
      try {
        await Deno.remove(`${directory}/${name}${suffix}`);
      } catch (error) {
        if (!(error instanceof Deno.errors.NotFound)) throw error;
      }
    }
  }
}
