/**
 * The binary form of what a snapshot says of itself, one for disk and wire.
 *
 * It is: u8 version, the id in 8 bytes, u48 index, u48 term, u48 time in ms, u32 number of chunks, u48
 * bytes of all chunks, then the configuration to the end; big-endian, no padding. Each description has
 * exactly one encoding, and anything else is refused.
 *
 * Not here: the chunks themselves, and a checksum, which is the disk's and the wire's business.
 *
 * @module
 */
import { decodeConfiguration, encodeConfiguration } from "./configuration_codec.ts";
import { getUint48, setUint48 } from "./entry_codec.ts";
import { type LogIndex, NUMBER_MAX, type SnapshotInfo, type Term } from "./types.ts";
import { SNAPSHOT_ID } from "./validate.ts";

/** Raised when the form changes. */
const VERSION = 1;
/** Bytes before the configuration. */
const HEADER_BYTES = 37;
const ID_BYTES = 8;
const CHUNKS_MAX = 2 ** 32 - 1;

/**
 * Encodes a description.
 *
 * @throws {RangeError} if one of its fields is not what {@linkcode SnapshotInfo} says.
 */
export function encodeSnapshotInfo(info: SnapshotInfo): Uint8Array<ArrayBuffer> {
  const { meta, id, chunks, bytes } = info;
  if (!SNAPSHOT_ID.test(id)) throw new RangeError(`Cannot encode snapshot: bad id "${id}"`);
  assertWithin("index", meta.index, 1, NUMBER_MAX);
  assertWithin("term", meta.term, 0, NUMBER_MAX);
  assertWithin("time", meta.timeMs, 0, NUMBER_MAX);
  assertWithin("number of chunks", chunks, 1, CHUNKS_MAX);
  assertWithin("number of bytes", bytes, 0, NUMBER_MAX);
  const configuration = encodeConfiguration(meta.configuration);
  const encoded = new Uint8Array(HEADER_BYTES + configuration.length);
  const view = new DataView(encoded.buffer);
  view.setUint8(0, VERSION);
  for (let i = 0; i < ID_BYTES; i += 1) {
    view.setUint8(1 + i, parseInt(id.slice(2 * i, 2 * i + 2), 16));
  }
  setUint48(view, 9, meta.index);
  setUint48(view, 15, meta.term);
  setUint48(view, 21, meta.timeMs);
  view.setUint32(27, chunks);
  setUint48(view, 31, bytes);
  encoded.set(configuration, HEADER_BYTES);
  return encoded;
}

/**
 * Decodes what {@linkcode encodeSnapshotInfo} made. The result shares no memory with `encoded`.
 *
 * @throws {RangeError} if the bytes are anything else.
 */
export function decodeSnapshotInfo(encoded: Uint8Array): SnapshotInfo {
  if (encoded.length < HEADER_BYTES) {
    throw new RangeError(`Cannot decode snapshot: cut short at ${encoded.length} bytes`);
  }
  const view = new DataView(encoded.buffer, encoded.byteOffset, encoded.length);
  const version = view.getUint8(0);
  if (version !== VERSION) {
    throw new RangeError(`Cannot decode snapshot: version ${version}, not ${VERSION}`);
  }
  const index = getUint48(view, 9);
  const chunks = view.getUint32(27);
  if (index === 0) throw new RangeError("Cannot decode snapshot: it stands before the first entry");
  if (chunks === 0) throw new RangeError("Cannot decode snapshot: it has no chunk");
  return {
    meta: {
      index: index as LogIndex,
      term: getUint48(view, 15) as Term,
      timeMs: getUint48(view, 21),
      configuration: decodeConfiguration(encoded.subarray(HEADER_BYTES)),
    },
    id: idAt(encoded, 1),
    chunks,
    bytes: getUint48(view, 31),
  };
}

function idAt(encoded: Uint8Array, at: number): string {
  let id = "";
  for (let i = 0; i < ID_BYTES; i += 1) id += encoded[at + i].toString(16).padStart(2, "0");
  return id;
}

function assertWithin(what: string, value: number, min: number, max: number): void {
  if (value >= min && value <= max && Math.floor(value) === value) return;
  throw new RangeError(`Cannot encode snapshot: ${what} ${value} is not from ${min} to ${max}`);
}
