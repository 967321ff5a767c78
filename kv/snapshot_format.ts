/**
 * The form of a snapshot's body: the whole replicated state as one stream of bytes, cut into chunks of
 * equal size wherever a chunk happens to end.
 *
 * The stream: the magic "KVSN", u16 format version, then elements, each u8 kind, u32 length of what
 * follows, and that:
 *
 * - begin: u48 index and u48 time in ms of the state;
 * - session: u48 id, u48 low water, u48 time of its last activity;
 * - result, of the session before it: u48 sequence, result;
 * - remembered: u16 length of the key, u48 time applied, 16 bytes of fingerprint, the key, result;
 * - record: u8 encoding, u16 order and u48 index of the versionstamp, u48 expiry in ms (0 for never),
 *   u16 length of the key, the key, the value;
 * - end: the index again, u48 count each of sessions, results, remembered and records, and the 16 bytes
 *   of the state hash.
 *
 * A result: u8 status, then the versionstamp (u48 index, u16 order), or u16 failed checks, or u8 refusal
 * code and the message in UTF-8.
 *
 * Equal states give equal bytes: sessions stand in order of (activity, id), results of sequence, what is
 * remembered in that of its time, records in that of their keys. What a state has beside it (hash tables,
 * the expiry index) is made anew. Where it stands in the log (its term, the members) is not in it; see
 * `SnapshotMeta`.
 *
 * @module
 */
import type { ApplyResult, RefusalCode } from "./types.ts";

/** "KVSN". */
export const SNAPSHOT_MAGIC = Uint8Array.of(0x4b, 0x56, 0x53, 0x4e);
export const SNAPSHOT_VERSION = 1;
/** Of magic and version. */
export const SNAPSHOT_PREFIX_BYTES = 6;
/** Of kind and length. */
export const ELEMENT_HEADER_BYTES = 5;
/**
 * Of an element without its header: more than any has. The largest are what is remembered with as many
 * failed checks as a command can hold, under a key as long as a command can hold.
 */
export const ELEMENT_BYTES_MAX = 256 * 1024;
/** Of a record without its header, key and value. */
export const RECORD_FIXED_BYTES = 17;
export const HASH_BYTES = 16;

/** In the order in which they stand; a result follows its session. */
export const ElementKind = {
  Begin: 1,
  Session: 2,
  SessionResult: 3,
  Remembered: 4,
  Record: 5,
  End: 6,
} as const;
export type ElementKind = typeof ElementKind[keyof typeof ElementKind];

export const ResultCode = {
  Applied: 0,
  CheckFailed: 1,
  Refused: 2,
  SessionUnknown: 3,
  Stale: 4,
} as const satisfies Record<string, number>;
export type ResultCode = typeof ResultCode[keyof typeof ResultCode];

export const RESULT_CODES: Readonly<Record<ApplyResult["status"], ResultCode>> = {
  "applied": ResultCode.Applied,
  "check-failed": ResultCode.CheckFailed,
  "refused": ResultCode.Refused,
  "session-unknown": ResultCode.SessionUnknown,
  "stale": ResultCode.Stale,
};

/** A refusal's number is its place here; new ones go to the end. */
export const REFUSAL_CODES: readonly RefusalCode[] = [
  "sum-type-mismatch",
  "sum-out-of-range",
  "too-large",
  "idempotency-key-reused",
  "idempotency-full",
  "malformed",
];
