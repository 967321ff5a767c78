/**
 * The log in plain memory, for tests and the simulator: the same promises as over Deno KV, and faults
 * on demand. The data live in a {@linkcode MemoryDisk}, which outlives the stores that use it, as a
 * disk outlives processes: a crash is to drop a store without closing it and to open another.
 *
 * Not here: bytes. Entries are kept as they are, so that checksums and flipped bits have no place;
 * tests/storage covers those on real files.
 *
 * @module
 */
import type { Entry, HardState } from "../raft/types.ts";
import { checkBatch, isEmptyBatch } from "./batch.ts";
import { LOG_EMPTY } from "./block_codec.ts";
import { CommitGate } from "./commit_gate.ts";
import { findDamage, type MarkContent, resumeDamaged } from "./mark.ts";
import { STATE_EMPTY, type StateRecord } from "./record_codec.ts";
import {
  Fenced,
  type Identity,
  type LogBatch,
  type LogStore,
  type Recovery,
  WrongIdentity,
} from "./types.ts";

/** Commits that a disk can be made to lose. */
const LOSABLE_COMMITS_MAX = 64;

/** When an injected failure strikes: nothing of the batch is on the disk yet, or all of it is. */
export type FailurePoint = "before-landing" | "after-landing";

/** What takes a commit back. */
interface Undo {
  readonly state: StateRecord;
  readonly kept: number;
  readonly forgotten: readonly Entry[];
}

/** The data of one replica. */
export class MemoryDisk {
  /** Awaited by each commit before anything of it lands; null for no delay. */
  beforeCommit: (() => Promise<void>) | null = null;
  #owner: Identity | null = null;
  #boot = 0;
  #state: StateRecord = STATE_EMPTY;
  #entries: Entry[] = [];
  #mark: MarkContent | null = null;
  #undo: Undo[] = [];
  #failure: { readonly point: FailurePoint; readonly error: Error } | null = null;

  /** Commits that have landed. */
  get commits(): number {
    return this.#state.seq;
  }

  /** The entries as they are on the disk, acknowledged or not. */
  get entries(): readonly Entry[] {
    return this.#entries;
  }

  /** The hard state as it is on the disk. */
  get hardState(): HardState {
    return this.#state.hardState;
  }

  /** Makes the next commit fail with `error`. */
  failNextCommit(point: FailurePoint, error: Error = new Error(`Injected: ${point}`)): void {
    this.#failure = { point, error };
  }

  /**
   * Loses the last commits silently, as a disk does that lied about a sync. The mark keeps its word,
   * so that the next opening reports damage.
   *
   * @throws {RangeError} if the disk does not remember so many.
   */
  loseCommits(count: number): void {
    if (count > this.#undo.length) {
      throw new RangeError(`Cannot lose ${count} commits: ${this.#undo.length} can be lost`);
    }
    for (let i = 0; i < count; i++) {
      const { state, kept, forgotten } = this.#undo.pop()!;
      this.#entries.length = kept;
      this.#entries.push(...forgotten);
      this.#state = state;
    }
  }

  /** For {@linkcode MemoryLogStore}: takes the fence. */
  boot(identity: Identity): Recovery {
    const owner = this.#owner ?? identity;
    if (owner.clusterId !== identity.clusterId || owner.nodeId !== identity.nodeId) {
      throw new WrongIdentity(
        `Cannot open data as node ${identity.nodeId} of cluster ${identity.clusterId}: it belongs ` +
          `to node ${owner.nodeId} of cluster ${owner.clusterId}`,
      );
    }
    this.#owner = identity;
    this.#boot++;
    const found = this.#mark === null ? null : { newest: this.#mark, broken: false };
    const damage = findDamage(found, this.#state);
    if (damage !== null) this.#state = resumeDamaged(this.#state, found);
    this.#acknowledge(damage !== null);
    const { hardState } = this.#state;
    return { hardState, entries: this.#entries.slice(), boot: this.#boot, damage };
  }

  /** For {@linkcode MemoryLogStore}: one commit under the fence of `boot`. */
  async commit(boot: number, batch: LogBatch | "repaired"): Promise<void> {
    if (this.beforeCommit !== null) await this.beforeCommit();
    if (boot !== this.#boot) {
      throw new Fenced(`Cannot write: the data was opened by another store after boot ${boot}`);
    }
    const failure = this.#failure;
    this.#failure = null;
    if (failure?.point === "before-landing") throw failure.error;
    const damaged = batch === "repaired" ? false : this.#mark?.damaged ?? false;
    if (batch !== "repaired") this.#land(batch);
    if (failure?.point === "after-landing") throw failure.error;
    this.#acknowledge(damaged);
  }

  #land(batch: LogBatch): void {
    const kept = checkBatch(batch, this.#entries.length);
    const forgotten = this.#entries.splice(kept);
    this.#undo.push({ state: this.#state, kept, forgotten });
    if (this.#undo.length > LOSABLE_COMMITS_MAX) this.#undo.shift();
    for (const entry of batch.entries) this.#entries.push(entry);
    const last = this.#entries.at(-1);
    this.#state = {
      seq: this.#state.seq + 1,
      hardState: batch.hardState ?? this.#state.hardState,
      end: last === undefined
        ? LOG_EMPTY
        : { lastIndex: last.index, lastTerm: last.term, chain: LOG_EMPTY.chain },
    };
  }

  #acknowledge(damaged: boolean): void {
    this.#mark = { identity: this.#owner!, boot: this.#boot, damaged, state: this.#state };
  }
}

/** A store on a {@linkcode MemoryDisk}. May be opened again after `close` and after a failure. */
export class MemoryLogStore implements LogStore {
  readonly #disk: MemoryDisk;
  readonly #identity: Identity;
  readonly #gate = new CommitGate();
  #boot = 0;

  constructor(disk: MemoryDisk, identity: Identity) {
    this.#disk = disk;
    this.#identity = identity;
  }

  async open(): Promise<Recovery> {
    await this.close();
    const recovery = this.#disk.boot(this.#identity);
    this.#boot = recovery.boot;
    this.#gate.open();
    return recovery;
  }

  commit(batch: LogBatch): Promise<void> {
    const write = () => this.#disk.commit(this.#boot, batch);
    return this.#gate.run(isEmptyBatch(batch) ? null : write);
  }

  repaired(): Promise<void> {
    return this.#gate.run(() => this.#disk.commit(this.#boot, "repaired"));
  }

  close(): Promise<void> {
    return this.#gate.close();
  }
}
