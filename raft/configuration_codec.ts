/**
 * The binary form of a configuration, the data of configuration entries and a part of every snapshot's
 * description.
 *
 * It is: u8 version, then the lists of voters, outgoing voters, learners, promotions and addresses, each
 * a u16 count and its members; big-endian, no padding. An id is u8 length and ASCII; a promotion is an
 * id and the id that it replaces (length 0 for none); an address is an id, u48 since, then url and peer,
 * each u16 length and UTF-8. Each configuration has exactly one encoding, and anything else is refused.
 *
 * @module
 */
import {
  type Configuration,
  isNodeId,
  type LogIndex,
  type MemberAddress,
  type NodeId,
  NUMBER_MAX,
  type Promotion,
} from "./types.ts";

/** Raised when the form changes. */
const VERSION = 2;
const COUNT_MAX = 2 ** 16 - 1;
const TEXT_BYTES_MAX = 2 ** 16 - 1;

const utf8Encoder = new TextEncoder();
const utf8Decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * Encodes a configuration.
 *
 * @throws {RangeError} if it contradicts itself (see {@linkcode assertSound}), or an id, a text or a
 * list is out of bounds.
 */
export function encodeConfiguration(configuration: Configuration): Uint8Array<ArrayBuffer> {
  assertSound(configuration, "encode");
  const { voters, votersOutgoing, learners, promoting, addresses } = configuration;
  const bytes: number[] = [VERSION];
  putList(bytes, voters, putId);
  putList(bytes, votersOutgoing, putId);
  putList(bytes, learners, putId);
  putList(bytes, promoting, putPromotion);
  putList(bytes, addresses, putAddress);
  return new Uint8Array(bytes);
}

/**
 * Decodes the whole of `encoded`, which may be changed afterwards.
 *
 * @throws {RangeError} if it is not what {@linkcode encodeConfiguration} makes.
 */
export function decodeConfiguration(encoded: Uint8Array): Configuration {
  const cursor = { bytes: encoded, at: 0 };
  const version = takeNumber(cursor, 1);
  if (version !== VERSION) {
    throw new RangeError(`Cannot decode configuration: version ${version}, not ${VERSION}`);
  }
  const configuration = {
    voters: takeList(cursor, takeId),
    votersOutgoing: takeList(cursor, takeId),
    learners: takeList(cursor, takeId),
    promoting: takeList(cursor, takePromotion),
    addresses: takeList(cursor, takeAddress),
  };
  if (cursor.at !== encoded.length) {
    throw new RangeError(`Cannot decode configuration: ${encoded.length - cursor.at} bytes left`);
  }
  assertSound(configuration, "decode");
  return configuration;
}

/** Nobody twice in one list, no learner that votes, nobody promoted but learners, no stranger's address. */
function assertSound(configuration: Configuration, what: string): void {
  const { voters, votersOutgoing, learners, promoting, addresses } = configuration;
  const inVoters = distinct(voters, "voter", what);
  const inOutgoing = distinct(votersOutgoing, "outgoing voter", what);
  const inLearners = distinct(learners, "learner", what);
  const votes = (id: NodeId) => inVoters.has(id) || inOutgoing.has(id);
  const unsound = learners.find(votes) ??
    [...distinct(promoting.map(({ id }) => id), "promotion", what)]
      .find((id) => !inLearners.has(id)) ??
    promoting.find(({ replaces }) => replaces !== null && !votes(replaces))?.replaces ??
    [...distinct(addresses.map(({ id }) => id), "address", what)]
      .find((id) => !votes(id) && !inLearners.has(id)) ??
    (voters.length === 0 ? votersOutgoing.at(0) : undefined);
  if (unsound === undefined) return;
  throw new RangeError(`Cannot ${what} configuration: ${unsound} does not fit in where it stands`);
}

function distinct(ids: readonly NodeId[], role: string, what: string): ReadonlySet<NodeId> {
  const set = new Set(ids);
  if (set.size === ids.length) return set;
  throw new RangeError(`Cannot ${what} configuration: a ${role} stands in it twice`);
}

function putNumber(bytes: number[], value: number, size: 1 | 2 | 6): void {
  // By division: 48 bits are too many for shifts.
  for (let unit = 256 ** (size - 1); unit >= 1; unit /= 256) {
    bytes.push(Math.floor(value / unit) % 256);
  }
}

function putList<T>(
  bytes: number[],
  items: readonly T[],
  put: (bytes: number[], item: T) => void,
): void {
  if (items.length > COUNT_MAX) {
    throw new RangeError(`Cannot encode configuration: ${items.length} members in one list`);
  }
  putNumber(bytes, items.length, 2);
  for (const item of items) put(bytes, item);
}

function putId(bytes: number[], id: NodeId): void {
  if (!isNodeId(id)) throw new RangeError(`Cannot encode configuration: bad id "${id}"`);
  putNumber(bytes, id.length, 1);
  bytes.push(...utf8Encoder.encode(id));
}

function putPromotion(bytes: number[], { id, replaces }: Promotion): void {
  putId(bytes, id);
  if (replaces === null) putNumber(bytes, 0, 1);
  else putId(bytes, replaces);
}

function putAddress(bytes: number[], { id, since, url, peer }: MemberAddress): void {
  putId(bytes, id);
  if (!Number.isInteger(since) || since < 0 || since > NUMBER_MAX) {
    throw new RangeError(`Cannot encode configuration: ${id} is a member since ${since}`);
  }
  putNumber(bytes, since, 6);
  putText(bytes, url);
  putText(bytes, peer);
}

function putText(bytes: number[], text: string): void {
  const encoded = utf8Encoder.encode(text);
  if (encoded.length > TEXT_BYTES_MAX || !text.isWellFormed()) {
    throw new RangeError(`Cannot encode configuration: bad address of ${encoded.length} bytes`);
  }
  putNumber(bytes, encoded.length, 2);
  for (const byte of encoded) bytes.push(byte);
}

interface Cursor {
  readonly bytes: Uint8Array;
  at: number;
}

function takeBytes(cursor: Cursor, size: number): Uint8Array {
  const end = cursor.at + size;
  if (end > cursor.bytes.length) {
    throw new RangeError(`Cannot decode configuration: cut short at ${cursor.bytes.length} bytes`);
  }
  const bytes = cursor.bytes.subarray(cursor.at, end);
  cursor.at = end;
  return bytes;
}

function takeNumber(cursor: Cursor, size: 1 | 2 | 6): number {
  return takeBytes(cursor, size).reduce((value, byte) => value * 256 + byte, 0);
}

/** A list grows only with what is really there, whatever its count says. */
function takeList<T>(cursor: Cursor, take: (cursor: Cursor) => T): T[] {
  const count = takeNumber(cursor, 2);
  const items: T[] = [];
  for (let n = 0; n < count; n++) items.push(take(cursor));
  return items;
}

function takeId(cursor: Cursor): NodeId {
  const id = takeOptionalId(cursor);
  if (id === null) throw new RangeError("Cannot decode configuration: an empty id");
  return id;
}

function takeOptionalId(cursor: Cursor): NodeId | null {
  const bytes = takeBytes(cursor, takeNumber(cursor, 1));
  if (bytes.length === 0) return null;
  const id = String.fromCharCode(...bytes);
  if (!isNodeId(id)) throw new RangeError("Cannot decode configuration: a bad id");
  return id as NodeId;
}

function takePromotion(cursor: Cursor): Promotion {
  return { id: takeId(cursor), replaces: takeOptionalId(cursor) };
}

function takeAddress(cursor: Cursor): MemberAddress {
  const id = takeId(cursor);
  const since = takeNumber(cursor, 6) as LogIndex;
  return { id, since, url: takeText(cursor), peer: takeText(cursor) };
}

function takeText(cursor: Cursor): string {
  const bytes = takeBytes(cursor, takeNumber(cursor, 2));
  try {
    return utf8Decoder.decode(bytes);
  } catch {
    throw new RangeError("Cannot decode configuration: an address that is not UTF-8");
  }
}
