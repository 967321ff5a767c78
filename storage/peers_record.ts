/**
 * The record of what a node remembers of the other members, and the drawing of an incarnation.
 *
 * @module
 */
import { getUint48, setUint48 } from "../raft/entry_codec.ts";
import type { NodeId } from "../raft/types.ts";
import { KNOWN_PEERS_MAX } from "./limits.ts";
import { CRC_BYTES, sealed, unsealed } from "./record_codec.ts";
import { CorruptLog, type KnownPeer } from "./types.ts";

const PEERS_VERSION = 1;
const HEADER_BYTES = 3;
/** Incarnation, boot, since, length of the name. */
const PEER_FIXED_BYTES = 3 * 6 + 1;

/**
 * Version, count in two bytes, then of each peer: incarnation, boot, since, length of the name, name;
 * CRC.
 *
 * @throws {RangeError} if there are more than {@linkcode KNOWN_PEERS_MAX}.
 */
export function encodePeers(peers: ReadonlyMap<NodeId, KnownPeer>): Uint8Array {
  checkPeers(peers);
  let size = HEADER_BYTES + CRC_BYTES;
  for (const id of peers.keys()) size += PEER_FIXED_BYTES + id.length;
  const bytes = new Uint8Array(size);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, PEERS_VERSION);
  view.setUint16(1, peers.size);
  let at = HEADER_BYTES;
  for (const [id, { incarnation, boot, since }] of peers) {
    setUint48(view, at, incarnation);
    setUint48(view, at + 6, boot);
    setUint48(view, at + 12, since);
    view.setUint8(at + 18, id.length);
    at += PEER_FIXED_BYTES;
    // A node id is ASCII (raft/types.ts), so that characters are bytes.
    for (let i = 0; i < id.length; i++) bytes[at + i] = id.charCodeAt(i);
    at += id.length;
  }
  return sealed(bytes);
}

/** @throws {CorruptLog} if the bytes are not what {@linkcode encodePeers} makes. */
export function decodePeers(bytes: Uint8Array): ReadonlyMap<NodeId, KnownPeer> {
  const view = unsealed(bytes, PEERS_VERSION, HEADER_BYTES, "record of the peers");
  const end = bytes.length - CRC_BYTES;
  const peers = new Map<NodeId, KnownPeer>();
  let at = HEADER_BYTES;
  for (let left = view.getUint16(1); left > 0; left--) {
    const nameAt = at + PEER_FIXED_BYTES;
    const nameEnd = nameAt <= end ? nameAt + view.getUint8(nameAt - 1) : Infinity;
    if (nameEnd > end) throw misfit(bytes.length);
    const id = String.fromCharCode(...bytes.subarray(nameAt, nameEnd)) as NodeId;
    const [incarnation, boot, since] = [0, 6, 12].map((by) => getUint48(view, at + by));
    peers.set(id, { incarnation, boot, since });
    at = nameEnd;
  }
  if (at !== end) throw misfit(bytes.length);
  return peers;
}

/** @throws {RangeError} if there are more than {@linkcode KNOWN_PEERS_MAX}. */
export function checkPeers(peers: ReadonlyMap<NodeId, KnownPeer>): void {
  if (peers.size <= KNOWN_PEERS_MAX) return;
  throw new RangeError(`Cannot remember ${peers.size} peers: ${KNOWN_PEERS_MAX} are allowed`);
}

/** The incarnation of new data: never 0, which stands for none. */
export function drawIncarnation(): number {
  const view = new DataView(crypto.getRandomValues(new Uint8Array(6)).buffer);
  return getUint48(view, 0) || 1;
}

function misfit(bytes: number): CorruptLog {
  return new CorruptLog(`Cannot read record of the peers: it does not fit ${bytes} bytes`);
}
