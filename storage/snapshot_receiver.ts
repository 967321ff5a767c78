/**
 * A snapshot on its way in: the chunks that a leader sends, in order, from where an earlier opening
 * was, and the install in the end.
 *
 * @module
 */
import type { SnapshotInfo } from "../raft/types.ts";
import {
  assertChunkSize,
  type ChunkEnd,
  encodeChunk,
  endAfter,
  fitsInfo,
  snapshotId,
} from "./chunk_codec.ts";
import {
  type LogCut,
  readChunk,
  type SnapshotPlace,
  type StoredSnapshot,
} from "./snapshot_place.ts";
import type { Snapshots } from "./snapshots.ts";
import { CorruptSnapshot, type SnapshotReceiver } from "./types.ts";

/** What {@linkcode Snapshots} gives for `receive`. */
export class OpenSnapshotReceiver implements SnapshotReceiver {
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
