/**
 * Small parts of the in-memory disk: sizes, room, positions, owners, and writes that are on their way.
 *
 * @module
 */
import { entryBytes } from "../raft/entry_codec.ts";
import type { Entry } from "../raft/types.ts";
import { LOG_EMPTY, type LogEnd } from "./block_codec.ts";
import type { MarkContent } from "./mark.ts";
import type { MemoryLog } from "./memory_log.ts";
import { RESERVE_BYTES } from "./limits.ts";
import { type Identity, sameIdentity, StorageFull, WrongIdentity } from "./types.ts";

/** Room that a commit takes for a moment, whatever it writes: a page. */
export const COMMIT_BYTES = 4096;

/** When an injected failure strikes: nothing of the write is on the disk yet, or all of it is. */
export type FailurePoint = "before-landing" | "after-landing";

/** Two of a disk's files as they were once. */
export interface DiskImage {
  readonly log: MemoryLog;
  readonly mark: MarkContent | null;
}

/** A write of the log's file that was asked for and has not landed. */
export interface PendingWrite {
  readonly bytes: number;
  /** Changes the data and gives what puts the entries back. */
  readonly land: () => () => void;
}

/** The end of a log whose last entry this is; entries in memory have no chain. */
export function endAt(entry: Entry): LogEnd {
  return { lastIndex: entry.index, lastTerm: entry.term, chain: LOG_EMPTY.chain };
}

export function bytesOf(entries: readonly Entry[]): number {
  let bytes = 0;
  for (const entry of entries) bytes += entryBytes(entry);
  return bytes;
}

/** @throws {WrongIdentity} if the data are not `identity`'s. */
export function checkOwner(owner: Identity, identity: Identity): void {
  if (sameIdentity(owner, identity)) return;
  throw new WrongIdentity(
    `Cannot open data as node ${identity.nodeId} of cluster ${identity.clusterId}: it belongs to ` +
      `node ${owner.nodeId} of cluster ${owner.clusterId}`,
  );
}

/** How much room a disk has, and the reserve that is given up when there is none. */
export class Room {
  capacityBytes = Infinity;
  reserveHeld = true;
  readonly #dataBytes: () => number;

  /** @param dataBytes what lies on the disk beside the reserve. */
  constructor(dataBytes: () => number) {
    this.#dataBytes = dataBytes;
  }

  get usedBytes(): number {
    return this.#dataBytes() + (this.reserveHeld ? RESERVE_BYTES : 0);
  }

  has(bytes: number): boolean {
    return this.capacityBytes - this.usedBytes >= bytes;
  }

  /** @throws {StorageFull} if there is not so much room; the reserve is given up then. */
  claim(bytes: number): void {
    if (this.has(bytes)) return;
    this.reserveHeld = false;
    throw new StorageFull("Cannot write: the disk is full");
  }

  /** Takes the reserve again once there is ample room. Returns whether it is held. */
  restoreReserve(): boolean {
    if (!this.reserveHeld && this.has(RESERVE_BYTES * 2)) this.reserveHeld = true;
    return this.reserveHeld;
  }
}
