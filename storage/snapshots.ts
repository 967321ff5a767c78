/**
 * The snapshots of one replica while its log is open: which is current, what is being made, what is
 * coming in, and what is pinned. The same for every store.
 *
 * Not here: how chunks and the switch are written (the {@linkcode SnapshotPlace}), their bytes
 * (chunk_codec.ts), and any knowledge of the state in them.
 *
 * @module
 */
import type { LogIndex, SnapshotInfo, SnapshotMeta } from "../raft/types.ts";
import {
  type ChunkEnd,
  CHUNKS_NONE,
  decodeChunk,
  encodeChunk,
  endAfter,
  snapshotId,
} from "./chunk_codec.ts";
import { SNAPSHOT_CHUNK_BYTES_MAX } from "./limits.ts";
import type {
  FoundSnapshots,
  LogBase,
  LogCut,
  SnapshotPlace,
  StoredSnapshot,
} from "./snapshot_place.ts";
import {
  CorruptSnapshot,
  type SnapshotReceiver,
  type SnapshotStore,
  type SnapshotWriter,
} from "./types.ts";

/** The store of snapshots over any place, for one opening of the log. */
export class Snapshots implements SnapshotStore {
  readonly #place: SnapshotPlace;
  /** How often each is pinned, by serial number. */
  readonly #pins = new Map<number, number>();
  /** No longer current, but pinned. */
  readonly #lingering: StoredSnapshot[] = [];
  readonly #running = new Set<Promise<unknown>>();
  #current: StoredSnapshot | null;
  #incoming: StoredSnapshot | null;
  #nextSerial: number;
  #writer: Writer | null = null;
  #receiver: Receiver | null = null;
  #closed = false;

  constructor(place: SnapshotPlace, found: FoundSnapshots) {
    this.#place = place;
    this.#current = found.current;
    this.#incoming = found.incoming;
    this.#nextSerial = found.nextSerial;
  }

  get current(): SnapshotInfo | null {
    return this.#current?.info ?? null;
  }

  /** The latest serial number that was given away. */
  get serialMax(): number {
    return this.#nextSerial - 1;
  }

  async create(meta: SnapshotMeta): Promise<SnapshotWriter> {
    this.#assertOpen();
    await this.#writer?.abort();
    this.#writer = new Writer(this, this.#place, this.#nextSerial++, meta);
    return this.#writer;
  }

  async receive(info: SnapshotInfo): Promise<SnapshotReceiver> {
    this.#assertOpen();
    if (this.#receiver !== null && sameSnapshot(this.#receiver.info, info)) return this.#receiver;
    const known = this.#incoming;
    const resumed = known !== null && sameSnapshot(known.info, info)
      ? await this.run(() => this.#resume(known))
      : null;
    if (resumed === null) await this.#dropIncoming();
    const stored = resumed === null ? { serial: this.#nextSerial++, info } : known!;
    if (resumed === null) await this.run(() => this.#place.setIncoming(stored));
    this.#incoming = stored;
    this.#receiver = new Receiver(this, this.#place, stored, resumed ?? CHUNKS_NONE);
    return this.#receiver;
  }

  read(info: SnapshotInfo, chunk: number): Promise<Uint8Array> {
    return this.run(() => readChunk(this.#place, this.#find(info), chunk));
  }

  pin(info: SnapshotInfo): void {
    const { serial } = this.#find(info);
    this.#pins.set(serial, (this.#pins.get(serial) ?? 0) + 1);
  }

  release(info: SnapshotInfo): void {
    const { serial } = this.#find(info);
    const pins = this.#pins.get(serial) ?? 0;
    if (pins === 0) throw new RangeError(`Cannot release snapshot ${info.id}: it is not pinned`);
    this.#pins.set(serial, pins - 1);
    if (pins > 1) return;
    this.#pins.delete(serial);
    const at = this.#lingering.findIndex((stored) => stored.serial === serial);
    if (at < 0) return;
    this.#lingering.splice(at, 1);
    this.#place.discard(serial, info.chunks);
  }

  /** Lets nothing more in, and waits for what is under way. */
  async close(): Promise<void> {
    this.#closed = true;
    await Promise.allSettled(this.#running);
  }

  /** For the writer and the receiver: runs one operation that `close` waits for. */
  async run<T>(act: () => Promise<T>): Promise<T> {
    this.#assertOpen();
    const running = act();
    this.#running.add(running);
    try {
      return await running;
    } finally {
      this.#running.delete(running);
    }
  }

  /**
   * For the writer and the receiver: the switch. What it replaces is deleted unless it is pinned, and
   * what is under way and not later is dropped.
   */
  async makeCurrent(stored: StoredSnapshot, cut: LogCut): Promise<LogBase> {
    const base = await this.#switchTo(stored, cut);
    const before = this.#current;
    this.#current = stored;
    if (before !== null) {
      if (this.#pins.has(before.serial)) this.#lingering.push(before);
      else this.#place.discard(before.serial, before.info.chunks);
    }
    const incoming = this.#incoming;
    if (incoming !== null && incoming.info.meta.index <= stored.info.meta.index) {
      // The note of it stays: the next opening sees that it is not later than the current one.
      this.#receiver = null;
      this.#incoming = null;
      this.#place.discard(incoming.serial, incoming.info.chunks);
    }
    const writer = this.#writer;
    if (writer !== null && writer.index < stored.info.meta.index) await writer.abort();
    return base;
  }

  async #switchTo(stored: StoredSnapshot, cut: LogCut): Promise<LogBase> {
    try {
      return await this.#place.makeCurrent(stored, cut);
    } catch (error) {
      // Only this says for certain that it is not, and will not be, the current one.
      if (error instanceof RangeError) this.#place.discard(stored.serial, stored.info.chunks);
      throw error;
    }
  }

  isWriting(writer: Writer): boolean {
    return this.#writer === writer;
  }

  isReceiving(receiver: Receiver): boolean {
    return this.#receiver === receiver;
  }

  /** For the writer: it is being finished, or aborted; nothing else may drop it from here on. */
  writerDone(writer: Writer): void {
    if (this.#writer === writer) this.#writer = null;
  }

  /** For the receiver: it is being installed; nothing else may drop it from here on. */
  receiverDone(): void {
    this.#receiver = null;
    this.#incoming = null;
  }

  /** For the receiver: its snapshot is not to be had, or not wanted. */
  async receiverDropped(): Promise<void> {
    await this.#dropIncoming();
  }

  async #dropIncoming(): Promise<void> {
    const dropped = this.#incoming;
    this.#receiver = null;
    this.#incoming = null;
    if (dropped === null) return;
    // All of its chunks may be there, whatever this opening has seen of them.
    this.#place.discard(dropped.serial, dropped.info.chunks);
    await this.run(() => this.#place.setIncoming(null));
  }

  /** How far an earlier opening got; null if what it left does not read back. */
  async #resume(stored: StoredSnapshot): Promise<ChunkEnd | null> {
    const last = await this.#place.lastChunk(stored.serial);
    if (last === null) return CHUNKS_NONE;
    try {
      const { end } = decodeChunk(last.value, stored.serial, last.chunk);
      return end.chunks < stored.info.chunks || fitsInfo(end, stored.info) ? end : null;
    } catch (error) {
      if (error instanceof CorruptSnapshot) return null;
      throw error;
    }
  }

  #find(info: SnapshotInfo): StoredSnapshot {
    this.#assertOpen();
    const known = this.#current === null ? this.#lingering : [this.#current, ...this.#lingering];
    const found = known.find((stored) => sameSnapshot(stored.info, info));
    if (found !== undefined) return found;
    throw new RangeError(`Cannot find snapshot ${info.id} at index ${info.meta.index}: it is gone`);
  }

  #assertOpen(): void {
    if (this.#closed) throw new Error("Cannot use snapshots: the log was closed");
  }
}

/** The same contents at the same place in the log, which makes the rest the same. */
export function sameSnapshot(a: SnapshotInfo, b: SnapshotInfo): boolean {
  return a.id === b.id && a.chunks === b.chunks && a.bytes === b.bytes &&
    a.meta.index === b.meta.index && a.meta.term === b.meta.term;
}

class Writer implements SnapshotWriter {
  readonly #store: Snapshots;
  readonly #place: SnapshotPlace;
  readonly #serial: number;
  readonly #meta: SnapshotMeta;
  readonly #adding = new Set<Promise<void>>();
  #end: ChunkEnd = CHUNKS_NONE;
  #failed = false;

  constructor(store: Snapshots, place: SnapshotPlace, serial: number, meta: SnapshotMeta) {
    this.#store = store;
    this.#place = place;
    this.#serial = serial;
    this.#meta = meta;
  }

  get index(): LogIndex {
    return this.#meta.index;
  }

  async add(chunk: Uint8Array): Promise<void> {
    this.#assertUsable();
    assertChunkSize(chunk);
    const before = this.#end;
    this.#end = endAfter(before, chunk);
    const value = encodeChunk(this.#serial, before, chunk);
    const adding = this.#guard(() => this.#place.putChunk(this.#serial, before.chunks, value));
    this.#adding.add(adding);
    try {
      await adding;
    } finally {
      this.#adding.delete(adding);
    }
  }

  async finish(compactTo: LogIndex): Promise<{ readonly info: SnapshotInfo } & LogBase> {
    this.#assertUsable();
    // No chunk may still be on its way to the disk when the switch says that it is there.
    await Promise.allSettled(this.#adding);
    this.#assertUsable();
    const { chunks, bytes } = this.#end;
    if (chunks === 0) throw new RangeError("Cannot finish snapshot: it has no chunk");
    const info = { meta: this.#meta, id: snapshotId(this.#end), chunks, bytes };
    const stored = { serial: this.#serial, info };
    const cut = { type: "compact", to: compactTo } as const;
    this.#store.writerDone(this);
    const base = await this.#guard(() => this.#store.makeCurrent(stored, cut));
    return { info, ...base };
  }

  // deno-lint-ignore require-await -- a promise by contract; the chunks are deleted beside all else.
  async abort(): Promise<void> {
    if (!this.#store.isWriting(this)) return;
    this.#store.writerDone(this);
    this.#place.discard(this.#serial, this.#end.chunks);
  }

  async #guard<T>(act: () => Promise<T>): Promise<T> {
    try {
      return await this.#store.run(act);
    } catch (error) {
      this.#failed = true;
      throw error;
    }
  }

  #assertUsable(): void {
    if (!this.#store.isWriting(this)) {
      throw new RangeError(`Cannot write snapshot at index ${this.#meta.index}: it is gone`);
    }
    if (this.#failed) throw new Error("Cannot write snapshot: an earlier chunk of it failed");
  }
}

class Receiver implements SnapshotReceiver {
  readonly #store: Snapshots;
  readonly #place: SnapshotPlace;
  readonly #stored: StoredSnapshot;
  #end: ChunkEnd;
  #adding = false;

  constructor(store: Snapshots, place: SnapshotPlace, stored: StoredSnapshot, end: ChunkEnd) {
    this.#store = store;
    this.#place = place;
    this.#stored = stored;
    this.#end = end;
  }

  get info(): SnapshotInfo {
    return this.#stored.info;
  }

  get next(): number {
    return this.#end.chunks;
  }

  async add(chunk: number, data: Uint8Array): Promise<void> {
    this.#assertUsable();
    assertChunkSize(data);
    if (this.#adding || chunk !== this.next || chunk >= this.info.chunks) {
      throw new RangeError(`Cannot keep chunk ${chunk} of ${this.info.chunks}: it is not wanted`);
    }
    const { serial } = this.#stored;
    const end = endAfter(this.#end, data);
    if (end.chunks === this.info.chunks && !fitsInfo(end, this.info)) {
      await this.#store.receiverDropped();
      throw new CorruptSnapshot(
        `Cannot keep snapshot ${this.info.id} of ${this.info.bytes} bytes: its chunks make ` +
          `${snapshotId(end)} of ${end.bytes} bytes`,
      );
    }
    const value = encodeChunk(serial, this.#end, data);
    this.#adding = true;
    try {
      await this.#store.run(() => this.#place.putChunk(serial, chunk, value));
    } finally {
      this.#adding = false;
    }
    this.#end = end;
  }

  read(chunk: number): Promise<Uint8Array> {
    this.#assertUsable();
    return this.#store.run(() => readChunk(this.#place, this.#stored, chunk));
  }

  async install(keepLog: boolean): Promise<void> {
    this.#assertUsable();
    if (this.next < this.info.chunks) {
      throw new RangeError(
        `Cannot install snapshot ${this.info.id}: ${this.next} of ${this.info.chunks} chunks are here`,
      );
    }
    const cut: LogCut = { type: keepLog ? "keep" : "drop" };
    this.#store.receiverDone();
    await this.#store.run(() => this.#store.makeCurrent(this.#stored, cut));
  }

  async discard(): Promise<void> {
    if (this.#store.isReceiving(this)) await this.#store.receiverDropped();
  }

  #assertUsable(): void {
    if (this.#store.isReceiving(this)) return;
    throw new RangeError(`Cannot use snapshot ${this.info.id} on its way in: it is gone`);
  }
}

function fitsInfo(end: ChunkEnd, info: SnapshotInfo): boolean {
  return end.chunks === info.chunks && end.bytes === info.bytes && snapshotId(end) === info.id;
}

/** @throws {RangeError} if the chunk is empty or too large. */
export function assertChunkSize(chunk: Uint8Array): void {
  if (chunk.length > 0 && chunk.length <= SNAPSHOT_CHUNK_BYTES_MAX) return;
  throw new RangeError(
    `Cannot keep chunk of ${chunk.length} bytes: not from 1 to ${SNAPSHOT_CHUNK_BYTES_MAX}`,
  );
}

/** @throws {CorruptSnapshot} if the chunk is missing or not what was written; or, the last one, shows
 * that the whole is not. */
async function readChunk(
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
