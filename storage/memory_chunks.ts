/**
 * The file of the snapshots' chunks in the in-memory twin: values by serial number, and the note of
 * what is on its way in.
 *
 * @module
 */
import type { FoundSnapshots, StoredSnapshot } from "./snapshot_place.ts";

/** Chunks, as encodeChunk() makes them (chunk_codec.ts). */
export class MemoryChunks {
  /** What is on its way in. */
  incoming: StoredSnapshot | null = null;
  readonly #values = new Map<number, Uint8Array[]>();
  /** Serial numbers that a damaged log has no use for. */
  #kept: readonly number[] = [];
  #bytes = 0;
  #serialMax = 0;
  #corruptsNext = false;

  /** Of all chunks, headers included. */
  get bytes(): number {
    return this.#bytes;
  }

  /** The latest serial number that was ever used. */
  get serialMax(): number {
    return this.#serialMax;
  }

  /** Of so many snapshots there are chunks. */
  get snapshots(): number {
    return this.#values.size;
  }

  put(serial: number, chunk: number, value: Uint8Array): void {
    this.#serialMax = Math.max(this.#serialMax, serial);
    const values = this.#values.get(serial) ?? [];
    this.#values.set(serial, values);
    this.#bytes += value.length - (values[chunk]?.length ?? 0);
    values[chunk] = value;
    if (this.#corruptsNext && serial === this.incoming?.serial) {
      this.#corruptsNext = false;
      values[chunk] = value.slice();
      this.corrupt(serial, chunk);
    }
  }

  get(serial: number, chunk: number): Uint8Array | null {
    return this.#values.get(serial)?.[chunk] ?? null;
  }

  last(serial: number): { readonly chunk: number; readonly value: Uint8Array } | null {
    const values = this.#values.get(serial) ?? [];
    return values.length === 0 ? null : { chunk: values.length - 1, value: values.at(-1)! };
  }

  delete(serial: number): void {
    // Chunks that failed leave holes, which forEach passes over.
    this.#values.get(serial)?.forEach((value) => this.#bytes -= value.length);
    this.#values.delete(serial);
  }

  /** Deletes everything, as the loss of the file does. */
  lose(): void {
    for (const serial of [...this.#values.keys()]) this.delete(serial);
    this.incoming = null;
    this.#serialMax = 0;
  }

  /**
   * What an opening finds, once garbage is deleted: all that is neither current nor on its way in. What
   * was there at a quarantine, up to `keptMax`, is neither garbage nor to be found. Of a damaged log nothing
   * is garbage before `repaired`.
   */
  open(current: StoredSnapshot | null, keptMax: number, isDamaged: boolean): FoundSnapshots {
    const incoming = this.incoming;
    const isWanted = incoming !== null && incoming.serial > keptMax &&
      incoming.info.meta.index > (current?.info.meta.index ?? 0);
    const found = isWanted ? incoming : null;
    this.#kept = [...this.#values.keys()]
      .filter((serial) => serial !== current?.serial && serial !== found?.serial);
    if (!isDamaged) this.repaired();
    this.#serialMax = Math.max(this.#serialMax, current?.serial ?? 0, incoming?.serial ?? 0);
    return { current, incoming: found, nextSerial: this.#serialMax + 1 };
  }

  /** Deletes what a damaged log kept. */
  repaired(): void {
    for (const serial of this.#kept) this.delete(serial);
    this.#kept = [];
  }

  /** A copy of the whole file. */
  image(): MemoryChunks {
    const copy = new MemoryChunks();
    copy.incoming = this.incoming;
    copy.#bytes = this.#bytes;
    copy.#serialMax = this.#serialMax;
    for (const [serial, values] of this.#values) {
      copy.#values.set(serial, values.map((value) => value.slice()));
    }
    return copy;
  }

  /** Flips a bit in the next chunk of a snapshot that comes in, once it is here. */
  corruptNext(): void {
    this.#corruptsNext = true;
  }

  /** Flips a bit in a chunk. @throws {RangeError} if it is not there. */
  corrupt(serial: number, chunk: number): void {
    const value = this.get(serial, chunk);
    if (value === null) throw new RangeError(`Cannot corrupt chunk ${chunk}: it is not there`);
    value[value.length - 1] ^= 1;
  }
}
