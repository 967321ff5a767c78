/**
 * The snapshots of one replica while its log is open: which is current, what is being made, what is
 * coming in, and what is pinned. The same for every store.
 *
 * Not here: the making of one (snapshot_writer.ts) and its coming in (snapshot_receiver.ts), how chunks
 * and the switch are written (the {@linkcode SnapshotPlace}), their bytes (chunk_codec.ts), and any
 * knowledge of the state in them.
 *
 * @module
 */
import type { SnapshotInfo, SnapshotMeta } from "../raft/types.ts";
import { type ChunkEnd, CHUNKS_NONE, decodeChunk, fitsInfo } from "./chunk_codec.ts";
import {
  type FoundSnapshots,
  type LogBase,
  type LogCut,
  readChunk,
  type SnapshotPlace,
  type StoredSnapshot,
} from "./snapshot_place.ts";
import { OpenSnapshotReceiver } from "./snapshot_receiver.ts";
import { OpenSnapshotWriter } from "./snapshot_writer.ts";
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
  #writer: OpenSnapshotWriter | null = null;
  #receiver: OpenSnapshotReceiver | null = null;
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
    this.#writer = new OpenSnapshotWriter(this, this.#place, this.#nextSerial++, meta);
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
    this.#receiver = new OpenSnapshotReceiver(this, this.#place, stored, resumed ?? CHUNKS_NONE);
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

  isWriting(writer: OpenSnapshotWriter): boolean {
    return this.#writer === writer;
  }

  isReceiving(receiver: OpenSnapshotReceiver): boolean {
    return this.#receiver === receiver;
  }

  /** For the writer: it is being finished, or aborted; nothing else may drop it from here on. */
  writerDone(writer: OpenSnapshotWriter): void {
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
function sameSnapshot(a: SnapshotInfo, b: SnapshotInfo): boolean {
  return a.id === b.id && a.chunks === b.chunks && a.bytes === b.bytes &&
    a.meta.index === b.meta.index && a.meta.term === b.meta.term;
}
