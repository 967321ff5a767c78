/**
 * The reserve as a file: room that is given up when the disk is full. It is filled with bytes that do
 * not compress, since a hole or zeroes would keep nothing free on some file systems.
 *
 * It comes back only where there is as much room again: a database that is opened anew has no write-ahead
 * log (4 MiB, and two of them), and what is free for that reason is soon used.
 *
 * How much room there is cannot be asked without a permission of its own; so it is tried by writing. That
 * makes the disk full for a moment, for which the caller must hold back other writes.
 *
 * @module
 */
import { syncDirectory } from "./directory.ts";
import { storageError } from "./kv_error.ts";
import { StorageFull } from "./types.ts";

const PIECE_BYTES = 1024 * 1024;
/** What crypto gives at a time. */
const RANDOM_BYTES_MAX = 65_536;

/** A reserve that can be given up and made again. */
export interface ReservePlace {
  readonly released: boolean;
  /** Looks whether it is there, and makes it if it is not and there is room. */
  open(): Promise<void>;
  /** Gives it up, durably. */
  release(): Promise<void>;
  /** Makes it if it is not there; false if there is not as much room again besides. */
  restore(): Promise<boolean>;
}

/** A reserve in a directory. */
export class ReserveFile implements ReservePlace {
  readonly #directory: string;
  readonly #path: string;
  readonly #bytes: number;
  #released = true;

  constructor(directory: string, name: string, bytes: number) {
    this.#directory = directory;
    this.#path = `${directory}/${name}`;
    this.#bytes = bytes;
  }

  get released(): boolean {
    return this.#released;
  }

  async open(): Promise<void> {
    await removeIfThere(`${this.#path}.new`);
    try {
      this.#released = (await Deno.stat(this.#path)).size < this.#bytes;
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
      this.#released = true;
    }
    await this.restore();
  }

  async release(): Promise<void> {
    this.#released = true;
    await removeIfThere(this.#path);
    await syncDirectory(this.#directory);
  }

  async restore(): Promise<boolean> {
    if (!this.#released) return true;
    const fresh = `${this.#path}.new`;
    try {
      await writeFilled(fresh, this.#bytes, this.#bytes);
      await Deno.rename(fresh, this.#path);
      await syncDirectory(this.#directory);
      this.#released = false;
      return true;
    } catch (error) {
      await removeIfThere(fresh);
      if (storageError(error, "make the reserve") instanceof StorageFull) return false;
      throw error;
    }
  }
}

/** Makes a file of `bytes`, provided that there is room for `besides` more. */
async function writeFilled(path: string, bytes: number, besides: number): Promise<void> {
  const piece = new Uint8Array(Math.min(PIECE_BYTES, bytes + besides));
  for (let at = 0; at < piece.length; at += RANDOM_BYTES_MAX) {
    crypto.getRandomValues(piece.subarray(at, at + RANDOM_BYTES_MAX));
  }
  const file = await Deno.open(path, { create: true, write: true, truncate: true });
  try {
    for (let left = bytes + besides; left > 0;) {
      left -= await file.write(piece.subarray(0, Math.min(left, piece.length)));
    }
    await file.truncate(bytes);
    await file.sync();
  } finally {
    file.close();
  }
}

async function removeIfThere(path: string): Promise<void> {
  try {
    await Deno.remove(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
