/**
 * The binary form of entries, one for disk and wire, so that an entry is encoded once.
 *
 * An entry is: u8 kind, u48 term, u48 time in ms, u32 length of data, data; big-endian, no padding.
 * The index is not written: a run of entries is consecutive and its frame says where it starts.
 *
 * @module
 */
import { type Entry, EntryKind, type LogIndex, type Term } from "./types.ts";

/** Bytes of an entry before its data. */
export const ENTRY_HEADER_BYTES = 17;

/** The encoded size of one entry, in bytes. */
export function entryBytes(entry: Entry): number {
  return ENTRY_HEADER_BYTES + entry.data.length;
}

const encoded = new WeakMap<readonly Entry[], Uint8Array>();

/**
 * Encodes consecutive entries. Remembered per array, so that the disk and every peer share the
 * bytes: callers must change neither the array nor the result.
 */
export function encodeEntries(entries: readonly Entry[]): Uint8Array {
  const known = encoded.get(entries);
  if (known !== undefined) return known;
  let size = 0;
  for (const entry of entries) size += ENTRY_HEADER_BYTES + entry.data.length;
  const bytes = new Uint8Array(size);
  const view = new DataView(bytes.buffer);
  let at = 0;
  for (const entry of entries) {
    view.setUint8(at, entry.kind);
    setUint48(view, at + 1, entry.term);
    setUint48(view, at + 7, entry.timeMs);
    view.setUint32(at + 13, entry.data.length);
    bytes.set(entry.data, at + ENTRY_HEADER_BYTES);
    at += ENTRY_HEADER_BYTES + entry.data.length;
  }
  encoded.set(entries, bytes);
  return bytes;
}

/**
 * Decodes exactly `count` entries from the whole of `bytes`; `data` are views into it. The bytes are
 * remembered as the encoding of the result, so that a follower writes what it received.
 *
 * @throws {RangeError} if the bytes are not exactly that.
 */
export function decodeEntries(bytes: Uint8Array, count: number, firstIndex: LogIndex): Entry[] {
  if (count * ENTRY_HEADER_BYTES > bytes.length) {
    throw new RangeError(`Cannot decode entries: ${count} do not fit into ${bytes.length} bytes`);
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const entries: Entry[] = [];
  let at = 0;
  for (let i = 0; i < count; i++) {
    if (at + ENTRY_HEADER_BYTES > bytes.length) throw cutShort(at, bytes.length);
    const kind = view.getUint8(at);
    if (kind > EntryKind.Configuration) {
      throw new RangeError(`Cannot decode entry: unknown kind ${kind}`);
    }
    const start = at + ENTRY_HEADER_BYTES;
    const end = start + view.getUint32(at + 13);
    if (end > bytes.length) throw cutShort(at, bytes.length);
    entries.push({
      term: getUint48(view, at + 1) as Term,
      index: firstIndex + i as LogIndex,
      timeMs: getUint48(view, at + 7),
      kind: kind as EntryKind,
      data: new Uint8Array(bytes.buffer, bytes.byteOffset + start, end - start),
    });
    at = end;
  }
  if (at !== bytes.length) {
    throw new RangeError(
      `Cannot decode entries: ${bytes.length - at} bytes left after the last one`,
    );
  }
  encoded.set(entries, bytes);
  return entries;
}

function cutShort(at: number, size: number): RangeError {
  return new RangeError(`Cannot decode entry: cut short at byte ${at} of ${size}`);
}

/** Writes an unsigned 48-bit integer, big-endian, at `at` of the view. */
export function setUint48(view: DataView, at: number, value: number): void {
  view.setUint16(at, Math.floor(value / 2 ** 32));
  view.setUint32(at + 2, value >>> 0);
}

/** Reads an unsigned 48-bit integer, big-endian, at `at` of the view. */
export function getUint48(view: DataView, at: number): number {
  return view.getUint16(at) * 2 ** 32 + view.getUint32(at + 2);
}
