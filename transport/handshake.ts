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

/** Raised when the handshake, the frames or the messages change. */
export const PROTOCOL_VERSION = 2;

/** "KVRM". */
const MAGIC = 0x4b56524d;
const PREAMBLE_BYTES = 8;
/** Three names of 64 characters, their lengths, a boot number, and room for later versions. */
const BODY_BYTES_MAX = 512;
const WELCOME = 0;

/** The refusals that are told to the other side, at their number on the wire. */
const REFUSALS: readonly (RefusalReason | null)[] = [
  null,
  "wrong-version",
  "wrong-cluster",
  "wrong-recipient",
  "unknown-sender",
  "old-boot",
];

/** One end of a connection, as it names itself. */
export interface Hello {
  readonly clusterId: string;
  readonly from: NodeId;
  readonly to: NodeId;
  /** How often `from` was started on its data. */
  readonly boot: number;
}

/** This node's side of all its handshakes. */
export interface HandshakeSelf {
  readonly id: NodeId;
  readonly clusterId: string;
  readonly boot: number;
}

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
 * The dialler's side. Gives the other side's boot number.
 *
 * @throws {HandshakeRefused} if either side refuses the other.
 * @throws {StreamEnded} if the other side closes, and whatever the socket throws.
 */
export async function greet(
  socket: Socket,
  self: HandshakeSelf,
  peer: NodeId,
  knownBoot: number,
): Promise<number> {
  const { id: from, clusterId, boot } = self;
  await writeAll(socket, encodeHello({ clusterId, from, to: peer, boot }));
  const answer = await readText(socket, peer);
  const status = decode(peer, () => answer.uint8());
  if (status !== WELCOME) throw new HandshakeRefused(REFUSALS[status] ?? "malformed", true, peer);
  const hello = decode(peer, () => decodeHello(answer));
  const reason = judge(hello, self, (id) => id === peer ? knownBoot : null);
  if (reason !== null) throw new HandshakeRefused(reason, false, hello.from);
  return hello.boot;
}

/**
 * The listener's side. `knownBoot` gives the highest boot number seen of a peer, null if the name is
 * not a peer's.
 *
 * @throws as {@linkcode greet}; the other side has then been told the reason.
 */
export async function welcome(
  socket: Socket,
  self: HandshakeSelf,
  knownBoot: (id: NodeId) => number | null,
): Promise<Hello> {
  let claimed: NodeId | null = null;
  try {
    const input = await readText(socket, null);
    const hello = decode(null, () => decodeHello(input));
    claimed = hello.from;
    const reason = judge(hello, self, knownBoot);
    if (reason !== null) throw new HandshakeRefused(reason, false, claimed);
    const { id: from, clusterId, boot } = self;
    await writeAll(socket, encodeWelcome({ clusterId, from, to: hello.from, boot }));
    return hello;
  } catch (error) {
    // The reason only: who is not a peer learns nothing else about the cluster.
    const code = error instanceof HandshakeRefused ? REFUSALS.indexOf(error.reason) : -1;
    if (code > 0) await writeAll(socket, encodeRefusal(code)).catch(() => {});
    throw error;
  }
}

/** The dialler's text. */
export function encodeHello(hello: Hello): Uint8Array {
  return encodeText(PROTOCOL_VERSION, helloBytes(hello), (out) => writeHello(out, hello));
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
  return 6 + 3 + hello.clusterId.length + hello.from.length + hello.to.length;
}

function writeHello(out: ByteWriter, hello: Hello): void {
  out.uint48(hello.boot);
  out.name(hello.clusterId);
  out.name(hello.from);
  out.name(hello.to);
}

function decodeHello(input: ByteReader): Hello {
  const boot = input.uint48();
  const clusterId = input.name();
  const from = input.name() as NodeId;
  const to = input.name() as NodeId;
  input.end();
  return { clusterId, from, to, boot };
}

/** Reads one text, and gives its body if it is of this protocol and version. */
async function readText(socket: Socket, peer: NodeId | null): Promise<ByteReader> {
  const preamble = new Uint8Array(PREAMBLE_BYTES);
  await readExactly(socket, preamble);
  const input = new ByteReader(preamble);
  if (input.uint32() !== MAGIC) throw new HandshakeRefused("malformed", false, peer);
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
  knownBoot: (id: NodeId) => number | null,
): RefusalReason | null {
  if (hello.clusterId !== self.clusterId) return "wrong-cluster";
  if (hello.to !== self.id) return "wrong-recipient";
  const known = knownBoot(hello.from);
  if (known === null) return "unknown-sender";
  if (hello.boot < known) return "old-boot";
  return null;
}

function decode<T>(peer: NodeId | null, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof MalformedFrame)) throw error;
    throw new HandshakeRefused("malformed", false, peer);
  }
}
