/**
 * The form of a backup: one file with the whole state of a cluster at one index, whatever the version of
 * Deno, of the storage and of the log.
 *
 * The file: the magic "KVBK", u16 format version, then frames, each u8 kind, u32 length of its payload,
 * u32 CRC-32C, payload; big-endian. The CRC is of the magic and version, of all frames before (kind,
 * length and payload), and of this frame up to its end: a frame that was changed, lost, doubled or moved
 * shows where it is met. The frames:
 *
 * - header, once: u16 length and UTF-8 each of the cluster id and of what created it, u48 index, u48 term,
 *   u48 time in ms, 16 bytes of state hash;
 * - chunk: the chunks of a snapshot (snapshot_format.ts), in order, at least one;
 * - end, once: u48 count of chunks and u48 bytes of them, together.
 *
 * Members are not in it: a backup founds a new cluster, with members of its own. Whether the chunks make
 * up a state, and one with that hash, is for SnapshotReader to say.
 *
 * @module
 */
import { ByteReader, putBytes, putUint16, putUint32, putUint48, uint32At } from "./byte_codec.ts";
import { crc32c } from "./crc32c.ts";
import { HASH_BYTES } from "./snapshot_format.ts";

/** The media type of a backup over HTTP. */
export const BACKUP_MEDIA_TYPE = "application/vnd.kvorum.backup";
export const BACKUP_VERSION = 1;
/** Bytes of a chunk in a backup; what is written stays far below. */
export const BACKUP_CHUNK_BYTES_MAX = 1024 * 1024;
/** Bytes of a header without its texts. */
const HEADER_FIXED_BYTES = 38;
/** Bytes of each text of a header. */
export const BACKUP_TEXT_BYTES_MAX = 1024;

/** "KVBK". */
const MAGIC = Uint8Array.of(0x4b, 0x56, 0x42, 0x4b);
const PREFIX_BYTES = 6;
const VERSION_AT = 4;
/** Kind, length and CRC. */
const FRAME_HEADER_BYTES = 9;
const CRC_AT = 5;
const END_BYTES = 12;

const FrameKind = { Header: 1, Chunk: 2, End: 3 } as const;
type FrameKind = typeof FrameKind[keyof typeof FrameKind];

/** What a backup says of itself. */
export interface BackupHeader {
  /** Of the cluster that it was made of. */
  readonly clusterId: string;
  /** The last log entry that the state has applied, and its term. */
  readonly index: number;
  readonly term: number;
  /** Replicated time of the state, in ms. */
  readonly timeMs: number;
  /** 32 hex digits. */
  readonly stateHash: string;
  /** Name and version of the program that made it; for people. */
  readonly createdBy: string;
}

/** The bytes are not a backup, not a whole one, or not what was written. */
export class MalformedBackup extends Error {
  override readonly name = "MalformedBackup";
}

/** A backup, but of a version of the form that this program does not read. */
export class UnsupportedBackup extends Error {
  override readonly name = "UnsupportedBackup";
}

const utf8Encoder = new TextEncoder();

/**
 * Encodes a backup, a frame at a time, from the chunks of a snapshot of the state that the header tells of.
 *
 * @throws {RangeError} if a text of the header or a chunk is longer than a reader would take.
 */
export function* encodeBackup(
  header: BackupHeader,
  chunks: Iterable<Uint8Array>,
): Generator<Uint8Array<ArrayBuffer>, void> {
  const prefix = new Uint8Array(PREFIX_BYTES);
  putUint16(prefix, putBytes(prefix, 0, MAGIC), BACKUP_VERSION);
  const frames = new FrameWriter(prefix);
  yield prefix;
  yield frames.frame(FrameKind.Header, encodeHeader(header));
  let count = 0;
  let bytes = 0;
  for (const chunk of chunks) {
    if (chunk.length > BACKUP_CHUNK_BYTES_MAX) {
      throw new RangeError(`Cannot write a backup: a chunk has ${chunk.length} bytes`);
    }
    count++;
    bytes += chunk.length;
    yield frames.frame(FrameKind.Chunk, chunk);
  }
  const end = new Uint8Array(END_BYTES);
  putUint48(end, putUint48(end, 0, count), bytes);
  yield frames.frame(FrameKind.End, end);
}

/** Makes frames, each with the CRC of all up to its end. */
class FrameWriter {
  #crc: number;

  constructor(prefix: Uint8Array) {
    this.#crc = crc32c(prefix);
  }

  frame(kind: FrameKind, payload: Uint8Array): Uint8Array<ArrayBuffer> {
    const frame = new Uint8Array(FRAME_HEADER_BYTES + payload.length);
    frame[0] = kind;
    putUint32(frame, 1, payload.length);
    this.#crc = crcOfFrame(frame.subarray(0, CRC_AT), payload, this.#crc);
    putBytes(frame, putUint32(frame, CRC_AT, this.#crc), payload);
    return frame;
  }
}

function crcOfFrame(kindAndLength: Uint8Array, payload: Uint8Array, before: number): number {
  return crc32c(payload, crc32c(kindAndLength, before));
}

function encodeHeader(header: BackupHeader): Uint8Array {
  const clusterId = encodeText(header.clusterId);
  const createdBy = encodeText(header.createdBy);
  const bytes = new Uint8Array(HEADER_FIXED_BYTES + clusterId.length + createdBy.length);
  let at = putBytes(bytes, putUint16(bytes, 0, clusterId.length), clusterId);
  at = putBytes(bytes, putUint16(bytes, at, createdBy.length), createdBy);
  at = putUint48(bytes, at, header.index);
  at = putUint48(bytes, at, header.term);
  at = putUint48(bytes, at, header.timeMs);
  putBytes(bytes, at, Uint8Array.fromHex(header.stateHash));
  return bytes;
}

function encodeText(text: string): Uint8Array {
  const bytes = utf8Encoder.encode(text);
  if (bytes.length > BACKUP_TEXT_BYTES_MAX) {
    throw new RangeError(`Cannot write a backup: a text of its header has ${bytes.length} bytes`);
  }
  return bytes;
}

/**
 * Reads a backup as it comes, in pieces of any size: `push` every piece, then `finish`. After an exception
 * it is of no use any more.
 */
export class BackupReader {
  #header: BackupHeader | null = null;
  /** The beginning of a frame whose rest is to come. */
  #held: Uint8Array[] = [];
  #heldBytes = 0;
  /** Bytes to have before it is worth looking again. */
  #neededBytes = PREFIX_BYTES;
  #prefixRead = false;
  #crc = 0;
  #chunks = 0;
  #chunkBytes = 0;
  #ended = false;
  #failed = false;

  /** Null until it has been read. */
  get header(): BackupHeader | null {
    return this.#header;
  }

  /**
   * Takes the next piece of the file; gives the chunks that are whole now, their checksums verified. The
   * caller owns them; the reader keeps nothing of the piece.
   *
   * @throws {MalformedBackup} @throws {UnsupportedBackup}
   */
  push(piece: Uint8Array): Uint8Array<ArrayBuffer>[] {
    if (this.#failed) throw malformed("an earlier piece was malformed");
    this.#held.push(piece.slice());
    this.#heldBytes += piece.length;
    if (this.#heldBytes < this.#neededBytes) return [];
    const bytes = joined(this.#held, this.#heldBytes);
    this.#failed = true;
    const chunks: Uint8Array<ArrayBuffer>[] = [];
    const rest = this.#take(bytes, chunks);
    this.#failed = false;
    this.#held = [rest];
    this.#heldBytes = rest.length;
    return chunks;
  }

  /**
   * Confirms that the whole file was read; gives how many chunks and bytes of them there were.
   *
   * @throws {MalformedBackup} if it is cut short.
   */
  finish(): { readonly chunks: number; readonly bytes: number } {
    if (this.#failed || !this.#ended) throw malformed("it is cut short");
    return { chunks: this.#chunks, bytes: this.#chunkBytes };
  }

  /** Reads all whole frames, and gives what is left. */
  #take(bytes: Uint8Array, chunks: Uint8Array<ArrayBuffer>[]): Uint8Array {
    let at = 0;
    if (!this.#prefixRead) {
      checkPrefix(bytes);
      this.#prefixRead = true;
      this.#crc = crc32c(bytes.subarray(0, PREFIX_BYTES));
      at = PREFIX_BYTES;
    }
    this.#neededBytes = FRAME_HEADER_BYTES;
    while (!this.#ended && bytes.length - at >= FRAME_HEADER_BYTES) {
      const kind = this.#expectKind(bytes[at]!);
      const size = uint32At(bytes, at + 1);
      if (size > BACKUP_CHUNK_BYTES_MAX) throw malformed(`a frame of ${size} bytes`);
      const start = at + FRAME_HEADER_BYTES;
      if (bytes.length - start < size) {
        this.#neededBytes = FRAME_HEADER_BYTES + size;
        break;
      }
      const payload = bytes.subarray(start, start + size);
      this.#crc = crcOfFrame(bytes.subarray(at, at + CRC_AT), payload, this.#crc);
      if (this.#crc !== uint32At(bytes, at + CRC_AT)) throw malformed("a checksum does not fit");
      this.#readFrame(kind, payload, chunks);
      at = start + size;
    }
    if (this.#ended) {
      if (at < bytes.length) throw malformed("bytes are left after its end");
      this.#neededBytes = 1;
    }
    return bytes.subarray(at);
  }

  /** The kind of the next frame; chunks and the end follow the header, and the end at least one chunk. */
  #expectKind(kind: number): FrameKind {
    const fits = this.#header === null
      ? kind === FrameKind.Header
      : kind === FrameKind.Chunk || kind === FrameKind.End && this.#chunks > 0;
    if (!fits) throw malformed(`a frame of kind ${kind} where none belongs`);
    return kind as FrameKind;
  }

  #readFrame(kind: FrameKind, payload: Uint8Array, chunks: Uint8Array<ArrayBuffer>[]): void {
    switch (kind) {
      case FrameKind.Header:
        this.#header = new HeaderReader(payload).header();
        return;
      case FrameKind.Chunk:
        this.#chunks++;
        this.#chunkBytes += payload.length;
        chunks.push(payload.slice() as Uint8Array<ArrayBuffer>);
        return;
      case FrameKind.End:
        new EndReader(payload).expect(this.#chunks, this.#chunkBytes);
        this.#ended = true;
    }
  }
}

function checkPrefix(bytes: Uint8Array): void {
  if (MAGIC.some((byte, i) => bytes[i] !== byte)) throw malformed("it does not begin like one");
  const version = bytes[VERSION_AT]! << 8 | bytes[VERSION_AT + 1]!;
  if (version !== BACKUP_VERSION) {
    throw new UnsupportedBackup(
      `Cannot read backup: its format has version ${version}, this program reads ${BACKUP_VERSION}`,
    );
  }
}

function joined(pieces: readonly Uint8Array[], size: number): Uint8Array {
  if (pieces.length === 1) return pieces[0]!;
  const bytes = new Uint8Array(size);
  pieces.reduce((at, piece) => putBytes(bytes, at, piece), 0);
  return bytes;
}

function malformed(why: string): MalformedBackup {
  return new MalformedBackup(`Cannot read backup: ${why}`);
}

abstract class PayloadReader extends ByteReader {
  protected override malformed(why: string): MalformedBackup {
    return malformed(`in a frame, ${why}`);
  }
}

class HeaderReader extends PayloadReader {
  header(): BackupHeader {
    const clusterId = this.#text();
    const createdBy = this.#text();
    const index = this.uint48();
    const term = this.uint48();
    const timeMs = this.uint48();
    const stateHash = this.view(HASH_BYTES).toHex();
    this.expectEnd();
    return { clusterId, index, term, timeMs, stateHash, createdBy };
  }

  #text(): string {
    const size = this.uint16();
    if (size > BACKUP_TEXT_BYTES_MAX) throw this.malformed(`a text has ${size} bytes`);
    const text = this.utf8(size);
    if (text === undefined) throw this.malformed("a text is not UTF-8");
    return text;
  }
}

class EndReader extends PayloadReader {
  expect(chunks: number, bytes: number): void {
    const [declaredChunks, declaredBytes] = [this.uint48(), this.uint48()];
    this.expectEnd();
    if (declaredChunks !== chunks || declaredBytes !== bytes) {
      throw malformed(
        `${chunks} chunks of ${bytes} bytes, not ${declaredChunks} of ${declaredBytes}`,
      );
    }
  }
}
