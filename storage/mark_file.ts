/**
 * The mark as a file of two slots, beside the KV file.
 *
 * @module
 */
import { syncDirectory } from "./directory.ts";
import { MARK_SLOT_BYTES } from "./limits.ts";
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

  constructor(file: Deno.FsFile, content: MarkContent) {
    this.#file = file;
    this.#slot = new SlotBuffer(content);
  }

  async write(state: Uint8Array, seq: number): Promise<void> {
    this.#file.seekSync((seq % MARK_SLOTS) * MARK_SLOT_BYTES, Deno.SeekMode.Start);
    this.#file.writeSync(this.#slot.encode(state));
    // The file keeps its size, so that this writes one page and no metadata.
    await this.#file.syncData();
  }

  setDamaged(damaged: boolean): void {
    this.#slot.setDamaged(damaged);
  }

  close(): void {
    this.#file.close();
  }
}
