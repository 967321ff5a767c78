/**
 * A snapshot in the making: its chunks in order, and the switch in the end.
 *
 * @module
 */
import type { LogIndex, SnapshotInfo, SnapshotMeta } from "../raft/types.ts";
import {
  assertChunkSize,
  type ChunkEnd,
  CHUNKS_NONE,
  encodeChunk,
  endAfter,
  snapshotId,
} from "./chunk_codec.ts";
import type { LogBase, SnapshotPlace } from "./snapshot_place.ts";
import type { Snapshots } from "./snapshots.ts";
import type { SnapshotWriter } from "./types.ts";

/** What {@linkcode Snapshots} gives for `create`. */
export class OpenSnapshotWriter implements SnapshotWriter {
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
