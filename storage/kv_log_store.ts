/**
 * The log over Deno KV: packed blocks and a state record, written in one atomic a commit under the
 * fence of the boot number, a mark beside the file (mark.ts), and the chunks of snapshots in a second
 * file (chunk_file.ts).
 *
 * What Deno KV does not give: grouping (commits run one by one, so that a caller must batch) and the
 * detection of a log that came back shorter (hence the mark).
 *
 * Here stands how it is opened and closed, and what may run beside what. The writing is in
 * kv_session.ts.
 *
 * @module
 */
import { type GroupId, logIndex, type NodeId } from "../raft/types.ts";
import { isEmptyBatch } from "./batch.ts";
import { chunkBoot, ChunkFile, type StoredChunks } from "./chunk_file.ts";
import { CommitGate } from "./commit_gate.ts";
import { type Disk, diskAt } from "./disk.ts";
import { bytesOf, takeFence } from "./fence.ts";
import { Garbage } from "./garbage.ts";
import { storageError, whileBusy } from "./kv_error.ts";
import { KvSession, type Removal } from "./kv_session.ts";
import { ATOMIC_LIMITS, type AtomicLimits } from "./limits.ts";
import { LogKeys } from "./log_keys.ts";
import { decodePeers, encodePeers } from "./peers_record.ts";
import { findDamage, type Mark, resumeDamaged } from "./mark.ts";
import { readLog, type RecoveredLog, removeOrphans } from "./recovery.ts";
import type { FoundSnapshots, SnapshotPlace, StoredSnapshot } from "./snapshot_place.ts";
import { Snapshots } from "./snapshots.ts";
import {
  type Identity,
  type KnownPeer,
  type LogBatch,
  type LogStore,
  type Recovery,
  type Reserve,
  type SnapshotStore,
  StorageFull,
} from "./types.ts";

/** Whose log a store keeps. */
export interface LogOwner {
  readonly group: GroupId;
  readonly identity: Identity;
}

/**
 * The store at a location: a data directory, `:memory:`, or `kv:` and a KV Connect URL (see
 * {@linkcode diskAt}). Nothing is touched before `open`. `reserveBytes` is how much a directory keeps
 * free for when the disk is full (RESERVE_BYTES unless given, 0 for nothing).
 *
 * @example
 * ```ts
 * const store = openKvLogStore({ directory: "data/n1", group: GROUP_DEFAULT, identity });
 * const { hardState, entries, snapshot, damage } = await store.open();
 * await store.commit({ hardState, truncateFrom: null, entries: [entry] });
 * await store.close();
 * ```
 */
export function openKvLogStore(
  options: LogOwner & { readonly directory: string; readonly reserveBytes?: number },
): LogStore {
  const { directory, group, reserveBytes } = options;
  return new KvLogStore(diskAt(directory, group, reserveBytes), options);
}

/** What is open while a store is. */
interface Open {
  readonly kv: Deno.Kv;
  /** Null if the chunks are in the log's database. */
  readonly chunkKv: Deno.Kv | null;
  readonly mark: Mark | null;
  readonly session: KvSession;
  readonly snapshots: Snapshots;
  readonly garbage: Garbage;
}

/** A store over any disk. May be opened again after `close` and after a failure. */
export class KvLogStore implements LogStore {
  readonly reserve: Reserve;
  readonly #disk: Disk;
  readonly #identity: Identity;
  readonly #keys: LogKeys;
  readonly #limits: AtomicLimits;
  readonly #gate = new CommitGate();
  #open: Open | null = null;

  /** `limits` are for tests that want batches to be split early. */
  constructor(disk: Disk, owner: LogOwner, limits: AtomicLimits = ATOMIC_LIMITS) {
    this.#disk = disk;
    this.#identity = owner.identity;
    this.#keys = new LogKeys(owner.group);
    this.#limits = limits;
    this.reserve = {
      get released() {
        return disk.reserve?.released ?? false;
      },
      restore: () => this.#restoreReserve(),
    };
  }

  get snapshots(): SnapshotStore {
    if (this.#open === null) throw new Error("Cannot use snapshots: the log is not open");
    return this.#open.snapshots;
  }

  async open(): Promise<Recovery> {
    await this.close();
    try {
      return await this.#openOnce();
    } catch (error) {
      const { reserve } = this.#disk;
      if (!(error instanceof StorageFull) || reserve === null || reserve.released) throw error;
      await reserve.release();
      return await this.#openOnce();
    }
  }

  /** Hot path. */
  commit(batch: LogBatch): Promise<void> {
    const write = () => this.#guard(() => this.#opened().session.commit(batch));
    return this.#gate.run(isEmptyBatch(batch) ? null : write);
  }

  repaired(): Promise<void> {
    const write = () => this.#guard(() => this.#opened().session.repaired());
    return this.#gate.queue(() => {}, write);
  }

  quarantine(reason: string): Promise<void> {
    return this.#gate.queue(() => {}, async () => {
      const { session, snapshots } = this.#opened();
      await this.#guard(() => session.quarantine(reason, snapshots.serialMax));
      this.#gate.shut("it is quarantined, so that it must be opened anew");
    });
  }

  async rememberPeers(peers: ReadonlyMap<NodeId, KnownPeer>): Promise<void> {
    const encoded = encodePeers(peers);
    // Not a reason to give up the reserve: who learns of a full disk here has nothing to free.
    await this.#gate.beside(async () => {
      try {
        await this.#opened().session.rememberPeers(encoded);
      } catch (error) {
        throw storageError(error, "remember the peers");
      }
    });
  }

  /** Resolves once no garbage is left to be deleted, or its deletion has failed: for tests. */
  async garbageSettled(): Promise<void> {
    await this.#open?.garbage.settled();
  }

  async close(): Promise<void> {
    const open = this.#open;
    this.#gate.shut("it was closed");
    open?.garbage.stop();
    await Promise.all([open?.snapshots.close(), open?.garbage.settled(), this.#gate.close()]);
    this.#open = null;
    open?.mark?.close();
    open?.chunkKv?.close();
    open?.kv.close();
  }

  async #openOnce(): Promise<Recovery> {
    const opened: Deno.Kv[] = [];
    try {
      const { openKv, openChunkKv, reserve } = bound(this.#disk);
      const kv = await whileBusy(openKv);
      opened.push(kv);
      const chunkKv = openChunkKv === null ? null : await whileBusy(openChunkKv);
      if (chunkKv !== null) opened.push(chunkKv);
      await reserve?.open();
      return await this.#recover(kv, chunkKv);
    } catch (error) {
      for (const kv of opened) kv.close();
      throw storageError(error, "open the log");
    }
  }

  async #recover(kv: Deno.Kv, chunkKv: Deno.Kv | null): Promise<Recovery> {
    const { marks } = this.#disk;
    const keys = this.#keys;
    const remembered = {
      mark: (await marks?.read())?.newest ?? null,
      chunkBoot: await whileBusy(() => chunkBoot(chunkKv ?? kv, keys)),
    };
    const fence = await whileBusy(() => takeFence(kv, keys, this.#identity, remembered));
    const chunks = await whileBusy(() => ChunkFile.take(chunkKv ?? kv, keys, fence.boot));
    const log = await whileBusy(() => readLog(kv, keys));
    await whileBusy(() => removeOrphans(kv, keys, fence, log));
    const peers = await whileBusy(() => readPeers(kv, keys));
    const { index, entries, snapshot, quarantine } = log;
    // Read again now that nobody else can commit: the mark may have moved until the fence stood.
    const found = await marks?.read() ?? null;
    const contradicted = marks === null ? null : findDamage(found, log.state, this.#identity);
    const damage = quarantine?.reason ?? contradicted;
    const damaged = damage !== null;
    const state = damaged ? resumeDamaged(log.state, found) : log.state;
    const stored = await whileBusy(() => chunks.stored());
    const incoming = await whileBusy(() => chunks.incoming());
    const sorted = sortChunks(stored, snapshot, incoming, quarantine?.serialMax ?? 0);
    // Before anything can be written to the database: from then on it counts past the old mark.
    const mark = await marks?.create({
      identity: { ...this.#identity, incarnation: fence.incarnation },
      boot: fence.boot,
      damaged,
      state,
    }) ?? null;
    const garbage = new Garbage();
    const remove: Removal = {
      // Not a reason to give up the reserve: nobody is told, and who commits next finds the disk as full.
      log: (piece) => this.#gate.beside(() => session.remove(piece)),
      chunks: (piece) => chunks.delete(piece),
    };
    const quarantined = damaged ? keptUntilRepair(keys, log, sorted) : null;
    const session = new KvSession(
      { kv, keys, fence, mark, index, state, snapshot, damaged, quarantined },
      this.#limits,
      garbage,
      remove,
    );
    const discard = (unused: readonly StoredChunks[]) =>
      garbage.add(remove.chunks, chunkKeys(keys, unused));
    const place = this.#place(session, chunks, discard);
    const snapshots = new Snapshots(place, sorted.found);
    this.#open = { kv, chunkKv, mark, session, snapshots, garbage };
    this.#gate.open();
    if (!damaged) {
      garbage.add(remove.log, log.garbage);
      discard(sorted.unused);
    }
    return {
      hardState: state.hardState,
      baseIndex: logIndex(state.base.lastIndex),
      baseTerm: state.base.lastTerm,
      entries,
      snapshot: snapshot?.info ?? null,
      boot: fence.boot,
      incarnation: fence.incarnation,
      peers,
      damage,
    };
  }

  #place(
    session: KvSession,
    chunks: ChunkFile,
    discard: (unused: readonly StoredChunks[]) => void,
  ): SnapshotPlace {
    return {
      putChunk: (serial, chunk, value) => this.#guard(() => chunks.put(serial, chunk, value)),
      getChunk: (serial, chunk) => chunks.get(serial, chunk),
      lastChunk: (serial) => chunks.last(serial),
      setIncoming: (stored) => this.#guard(() => chunks.setIncoming(stored)),
      makeCurrent: (stored, cut) =>
        this.#gate.queue(
          () => session.checkAdvances(stored, cut),
          () => this.#guard(() => session.makeCurrent(stored, cut)),
        ),
      discard: (serial, count) => discard([{ serial, chunks: count }]),
    };
  }

  /** The gate lets nothing in while nothing is open. */
  #opened(): Open {
    return this.#open!;
  }

  /** Says what an error means, and gives up the reserve if the disk is full. */
  async #guard<T>(act: () => Promise<T>): Promise<T> {
    try {
      return await act();
    } catch (cause) {
      const error = storageError(cause, "write the log");
      // If it cannot be given up, what comes next finds the disk as full.
      if (error instanceof StorageFull) await this.#disk.reserve?.release().catch(() => {});
      throw error;
    }
  }

  async #restoreReserve(): Promise<boolean> {
    const { reserve } = this.#disk;
    if (reserve === null || !reserve.released) return true;
    // Trying it fills the disk for a moment, and no commit must meet that.
    return await this.#gate.beside(() => reserve.restore());
  }
}

async function readPeers(kv: Deno.Kv, keys: LogKeys): Promise<ReadonlyMap<NodeId, KnownPeer>> {
  const { value } = await kv.get(keys.peers);
  return value === null ? new Map() : decodePeers(bytesOf(value, "record of the peers"));
}

function bound(disk: Disk) {
  return {
    openKv: () => disk.openKv(),
    openChunkKv: disk.openChunkKv === null ? null : () => disk.openChunkKv!(),
    reserve: disk.reserve,
  };
}

interface SortedChunks {
  readonly found: FoundSnapshots;
  readonly unused: readonly StoredChunks[];
}

/**
 * What a damaged log has no use for may be what it lacks, and all that is left of it: if the others cannot
 * repair it, an operator may find the rest. Nothing is deleted before.
 */
function keptUntilRepair(
  keys: LogKeys,
  log: RecoveredLog,
  { unused }: SortedChunks,
): { log: readonly Deno.KvKey[]; chunks: Iterable<Deno.KvKey> } {
  return { log: log.garbage, chunks: chunkKeys(keys, unused) };
}

/** Tells apart which chunks are a snapshot's that is of use; those up to `serialMax` are in quarantine. */
function sortChunks(
  stored: readonly StoredChunks[],
  current: StoredSnapshot | null,
  noted: StoredSnapshot | null,
  serialMax: number,
): SortedChunks {
  const isWanted = noted !== null && noted.serial > serialMax &&
    noted.info.meta.index > (current?.info.meta.index ?? 0);
  const incoming = isWanted ? noted : null;
  const used = [current?.serial, incoming?.serial];
  const serials = [...stored.map(({ serial }) => serial), current?.serial ?? 0, noted?.serial ?? 0];
  const nextSerial = Math.max(serialMax, ...serials) + 1;
  return {
    found: { current, incoming, nextSerial },
    unused: stored.filter(({ serial }) => !used.includes(serial)),
  };
}

/** From the last to the first, so that what is left after a crash is a beginning, as ever. */
function* chunkKeys(keys: LogKeys, stored: readonly StoredChunks[]): Generator<Deno.KvKey> {
  for (const { serial, chunks } of stored) {
    for (let chunk = chunks - 1; chunk >= 0; chunk--) yield keys.chunk(serial, chunk);
  }
}
