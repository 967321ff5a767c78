/**
 * Chunks of snapshots as they are stored, and the id that a snapshot gets from them.
 *
 * A value is a header and the chunk. The header, big-endian:
 *
 * | bytes | what |
 * |---|---|
 * | 1 | version, 1 |
 * | 6 | serial number of the snapshot in this directory |
 * | 4 | number of the chunk, from 0 |
 * | 6 | bytes of the chunks before it |
 * | 8 | chain hash over the chunks before it |
 * | 4 | CRC-32C of the header before this field and of the chunk |
 *
 * So that whoever holds the last chunk knows how far it got without reading the others, and a chunk in
 * the wrong place is as visible as a flipped bit.
 *
 * @module
 */
import { crc32c } from "../kv/crc32c.ts";
import { getUint48, setUint48 } from "../raft/entry_codec.ts";
import type { SnapshotInfo } from "../raft/types.ts";
import { type Chain, CHAIN_START, chainAfter, chainText } from "./chain.ts";
import { SNAPSHOT_CHUNK_BYTES_MAX } from "./limits.ts";
import { CorruptSnapshot } from "./types.ts";

const CHUNK_VERSION = 1;
export const CHUNK_HEADER_BYTES = 29;
const CRC_OFFSET = CHUNK_HEADER_BYTES - 4;

/** How far a run of chunks got. */
export interface ChunkEnd {
  readonly chunks: number;
  readonly bytes: number;
  readonly chain: Chain;
}

export const CHUNKS_NONE: ChunkEnd = { chunks: 0, bytes: 0, chain: CHAIN_START };

/** A chunk read back, and where the run of chunks stands behind it. */
export interface DecodedChunk {
  /** A view into the value. */
  readonly data: Uint8Array;
  readonly end: ChunkEnd;
}

/** The id of a snapshot that ends there: 16 hex digits. */
export function snapshotId(end: ChunkEnd): string {
  return chainText(end.chain);
}

/** Where a run of chunks stands behind `before` and this chunk. */
export function endAfter(before: ChunkEnd, data: Uint8Array): ChunkEnd {
  const { chunks, bytes, chain } = before;
  return {
    chunks: chunks + 1,
    bytes: bytes + data.length,
    chain: chainAfter(chain, crc32c(data), chunks, data.length),
  };
}

/** The value of the chunk that follows `before` in the snapshot of this serial number. */
export function encodeChunk(
  serial: number,
  before: ChunkEnd,
  data: Uint8Array,
): Uint8Array<ArrayBuffer> {
  const value = new Uint8Array(CHUNK_HEADER_BYTES + data.length);
  const view = new DataView(value.buffer);
  view.setUint8(0, CHUNK_VERSION);
  setUint48(view, 1, serial);
  view.setUint32(7, before.chunks);
  setUint48(view, 11, before.bytes);
  view.setUint32(17, before.chain.high);
  view.setUint32(21, before.chain.low);
  view.setUint32(CRC_OFFSET, crc32c(data, crc32c(value.subarray(0, CRC_OFFSET))));
  value.set(data, CHUNK_HEADER_BYTES);
  return value;
}

/**
 * Reads the value of chunk number `chunk`.
 *
 * @throws {CorruptSnapshot} if it is not, bit for bit, what was written there.
 */
export function decodeChunk(value: Uint8Array, serial: number, chunk: number): DecodedChunk {
  if (value.length < CHUNK_HEADER_BYTES || value[0] !== CHUNK_VERSION) {
    throw corrupt(chunk, `no header in its ${value.length} bytes`);
  }
  const view = new DataView(value.buffer, value.byteOffset, value.length);
  const data = value.subarray(CHUNK_HEADER_BYTES);
  if (crc32c(data, crc32c(value.subarray(0, CRC_OFFSET))) !== view.getUint32(CRC_OFFSET)) {
    throw corrupt(chunk, "its checksum does not fit its bytes");
  }
  const [foundSerial, found] = [getUint48(view, 1), view.getUint32(7)];
  if (foundSerial !== serial || found !== chunk) {
    throw corrupt(chunk, `it is chunk ${found} of number ${foundSerial}, not of ${serial}`);
  }
  const chain = { high: view.getUint32(17), low: view.getUint32(21) };
  return { data, end: endAfter({ chunks: chunk, bytes: getUint48(view, 11), chain }, data) };
}

/** Whether the chunks up to there are all that the description says. */
export function fitsInfo(end: ChunkEnd, info: SnapshotInfo): boolean {
  return end.chunks === info.chunks && end.bytes === info.bytes && snapshotId(end) === info.id;
}

/** @throws {RangeError} if the chunk is empty or too large. */
export function assertChunkSize(chunk: Uint8Array): void {
  if (chunk.length > 0 && chunk.length <= SNAPSHOT_CHUNK_BYTES_MAX) return;
  throw new RangeError(
    `Cannot keep chunk of ${chunk.length} bytes: not from 1 to ${SNAPSHOT_CHUNK_BYTES_MAX}`,
  );
}

function corrupt(chunk: number, why: string): CorruptSnapshot {
  return new CorruptSnapshot(`Cannot read chunk ${chunk} of the snapshot: ${why}`);
}
