/**
 * A log on a disk that is slow, or has no room left: the same log, with faults before its commits.
 *
 * A full disk behaves as a real one does: one commit fails with `StorageFull`, which releases the reserve;
 * from then on there is the reserve's room, and it cannot be made again before the fault has ended.
 *
 * @module
 */
import type { NodeId } from "../../raft/types.ts";
import { isEmptyBatch } from "../../storage/batch.ts";
import {
  type KnownPeer,
  type LogBatch,
  type LogStore,
  type Recovery,
  type Reserve,
  type SnapshotStore,
  StorageFull,
} from "../../storage/types.ts";
import type { DiskFaults } from "./control.ts";

/** The disk of one node, which outlives the logs that are opened on it. */
export class FaultyDisk {
  faults: DiskFaults = { slowMs: 0, full: false };
  /** Whether the fault has released the reserve. */
  #released = false;

  readonly over = (log: LogStore): LogStore => new FaultyLog(log, this);

  get isReleased(): boolean {
    return this.#released;
  }

  /** Resolves when a commit may begin. @throws {StorageFull} for the first one on a full disk. */
  async ready(): Promise<void> {
    const { slowMs, full } = this.faults;
    if (slowMs > 0) await new Promise((resolve) => setTimeout(resolve, slowMs));
    if (!full || this.#released) return;
    this.#released = true;
    throw new StorageFull("Cannot commit: the disk is full, by a fault that was asked for");
  }

  /** Whether the reserve can be made again; if so it is no longer released by the fault. */
  restore(): boolean {
    if (this.faults.full) return false;
    this.#released = false;
    return true;
  }
}

class FaultyLog implements LogStore {
  readonly reserve: Reserve;
  readonly #inner: LogStore;
  readonly #disk: FaultyDisk;

  constructor(inner: LogStore, disk: FaultyDisk) {
    this.#inner = inner;
    this.#disk = disk;
    this.reserve = {
      get released() {
        return disk.isReleased || inner.reserve.released;
      },
      restore: async () => disk.restore() && await inner.reserve.restore(),
    };
  }

  get snapshots(): SnapshotStore {
    return this.#inner.snapshots;
  }

  open(): Promise<Recovery> {
    return this.#inner.open();
  }

  async commit(batch: LogBatch): Promise<void> {
    if (!isEmptyBatch(batch)) await this.#disk.ready();
    await this.#inner.commit(batch);
  }

  repaired(): Promise<void> {
    return this.#inner.repaired();
  }

  rememberPeers(peers: ReadonlyMap<NodeId, KnownPeer>): Promise<void> {
    return this.#inner.rememberPeers(peers);
  }

  quarantine(reason: string): Promise<void> {
    return this.#inner.quarantine(reason);
  }

  close(): Promise<void> {
    return this.#inner.close();
  }
}
