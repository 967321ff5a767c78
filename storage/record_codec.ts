/**
 * The small records beside the log, each with its version and its CRC-32C, so that a flipped bit in
 * a term or a boot number is as visible as one in an entry:
 *
 * - the state: hard state, commit counter and where the log begins and ends, written in each commit,
 * - the current snapshot, and the reason of a quarantine (snapshot_record.ts),
 * - the boot number, which is the fence,
 * - the identity of the owner, with the incarnation of the data,
 * - what is remembered of the peers (peers_record.ts).
 *
 * @module
 */
import { crc32c } from "../kv/crc32c.ts";
import { getUint48, setUint48 } from "../raft/entry_codec.ts";
import { type HardState, logIndex, type NodeId, NUMBER_MAX, term } from "../raft/types.ts";
import { LOG_EMPTY, type LogEnd } from "./block_codec.ts";
import { ID_BYTES_MAX } from "./limits.ts";
import { CorruptLog, type Identity, UnsupportedFormat } from "./types.ts";

/** The layout of keys and values as a whole; a change that older versions cannot read raises it. */
export const FORMAT_VERSION = 2;

const STATE_VERSION = 2;
/** Up to the vote: version, four numbers, base and end of the log, length of the vote. */
const STATE_FIXED_BYTES = 1 + 4 * 6 + 2 * 20 + 1;
const BOOT_VERSION = 1;
/** Up to the ids: version, incarnation. */
const IDENTITY_FIXED_BYTES = 1 + 6;
/** What {@linkcode sealed} fills in at the end of a record. */
export const CRC_BYTES = 4;

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true });

/** Who owns data, and which data of this owner it is (see `Recovery.incarnation`). */
export interface OwnedIdentity extends Identity {
  readonly incarnation: number;
}

/** What a commit leaves behind beside the blocks. */
export interface StateRecord {
  /** Counts the commits of this data, from 0 for none. */
  readonly seq: number;
  readonly hardState: HardState;
  /** Counts the logs that were begun in this directory; each has keys of its own. */
  readonly epoch: number;
  /** What the log begins behind: the last entry that compaction or an install cut off. */
  readonly base: LogEnd;
  readonly end: LogEnd;
}

/** The state of data that was never written. */
export const STATE_EMPTY: StateRecord = {
  seq: 0,
  hardState: { term: term(0), vote: null, commit: logIndex(0) },
  epoch: 0,
  base: LOG_EMPTY,
  end: LOG_EMPTY,
};

/** Version, seq, term, commit, epoch, base, end, length of the vote, vote, CRC. */
export function encodeState(record: StateRecord): Uint8Array {
  const { hardState, base, end } = record;
  const vote = hardState.vote ?? "";
  const bytes = new Uint8Array(STATE_FIXED_BYTES + vote.length + CRC_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, STATE_VERSION);
  setUint48(view, 1, record.seq);
  setUint48(view, 7, hardState.term);
  setUint48(view, 13, hardState.commit);
  setUint48(view, 19, record.epoch);
  setEnd(view, 25, base);
  setEnd(view, 45, end);
  view.setUint8(65, vote.length);
  // A node id is ASCII (raft/types.ts), so that characters are bytes.
  for (let i = 0; i < vote.length; i++) bytes[STATE_FIXED_BYTES + i] = vote.charCodeAt(i);
  return sealed(bytes);
}

/** @throws {CorruptLog} if the bytes are not a state as {@linkcode encodeState} makes it. */
export function decodeState(bytes: Uint8Array): StateRecord {
  const view = unsealed(bytes, STATE_VERSION, STATE_FIXED_BYTES, "state record");
  const voteEnd = STATE_FIXED_BYTES + view.getUint8(65);
  if (voteEnd + CRC_BYTES !== bytes.length) {
    throw new CorruptLog(`Cannot read state record: its vote does not fit ${bytes.length} bytes`);
  }
  const vote = String.fromCharCode(...bytes.subarray(STATE_FIXED_BYTES, voteEnd));
  return {
    seq: getUint48(view, 1),
    hardState: {
      term: term(getUint48(view, 7)),
      vote: vote === "" ? null : vote as NodeId,
      commit: logIndex(getUint48(view, 13)),
    },
    epoch: getUint48(view, 19),
    base: getEnd(view, 25),
    end: getEnd(view, 45),
  };
}

function setEnd(view: DataView, at: number, end: LogEnd): void {
  setUint48(view, at, end.lastIndex);
  setUint48(view, at + 6, end.lastTerm);
  view.setUint32(at + 12, end.chain.high);
  view.setUint32(at + 16, end.chain.low);
}

function getEnd(view: DataView, at: number): LogEnd {
  return {
    lastIndex: getUint48(view, at),
    lastTerm: term(getUint48(view, at + 6)),
    chain: { high: view.getUint32(at + 12), low: view.getUint32(at + 16) },
  };
}

export function encodeBoot(boot: number): Uint8Array {
  const bytes = new Uint8Array(7 + CRC_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, BOOT_VERSION);
  setUint48(view, 1, boot);
  return sealed(bytes);
}

/** @throws {CorruptLog} if the bytes are not a boot number. */
export function decodeBoot(bytes: Uint8Array): number {
  const boot = getUint48(unsealed(bytes, BOOT_VERSION, 7, "boot number"), 1);
  if (boot >= NUMBER_MAX) throw new CorruptLog(`Cannot read boot number: it is ${boot}`);
  return boot;
}

/**
 * Format version, incarnation, then cluster id and node id, each with its length in two bytes.
 *
 * @throws {RangeError} if an id is empty or too long.
 */
export function encodeIdentity(identity: OwnedIdentity): Uint8Array {
  const ids = [encoder.encode(identity.clusterId), encoder.encode(identity.nodeId)];
  for (const id of ids) {
    if (id.length === 0 || id.length > ID_BYTES_MAX) {
      throw new RangeError(`Cannot use id: it has ${id.length} bytes, not 1 to ${ID_BYTES_MAX}`);
    }
  }
  const idBytes = 2 + ids[0].length + 2 + ids[1].length;
  const bytes = new Uint8Array(IDENTITY_FIXED_BYTES + idBytes + CRC_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, FORMAT_VERSION);
  setUint48(view, 1, identity.incarnation);
  let at = IDENTITY_FIXED_BYTES;
  for (const id of ids) {
    view.setUint16(at, id.length);
    bytes.set(id, at + 2);
    at += 2 + id.length;
  }
  return sealed(bytes);
}

/**
 * @throws {CorruptLog} if the bytes are not an identity.
 * @throws {UnsupportedFormat} if a version that this one does not know has written them.
 */
export function decodeIdentity(bytes: Uint8Array): OwnedIdentity {
  checkSeal(bytes, 1, "identity");
  if (bytes[0] !== FORMAT_VERSION) {
    throw new UnsupportedFormat(
      `Cannot read data: it has format ${bytes[0]}, this version reads ${FORMAT_VERSION}`,
    );
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length - CRC_BYTES);
  try {
    const clusterFrom = IDENTITY_FIXED_BYTES + 2;
    const clusterEnd = clusterFrom + view.getUint16(IDENTITY_FIXED_BYTES);
    const nodeEnd = clusterEnd + 2 + view.getUint16(clusterEnd);
    if (nodeEnd !== view.byteLength) throw new RangeError(`${nodeEnd} of ${view.byteLength} bytes`);
    return {
      clusterId: decoder.decode(bytes.subarray(clusterFrom, clusterEnd)),
      nodeId: decoder.decode(bytes.subarray(clusterEnd + 2, nodeEnd)),
      incarnation: getUint48(view, 1),
    };
  } catch (cause) {
    throw new CorruptLog("Cannot read identity: its ids do not fit its bytes", { cause });
  }
}

/** Writes the CRC of what stands before it into the last four bytes. */
export function sealed(bytes: Uint8Array): Uint8Array {
  const end = bytes.length - CRC_BYTES;
  const crc = crc32c(bytes.subarray(0, end));
  new DataView(bytes.buffer, bytes.byteOffset).setUint32(end, crc);
  return bytes;
}

/** @throws {CorruptLog} if the bytes are fewer than `bodyBytes` and a CRC, or the CRC does not fit. */
export function checkSeal(bytes: Uint8Array, bodyBytes: number, what: string): void {
  const end = bytes.length - CRC_BYTES;
  if (end < bodyBytes) throw new CorruptLog(`Cannot read ${what}: it has ${bytes.length} bytes`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (view.getUint32(end) !== crc32c(bytes.subarray(0, end))) {
    throw new CorruptLog(`Cannot read ${what}: its checksum does not fit its bytes`);
  }
}

/**
 * The bytes of a sealed record of this version.
 *
 * @throws {CorruptLog} if the seal or the version do not fit, or there are fewer than `bodyBytes`.
 */
export function unsealed(
  bytes: Uint8Array,
  version: number,
  bodyBytes: number,
  what: string,
): DataView {
  checkSeal(bytes, bodyBytes, what);
  if (bytes[0] !== version) {
    throw new CorruptLog(`Cannot read ${what}: it has version ${bytes[0]}, not ${version}`);
  }
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}
