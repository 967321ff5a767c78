/**
 * The binary form of a peer message and the group it belongs to.
 *
 * A message is: u8 codec version, u8 type, u8 length of the group's name, the name, then the fields
 * of the type; big-endian, no padding, flags in one byte. Each message has exactly one encoding, and
 * anything else is refused: decoding and encoding again gives the same bytes.
 *
 * Not here: who sent it (the connection knows, see handshake.ts), its length (see frame.ts), and
 * whether it makes sense to Raft. Corruption on the way is left to TCP's checksum, and to TLS.
 *
 * @module
 */
import { decodeEntries, encodeEntries } from "../raft/entry_codec.ts";
import type { AppendRequest, Forward, Message } from "../raft/message.ts";
import { type Entry, type GroupId, NUMBER_MAX } from "../raft/types.ts";
import { assertNumber, ByteReader, ByteWriter, isName, MalformedFrame } from "./bytes.ts";

export { MalformedFrame } from "./bytes.ts";

/** Raised when the form changes; a peer that speaks another one is refused at the handshake. */
export const CODEC_VERSION = 1;

const Type = {
  VoteRequest: 1,
  VoteReply: 2,
  AppendRequest: 3,
  AppendReply: 4,
  Forward: 5,
  ReadRequest: 6,
  ReadReply: 7,
} as const;

const NO_ENTRIES: readonly Entry[] = Object.freeze([]);

/** An encoded message in two parts, so that entries need not be copied once more for each peer. */
export interface EncodedMessage {
  readonly head: Uint8Array;
  /** Shared with every other holder of the same entries: never to be written to. */
  readonly tail: Uint8Array | null;
}

/**
 * Encodes a message, leaving the first `reservedBytes` of the head to the caller.
 *
 * @throws {RangeError} if a number, a name or the order of the entries is not representable.
 */
export function encodeParts(group: GroupId, message: Message, reservedBytes = 0): EncodedMessage {
  if (!isName(group)) throw new RangeError(`Cannot encode message: bad group name "${group}"`);
  const headerBytes = reservedBytes + 3 + group.length;
  switch (message.type) {
    case "vote-request": {
      const out = start(headerBytes + 19, reservedBytes, Type.VoteRequest, group);
      out.flags(message.pre, message.transfer);
      out.uint48(message.term);
      out.uint48(message.lastIndex);
      out.uint48(message.lastTerm);
      return { head: out.bytes, tail: null };
    }
    case "vote-reply": {
      const out = start(headerBytes + 7, reservedBytes, Type.VoteReply, group);
      out.flags(message.pre, message.granted);
      out.uint48(message.term);
      return { head: out.bytes, tail: null };
    }
    case "append-request": {
      const out = start(headerBytes + 34, reservedBytes, Type.AppendRequest, group);
      return encodeAppend(out, message);
    }
    case "append-reply": {
      const out = start(headerBytes + 31, reservedBytes, Type.AppendReply, group);
      out.flags(message.success, message.counts);
      out.uint48(message.term);
      out.uint48(message.index);
      out.uint48(message.conflictIndex);
      out.uint48(message.conflictTerm);
      out.uint48(message.round);
      return { head: out.bytes, tail: null };
    }
    case "forward": {
      let bytes = headerBytes + 10;
      for (const command of message.commands) bytes += 4 + command.length;
      const out = start(bytes, reservedBytes, Type.Forward, group);
      encodeForward(out, message);
      return { head: out.bytes, tail: null };
    }
    case "read-request": {
      const out = start(headerBytes + 12, reservedBytes, Type.ReadRequest, group);
      out.uint48(message.term);
      out.uint48(message.id);
      return { head: out.bytes, tail: null };
    }
    case "read-reply": {
      const out = start(headerBytes + 19, reservedBytes, Type.ReadReply, group);
      out.flags(message.granted, false);
      out.uint48(message.term);
      out.uint48(message.id);
      out.uint48(message.index);
      return { head: out.bytes, tail: null };
    }
  }
}

/**
 * Encodes a message into one buffer of its own.
 *
 * @throws {RangeError} as {@linkcode encodeParts}.
 */
export function encodeMessage(group: GroupId, message: Message): Uint8Array {
  const { head, tail } = encodeParts(group, message);
  if (tail === null) return head;
  const bytes = new Uint8Array(head.length + tail.length);
  bytes.set(head);
  bytes.set(tail, head.length);
  return bytes;
}

/**
 * Decodes what {@linkcode encodeMessage} made. Entry data and commands are views into `bytes`, which
 * the caller must not reuse if {@linkcode holdsViews} says so.
 *
 * @throws {MalformedFrame} if the bytes are anything else.
 */
export function decodeMessage(bytes: Uint8Array): { group: GroupId; message: Message } {
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
  return bytes[1] === Type.AppendRequest || bytes[1] === Type.Forward;
}

function start(bytes: number, reservedBytes: number, type: number, group: GroupId): ByteWriter {
  const out = new ByteWriter(bytes, reservedBytes);
  out.uint8(CODEC_VERSION);
  out.uint8(type);
  out.name(group);
  return out;
}

function encodeAppend(out: ByteWriter, message: AppendRequest): EncodedMessage {
  const entries = message.entries;
  for (let i = 0; i < entries.length; i++) {
    const entry = entries[i];
    if (entry.index !== message.prevIndex + 1 + i) {
      throw new RangeError(
        `Cannot encode append request: entry ${entry.index} does not follow ${
          message.prevIndex + i
        }`,
      );
    }
    assertNumber(entry.index);
    assertNumber(entry.term);
    assertNumber(entry.timeMs);
  }
  out.uint48(message.term);
  out.uint48(message.prevIndex);
  out.uint48(message.prevTerm);
  out.uint48(message.commit);
  out.uint48(message.round);
  out.uint32(entries.length);
  return { head: out.bytes, tail: entries.length === 0 ? null : encodeEntries(entries) };
}

function encodeForward(out: ByteWriter, message: Forward): void {
  out.uint48(message.term);
  out.uint32(message.commands.length);
  for (const command of message.commands) {
    out.uint32(command.length);
    out.raw(command);
  }
}

function decodeBody(type: number, input: ByteReader): Message {
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
      };
    }
    case Type.Forward:
      return decodeForward(input);
    case Type.ReadRequest:
      return { type: "read-request", term: input.term(), id: input.uint48() };
    case Type.ReadReply: {
      const flags = input.flags(1);
      return {
        type: "read-reply",
        granted: flags !== 0,
        term: input.term(),
        id: input.uint48(),
        index: input.index(),
      };
    }
    default:
      throw new MalformedFrame(`Cannot decode message: unknown type ${type}`);
  }
}

function decodeAppend(input: ByteReader): AppendRequest {
  const term = input.term();
  const prevIndex = input.index();
  const prevTerm = input.term();
  const commit = input.index();
  const round = input.uint48();
  const count = input.uint32();
  if (prevIndex + count > NUMBER_MAX) {
    throw new MalformedFrame(`Cannot decode append request: ${count} entries after ${prevIndex}`);
  }
  const entries = count === 0 ? NO_ENTRIES : input.decodeRest((bytes) => {
    return decodeEntries(bytes, count, prevIndex + 1 as typeof prevIndex);
  });
  return { type: "append-request", term, prevIndex, prevTerm, commit, round, entries };
}

function decodeForward(input: ByteReader): Forward {
  const term = input.term();
  const count = input.uint32();
  if (count * 4 > input.remaining) {
    throw new MalformedFrame(
      `Cannot decode forward: ${count} commands do not fit into ${input.remaining} bytes`,
    );
  }
  const commands: Uint8Array[] = [];
  for (let i = 0; i < count; i++) commands.push(input.raw(input.uint32()));
  return { type: "forward", term, commands };
}
