/**
 * Commands: what a log entry tells the store to do, in the one binary form that goes from the request
 * through the log, to disk and to the peers.
 *
 * A command is: u8 format version, u8 kind, u48 session, u48 sequence, u48 low water, then for an
 * atomic write and for a hash check its body. The session is not known where a request is encoded, so
 * the header is left zero there and stamped later, in place. Big-endian throughout, no padding.
 *
 * The body of a hash check: u48 index and the 16 bytes of the hash.
 *
 * The body of an atomic write: u16 length and UTF-8 of the idempotency key; u16 count of checks, each u16 length and
 * bytes of the key, u8 whether a versionstamp follows, u48 index and u16 order; u16 count of
 * mutations, each u8 type, u16 length and bytes of the key, then the value (u8 encoding, u32 length,
 * bytes) except for a delete, then what the type has: an expiry (u8 type, u48 ms), or the bounds of a
 * sum (u8 flags, and for each bound u32 length and bytes).
 *
 * @module
 */
import { writeBinaryString } from "./binary_string.ts";
import { putBytes, putUint16, putUint32, putUint48, uint32At } from "./byte_codec.ts";
import { type ByteSlab, NO_SLABS } from "./byte_slab.ts";
import {
  type AtomicWrite,
  type Check,
  type Expiry,
  type Mutation,
  type StateHash,
  type Value,
  ValueEncoding,
} from "./types.ts";

/** The first byte of every command. */
export const COMMAND_VERSION = 1;
/** Bytes before the body. */
export const COMMAND_HEADER_BYTES = 20;
/** Bytes of the body of a hash check. */
export const HASH_CHECK_BODY_BYTES = 22;

/** What a command does. The numbers are the ones on disk and on the wire. */
export const CommandKind = {
  /** Nothing but what every entry does: it moves replicated time. */
  Clock: 0,
  OpenSession: 1,
  AtomicWrite: 2,
  /** Changes nothing: every replica notes its state hash after this entry, to be compared. */
  HashMark: 3,
  /** Changes nothing: says which state hash most replicas came to after a hash mark. */
  HashCheck: 4,
} as const;
export type CommandKind = typeof CommandKind[keyof typeof CommandKind];

/** The numbers of KV Connect's `MutationType`. */
export const MutationCode = {
  Set: 1,
  Delete: 2,
  Sum: 3,
  Max: 4,
  Min: 5,
  SetSuffixVersionstamp: 9,
} as const;

export const ExpiryCode = { Never: 0, At: 1, In: 2 } as const;
/** In the flags of a sum. */
export const SumFlag = { Clamp: 1, Min: 2, Max: 4 } as const;

const SESSION_AT = 2;
const SEQUENCE_AT = 8;
const LOW_WATER_AT = 14;

const utf8Encoder = new TextEncoder();

/** A command that only moves replicated time: a leader proposes it when keys are due to expire. */
export function encodeClock(): Uint8Array<ArrayBuffer> {
  return header(CommandKind.Clock, COMMAND_HEADER_BYTES);
}

/**
 * Opens a session, or keeps it open: the same id gives the same session.
 *
 * @param session 1 to 2^48 - 1, drawn at random by who will use it, anew at each of its starts.
 */
export function encodeOpenSession(session: number): Uint8Array<ArrayBuffer> {
  const bytes = header(CommandKind.OpenSession, COMMAND_HEADER_BYTES);
  putUint48(bytes, SESSION_AT, session);
  return bytes;
}

/** Has every replica note its state hash after this entry. It moves replicated time like a clock does. */
export function encodeHashMark(): Uint8Array<ArrayBuffer> {
  return header(CommandKind.HashMark, COMMAND_HEADER_BYTES);
}

/** Says what the state hash after the hash mark at `index` is: a replica that noted another is wrong. */
export function encodeHashCheck(index: number, hash: string): Uint8Array<ArrayBuffer> {
  const bytes = header(CommandKind.HashCheck, COMMAND_HEADER_BYTES + HASH_CHECK_BODY_BYTES);
  putBytes(bytes, putUint48(bytes, COMMAND_HEADER_BYTES, index), Uint8Array.fromHex(hash));
  return bytes;
}

/** What a hash check says; null for everything that is not one. */
export function commandHashCheck(bytes: Uint8Array): StateHash | null {
  if (
    bytes.length !== COMMAND_HEADER_BYTES + HASH_CHECK_BODY_BYTES ||
    bytes[0] !== COMMAND_VERSION || bytes[1] !== CommandKind.HashCheck
  ) return null;
  return {
    index: uint48At(bytes, COMMAND_HEADER_BYTES),
    hash: bytes.subarray(COMMAND_HEADER_BYTES + 6).toHex(),
  };
}

/**
 * Encodes an atomic write, without its session: {@linkcode stampCommand} fills that in. The write must
 * have passed `checkAtomicWrite`: what exceeds its limits here gives bytes that no store accepts.
 *
 * @param slab where the bytes come from, for who encodes many.
 */
export function encodeAtomicWrite(
  write: AtomicWrite,
  slab: ByteSlab = NO_SLABS,
): Uint8Array<ArrayBuffer> {
  const idempotencyKey = write.idempotencyKey === null
    ? null
    : utf8Encoder.encode(write.idempotencyKey);
  let size = COMMAND_HEADER_BYTES + 6 + (idempotencyKey?.length ?? 0);
  for (const check of write.checks) {
    size += 3 + check.key.length + (check.versionstamp === null ? 0 : 8);
  }
  for (const mutation of write.mutations) size += mutationBytes(mutation);
  const bytes = begun(slab.take(size), CommandKind.AtomicWrite);
  let at = COMMAND_HEADER_BYTES;
  at = putUint16(bytes, at, idempotencyKey?.length ?? 0);
  if (idempotencyKey !== null) {
    bytes.set(idempotencyKey, at);
    at += idempotencyKey.length;
  }
  at = putUint16(bytes, at, write.checks.length);
  for (const check of write.checks) at = putCheck(bytes, at, check);
  at = putUint16(bytes, at, write.mutations.length);
  for (const mutation of write.mutations) at = putMutation(bytes, at, mutation);
  return bytes;
}

/**
 * Writes the session, its sequence and its low water (every sequence below it has been answered) into
 * an encoded atomic write, in place. Once, before it is first proposed: a log may share the bytes from
 * then on, and a command that is proposed again must be the same one.
 */
export function stampCommand(
  bytes: Uint8Array,
  session: number,
  sequence: number,
  lowWater: number,
): void {
  putUint48(bytes, SESSION_AT, session);
  putUint48(bytes, SEQUENCE_AT, sequence);
  putUint48(bytes, LOW_WATER_AT, lowWater);
}

/** The kind byte of a command; undefined if there is none. */
export function commandKind(bytes: Uint8Array): number | undefined {
  return bytes[1];
}

/** The session in a command's header; 0 if there is none. */
export function commandSession(bytes: Uint8Array): number {
  return headerUint48(bytes, SESSION_AT);
}

/** The sequence in a command's header; 0 if there is none. */
export function commandSequence(bytes: Uint8Array): number {
  return headerUint48(bytes, SEQUENCE_AT);
}

/** The low water in a command's header; 0 if there is none. */
export function commandLowWater(bytes: Uint8Array): number {
  return headerUint48(bytes, LOW_WATER_AT);
}

function headerUint48(bytes: Uint8Array, at: number): number {
  if (bytes.length < COMMAND_HEADER_BYTES) return 0;
  return uint48At(bytes, at);
}

function uint48At(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 8 | bytes[at + 1]!) * 2 ** 32 + uint32At(bytes, at + 2);
}

function header(kind: CommandKind, size: number): Uint8Array<ArrayBuffer> {
  return begun(new Uint8Array(size), kind);
}

function begun(bytes: Uint8Array<ArrayBuffer>, kind: CommandKind): Uint8Array<ArrayBuffer> {
  bytes[0] = COMMAND_VERSION;
  bytes[1] = kind;
  return bytes;
}

function mutationBytes(mutation: Mutation): number {
  const size = 3 + mutation.key.length;
  switch (mutation.type) {
    case "delete":
      return size;
    case "min":
    case "max":
      return size + valueBytes(mutation.value);
    case "sum":
      return size + valueBytes(mutation.value) + 1 +
        (mutation.min === null ? 0 : 4 + mutation.min.length) +
        (mutation.max === null ? 0 : 4 + mutation.max.length);
    case "set":
    case "set-suffix-versionstamp":
      return size + valueBytes(mutation.value) + (mutation.expiry.type === "never" ? 1 : 7);
  }
}

function valueBytes(value: Value): number {
  return 5 + value.data.length;
}

function putCheck(bytes: Uint8Array, start: number, check: Check): number {
  let at = putKey(bytes, start, check.key);
  if (check.versionstamp === null) {
    bytes[at] = 0;
    return at + 1;
  }
  bytes[at] = 1;
  at = putUint48(bytes, at + 1, check.versionstamp.index);
  return putUint16(bytes, at, check.versionstamp.order);
}

function putMutation(bytes: Uint8Array, start: number, mutation: Mutation): number {
  bytes[start] = mutationCode(mutation.type);
  let at = putKey(bytes, start + 1, mutation.key);
  if (mutation.type === "delete") return at;
  at = putValue(bytes, at, mutation.value);
  switch (mutation.type) {
    case "set":
    case "set-suffix-versionstamp":
      return putExpiry(bytes, at, mutation.expiry);
    case "sum":
      bytes[at] = (mutation.clamp ? SumFlag.Clamp : 0) |
        (mutation.min === null ? 0 : SumFlag.Min) | (mutation.max === null ? 0 : SumFlag.Max);
      at++;
      if (mutation.min !== null) at = putData(bytes, at, mutation.min);
      return mutation.max === null ? at : putData(bytes, at, mutation.max);
    default:
      return at;
  }
}

function mutationCode(type: Mutation["type"]): number {
  switch (type) {
    case "set":
      return MutationCode.Set;
    case "delete":
      return MutationCode.Delete;
    case "sum":
      return MutationCode.Sum;
    case "max":
      return MutationCode.Max;
    case "min":
      return MutationCode.Min;
    case "set-suffix-versionstamp":
      return MutationCode.SetSuffixVersionstamp;
  }
}

function putKey(bytes: Uint8Array, at: number, key: string): number {
  return writeBinaryString(bytes, putUint16(bytes, at, key.length), key);
}

function putValue(bytes: Uint8Array, at: number, value: Value): number {
  bytes[at] = value.encoding satisfies ValueEncoding;
  return putData(bytes, at + 1, value.data);
}

function putExpiry(bytes: Uint8Array, at: number, expiry: Expiry): number {
  switch (expiry.type) {
    case "never":
      bytes[at] = ExpiryCode.Never;
      return at + 1;
    case "at":
      bytes[at] = ExpiryCode.At;
      return putUint48(bytes, at + 1, expiry.timeMs);
    case "in":
      bytes[at] = ExpiryCode.In;
      return putUint48(bytes, at + 1, expiry.ms);
  }
}

function putData(bytes: Uint8Array, at: number, data: Uint8Array): number {
  return putBytes(bytes, putUint32(bytes, at, data.length), data);
}
