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

const PEERS_VERSION = 2;
/** Without what the peers have acknowledged. */
const PEERS_VERSION_BEFORE = 1;
const HEADER_BYTES = 3;
/** Incarnation, boot, since, term and index acknowledged. */
const PEER_NUMBERS = 5;
const PEER_NUMBERS_BEFORE = 3;

/**
 * Version, count in two bytes, then of each peer: incarnation, boot, since, the term and index that it
 * has acknowledged, length of the name, name; CRC.
 *
 * @throws {RangeError} if there are more than {@linkcode KNOWN_PEERS_MAX}.
 */
export function encodePeers(peers: ReadonlyMap<NodeId, KnownPeer>): Uint8Array {
  checkPeers(peers);
  let size = HEADER_BYTES + CRC_BYTES;
  for (const id of peers.keys()) size += 6 * PEER_NUMBERS + 1 + id.length;
  const bytes = new Uint8Array(size);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, PEERS_VERSION);
  view.setUint16(1, peers.size);
  let at = HEADER_BYTES;
  for (const [id, { incarnation, boot, since, heldTerm, heldIndex }] of peers) {
    for (const number of [incarnation, boot, since, heldTerm, heldIndex]) {
      setUint48(view, at, number);
      at += 6;
    }
    view.setUint8(at++, id.length);
    // A node id is ASCII (raft/types.ts), so that characters are bytes.
    for (let i = 0; i < id.length; i++) bytes[at + i] = id.charCodeAt(i);
    at += id.length;
  }
  return sealed(bytes);
}

/** @throws {CorruptLog} if the bytes are not what {@linkcode encodePeers} makes, or made before. */
export function decodePeers(bytes: Uint8Array): ReadonlyMap<NodeId, KnownPeer> {
  const isBefore = bytes[0] === PEERS_VERSION_BEFORE;
  const version = isBefore ? PEERS_VERSION_BEFORE : PEERS_VERSION;
  const numbers = isBefore ? PEER_NUMBERS_BEFORE : PEER_NUMBERS;
  const view = unsealed(bytes, version, HEADER_BYTES, "record of the peers");
  const end = bytes.length - CRC_BYTES;
  const peers = new Map<NodeId, KnownPeer>();
  let at = HEADER_BYTES;
  for (let left = view.getUint16(1); left > 0; left--) {
    const nameAt = at + 6 * numbers + 1;
    const nameEnd = nameAt <= end ? nameAt + view.getUint8(nameAt - 1) : Infinity;
    if (nameEnd > end) throw misfit(bytes.length);
    const id = String.fromCharCode(...bytes.subarray(nameAt, nameEnd)) as NodeId;
    const [incarnation, boot, since, heldTerm = 0, heldIndex = 0] = Array.from(
      { length: numbers },
      (_, i) => getUint48(view, at + 6 * i),
    );
    peers.set(id, { incarnation, boot, since, heldTerm, heldIndex });
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
