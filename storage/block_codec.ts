/**
 * Blocks: runs of consecutive entries, as Deno KV values.
 *
 * A block is a header and the encoded entries (raft/entry_codec.ts). It is cut into parts of at most
 * one value each; all but those of a single large entry have one part. The header, big-endian:
 *
 * | bytes | what |
 * |---|---|
 * | 1 | version, 1 |
 * | 2 | parts |
 * | 6 | index of the first entry |
 * | 4 | entries |
 * | 4 | bytes of encoded entries, all parts together |
 * | 8 | chain hash over the blocks before this one |
 * | 4 | CRC-32C of the header before this field and of the encoded entries |
 *
 * @module
 */
import { crc32c } from "../kv/crc32c.ts";
import { decodeEntries, getUint48, setUint48 } from "../raft/entry_codec.ts";
import { type Entry, logIndex, type Term } from "../raft/types.ts";
import { type Chain, CHAIN_START, chainAfter, sameChain } from "./chain.ts";
import { CorruptLog } from "./types.ts";

export const BLOCK_VERSION = 1;
export const BLOCK_HEADER_BYTES = 29;
const CRC_OFFSET = BLOCK_HEADER_BYTES - 4;

/** Where a log ends: its last entry and the chain over all of it. */
export interface LogEnd {
  readonly lastIndex: number;
  readonly lastTerm: Term;
  readonly chain: Chain;
}

/** The end of a log without entries. */
export const LOG_EMPTY: LogEnd = { lastIndex: 0, lastTerm: 0 as Term, chain: CHAIN_START };

/**
 * What the log of an epoch begins behind, if that is not what an earlier one ended at. The chain is the
 * epoch's own, so that no block of another fits behind it.
 */
export function epochBase(epoch: number, lastIndex: number, lastTerm: Term): LogEnd {
  return { lastIndex, lastTerm, chain: chainAfter(CHAIN_START, epoch, lastIndex, lastTerm) };
}

/** A block ready to be written. */
export interface EncodedBlock {
  readonly firstIndex: number;
  /** One value a part, at least one. */
  readonly parts: readonly Uint8Array[];
  /** Where the log ends once this block is its last. */
  readonly end: LogEnd;
}

/** A block read back. */
export interface DecodedBlock {
  readonly entries: readonly Entry[];
  /** The encoded entries. */
  readonly payload: Uint8Array;
  readonly end: LogEnd;
}

/**
 * Makes a block of `count` entries encoded as `payload`, to stand behind `before`. The payload is
 * copied once, into the values. `lastTerm` is the term of its last entry.
 */
export function encodeBlock(
  before: LogEnd,
  count: number,
  payload: Uint8Array,
  lastTerm: Term,
  partBytesMax: number,
): EncodedBlock {
  const firstIndex = before.lastIndex + 1;
  const partCount = Math.max(1, Math.ceil(payload.length / partBytesMax));
  const headBytes = Math.min(payload.length, partBytesMax);
  const head = new Uint8Array(BLOCK_HEADER_BYTES + headBytes);
  const view = new DataView(head.buffer);
  view.setUint8(0, BLOCK_VERSION);
  view.setUint16(1, partCount);
  setUint48(view, 3, firstIndex);
  view.setUint32(9, count);
  view.setUint32(13, payload.length);
  view.setUint32(17, before.chain.high);
  view.setUint32(21, before.chain.low);
  const crc = crc32c(payload, crc32c(head.subarray(0, CRC_OFFSET)));
  view.setUint32(CRC_OFFSET, crc);
  head.set(partCount === 1 ? payload : payload.subarray(0, headBytes), BLOCK_HEADER_BYTES);
  const parts: Uint8Array[] = [head];
  for (let at = headBytes; at < payload.length; at += partBytesMax) {
    parts.push(payload.subarray(at, at + partBytesMax));
  }
  const chain = chainAfter(before.chain, crc, firstIndex, count);
  return { firstIndex, parts, end: { lastIndex: before.lastIndex + count, lastTerm, chain } };
}

/**
 * The number of parts that a block's first value says it has.
 *
 * @throws {CorruptLog} if the value is no head of a block.
 */
export function blockParts(head: Uint8Array): number {
  if (head.length < BLOCK_HEADER_BYTES || head[0] !== BLOCK_VERSION) {
    throw new CorruptLog(`Cannot read block: no header in its ${head.length} bytes`);
  }
  const parts = head[1] << 8 | head[2];
  if (parts === 0) throw new CorruptLog("Cannot read block: it claims to have no parts");
  return parts;
}

/**
 * Reads the block that must stand behind `before`. The data of its entries are views into `parts`.
 *
 * @throws {CorruptLog} if the parts are not, bit for bit, what was written behind `before`.
 */
export function decodeBlock(before: LogEnd, parts: readonly Uint8Array[]): DecodedBlock {
  const head = parts[0];
  const firstIndex = before.lastIndex + 1;
  const partCount = blockParts(head);
  if (partCount !== parts.length) {
    throw damaged(firstIndex, `${parts.length} of its ${partCount} parts are there`);
  }
  const view = new DataView(head.buffer, head.byteOffset, head.length);
  const count = view.getUint32(9);
  const payloadBytes = view.getUint32(13);
  const payload = joinPayload(parts);
  if (payload.length !== payloadBytes) {
    throw damaged(firstIndex, `it has ${payload.length} bytes instead of ${payloadBytes}`);
  }
  const crc = crc32c(payload, crc32c(head.subarray(0, CRC_OFFSET)));
  if (crc !== view.getUint32(CRC_OFFSET)) {
    throw damaged(firstIndex, "its checksum does not fit its bytes");
  }
  const start = getUint48(view, 3);
  if (start !== firstIndex) throw damaged(firstIndex, `the block found begins at ${start}`);
  const chainBefore = { high: view.getUint32(17), low: view.getUint32(21) };
  if (!sameChain(chainBefore, before.chain)) {
    throw damaged(firstIndex, "it was written behind other blocks than those before it");
  }
  const entries = decodePayload(payload, count, firstIndex);
  const chain = chainAfter(before.chain, crc, firstIndex, count);
  const lastTerm = entries[entries.length - 1].term;
  return { entries, payload, end: { lastIndex: before.lastIndex + count, lastTerm, chain } };
}

function joinPayload(parts: readonly Uint8Array[]): Uint8Array {
  if (parts.length === 1) return parts[0].subarray(BLOCK_HEADER_BYTES);
  let size = -BLOCK_HEADER_BYTES;
  for (const part of parts) size += part.length;
  const payload = new Uint8Array(size);
  let at = 0;
  for (let i = 0; i < parts.length; i++) {
    const piece = i === 0 ? parts[0].subarray(BLOCK_HEADER_BYTES) : parts[i];
    payload.set(piece, at);
    at += piece.length;
  }
  return payload;
}

function decodePayload(payload: Uint8Array, count: number, firstIndex: number): readonly Entry[] {
  if (count === 0) throw damaged(firstIndex, "it claims to have no entries");
  try {
    return decodeEntries(payload, count, logIndex(firstIndex));
  } catch (cause) {
    throw new CorruptLog(`Cannot read block at index ${firstIndex}: its entries`, { cause });
  }
}

function damaged(firstIndex: number, why: string): CorruptLog {
  return new CorruptLog(`Cannot read block at index ${firstIndex}: ${why}`);
}
