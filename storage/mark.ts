/**
 * The high-water mark: a small file beside the KV file that holds the state of the last acknowledged
 * commit, so that a log which came back shorter is noticed. SQLite takes a bad frame in its
 * write-ahead log for the end of that log, and then opens without an error at an older state.
 *
 * The order makes it work. A commit is written to the KV file first, then here and synced, and only
 * then acknowledged: whatever was acknowledged is in the mark, and a crash between the two leaves the
 * log ahead by one commit, never behind. Two slots are written in turn, so that a torn write leaves
 * the one before. Each opening makes a new file and renames it over the old one, so that a process
 * which was fenced off goes on writing into a file that nobody will read.
 *
 * Not here: the file (mark_file.ts), what to do about damage (the replica), any knowledge of Deno KV.
 *
 * @module
 */
import { getUint48, setUint48 } from "../raft/entry_codec.ts";
import { chainText } from "./chain.ts";
import { MARK_SLOT_BYTES } from "./limits.ts";
import {
  checkSeal,
  CRC_BYTES,
  decodeIdentity,
  decodeState,
  encodeIdentity,
  encodeState,
  type OwnedIdentity,
  sealed,
  type StateRecord,
} from "./record_codec.ts";
import { CorruptLog, type Identity, sameIdentity } from "./types.ts";

/** The slots of a mark, written in turn. */
export const MARK_SLOTS = 2;

const MARK_MAGIC = 0x4b564d31;
const DAMAGED_OFFSET = 4;
const SLOT_HEADER_BYTES = 13;

/** What a slot says. */
export interface MarkContent {
  readonly identity: OwnedIdentity;
  readonly boot: number;
  /** Something acknowledged was found missing, and `repaired` was not called since. */
  readonly damaged: boolean;
  readonly state: StateRecord;
}

/** What was found in a mark. */
export interface MarkFound {
  /** The slot of the latest commit; null if none can be read. */
  readonly newest: MarkContent | null;
  /** True if a slot could not be read. */
  readonly broken: boolean;
}

/** A mark being written. */
export interface Mark {
  /** Makes the encoded state of commit `seq` durable before it resolves. */
  write(state: Uint8Array, seq: number): Promise<void>;
  /** From the next write on, the mark says that the data is not damaged any more. */
  repaired(): void;
  close(): void;
}

/** Where a disk keeps its mark. */
export interface MarkPlace {
  /** Null if there is none. */
  read(): Promise<MarkFound | null>;
  /** Replaces the mark, durably, by a new one with this content in both slots. */
  create(content: MarkContent): Promise<Mark>;
}

/**
 * A slot that is encoded again and again with another state: what stays the same is written once.
 */
export class SlotBuffer {
  readonly #bytes = new Uint8Array(MARK_SLOT_BYTES);
  readonly #stateOffset: number;

  constructor(content: MarkContent) {
    this.#bytes.set(encodeSlot(content));
    this.#stateOffset = stateOffset(encodeIdentity(content.identity));
  }

  /** The slot with this state. Valid until the next call. */
  encode(state: Uint8Array): Uint8Array {
    const at = this.#stateOffset;
    new DataView(this.#bytes.buffer).setUint16(at - 2, state.length);
    this.#bytes.set(state, at);
    return sealed(this.#bytes.subarray(0, at + state.length + CRC_BYTES));
  }

  repaired(): void {
    this.#bytes[DAMAGED_OFFSET] = 0;
  }
}

/** Magic, damaged, boot, length of the identity, identity, length of the state, state, CRC. */
export function encodeSlot(content: MarkContent): Uint8Array {
  const identity = encodeIdentity(content.identity);
  const state = encodeState(content.state);
  const at = stateOffset(identity);
  const bytes = new Uint8Array(at + state.length + CRC_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, MARK_MAGIC);
  view.setUint8(DAMAGED_OFFSET, content.damaged ? 1 : 0);
  setUint48(view, 5, content.boot);
  view.setUint16(11, identity.length);
  bytes.set(identity, SLOT_HEADER_BYTES);
  view.setUint16(at - 2, state.length);
  bytes.set(state, at);
  return sealed(bytes);
}

/** @throws {CorruptLog} if the bytes do not begin with a slot as {@linkcode encodeSlot} makes it. */
export function decodeSlot(bytes: Uint8Array): MarkContent {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  try {
    if (view.getUint32(0) !== MARK_MAGIC) throw new RangeError("no magic number");
    const identityEnd = SLOT_HEADER_BYTES + view.getUint16(11);
    const stateEnd = identityEnd + 2 + view.getUint16(identityEnd);
    if (stateEnd + CRC_BYTES > bytes.length) throw new RangeError(`ends at byte ${stateEnd}`);
    checkSeal(bytes.subarray(0, stateEnd + CRC_BYTES), 0, "slot of the mark");
    return {
      identity: decodeIdentity(bytes.subarray(SLOT_HEADER_BYTES, identityEnd)),
      boot: getUint48(view, 5),
      damaged: view.getUint8(DAMAGED_OFFSET) !== 0,
      state: decodeState(bytes.subarray(identityEnd + 2, stateEnd)),
    };
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    throw new CorruptLog("Cannot read slot of the mark: it is not one", { cause });
  }
}

/** Reads both slots of a mark file. Never throws for what the bytes are, except for a newer format. */
export function readSlots(bytes: Uint8Array): MarkFound {
  let newest: MarkContent | null = null;
  let broken = false;
  for (let i = 0; i < MARK_SLOTS; i++) {
    try {
      const slot = decodeSlot(bytes.subarray(i * MARK_SLOT_BYTES, (i + 1) * MARK_SLOT_BYTES));
      if (newest === null || slot.state.seq > newest.state.seq) newest = slot;
    } catch (error) {
      if (!(error instanceof CorruptLog)) throw error;
      broken = true;
    }
  }
  return { newest, broken };
}

/**
 * Holds the log against its mark. Null if the log has all that was acknowledged; otherwise what speaks
 * against it, in a sentence. Doubt counts as damage: it costs a repair, and the opposite costs data.
 */
export function findDamage(
  mark: MarkFound | null,
  log: StateRecord,
  owner: Identity,
): string | null {
  if (mark === null) {
    if (log.seq === 0) return null;
    return `The mark beside the log is missing, so nothing says that index ${log.end.lastIndex} is its end`;
  }
  if (mark.newest === null) {
    return "The mark beside the log cannot be read, so nothing says where the log should end";
  }
  const { state, damaged, identity } = mark.newest;
  if (!sameIdentity(identity, owner)) {
    // The data was made another cluster's (offline.ts), and a crash came before the mark of that.
    if (identity.nodeId === owner.nodeId && log.seq > state.seq) return null;
    return "The mark beside the log is another's, so nothing says where the log should end";
  }
  if (damaged) {
    return "Acknowledged data was found missing at an earlier opening and is not repaired yet";
  }
  if (log.seq < state.seq) {
    return `The log ends at index ${log.end.lastIndex} (commit ${log.seq}), but commit ${state.seq} ` +
      `with the end at index ${state.end.lastIndex} was acknowledged`;
  }
  if (log.seq === state.seq) {
    if (!sameState(log, state)) {
      return `The log at commit ${log.seq} is another than the one acknowledged: chain ` +
        `${chainText(log.end.chain)} at index ${log.end.lastIndex}, acknowledged was ` +
        `${chainText(state.end.chain)} at index ${state.end.lastIndex}`;
    }
    // A torn write of the mark follows a commit that is in the log. This log has none after the
    // readable slot, so that the other one may have been the mark of a commit that is lost.
    if (mark.broken) return `A slot of the mark cannot be read and may have been of a later commit`;
    return null;
  }
  if (log.seq > state.seq + 1) {
    return `The mark is at commit ${state.seq} and the log at ${log.seq}: a mark that was synced is lost`;
  }
  return null;
}

/**
 * The state from which a damaged log goes on: it counts from where the mark was, and takes the newer
 * term and vote of the two, so that no vote is given twice. The commit hint stays the log's own: the
 * mark's may speak of entries that had replaced what is here again.
 */
export function resumeDamaged(log: StateRecord, found: MarkFound | null): StateRecord {
  const mark = found?.newest?.state ?? log;
  const [a, b] = [log.hardState, mark.hardState];
  const newer = a.term > b.term || (a.term === b.term && b.vote === null) ? a : b;
  return {
    ...log,
    seq: Math.max(log.seq, mark.seq),
    hardState: { term: newer.term, vote: newer.vote, commit: a.commit },
  };
}

function stateOffset(identity: Uint8Array): number {
  return SLOT_HEADER_BYTES + identity.length + 2;
}

function sameState(a: StateRecord, b: StateRecord): boolean {
  const [left, right] = [encodeState(a), encodeState(b)];
  return left.length === right.length && left.every((byte, i) => byte === right[i]);
}
