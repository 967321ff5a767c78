/**
 * The binary form of the messages that carry bytes of others: entries, commands, chunks of snapshots,
 * operators' requests. Decoded ones share memory with what they were decoded from.
 *
 * Not here: what comes before the fields (see codec.ts).
 *
 * @module
 */
import { decodeEntries, encodeEntries } from "../raft/entry_codec.ts";
import type {
  AdminReply,
  AdminRequest,
  AppendRequest,
  Forward,
  SnapshotChunk,
} from "../raft/message.ts";
import { decodeSnapshotInfo, encodeSnapshotInfo } from "../raft/snapshot_codec.ts";
import { type Entry, NUMBER_MAX } from "../raft/types.ts";
import { assertNumber, type ByteReader, type ByteWriter, MalformedFrame } from "./bytes.ts";
import { ADMIN_BODY_BYTES_MAX, CHUNK_BYTES_MAX } from "./limits.ts";

/** An encoded message in two parts, so that what it carries need not be copied for each peer. */
export interface EncodedMessage {
  readonly head: Uint8Array;
  /** Shared with every other holder of the same entries or chunk: never to be written to. */
  readonly tail: Uint8Array | null;
}

/** Bytes of the fields of each type before those of others. */
export const APPEND_HEADER_BYTES = 46;
export const FORWARD_HEADER_BYTES = 10;
export const CHUNK_HEADER_BYTES = 18;
export const ADMIN_HEADER_BYTES = 10;

const NO_ENTRIES: readonly Entry[] = Object.freeze([]);

/** @throws {RangeError} if the entries are not consecutive, or hold a number that does not fit. */
export function encodeAppend(out: ByteWriter, message: AppendRequest): EncodedMessage {
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
  out.uint48(message.term).uint48(message.prevIndex).uint48(message.prevTerm);
  out.uint48(message.commit).uint48(message.round);
  out.uint48(message.stamp).uint48(message.echo).uint32(entries.length);
  return { head: out.bytes, tail: entries.length === 0 ? null : encodeEntries(entries) };
}

/** @throws {MalformedFrame} if a count or an entry is not what an append request has. */
export function decodeAppend(input: ByteReader): AppendRequest {
  const term = input.term();
  const prevIndex = input.index();
  const prevTerm = input.term();
  const commit = input.index();
  const round = input.uint48();
  const stamp = input.uint48();
  const echo = input.uint48();
  const count = input.uint32();
  if (prevIndex + count > NUMBER_MAX) {
    throw new MalformedFrame(`Cannot decode append request: ${count} entries after ${prevIndex}`);
  }
  const entries = count === 0 ? NO_ENTRIES : input.decodeRest((bytes) => {
    return decodeEntries(bytes, count, prevIndex + 1 as typeof prevIndex);
  });
  const fields = { term, prevIndex, prevTerm, commit, round, stamp, echo };
  return { type: "append-request", ...fields, entries };
}

export function encodeForward(out: ByteWriter, message: Forward): ByteWriter {
  out.uint48(message.term).uint32(message.commands.length);
  for (const command of message.commands) out.uint32(command.length).raw(command);
  return out;
}

/** @throws {MalformedFrame} if the commands are not as many and as long as declared. */
export function decodeForward(input: ByteReader): Forward {
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

/**
 * The description that a chunk begins with.
 *
 * @throws {RangeError} if it is none, or has no such chunk, or the chunk is larger than may be sent.
 */
export function snapshotInfoBytes({ info, chunk, data }: SnapshotChunk): Uint8Array {
  const encoded = encodeSnapshotInfo(info);
  if (!(chunk >= 0 && chunk < info.chunks && Math.floor(chunk) === chunk)) {
    throw new RangeError(`Cannot encode chunk: ${chunk} is not one of ${info.chunks}`);
  }
  if (data.length > CHUNK_BYTES_MAX) {
    throw new RangeError(
      `Cannot encode chunk: ${data.length} bytes are more than ${CHUNK_BYTES_MAX}`,
    );
  }
  return encoded;
}

/** The chunk itself is not copied. */
export function encodeChunk(
  out: ByteWriter,
  { term, chunk, data }: SnapshotChunk,
  info: Uint8Array,
): EncodedMessage {
  out.uint48(term).uint32(chunk).uint32(info.length).raw(info).uint32(data.length);
  return { head: out.bytes, tail: data.length === 0 ? null : data };
}

/** @throws {MalformedFrame} if the description is none, has no such chunk, or the chunk is too large. */
export function decodeChunk(input: ByteReader): SnapshotChunk {
  const term = input.term();
  const chunk = input.uint32();
  const info = input.decodePart(input.uint32(), decodeSnapshotInfo);
  if (chunk >= info.chunks) {
    throw new MalformedFrame(`Cannot decode chunk: ${chunk} is not one of ${info.chunks}`);
  }
  return { type: "snapshot-chunk", term, info, chunk, data: bounded(input, CHUNK_BYTES_MAX) };
}

/** @throws {RangeError} if the body is larger than may be sent. */
export function encodeAdmin(
  out: ByteWriter,
  { id, body }: AdminRequest | AdminReply,
): EncodedMessage {
  if (body.length > ADMIN_BODY_BYTES_MAX) {
    throw new RangeError(
      `Cannot encode body: ${body.length} bytes are more than ${ADMIN_BODY_BYTES_MAX}`,
    );
  }
  out.uint48(id).uint32(body.length);
  return { head: out.bytes, tail: body.length === 0 ? null : body };
}

/** @throws {MalformedFrame} if the body is too large. */
export function decodeAdmin(
  type: "admin-request" | "admin-reply",
  input: ByteReader,
): AdminRequest | AdminReply {
  return { type, id: input.uint48(), body: bounded(input, ADMIN_BODY_BYTES_MAX) };
}

function bounded(input: ByteReader, bytesMax: number): Uint8Array {
  const bytes = input.uint32();
  if (bytes > bytesMax) {
    throw new MalformedFrame(`Cannot decode: ${bytes} bytes are more than ${bytesMax}`);
  }
  return input.raw(bytes);
}
