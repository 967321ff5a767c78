/**
 * The log and the snapshots in plain memory, for tests and the simulator: the same promises as over
 * Deno KV, and faults on demand. The data live in a {@linkcode MemoryDisk}, which outlives the stores
 * that use it, as a disk outlives processes.
 *
 * Not here: bytes of the log. Entries are kept as they are, so that their checksums and flipped bits
 * have no place; tests/storage covers those on real files.
 *
 * @module
 */
import { isEmptyBatch } from "./batch.ts";
import { CommitGate } from "./commit_gate.ts";
import type { MemoryDisk } from "./memory_disk.ts";
import { Snapshots } from "./snapshots.ts";
import type { NodeId } from "../raft/types.ts";
import type { SnapshotPlace } from "./snapshot_place.ts";
import type {
  Identity,
  KnownPeer,
  LogBatch,
  LogStore,
  Recovery,
  Reserve,
  SnapshotStore,
} from "./types.ts";

export { MemoryDisk } from "./memory_disk.ts";
export type { FailurePoint } from "./memory_disk_parts.ts";

/** A store on a {@linkcode MemoryDisk}. May be opened again after `close` and after a failure. */
export class MemoryLogStore implements LogStore {
  readonly reserve: Reserve;
  readonly #disk: MemoryDisk;
  readonly #identity: Identity;
  readonly #gate = new CommitGate();
  #boot = 0;
  #snapshots: Snapshots | null = null;

  constructor(disk: MemoryDisk, identity: Identity) {
    this.#disk = disk;
    this.#identity = identity;
    this.reserve = {
      get released() {
        return disk.reserveReleased;
      },
      restore: () => Promise.resolve(disk.restoreReserve()),
    };
  }

  get snapshots(): SnapshotStore {
    if (this.#snapshots === null) throw new Error("Cannot use snapshots: the log is not open");
    return this.#snapshots;
  }

  async open(): Promise<Recovery> {
    await this.close();
    const { snapshots, ...recovery } = this.#disk.boot(this.#identity);
    this.#boot = recovery.boot;
    this.#snapshots = new Snapshots(this.#place(recovery.boot), snapshots);
    this.#gate.open();
    return recovery;
  }

  commit(batch: LogBatch): Promise<void> {
    const write = () => this.#disk.commit(this.#boot, batch);
    return this.#gate.run(isEmptyBatch(batch) ? null : write);
  }

  repaired(): Promise<void> {
    return this.#gate.queue(() => {}, () => this.#disk.repaired(this.#boot));
  }

  rememberPeers(peers: ReadonlyMap<NodeId, KnownPeer>): Promise<void> {
    // deno-lint-ignore require-await -- a fence or a full disk must reject, not throw.
    return this.#gate.beside(async () => this.#disk.rememberPeers(this.#boot, peers));
  }

  async quarantine(reason: string): Promise<void> {
    await this.#gate.queue(() => {}, async () => {
      await this.#disk.quarantine(this.#boot, reason);
      this.#gate.shut("it is quarantined, so that it must be opened anew");
    });
  }

  async close(): Promise<void> {
    await this.#gate.close();
    await this.#snapshots?.close();
  }

  #place(boot: number): SnapshotPlace {
    const disk = this.#disk;
    return {
      putChunk: (serial, chunk, value) => disk.putChunk(boot, serial, chunk, value),
      getChunk: (serial, chunk) => Promise.resolve(disk.chunks.get(serial, chunk)),
      lastChunk: (serial) => Promise.resolve(disk.chunks.last(serial)),
      // deno-lint-ignore require-await -- a fence or a full disk must reject, not throw.
      setIncoming: async (incoming) => disk.setIncoming(boot, incoming),
      makeCurrent: (stored, cut) =>
        this.#gate.queue(
          () => disk.checkAdvances(stored, cut),
          () => disk.makeCurrent(boot, stored, cut),
        ),
      discard: (serial) => disk.discard(boot, serial),
    };
  }
}
