/**
 * The chunks of snapshots in their own Deno KV database, beside that of the log, so that writing them
 * does not queue before commits. It has a fence of its own, which each opening of the log takes after
 * that of the log: whoever finds a later one there has been overtaken.
 *
 * Not here: which of them make a snapshot (snapshots.ts), and which is current (the log's database says).
 *
 * @module
 */
import { ATOMIC_MUTATIONS_MAX, FENCE_ATTEMPTS_MAX } from "./limits.ts";
import { storageError, whileBusy } from "./kv_error.ts";
import { isWhole, type LogKeys } from "./log_keys.ts";
import { decodeBoot, encodeBoot } from "./record_codec.ts";
import { bytesOf, fenced } from "./fence.ts";
import type { StoredSnapshot } from "./snapshot_place.ts";
import { decodeStored, encodeStored } from "./snapshot_record.ts";
import { CorruptLog, CorruptSnapshot } from "./types.ts";

/** The chunks that there are of one serial number: from 0, but for those that are lost. */
export interface StoredChunks {
  readonly serial: number;
  readonly chunks: number;
}

/** The boot number that the chunks were last opened under; 0 if never. */
export async function chunkBoot(kv: Deno.Kv, keys: LogKeys): Promise<number> {
  const { value } = await kv.get(keys.chunkBoot);
  return value === null ? 0 : decodeBoot(bytesOf(value, "boot number of the chunks"));
}

/** The chunks of one replica, under the fence of one opening. */
export class ChunkFile {
  readonly #kv: Deno.Kv;
  readonly #keys: LogKeys;
  readonly #boot: number;
  readonly #versionstamp: string;

  private constructor(kv: Deno.Kv, keys: LogKeys, boot: number, versionstamp: string) {
    this.#kv = kv;
    this.#keys = keys;
    this.#boot = boot;
    this.#versionstamp = versionstamp;
  }

  /**
   * Takes the fence.
   *
   * @throws {Fenced} if a later opening has taken it already.
   */
  static async take(kv: Deno.Kv, keys: LogKeys, boot: number): Promise<ChunkFile> {
    for (let attempt = 0; attempt < FENCE_ATTEMPTS_MAX; attempt++) {
      const entry = await kv.get(keys.chunkBoot);
      const before = entry.value === null ? 0 : decodeBoot(bytesOf(entry.value, "boot number"));
      if (before > boot) throw fenced(boot);
      const result = await kv.atomic().check(entry).set(keys.chunkBoot, encodeBoot(boot)).commit();
      if (result.ok) return new ChunkFile(kv, keys, boot, result.versionstamp);
    }
    throw fenced(boot);
  }

  put(serial: number, chunk: number, value: Uint8Array): Promise<void> {
    return this.#commit((atomic) => atomic.set(this.#keys.chunk(serial, chunk), value));
  }

  /** @throws {CorruptSnapshot} if it cannot be read for a defect of the database. */
  async get(serial: number, chunk: number): Promise<Uint8Array | null> {
    const { value } = await this.#read(() => this.#kv.get(this.#keys.chunk(serial, chunk)));
    return value === null ? null : bytesOf(value, `chunk ${chunk}`);
  }

  /** @throws {CorruptSnapshot} as `get`. */
  last(serial: number): Promise<{ readonly chunk: number; readonly value: Uint8Array } | null> {
    return this.#read(async () => {
      const selector = { prefix: this.#keys.chunksOf(serial) };
      for await (const { key, value } of this.#kv.list(selector, { reverse: true, limit: 1 })) {
        return { chunk: numberAt(key, 4), value: bytesOf(value, "last chunk") };
      }
      return null;
    });
  }

  /** What there is, by serial number. Reads one or two chunks of each. */
  async stored(): Promise<StoredChunks[]> {
    const found: StoredChunks[] = [];
    for (let from = 0;;) {
      let serial: number | null = null;
      const selector = { prefix: this.#keys.chunks, start: this.#keys.chunksOf(from) };
      for await (const { key } of this.#kv.list(selector, { limit: 1 })) serial = numberAt(key, 3);
      if (serial === null) return found;
      const last = await this.last(serial);
      found.push({ serial, chunks: (last?.chunk ?? -1) + 1 });
      from = serial + 1;
    }
  }

  async incoming(): Promise<StoredSnapshot | null> {
    const { value } = await this.#kv.get(this.#keys.incoming);
    return value === null ? null : decodeStored(bytesOf(value, "record of a snapshot"));
  }

  setIncoming(stored: StoredSnapshot | null): Promise<void> {
    const { incoming } = this.#keys;
    return this.#commit((atomic) =>
      stored === null ? atomic.delete(incoming) : atomic.set(incoming, encodeStored(stored))
    );
  }

  /** Deletes values by their keys, at most as many as one atomic takes. */
  delete(keys: readonly Deno.KvKey[]): Promise<void> {
    if (keys.length > ATOMIC_MUTATIONS_MAX) throw new RangeError(`Cannot delete ${keys.length}`);
    return this.#commit((atomic) => {
      for (const key of keys) atomic.delete(key);
    });
  }

  async #commit(fill: (atomic: Deno.AtomicOperation) => void): Promise<void> {
    const fence = { key: this.#keys.chunkBoot, versionstamp: this.#versionstamp };
    const atomic = this.#kv.atomic().check(fence);
    fill(atomic);
    try {
      const result = await whileBusy(() => atomic.commit());
      if (!result.ok) throw fenced(this.#boot);
    } catch (error) {
      throw storageError(error, "write a snapshot");
    }
  }

  async #read<T>(act: () => Promise<T>): Promise<T> {
    try {
      return await whileBusy(act);
    } catch (error) {
      const known = storageError(error, "read a snapshot");
      if (!(known instanceof CorruptLog)) throw known;
      throw new CorruptSnapshot(known.message, { cause: error });
    }
  }
}

function numberAt(key: Deno.KvKey, at: number): number {
  const part = key[at];
  if (key.length === 5 && isWhole(part)) return part;
  throw new CorruptLog("Cannot read snapshots: a key among their chunks is none");
}
