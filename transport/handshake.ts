/**
 * The handshake that opens every connection: the dialler says who it is and whom it means, the other
 * side welcomes or refuses it. From then on the connection itself names the sender of its frames.
 *
 * Both texts are: "KVRM", u16 protocol version, u16 length, then so many bytes; big-endian. The first
 * eight bytes keep their form in all versions, so that a refusal can always be read.
 *
 * It binds names, not keys: it keeps out the misconfigured and the outdated, not an adversary who
 * can reach the port. That is TLS's part.
 *
 * @module
 */
import type { NodeId } from "../raft/types.ts";
import { ByteReader, ByteWriter, MalformedFrame } from "./bytes.ts";
import type { RefusalReason } from "./events.ts";
import { readExactly, writeAll } from "./frame.ts";
import type { Socket } from "./socket.ts";
import type { Holding } from "./types.ts";

/** Raised when the handshake, the frames or the messages change. */
export const PROTOCOL_VERSION = 3;

/** "KVRM". */
const MAGIC = 0x4b56524d;
/** How a node begins that speaks HTTP: "POST /v1" when it dials, "HTTP/1.1" when it answers. */
const HTTP_STARTS = [[0x504f5354, 0x202f7631], [0x48545450, 0x2f312e31]];
/** What a node that dials over HTTP understands as "wrong-transport". */
const HTTP_BODY =
  '{"title":"This node speaks TCP with its peers","status":421,"code":"wrong-transport"}';
const HTTP_REFUSAL = new TextEncoder().encode(
  "HTTP/1.1 421 Misdirected Request\r\ncontent-type: application/problem+json\r\n" +
    `content-length: ${HTTP_BODY.length}\r\nconnection: close\r\n\r\n${HTTP_BODY}`,
);
/** Bytes of a request that are read before it is refused so. */
const HTTP_REQUEST_BYTES = 1024;
const PREAMBLE_BYTES = 8;
/** Three names of 64 characters, an address of ADDRESS_CHARS_MAX, and what is small. */
const BODY_BYTES_MAX = 512;
/** A host name has 253 characters at most; one that is longer is not told. */
const ADDRESS_CHARS_MAX = 255;
const ADDRESS = /^[\x21-\x7e]*$/;
const WELCOME = 0;

/** The refusals that are told to the other side, at their number on the wire. */
const REFUSALS: readonly (RefusalReason | null)[] = [
  null,
  "wrong-version",
  "wrong-cluster",
  "wrong-recipient",
  "unknown-sender",
  "old-boot",
  "other-data",
  "older-data",
];

/** One end of a connection, as it names itself. */
export interface Hello {
  readonly clusterId: string;
  readonly from: NodeId;
  readonly to: NodeId;
  /** How often `from` was started on its data. */
  readonly boot: number;
  /** Which data those are. */
  readonly incarnation: number;
  /** The highest term in them, and the index of the last entry. */
  readonly term: number;
  readonly lastIndex: number;
  /** Where `from` is reached, as `host:port`; null if it does not say. */
  readonly address: string | null;
}

/** This node's side of all its handshakes. */
export interface HandshakeSelf {
  readonly id: NodeId;
  readonly clusterId: string;
  readonly boot: number;
  readonly incarnation: number;
  readonly address: () => string | null;
  readonly holding: () => Holding;
}

/** The reason that an answer to a hello refuses with; null for a welcome, and for what is neither. */
export function refusalIn(answer: Uint8Array): RefusalReason | null {
  if (answer.length !== PREAMBLE_BYTES + 1 || new ByteReader(answer).uint32() !== MAGIC) {
    return null;
  }
  return REFUSALS[answer[PREAMBLE_BYTES]] ?? null;
}

/** Whether a text is one of the reasons that the other side of a handshake may give. */
export function isRefusal(text: unknown): text is RefusalReason {
  return text === "wrong-transport" ||
    REFUSALS.some((reason) => reason !== null && reason === text);
}

/** What speaks against a hello of this cluster and for this node; null for nothing. */
export type Judge = (hello: Hello) => RefusalReason | null;

/** The handshake ended without a connection. */
export class HandshakeRefused extends Error {
  override readonly name = "HandshakeRefused";
  readonly reason: RefusalReason;
  /** True if the other side refused. */
  readonly byPeer: boolean;
  /** Who the other side claims to be, as far as it came. */
  readonly peer: NodeId | null;

  constructor(reason: RefusalReason, byPeer: boolean, peer: NodeId | null) {
    super(`Cannot connect: handshake refused as ${reason}`);
    this.reason = reason;
    this.byPeer = byPeer;
    this.peer = peer;
  }
}

/**
 * The dialler's side. Gives what the other side says of itself.
 *
 * @throws {HandshakeRefused} if either side refuses the other.
 * @throws {StreamEnded} if the other side closes, and whatever the socket throws.
 */
export async function greet(
  socket: Socket,
  self: HandshakeSelf,
  peer: NodeId,
  judgePeer: Judge,
): Promise<Hello> {
  await writeAll(socket, encodeHello(helloOf(self, peer)));
  const answer = await readText(socket, peer);
  const status = decode(peer, () => answer.uint8());
  if (status !== WELCOME) throw new HandshakeRefused(REFUSALS[status] ?? "malformed", true, peer);
  const hello = decode(peer, () => decodeHello(answer));
  const reason = judge(hello, self, (it) => it.from === peer ? judgePeer(it) : "unknown-sender");
  if (reason !== null) throw new HandshakeRefused(reason, false, hello.from);
  return hello;
}

/**
 * The listener's side. `admit` is awaited before the dialler is welcomed.
 *
 * @throws what `admit` throws, and as {@linkcode greet}; the other side has then been told the reason.
 */
export async function welcome(
  socket: Socket,
  self: HandshakeSelf,
  judgePeer: Judge,
  admit: (hello: Hello) => Promise<void>,
): Promise<Hello> {
  let claimed: NodeId | null = null;
  try {
    const input = await readText(socket, null);
    const hello = decode(null, () => decodeHello(input));
    claimed = hello.from;
    const reason = judge(hello, self, judgePeer);
    if (reason !== null) throw new HandshakeRefused(reason, false, claimed);
    await admit(hello);
    await writeAll(socket, encodeWelcome(helloOf(self, hello.from)));
    return hello;
  } catch (error) {
    // The reason only: who is not a peer learns nothing else about the cluster.
    const reason = error instanceof HandshakeRefused ? error.reason : null;
    const code = REFUSALS.indexOf(reason);
    if (code > 0) await writeAll(socket, encodeRefusal(code)).catch(() => {});
    else if (reason === "wrong-transport") await refuseHttp(socket).catch(() => {});
    throw error;
  }
}

/** Tells a node that speaks HTTP that this one does not. */
async function refuseHttp(socket: Socket): Promise<void> {
  // What is left unread would reset the connection, and the refusal could be lost on its way.
  await socket.read(new Uint8Array(HTTP_REQUEST_BYTES));
  await writeAll(socket, HTTP_REFUSAL);
}

/** The dialler's text. */
export function encodeHello(hello: Hello): Uint8Array {
  return encodeText(PROTOCOL_VERSION, helloBytes(hello), (out) => writeHello(out, hello));
}

function helloOf(self: HandshakeSelf, to: NodeId): Hello {
  const { id, clusterId, boot, incarnation } = self;
  const { term, lastIndex } = self.holding();
  const text = self.address();
  const isSendable = text !== null && text.length <= ADDRESS_CHARS_MAX && ADDRESS.test(text);
  const address = isSendable ? text : null;
  return { clusterId, from: id, to, boot, incarnation, term, lastIndex, address };
}

function encodeWelcome(hello: Hello): Uint8Array {
  return encodeText(PROTOCOL_VERSION, 1 + helloBytes(hello), (out) => {
    out.uint8(WELCOME);
    writeHello(out, hello);
  });
}

function encodeRefusal(code: number): Uint8Array {
  return encodeText(PROTOCOL_VERSION, 1, (out) => out.uint8(code));
}

function encodeText(version: number, bytes: number, write: (out: ByteWriter) => void): Uint8Array {
  const out = new ByteWriter(PREAMBLE_BYTES + bytes);
  out.uint32(MAGIC);
  out.uint16(version);
  out.uint16(bytes);
  write(out);
  return out.bytes;
}

function helloBytes(hello: Hello): number {
  const names = 3 + hello.clusterId.length + hello.from.length + hello.to.length;
  return 4 * 6 + names + 1 + (hello.address?.length ?? 0);
}

function writeHello(out: ByteWriter, hello: Hello): void {
  out.uint48(hello.boot);
  out.uint48(hello.incarnation);
  out.uint48(hello.term);
  out.uint48(hello.lastIndex);
  out.name(hello.clusterId);
  out.name(hello.from);
  out.name(hello.to);
  out.name(hello.address ?? "");
}

function decodeHello(input: ByteReader): Hello {
  const boot = input.uint48();
  const incarnation = input.uint48();
  const term = input.uint48();
  const lastIndex = input.uint48();
  const clusterId = input.name();
  const from = input.name() as NodeId;
  const to = input.name() as NodeId;
  const text = readAddress(input);
  input.end();
  const address = text === "" ? null : text;
  return { clusterId, from, to, boot, incarnation, term, lastIndex, address };
}

function readAddress(input: ByteReader): string {
  const text = String.fromCharCode(...input.raw(input.uint8()));
  if (!ADDRESS.test(text)) throw new MalformedFrame("Cannot decode: bad address");
  return text;
}

/** Reads one text, and gives its body if it is of this protocol and version. */
async function readText(socket: Socket, peer: NodeId | null): Promise<ByteReader> {
  const preamble = new Uint8Array(PREAMBLE_BYTES);
  await readExactly(socket, preamble);
  const input = new ByteReader(preamble);
  const start = input.uint32();
  if (start !== MAGIC) {
    const next = input.uint32();
    const isHttp = HTTP_STARTS.some((text) => text[0] === start && text[1] === next);
    throw new HandshakeRefused(isHttp ? "wrong-transport" : "malformed", false, peer);
  }
  const version = input.uint16();
  const bytes = input.uint16();
  if (bytes > BODY_BYTES_MAX) throw new HandshakeRefused("malformed", false, peer);
  // Read before the version is judged: closing on unread bytes resets the connection, and the
  // refusal could be lost on its way.
  const body = new Uint8Array(bytes);
  await readExactly(socket, body);
  if (version !== PROTOCOL_VERSION) throw new HandshakeRefused("wrong-version", false, peer);
  return new ByteReader(body);
}

/** Why the other side's hello is not the one wanted, or null. */
function judge(
  hello: Hello,
  self: HandshakeSelf,
  judgePeer: Judge,
): RefusalReason | null {
  if (hello.clusterId !== self.clusterId) return "wrong-cluster";
  if (hello.to !== self.id) return "wrong-recipient";
  return judgePeer(hello);
}

function decode<T>(peer: NodeId | null, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof MalformedFrame)) throw error;
    throw new HandshakeRefused("malformed", false, peer);
  }
}
