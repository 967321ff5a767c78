/**
 * The mark as a file of two slots, beside the KV file.
 *
 * Its sync stands in the way of every answer, so that it matters how it is waited for. To block the
 * event loop saves two changes of thread and, on a busy loop, the wait for the loop to come round; but
 * on a slow disk it stops everything else for as long. So it blocks where syncs were seen to be short
 * (docs/decisions/0004-storage.md has the figures).
 *
 * @module
 */
import { syncDirectory } from "./directory.ts";
import { BLOCKING_SYNC_MS_MAX, MARK_SLOT_BYTES, SYNC_PROBE_INTERVAL } from "./limits.ts";
import {
  encodeSlot,
  type Mark,
  MARK_SLOTS,
  type MarkContent,
  type MarkFound,
  type MarkPlace,
  readSlots,
  SlotBuffer,
} from "./mark.ts";

/** A mark in a file. */
export class MarkFile implements MarkPlace {
  readonly #directory: string;
  readonly #path: string;

  constructor(directory: string, name: string) {
    this.#directory = directory;
    this.#path = `${directory}/${name}`;
  }

  async read(): Promise<MarkFound | null> {
    try {
      return readSlots(await Deno.readFile(this.#path));
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return null;
      throw error;
    }
  }

  async create(content: MarkContent): Promise<Mark> {
    const fresh = `${this.#path}.new`;
    const file = await Deno.open(fresh, { create: true, write: true, truncate: true });
    try {
      const bytes = new Uint8Array(MARK_SLOTS * MARK_SLOT_BYTES);
      const slot = encodeSlot(content);
      for (let i = 0; i < MARK_SLOTS; i++) bytes.set(slot, i * MARK_SLOT_BYTES);
      file.writeSync(bytes);
      await file.sync();
      await Deno.rename(fresh, this.#path);
      await syncDirectory(this.#directory);
      return new OpenMark(file, content);
    } catch (error) {
      file.close();
      throw error;
    }
  }
}

class OpenMark implements Mark {
  readonly #file: Deno.FsFile;
  readonly #slot: SlotBuffer;
  readonly #pace = new SyncPace();

  constructor(file: Deno.FsFile, content: MarkContent) {
    this.#file = file;
    this.#slot = new SlotBuffer(content);
  }

  async write(state: Uint8Array, seq: number): Promise<void> {
    this.#file.seekSync((seq % MARK_SLOTS) * MARK_SLOT_BYTES, Deno.SeekMode.Start);
    this.#file.writeSync(this.#slot.encode(state));
    // The file keeps its size, so that a sync of the data alone writes one page and no metadata.
    if (!this.#pace.blocks()) return await this.#file.syncData();
    const startMs = performance.now();
    this.#file.syncDataSync();
    this.#pace.blocked(performance.now() - startMs);
  }

  repaired(): void {
    this.#slot.repaired();
  }

  close(): void {
    this.#file.close();
  }
}

/** Says whether the next sync may block, from how long those took that did. */
export class SyncPace {
  #smoothedMs = 0;
  #free = 0;

  /** True while blocking syncs are short, and now and then besides, to see whether they are again. */
  blocks(): boolean {
    if (this.#smoothedMs <= BLOCKING_SYNC_MS_MAX) return true;
    return ++this.#free % SYNC_PROBE_INTERVAL === 0;
  }

  /** Notes how long a blocking sync took. */
  blocked(tookMs: number): void {
    this.#smoothedMs += (tookMs - this.#smoothedMs) / 8;
  }
}
