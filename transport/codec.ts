/**
 * The binary form of a peer message and the group it belongs to.
 *
 * A message is: u8 codec version, u8 type, u8 length of the group's name, the name, then the fields
 * of the type; big-endian, no padding, flags in one byte. Each message has exactly one encoding, and
 * anything else is refused: decoding and encoding again gives the same bytes.
 *
 * Not here: who sent it (the connection knows, see handshake.ts), its length (see frame.ts), the
 * types that carry bytes of others (see codec_bulk.ts), and whether it makes sense to Raft.
 * Corruption on the way is left to TCP's checksum, and to TLS.
 *
 * @module
 */
import type { PeerMessage } from "../raft/message.ts";
import type { GroupId } from "../raft/types.ts";
import { ByteReader, ByteWriter, isName, MalformedFrame } from "./bytes.ts";
import {
  ADMIN_HEADER_BYTES,
  APPEND_HEADER_BYTES,
  CHUNK_HEADER_BYTES,
  decodeAdmin,
  decodeAppend,
  decodeChunk,
  decodeForward,
  encodeAdmin,
  encodeAppend,
  encodeChunk,
  type EncodedMessage,
  encodeForward,
  FORWARD_HEADER_BYTES,
  snapshotInfoBytes,
} from "./codec_bulk.ts";

export { MalformedFrame } from "./bytes.ts";
export type { EncodedMessage } from "./codec_bulk.ts";

/** Raised when the form changes; a peer that speaks another one is refused at the handshake. */
export const CODEC_VERSION = 2;

const Type = {
  VoteRequest: 1,
  VoteReply: 2,
  AppendRequest: 3,
  AppendReply: 4,
  Forward: 5,
  ReadRequest: 6,
  ReadReply: 7,
  TimeoutNow: 8,
  SnapshotChunk: 9,
  SnapshotReply: 10,
  AdminRequest: 11,
  AdminReply: 12,
  HashReport: 13,
} as const;
type Type = typeof Type[keyof typeof Type];

/** A snapshot's id and a state hash go as bytes, and are hex digits everywhere else. */
const SNAPSHOT_ID_BYTES = 8;
const STATE_HASH_BYTES = 16;

/**
 * Encodes a message, leaving the first `reservedBytes` of the head to the caller.
 *
 * @throws {RangeError} if a number, a name, a size or the order of the entries is not representable.
 */
export function encodeParts(
  group: GroupId,
  message: PeerMessage,
  reservedBytes = 0,
): EncodedMessage {
  if (!isName(group)) throw new RangeError(`Cannot encode message: bad group name "${group}"`);
  const start = (type: Type, bytes: number) => startMessage(group, reservedBytes, type, bytes);
  switch (message.type) {
    case "append-request":
      return encodeAppend(start(Type.AppendRequest, APPEND_HEADER_BYTES), message);
    case "snapshot-chunk": {
      const info = snapshotInfoBytes(message);
      const out = start(Type.SnapshotChunk, CHUNK_HEADER_BYTES + info.length);
      return encodeChunk(out, message, info);
    }
    case "forward": {
      let bytes = FORWARD_HEADER_BYTES;
      for (const command of message.commands) bytes += 4 + command.length;
      return whole(encodeForward(start(Type.Forward, bytes), message));
    }
    case "admin-request":
    case "admin-reply": {
      const type = message.type === "admin-request" ? Type.AdminRequest : Type.AdminReply;
      return encodeAdmin(start(type, ADMIN_HEADER_BYTES), message);
    }
    default:
      return whole(encodeFixed(start, message));
  }
}

/** The messages whose fields have fixed sizes. */
type FixedMessage = Exclude<
  PeerMessage,
  { type: "append-request" | "snapshot-chunk" | "forward" | "admin-request" | "admin-reply" }
>;

function encodeFixed(
  start: (type: Type, bytes: number) => ByteWriter,
  message: FixedMessage,
): ByteWriter {
  switch (message.type) {
    case "vote-request": {
      const out = start(Type.VoteRequest, 19).flags(message.pre, message.transfer);
      return out.uint48(message.term).uint48(message.lastIndex).uint48(message.lastTerm);
    }
    case "vote-reply":
      return start(Type.VoteReply, 7).flags(message.pre, message.granted).uint48(message.term);
    case "append-reply": {
      const out = start(Type.AppendReply, 43).flags(message.success, message.counts);
      out.uint48(message.term).uint48(message.index);
      out.uint48(message.conflictIndex).uint48(message.conflictTerm);
      return out.uint48(message.round).uint48(message.stamp).uint48(message.sent);
    }
    case "read-request": {
      const out = start(Type.ReadRequest, 13).flags(message.lease, false);
      return out.uint48(message.term).uint48(message.id);
    }
    case "read-reply": {
      const out = start(Type.ReadReply, 19).flags(message.granted, false);
      return out.uint48(message.term).uint48(message.id).uint48(message.index);
    }
    case "timeout-now":
      return start(Type.TimeoutNow, 6).uint48(message.term);
    case "snapshot-reply": {
      const out = start(Type.SnapshotReply, 24).uint48(message.term);
      return out.hex(message.id, SNAPSHOT_ID_BYTES).uint48(message.index).uint32(message.next);
    }
    case "hash-report": {
      const out = start(Type.HashReport, 22).uint48(message.index);
      return out.hex(message.hash, STATE_HASH_BYTES);
    }
  }
}

/**
 * Encodes a message into one buffer of its own.
 *
 * @throws {RangeError} as {@linkcode encodeParts}.
 */
export function encodeMessage(group: GroupId, message: PeerMessage): Uint8Array {
  const { head, tail } = encodeParts(group, message);
  if (tail === null) return head;
  const bytes = new Uint8Array(head.length + tail.length);
  bytes.set(head);
  bytes.set(tail, head.length);
  return bytes;
}

/**
 * Decodes what {@linkcode encodeMessage} made. Entry data, commands, chunks and bodies are views into
 * `bytes`, which the caller must not reuse if {@linkcode holdsViews} says so.
 *
 * @throws {MalformedFrame} if the bytes are anything else.
 */
export function decodeMessage(bytes: Uint8Array): { group: GroupId; message: PeerMessage } {
  const input = new ByteReader(bytes);
  const version = input.uint8();
  if (version !== CODEC_VERSION) {
    throw new MalformedFrame(`Cannot decode message: version ${version}, not ${CODEC_VERSION}`);
  }
  const type = input.uint8();
  const group = input.name() as GroupId;
  const message = decodeBody(type, input);
  input.end();
  return { group, message };
}

/** Whether the message that these bytes encode would share memory with them. */
export function holdsViews(bytes: Uint8Array): boolean {
  switch (bytes[1]) {
    case Type.AppendRequest:
    case Type.Forward:
    case Type.SnapshotChunk:
    case Type.AdminRequest:
    case Type.AdminReply:
      return true;
    default:
      return false;
  }
}

function startMessage(
  group: GroupId,
  reservedBytes: number,
  type: Type,
  bytes: number,
): ByteWriter {
  const out = new ByteWriter(reservedBytes + 3 + group.length + bytes, reservedBytes);
  return out.uint8(CODEC_VERSION).uint8(type).name(group);
}

function whole(out: ByteWriter): EncodedMessage {
  return { head: out.bytes, tail: null };
}

function decodeBody(type: number, input: ByteReader): PeerMessage {
  switch (type) {
    case Type.AppendRequest:
      return decodeAppend(input);
    case Type.AppendReply: {
      const flags = input.flags(3);
      return {
        type: "append-reply",
        success: (flags & 1) !== 0,
        counts: (flags & 2) !== 0,
        term: input.term(),
        index: input.index(),
        conflictIndex: input.index(),
        conflictTerm: input.term(),
        round: input.uint48(),
        stamp: input.uint48(),
        sent: input.uint48(),
      };
    }
    case Type.Forward:
      return decodeForward(input);
    case Type.ReadRequest: {
      const lease = input.flags(1) !== 0;
      return { type: "read-request", lease, term: input.term(), id: input.uint48() };
    }
    case Type.ReadReply: {
      const granted = input.flags(1) !== 0;
      const [term, id, index] = [input.term(), input.uint48(), input.index()];
      return { type: "read-reply", granted, term, id, index };
    }
    case Type.SnapshotChunk:
      return decodeChunk(input);
    case Type.AdminRequest:
      return decodeAdmin("admin-request", input);
    case Type.AdminReply:
      return decodeAdmin("admin-reply", input);
    default:
      return decodeRare(type, input);
  }
}

/** The messages that no hot path sends. */
function decodeRare(type: number, input: ByteReader): PeerMessage {
  switch (type) {
    case Type.VoteRequest: {
      const flags = input.flags(3);
      return {
        type: "vote-request",
        pre: (flags & 1) !== 0,
        transfer: (flags & 2) !== 0,
        term: input.term(),
        lastIndex: input.index(),
        lastTerm: input.term(),
      };
    }
    case Type.VoteReply: {
      const flags = input.flags(3);
      return {
        type: "vote-reply",
        pre: (flags & 1) !== 0,
        granted: (flags & 2) !== 0,
        term: input.term(),
      };
    }
    case Type.TimeoutNow:
      return { type: "timeout-now", term: input.term() };
    case Type.SnapshotReply:
      return {
        type: "snapshot-reply",
        term: input.term(),
        id: input.hex(SNAPSHOT_ID_BYTES),
        index: input.index(),
        next: input.uint32(),
      };
    case Type.HashReport:
      return { type: "hash-report", index: input.index(), hash: input.hex(STATE_HASH_BYTES) };
    default:
      throw new MalformedFrame(`Cannot decode message: unknown type ${type}`);
  }
}
