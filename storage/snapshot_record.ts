/**
 * The records about snapshots, each with its version and its CRC-32C: which is current (in the log's
 * database, where it changes together with the log), which is on its way in (beside the chunks), and
 * the note of a quarantine.
 *
 * @module
 */
import { getUint48, setUint48 } from "../raft/entry_codec.ts";
import { decodeSnapshotInfo, encodeSnapshotInfo } from "../raft/snapshot_codec.ts";
import { QUARANTINE_REASON_BYTES_MAX } from "./limits.ts";
import { CRC_BYTES, sealed, unsealed } from "./record_codec.ts";
import type { StoredSnapshot } from "./snapshot_place.ts";
import { CorruptLog } from "./types.ts";

const SNAPSHOT_VERSION = 1;
const SNAPSHOT_FIXED_BYTES = 7;
const QUARANTINE_VERSION = 1;
const QUARANTINE_FIXED_BYTES = 13;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Data that must not be built upon, and is kept until the replica is repaired. */
export interface Quarantine {
  readonly reason: string;
  /** The epochs of the log before this one are what was put aside. Only for whoever looks into the file. */
  readonly epoch: number;
  /** The snapshots of serial numbers up to this one are put aside, too, and not to be found. */
  readonly serialMax: number;
}

/** Version, serial number, description, CRC. */
export function encodeStored({ serial, info }: StoredSnapshot): Uint8Array {
  const description = encodeSnapshotInfo(info);
  const bytes = new Uint8Array(SNAPSHOT_FIXED_BYTES + description.length + CRC_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, SNAPSHOT_VERSION);
  setUint48(view, 1, serial);
  bytes.set(description, SNAPSHOT_FIXED_BYTES);
  return sealed(bytes);
}

/** @throws {CorruptLog} if the bytes are not what {@linkcode encodeStored} makes. */
export function decodeStored(bytes: Uint8Array): StoredSnapshot {
  const view = unsealed(bytes, SNAPSHOT_VERSION, SNAPSHOT_FIXED_BYTES, "record of a snapshot");
  try {
    const description = bytes.subarray(SNAPSHOT_FIXED_BYTES, bytes.length - CRC_BYTES);
    return { serial: getUint48(view, 1), info: decodeSnapshotInfo(description) };
  } catch (cause) {
    throw new CorruptLog("Cannot read record of a snapshot: its description", { cause });
  }
}

/** Version, epoch, serial number, reason in UTF-8 (cut off if it is long), CRC. */
export function encodeQuarantine({ reason, epoch, serialMax }: Quarantine): Uint8Array {
  const text = encoder.encode(reason).subarray(0, QUARANTINE_REASON_BYTES_MAX);
  const bytes = new Uint8Array(QUARANTINE_FIXED_BYTES + text.length + CRC_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, QUARANTINE_VERSION);
  setUint48(view, 1, epoch);
  setUint48(view, 7, serialMax);
  bytes.set(text, QUARANTINE_FIXED_BYTES);
  return sealed(bytes);
}

/** @throws {CorruptLog} if the bytes are not what {@linkcode encodeQuarantine} makes. */
export function decodeQuarantine(bytes: Uint8Array): Quarantine {
  const view = unsealed(bytes, QUARANTINE_VERSION, QUARANTINE_FIXED_BYTES, "note of a quarantine");
  const text = bytes.subarray(QUARANTINE_FIXED_BYTES, bytes.length - CRC_BYTES);
  return {
    reason: decoder.decode(text),
    epoch: getUint48(view, 1),
    serialMax: getUint48(view, 7),
  };
}
