/**
 * From a captured state to the chunks of a snapshot, one at a time (snapshot_format.ts has the form).
 * Between two chunks the caller may do whatever it likes, and the store go on.
 *
 * @module
 */
import { writeBinaryString } from "./binary_string.ts";
import { putBytes, putUint16, putUint32, putUint48 } from "./byte_codec.ts";
import { ChunkBuffer } from "./chunk_buffer.ts";
import type { StoredRecord } from "./engine.ts";
import type { Remembered } from "./idempotency.ts";
import type { SessionState } from "./sessions.ts";
import {
  ELEMENT_HEADER_BYTES,
  ElementKind,
  HASH_BYTES,
  RECORD_FIXED_BYTES,
  REFUSAL_CODES,
  RESULT_CODES,
  SNAPSHOT_MAGIC,
  SNAPSHOT_PREFIX_BYTES,
  SNAPSHOT_VERSION,
} from "./snapshot_format.ts";
import type { StoreCapture } from "./store.ts";
import type { ApplyResult, EncodedKey } from "./types.ts";

const utf8Encoder = new TextEncoder();

/**
 * Encodes a captured state. Every chunk but the last has exactly `chunkBytesMax` bytes, there is at
 * least one, and the caller owns them. States with one hash, of replicas of one version, give the same
 * chunks, however they came about.
 *
 * @param chunkBytesMax from 1.
 */
export function* encodeSnapshot(
  capture: StoreCapture,
  chunkBytesMax: number,
): Generator<Uint8Array<ArrayBuffer>, void> {
  const out = new ChunkBuffer(chunkBytesMax);
  const sessions = capture.sessions.toSorted((a, b) => a.activeMs - b.activeMs || a.id - b.id);
  let results = 0;
  let remembered = 0;
  putBegin(out, capture);
  for (const session of sessions) {
    putSession(out, session);
    for (const sequence of Float64Array.from(session.results.keys()).sort()) {
      putSessionResult(out, sequence, session.results.get(sequence)!);
      results++;
      while (out.full) yield out.take();
    }
  }
  for (const it of capture.remembered) {
    putRemembered(out, it);
    remembered++;
    while (out.full) yield out.take();
  }
  for (let from: EncodedKey | null = "" as EncodedKey; from !== null;) {
    from = putRecords(out, capture, from);
    while (out.full) yield out.take();
  }
  putEnd(out, capture, [sessions.length, results, remembered, capture.records.size]);
  while (!out.empty) yield out.take();
}

/** Writes the records from a key on until a chunk is full; gives the key to go on from, null at the end. */
function putRecords(out: ChunkBuffer, capture: StoreCapture, from: EncodedKey): EncodedKey | null {
  let next: EncodedKey | null = null;
  capture.records.scan(from, null, false, (record) => {
    putRecord(out, record);
    // The first key there can be behind this one.
    if (out.full) next = record.key + "\0" as EncodedKey;
    return !out.full;
  });
  return next;
}

function putBegin(out: ChunkBuffer, capture: StoreCapture): void {
  out.reserve(SNAPSHOT_PREFIX_BYTES);
  out.at = putUint16(
    out.bytes,
    putBytes(out.bytes, out.at, SNAPSHOT_MAGIC),
    SNAPSHOT_VERSION,
  );
  const at = putHeader(out, ElementKind.Begin, 12);
  putUint48(out.bytes, putUint48(out.bytes, at, capture.stateHash.index), capture.timeMs);
}

function putSession(out: ChunkBuffer, session: SessionState): void {
  let at = putHeader(out, ElementKind.Session, 18);
  at = putUint48(out.bytes, at, session.id);
  at = putUint48(out.bytes, at, session.lowWater);
  putUint48(out.bytes, at, session.activeMs);
}

function putSessionResult(out: ChunkBuffer, sequence: number, result: ApplyResult): void {
  const resultBytes = bytesOfResult(result);
  const at = putHeader(out, ElementKind.SessionResult, 6 + resultBytes.length);
  putBytes(out.bytes, putUint48(out.bytes, at, sequence), resultBytes);
}

function putRemembered(out: ChunkBuffer, remembered: Remembered): void {
  const { key, fingerprint, appliedMs, result } = remembered;
  const resultBytes = bytesOfResult(result);
  const size = 8 + HASH_BYTES + key.length + resultBytes.length;
  let at = putHeader(out, ElementKind.Remembered, size);
  at = putUint16(out.bytes, at, key.length);
  at = putUint48(out.bytes, at, appliedMs);
  at = writeBinaryString(out.bytes, at, fingerprint);
  at = writeBinaryString(out.bytes, at, key);
  putBytes(out.bytes, at, resultBytes);
}

function putRecord(out: ChunkBuffer, record: StoredRecord): void {
  const { key, value, versionstamp, expiresMs } = record;
  const size = RECORD_FIXED_BYTES + key.length + value.data.length;
  let at = putHeader(out, ElementKind.Record, size);
  out.bytes[at] = value.encoding;
  at = putUint16(out.bytes, at + 1, versionstamp.order);
  at = putUint48(out.bytes, at, versionstamp.index);
  at = putUint48(out.bytes, at, expiresMs);
  at = putUint16(out.bytes, at, key.length);
  at = writeBinaryString(out.bytes, at, key);
  putBytes(out.bytes, at, value.data);
}

function putEnd(out: ChunkBuffer, capture: StoreCapture, counts: readonly number[]): void {
  let at = putHeader(out, ElementKind.End, 6 + 6 * counts.length + HASH_BYTES);
  at = putUint48(out.bytes, at, capture.stateHash.index);
  for (const count of counts) at = putUint48(out.bytes, at, count);
  putBytes(out.bytes, at, Uint8Array.fromHex(capture.stateHash.hash));
}

/** Makes room for an element and writes its header; gives where its `size` bytes go. */
function putHeader(out: ChunkBuffer, kind: ElementKind, size: number): number {
  out.reserve(ELEMENT_HEADER_BYTES + size);
  const { bytes, at } = out;
  bytes[at] = kind;
  out.at += ELEMENT_HEADER_BYTES + size;
  return putUint32(bytes, at + 1, size);
}

function bytesOfResult(result: ApplyResult): Uint8Array {
  const code = RESULT_CODES[result.status];
  switch (result.status) {
    case "applied": {
      const bytes = new Uint8Array(9);
      bytes[0] = code;
      putUint16(bytes, putUint48(bytes, 1, result.versionstamp.index), result.versionstamp.order);
      return bytes;
    }
    case "check-failed": {
      const bytes = new Uint8Array(1 + 2 * result.failedChecks.length);
      bytes[0] = code;
      result.failedChecks.reduce((at, check) => putUint16(bytes, at, check), 1);
      return bytes;
    }
    case "refused": {
      const message = utf8Encoder.encode(result.message);
      const bytes = new Uint8Array(2 + message.length);
      bytes[0] = code;
      bytes[1] = REFUSAL_CODES.indexOf(result.code);
      bytes.set(message, 2);
      return bytes;
    }
    default:
      return Uint8Array.of(code);
  }
}
