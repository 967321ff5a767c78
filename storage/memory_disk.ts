/**
 * The disk of the in-memory twin: the data of one replica, outliving the stores that use it, and the
 * faults that tests put into it. A crash is to drop a store without closing it and to open another.
 *
 * As on a real disk there are two files: that of the log, with the record of what snapshot is current,
 * and that of the snapshots' chunks, which are bytes with their checksums.
 *
 * @module
 */
import {
  type Entry,
  type HardState,
  logIndex,
  type NodeId,
  type SnapshotInfo,
} from "../raft/types.ts";
import { LOG_EMPTY } from "./block_codec.ts";
import { findDamage, type MarkContent, resumeDamaged } from "./mark.ts";
import { MemoryChunks } from "./memory_chunks.ts";
import {
  bytesOf,
  checkOwner,
  COMMIT_BYTES,
  type DiskImage,
  type FailurePoint,
  type PendingWrite,
  Room,
} from "./memory_disk_parts.ts";
import { MemoryLog } from "./memory_log.ts";
import { checkPeers } from "./peers_record.ts";
import {
  checkAdvances,
  type FoundSnapshots,
  type LogBase,
  type LogCut,
  type StoredSnapshot,
} from "./snapshot_place.ts";
import {
  CorruptLog,
  Fenced,
  type Identity,
  type KnownPeer,
  type LogBatch,
  type Recovery,
} from "./types.ts";

/** Commits that a disk can be made to lose. */
const LOSABLE_COMMITS_MAX = 64;

/** The data of one replica. */
export class MemoryDisk {
  /** Awaited by each commit (an install or the switch to a snapshot too) before anything of it lands; null for no delay. */
  beforeCommit: (() => Promise<void>) | null = null;
  /** Awaited by the writing of each chunk of a snapshot before it lands; null for no delay. */
  beforeChunk: (() => Promise<void>) | null = null;
  /** Called when the log's file has changed, acknowledged or not; for who watches. */
  onLanded: (() => void) | null = null;
  readonly #incarnation: number;
  /** What there is of snapshots, current or not. */
  readonly chunks: MemoryChunks;
  #owner: Identity | null = null;
  #boot = 0;
  #log = new MemoryLog();
  #mark: MarkContent | null = null;
  /** What takes the latest commits back. */
  #undo: (() => void)[] = [];
  #failure: { readonly point: FailurePoint; readonly error: Error } | null = null;
  #openFailure: { times: number; readonly error: Error } | null = null;
  #chunkFailure: { readonly point: FailurePoint; readonly error: Error } | null = null;
  #pending: PendingWrite | null = null;
  #isLogCorrupt = false;
  readonly #room = new Room(() => this.#log.bytes + this.chunks.bytes);

  /**
   * A disk in place of one that was lost needs another `incarnation`; nothing here is random.
   *
   * @param chunks what there is of snapshots already.
   */
  constructor(incarnation = 1, chunks = new MemoryChunks()) {
    this.#incarnation = incarnation;
    this.chunks = chunks;
  }

  /** All files as they are now, as a backup of the directory has them. What fails here does not fail there. */
  copy(): MemoryDisk {
    const copy = new MemoryDisk(this.#incarnation, this.chunks.image());
    copy.#owner = this.#owner;
    copy.#boot = this.#boot;
    copy.#log = this.#log.image();
    copy.#mark = this.#mark;
    copy.#isLogCorrupt = this.#isLogCorrupt;
    return copy;
  }

  /** Commits that have landed; installs and switches of snapshots count as such. */
  get commits(): number {
    return this.#log.state.seq;
  }

  /** The entries as they are on the disk, acknowledged or not; the first is behind `baseIndex`. */
  get entries(): readonly Entry[] {
    return this.#log.entries;
  }

  /** The last entry that was cut off. */
  get baseIndex(): number {
    return this.#log.state.base.lastIndex;
  }

  /** The hard state as it is on the disk. */
  get hardState(): HardState {
    return this.#log.state.hardState;
  }

  get snapshot(): SnapshotInfo | null {
    return this.#log.current?.info ?? null;
  }

  /** Whether a write of the log's file is on its way. */
  get hasPending(): boolean {
    return this.#pending !== null;
  }

  /** Whether the log does not read back any more. */
  get isLogCorrupt(): boolean {
    return this.#isLogCorrupt;
  }

  /** How many commits `loseCommits` can take back. */
  get losableCommits(): number {
    return this.#undo.length;
  }

  /** Whether the last opening found less than was acknowledged, and it was not declared mended since. */
  get isDamaged(): boolean {
    return this.#log.quarantine !== null || this.#mark?.damaged === true;
  }

  /** Bytes of entries, chunks and the reserve. */
  get usedBytes(): number {
    return this.#room.usedBytes;
  }

  get reserveReleased(): boolean {
    return !this.#room.reserveHeld;
  }

  /** Makes the next commit, or switch to a snapshot, fail with `error`. */
  failNextCommit(point: FailurePoint, error: Error = new Error(`Injected: ${point}`)): void {
    this.#failure = { point, error };
  }

  /** Makes the next write of a chunk fail with `error`. */
  failNextChunk(point: FailurePoint, error: Error = new Error(`Injected: ${point}`)): void {
    this.#chunkFailure = { point, error };
  }

  /** Makes the next openings, so many, fail with `error`: nothing can be read. */
  failOpening(times: number, error: Error): void {
    this.#openFailure = { times, error };
  }

  /**
   * Flips a bit in a chunk of the current snapshot, or of the one on its way in.
   *
   * @throws {RangeError} if there is no such chunk.
   */
  corruptChunk(chunk: number, of: "current" | "incoming" = "current"): void {
    const stored = of === "current" ? this.#log.current : this.chunks.incoming;
    this.chunks.corrupt(stored?.serial ?? -1, chunk);
  }

  /**
   * Fills the disk up but for `freeBytes`. A write that finds no room fails with StorageFull, and the
   * reserve is released.
   */
  fill(freeBytes = 0): void {
    this.#room.capacityBytes = this.usedBytes + freeBytes;
  }

  /** Takes back all failures that were ordered and did not strike yet, and a lack of room. */
  heal(): void {
    this.#failure = null;
    this.#openFailure = null;
    this.#chunkFailure = null;
    this.enlarge();
  }

  /** Makes the disk as large as ever. The reserve stays as it is until a store restores it. */
  enlarge(): void {
    this.#room.capacityBytes = Infinity;
  }

  /**
   * Loses the last commits silently, as a disk does that lied about a sync. The mark keeps its word,
   * so that the next opening reports damage. The chunks are in another file and stay as they are: a
   * snapshot that becomes the current one again by this may be gone.
   *
   * @throws {RangeError} if the disk does not remember so many.
   */
  loseCommits(count: number): void {
    if (count > this.#undo.length) {
      throw new RangeError(`Cannot lose ${count} commits: ${this.#undo.length} can be lost`);
    }
    for (let i = 0; i < count; i++) this.#undo.pop()!();
  }

  /**
   * Ends whoever uses the disk, as a power failure does: the write of the log that is on its way is lost,
   * or (`landed`) is on the disk and was never acknowledged. What comes later meets the fence.
   */
  crash(landed: boolean): void {
    const pending = this.#pending;
    this.#pending = null;
    this.#boot++;
    if (!landed || pending === null || !this.#room.has(COMMIT_BYTES + pending.bytes)) return;
    this.#land(pending);
  }

  /** Flips a bit in the log: from now on it does not read back. */
  corruptLog(): void {
    this.#isLogCorrupt = true;
  }

  /** A copy of the log's file and of the mark, for `putBack`. */
  image(): DiskImage {
    return { log: this.#log.image(), mark: this.#mark };
  }

  /**
   * Puts an older copy of a file in its place, or (null) takes it away, while nobody uses the disk. What
   * else there is stays, and so does the incarnation: of a lost log the mark knows it.
   */
  putBack(file: "log" | "mark", image: DiskImage | null): void {
    if (file === "mark") {
      this.#mark = image?.mark ?? null;
      return;
    }
    this.#log = image?.log.image() ?? new MemoryLog();
    this.#undo = [];
    this.#isLogCorrupt = false;
  }

  /** For the store: takes the fence. */
  boot(identity: Identity): Recovery & { readonly snapshots: FoundSnapshots } {
    checkOwner(this.#owner ?? identity, identity);
    if (this.#openFailure !== null && this.#openFailure.times-- > 0) throw this.#openFailure.error;
    if (this.#isLogCorrupt) throw new CorruptLog("Cannot read log: a checksum is wrong");
    if (!this.#room.has(COMMIT_BYTES)) this.#room.reserveHeld = false;
    this.#room.claim(COMMIT_BYTES);
    this.restoreReserve();
    this.#owner = identity;
    this.#boot++;
    const found = this.#mark === null ? null : { newest: this.#mark, broken: false };
    const damage = this.#log.quarantine?.reason ?? findDamage(found, this.#log.state, identity);
    if (damage !== null) this.#log.state = resumeDamaged(this.#log.state, found);
    this.#acknowledge(damage !== null);
    const { hardState, base } = this.#log.state;
    const kept = this.#log.quarantine?.serialMax ?? 0;
    return {
      hardState,
      baseIndex: logIndex(base.lastIndex),
      baseTerm: base.lastTerm,
      entries: this.#log.entries.slice(),
      snapshot: this.#log.current?.info ?? null,
      boot: this.#boot,
      incarnation: this.#incarnation,
      peers: this.#log.peers,
      damage,
      snapshots: this.chunks.open(this.#log.current, kept, damage !== null),
    };
  }

  /** For the store: one commit under the fence of `boot`. */
  commit(boot: number, batch: LogBatch): Promise<void> {
    return this.#write(boot, bytesOf(batch.entries), () => this.#log.append(batch));
  }

  /** For the store: the switch to a snapshot. */
  async makeCurrent(boot: number, stored: StoredSnapshot, cut: LogCut): Promise<LogBase> {
    await this.#write(boot, 0, () => {
      const putBack = this.#log.cut(stored, cut);
      this.#log.current = stored;
      return putBack;
    });
    return {
      baseIndex: logIndex(this.#log.state.base.lastIndex),
      baseTerm: this.#log.state.base.lastTerm,
    };
  }

  /** For the store. @throws {RangeError} see {@linkcode checkAdvances}. */
  checkAdvances(stored: StoredSnapshot, cut: LogCut): void {
    checkAdvances(stored, this.#log.current, cut);
  }

  /** For the store. */
  quarantine(boot: number, reason: string): Promise<void> {
    return this.#write(boot, 0, () => {
      this.#log.current = null;
      this.#log.quarantine = { reason, serialMax: this.chunks.serialMax };
      return this.#log.empty(LOG_EMPTY, logIndex(0));
    }, true);
  }

  /** For the store. */
  repaired(boot: number): Promise<void> {
    return this.#write(boot, 0, () => {
      this.chunks.repaired();
      this.#log.quarantine = null;
      return () => {};
    }, false);
  }

  /** For the store. */
  rememberPeers(boot: number, peers: ReadonlyMap<NodeId, KnownPeer>): void {
    this.#checkFence(boot);
    checkPeers(peers);
    this.#room.claim(COMMIT_BYTES);
    this.#log.peers = new Map(peers);
  }

  /** For the store: keeps one chunk. */
  async putChunk(boot: number, serial: number, chunk: number, value: Uint8Array): Promise<void> {
    if (this.beforeChunk !== null) await this.beforeChunk();
    this.#checkFence(boot);
    const failure = this.#chunkFailure;
    this.#chunkFailure = null;
    if (failure?.point === "before-landing") throw failure.error;
    this.#room.claim(COMMIT_BYTES + value.length);
    this.chunks.put(serial, chunk, value);
    if (failure?.point === "after-landing") throw failure.error;
  }

  /** For the store. */
  setIncoming(boot: number, incoming: StoredSnapshot | null): void {
    this.#checkFence(boot);
    this.#room.claim(COMMIT_BYTES);
    this.chunks.incoming = incoming;
  }

  /** For the store: deletes the chunks of one snapshot, unless another store has taken the fence. */
  discard(boot: number, serial: number): void {
    const kept = this.#log.quarantine?.serialMax ?? 0;
    if (boot === this.#boot && serial > kept) this.chunks.delete(serial);
  }

  /** For the store. */
  restoreReserve(): boolean {
    return this.#room.restoreReserve();
  }

  #checkFence(boot: number): void {
    if (boot === this.#boot) return;
    throw new Fenced(`Cannot write: the data was opened by another store after boot ${boot}`);
  }

  /** `land` changes the data and gives what puts the entries back; `damaged` is what the mark says then. */
  async #write(
    boot: number,
    bytes: number,
    land: () => () => void,
    damaged: boolean | null = null,
  ): Promise<void> {
    const pending = { bytes, land };
    this.#pending = pending;
    if (this.beforeCommit !== null) await this.beforeCommit();
    this.#checkFence(boot);
    this.#pending = null;
    const failure = this.#failure;
    this.#failure = null;
    if (failure?.point === "before-landing") throw failure.error;
    this.#room.claim(COMMIT_BYTES + bytes);
    this.#land(pending);
    if (failure?.point === "after-landing") throw failure.error;
    this.#acknowledge(damaged ?? this.#mark?.damaged ?? false);
  }

  #land({ land }: PendingWrite): void {
    const { state, current, quarantine, bytes } = this.#log;
    const putBack = land();
    this.#undo.push(() => {
      putBack();
      Object.assign(this.#log, { state, current, quarantine, bytes });
    });
    if (this.#undo.length > LOSABLE_COMMITS_MAX) this.#undo.shift();
    this.onLanded?.();
  }

  #acknowledge(damaged: boolean): void {
    const identity = { ...this.#owner!, incarnation: this.#incarnation };
    this.#mark = { identity, boot: this.#boot, damaged, state: this.#log.state };
  }
}
