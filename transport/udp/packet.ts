/**
 * The packets of the UDP transport, one in a datagram, big-endian:
 *
 *     u32 CRC-32C of all that follows, u8 version, u8 type, u48 session of the receiver, then by type
 *     open    u48 session of the sender, u8 length of the cookie (0 or all of it), cookie, zeros to OPEN_BYTES
 *     cookie  the cookie
 *     accept  u48 session of the sender
 *     data    u48 packet number, u8 flags, acknowledgement, u48 offset and bytes of the stream
 *     close   u48 session of the sender
 *     reset   nothing; the session is the one that nobody has here
 *
 * An acknowledgement is: u48 credit (the offset that the stream may reach), u32 microseconds that it
 * waited, u48 highest packet, u8 further ranges, u32 packets below the highest in its range; then for each
 * further range, downwards, u32 packets missing and u32 packets there, both at least 1.
 *
 * A packet that is anything else is no packet: it is dropped without an answer, since UDP's own checksum
 * lets one error in 65,536 pass and anybody can send anything. The CRC is no defence against who means it.
 *
 * @module
 */
import { crc32c } from "../../kv/crc32c.ts";
import { getUint48, setUint48 } from "../../raft/entry_codec.ts";
import { NUMBER_MAX } from "../../raft/types.ts";
import { ACK_RANGES_MAX } from "./limits.ts";

/** One end of a session: drawn at random by the node that it is at, and told to nobody but its peer. */
export type SessionId = number;

const VERSION = 1;
const CRC_BYTES = 4;
const HEADER_BYTES = CRC_BYTES + 1 + 1 + 6;
/** So that what is no packet of this protocol differs in more than its type. */
const CRC_SEED = crc32c(new TextEncoder().encode("kvorum udp"));

/** When it was made, and 16 bytes of an HMAC (cookies.ts). */
export const COOKIE_BYTES = 22;
/** Every opening is as large, and larger than any answer to it. */
export const OPEN_BYTES = 64;
/** A reset, and the least that is answered by one: two nodes could otherwise reset each other for ever. */
export const RESET_BYTES = HEADER_BYTES;

const Type = { Open: 1, Cookie: 2, Accept: 3, Data: 4, Close: 5, Reset: 6 } as const;
const Flag = { Ack: 1, Stream: 2, Fin: 4, Ping: 8 } as const;

/** Which packets came: `ranges` are pairs of first and last number, downwards. */
export interface Ack {
  readonly credit: number;
  readonly delayMs: number;
  readonly ranges: readonly (readonly [number, number])[];
}

/** A piece of the stream; `fin` says that it ends with it. */
export interface Segment {
  readonly offset: number;
  readonly length: number;
  readonly fin: boolean;
}

export interface DataPacket {
  readonly type: "data";
  readonly to: SessionId;
  readonly number: number;
  readonly ack: Ack | null;
  readonly segment: Segment | null;
  /** The segment's bytes: a view into the datagram. */
  readonly bytes: Uint8Array;
  /** Asks for an acknowledgement, though it has no segment. */
  readonly ping: boolean;
}

export type Packet =
  | { type: "open"; to: SessionId; from: SessionId; cookie: Uint8Array | null }
  | { type: "cookie"; to: SessionId; cookie: Uint8Array }
  | { type: "accept"; to: SessionId; from: SessionId }
  | DataPacket
  | { type: "close"; to: SessionId; from: SessionId }
  | { type: "reset"; to: SessionId };

const NONE = new Uint8Array();

/** Bytes of a data packet around the bytes of its segment. */
export function dataOverhead(ranges: number): number {
  const ack = ranges === 0 ? 0 : 6 + 4 + 6 + 1 + 4 + 8 * (ranges - 1);
  return HEADER_BYTES + 6 + 1 + ack + 6;
}

export function encodeOpen(from: SessionId, cookie: Uint8Array | null): Uint8Array {
  const { bytes, view } = start(OPEN_BYTES, Type.Open, 0);
  setUint48(view, HEADER_BYTES, from);
  bytes[HEADER_BYTES + 6] = cookie?.length ?? 0;
  if (cookie !== null) bytes.set(cookie, HEADER_BYTES + 7);
  return sealed(bytes, view);
}

export function encodeCookie(to: SessionId, cookie: Uint8Array): Uint8Array {
  const { bytes, view } = start(HEADER_BYTES + COOKIE_BYTES, Type.Cookie, to);
  bytes.set(cookie, HEADER_BYTES);
  return sealed(bytes, view);
}

export function encodeAccept(to: SessionId, from: SessionId): Uint8Array {
  return encodePair(Type.Accept, to, from);
}

export function encodeClose(to: SessionId, from: SessionId): Uint8Array {
  return encodePair(Type.Close, to, from);
}

export function encodeReset(to: SessionId): Uint8Array {
  const { bytes, view } = start(RESET_BYTES, Type.Reset, to);
  return sealed(bytes, view);
}

/** `copy` puts the segment's bytes into the datagram. */
export function encodeData(
  packet: Omit<DataPacket, "type" | "bytes">,
  copy: (into: Uint8Array) => void,
): Uint8Array {
  const { ack, segment } = packet;
  const ranges = ack?.ranges.length ?? 0;
  const length = dataOverhead(ranges) - (segment === null ? 6 : -segment.length);
  const { bytes, view } = start(length, Type.Data, packet.to);
  setUint48(view, HEADER_BYTES, packet.number);
  bytes[HEADER_BYTES + 6] = (ack === null ? 0 : Flag.Ack) | (segment === null ? 0 : Flag.Stream) |
    (segment?.fin ? Flag.Fin : 0) | (packet.ping ? Flag.Ping : 0);
  let at = HEADER_BYTES + 7;
  if (ack !== null) at = writeAck(view, at, ack);
  if (segment !== null) {
    setUint48(view, at, segment.offset);
    copy(bytes.subarray(at + 6));
  }
  return sealed(bytes, view);
}

function writeAck(view: DataView, start: number, { credit, delayMs, ranges }: Ack): number {
  const [[first, last]] = ranges as [readonly [number, number]];
  setUint48(view, start, credit);
  view.setUint32(start + 6, Math.min(Math.max(0, Math.round(delayMs * 1000)), 0xffff_ffff));
  setUint48(view, start + 10, last);
  view.setUint8(start + 16, ranges.length - 1);
  view.setUint32(start + 17, last - first);
  let at = start + 21;
  for (let i = 1; i < ranges.length; i++) {
    const [low, high] = ranges[i]!;
    view.setUint32(at, ranges[i - 1]![0] - high - 1);
    view.setUint32(at + 4, high - low + 1);
    at += 8;
  }
  return at;
}

function encodePair(type: number, to: SessionId, from: SessionId): Uint8Array {
  const { bytes, view } = start(HEADER_BYTES + 6, type, to);
  setUint48(view, HEADER_BYTES, from);
  return sealed(bytes, view);
}

function start(length: number, type: number, to: SessionId) {
  const bytes = new Uint8Array(length);
  const view = new DataView(bytes.buffer);
  bytes[CRC_BYTES] = VERSION;
  bytes[CRC_BYTES + 1] = type;
  setUint48(view, CRC_BYTES + 2, to);
  return { bytes, view };
}

function sealed(bytes: Uint8Array, view: DataView): Uint8Array {
  view.setUint32(0, crc32c(bytes.subarray(CRC_BYTES), CRC_SEED));
  return bytes;
}

/** What a datagram says, or null if it is no packet. Never throws, and allocates by what is there only. */
export function decodePacket(bytes: Uint8Array): Packet | null {
  if (bytes.length < HEADER_BYTES) return null;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (view.getUint32(0) !== crc32c(bytes.subarray(CRC_BYTES), CRC_SEED)) return null;
  if (bytes[CRC_BYTES] !== VERSION) return null;
  const to = getUint48(view, CRC_BYTES + 2);
  const length = bytes.length - HEADER_BYTES;
  switch (bytes[CRC_BYTES + 1]) {
    case Type.Open:
      return to === 0 && bytes.length === OPEN_BYTES ? decodeOpen(bytes, view) : null;
    case Type.Cookie:
      if (length !== COOKIE_BYTES) return null;
      return { type: "cookie", to, cookie: bytes.subarray(HEADER_BYTES) };
    case Type.Accept:
      return length === 6 ? { type: "accept", to, from: getUint48(view, HEADER_BYTES) } : null;
    case Type.Data:
      return decodeData(bytes, view, to);
    case Type.Close:
      return length === 6 ? { type: "close", to, from: getUint48(view, HEADER_BYTES) } : null;
    case Type.Reset:
      return length === 0 ? { type: "reset", to } : null;
    default:
      return null;
  }
}

function decodeOpen(bytes: Uint8Array, view: DataView): Packet | null {
  const cookieBytes = bytes[HEADER_BYTES + 6]!;
  if (cookieBytes !== 0 && cookieBytes !== COOKIE_BYTES) return null;
  const end = HEADER_BYTES + 7 + cookieBytes;
  for (let at = end; at < OPEN_BYTES; at++) if (bytes[at] !== 0) return null;
  const cookie = cookieBytes === 0 ? null : bytes.subarray(HEADER_BYTES + 7, end);
  return { type: "open", to: 0, from: getUint48(view, HEADER_BYTES), cookie };
}

function decodeData(bytes: Uint8Array, view: DataView, to: SessionId): DataPacket | null {
  let at = HEADER_BYTES + 7;
  if (bytes.length < at) return null;
  const number = getUint48(view, HEADER_BYTES);
  const flags = bytes[at - 1]!;
  // A fin without a place in the stream, or a packet that says nothing.
  if (flags > 15 || flags === 0 || (flags & (Flag.Stream | Flag.Fin)) === Flag.Fin) return null;
  let ack: Ack | null = null;
  if ((flags & Flag.Ack) !== 0) {
    const read = decodeAck(view, at);
    if (read === null) return null;
    ack = read.ack;
    at = read.at;
  }
  const ping = (flags & Flag.Ping) !== 0;
  if ((flags & Flag.Stream) === 0) {
    if (at !== bytes.length) return null;
    return { type: "data", to, number, ack, segment: null, bytes: NONE, ping };
  }
  if (bytes.length < at + 6) return null;
  const offset = getUint48(view, at);
  const data = bytes.subarray(at + 6);
  const fin = (flags & Flag.Fin) !== 0;
  if (offset + data.length > NUMBER_MAX || (data.length === 0 && !fin)) return null;
  const segment = { offset, length: data.length, fin };
  return { type: "data", to, number, ack, segment, bytes: data, ping };
}

function decodeAck(view: DataView, start: number): { ack: Ack; at: number } | null {
  if (view.byteLength < start + 21) return null;
  const further = view.getUint8(start + 16);
  const end = start + 21 + 8 * further;
  if (further >= ACK_RANGES_MAX || view.byteLength < end) return null;
  const last = getUint48(view, start + 10);
  let low = last - view.getUint32(start + 17);
  if (low < 0) return null;
  const ranges: [number, number][] = [[low, last]];
  for (let at = start + 21; at < end; at += 8) {
    const [missing, there] = [view.getUint32(at), view.getUint32(at + 4)];
    const high = low - missing - 1;
    low = high - there + 1;
    if (missing === 0 || there === 0 || low < 0) return null;
    ranges.push([low, high]);
  }
  const delayMs = view.getUint32(start + 6) / 1000;
  return { ack: { credit: getUint48(view, start), delayMs, ranges }, at: end };
}
