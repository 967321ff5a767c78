/**
 * One opening of the log over Deno KV: everything that writes to the log's database and to the mark
 * while the fence stands. Whoever calls must see to it that nothing runs beside anything else.
 *
 * Not here: opening (kv_log_store.ts), how a batch is cut into atomics (commit_plan.ts), the chunks
 * of snapshots (chunk_file.ts).
 *
 * @module
 */
import { entryBytes } from "../raft/entry_codec.ts";
import { logIndex, type Term } from "../raft/types.ts";
import { checkBatch } from "./batch.ts";
import { decodeBlock, epochBase, LOG_EMPTY, type LogEnd } from "./block_codec.ts";
import { BlockIndex } from "./block_index.ts";
import {
  type BlockHead,
  hardStateOf,
  planCommit,
  type Step,
  straddlingBlock,
} from "./commit_plan.ts";
import { bytesOf, type Fence, fenced } from "./fence.ts";
import type { DeletePiece, Garbage } from "./garbage.ts";
import { whileBusy } from "./kv_error.ts";
import type { AtomicLimits } from "./limits.ts";
import type { LogKeys } from "./log_keys.ts";
import type { Mark } from "./mark.ts";
import { encodeState, type StateRecord } from "./record_codec.ts";
import {
  checkAdvances,
  checkLogHas,
  hintAfter,
  type LogBase,
  type LogCut,
  type StoredSnapshot,
} from "./snapshot_place.ts";
import { encodeQuarantine, encodeStored } from "./snapshot_record.ts";
import type { LogBatch } from "./types.ts";

/** What an opening has found and taken. */
export interface Opened {
  readonly kv: Deno.Kv;
  readonly keys: LogKeys;
  readonly fence: Fence;
  readonly mark: Mark | null;
  readonly index: BlockIndex;
  readonly state: StateRecord;
  readonly snapshot: StoredSnapshot | null;
  readonly damaged: boolean;
  /** What is kept until the repair, of the log and of the chunks; null if nothing is damaged. */
  readonly quarantined: {
    readonly log: readonly Deno.KvKey[];
    readonly chunks: Iterable<Deno.KvKey>;
  } | null;
}

/** How garbage is deleted, one piece at a time. */
export interface Removal {
  /** Keys of the log: between commits. */
  readonly log: DeletePiece;
  /** Keys of chunks: whenever. */
  readonly chunks: DeletePiece;
}

/** The open log. */
export class KvSession {
  readonly #opened: Opened;
  readonly #limits: AtomicLimits;
  readonly #garbage: Garbage;
  readonly #removal: Removal;
  #index: BlockIndex;
  #state: StateRecord;
  #snapshot: StoredSnapshot | null;
  #damaged: boolean;
  #quarantined: Opened["quarantined"];

  constructor(
    opened: Opened,
    limits: AtomicLimits,
    garbage: Garbage,
    removal: Removal,
  ) {
    this.#opened = opened;
    this.#limits = limits;
    this.#garbage = garbage;
    this.#removal = removal;
    this.#index = opened.index;
    this.#state = opened.state;
    this.#snapshot = opened.snapshot;
    this.#damaged = opened.damaged;
    this.#quarantined = opened.quarantined;
  }

  /** @throws {RangeError} see {@linkcode checkAdvances}. */
  checkAdvances(stored: StoredSnapshot, cut: LogCut): void {
    checkAdvances(stored, this.#snapshot, cut);
  }

  /** Hot path: nearly always one atomic, then the mark. */
  async commit(batch: LogBatch): Promise<void> {
    const index = this.#index;
    const kept = checkBatch(batch, this.#state.base.lastIndex, index.end.lastIndex);
    const cut = straddlingBlock(index, kept);
    const head = cut < 0 ? null : await this.#readHead(cut, kept);
    const plan = planCommit(index, kept, batch.entries, head, this.#limits);
    const hardState = batch.hardState ?? this.#state.hardState;
    const seq = this.#state.seq + 1;
    let encoded: Uint8Array | null = null;
    for (const step of plan.steps) {
      if (step.end !== null) {
        const stateHard = hardStateOf(plan, step, hardState);
        this.#state = { ...this.#state, seq, hardState: stateHard, end: step.end };
        encoded = encodeState(this.#state);
      }
      await this.#carryOut(this.#atomicOf(step, step.end === null ? null : encoded));
    }
    this.#index.truncate(plan.keptBlocks);
    for (const block of plan.blocks) this.#index.push(block.parts.length, block.end);
    if (encoded !== null) await this.#opened.mark?.write(encoded, seq);
  }

  /** Makes a snapshot current and cuts the log, in one atomic. */
  async makeCurrent(stored: StoredSnapshot, cut: LogCut): Promise<LogBase> {
    const { keys } = this.#opened;
    const { seq, hardState, epoch, base, end } = this.#state;
    const { index, term } = stored.info.meta;
    const commit = hintAfter(hardState.commit, stored, cut);
    const state = { ...this.#state, seq: seq + 1, hardState: { ...hardState, commit } };
    const set = (atomic: Deno.AtomicOperation) => atomic.set(keys.snapshot, encodeStored(stored));
    if (cut.type === "drop") {
      const newBase = epochBase(epoch + 1, index, term);
      await this.#write({ ...state, epoch: epoch + 1, base: newBase, end: newBase }, set);
      this.#dropBlocks(epoch, this.#index.size);
      this.#index = new BlockIndex(newBase);
    } else {
      const there = cut.type === "keep" ? await this.#termAt(index) : null;
      checkLogHas(stored, base.lastIndex, end.lastIndex, there, cut);
      const to = cut.type === "keep" ? index : Math.min(cut.to, index);
      const blocks = this.#index.blocksUpTo(to);
      await this.#write({ ...state, base: this.#index.endOf(blocks) }, set);
      this.#dropBlocks(epoch, blocks);
    }
    this.#snapshot = stored;
    const { lastIndex, lastTerm } = this.#state.base;
    return { baseIndex: logIndex(lastIndex), baseTerm: lastTerm };
  }

  /** Puts the log and the snapshots up to `serialMax` aside. The session is at its end then. */
  async quarantine(reason: string, serialMax: number): Promise<void> {
    const { keys } = this.#opened;
    const { seq, hardState, epoch } = this.#state;
    const note = encodeQuarantine({ reason, epoch: epoch + 1, serialMax });
    await this.#write({
      seq: seq + 1,
      hardState: { ...hardState, commit: logIndex(0) },
      epoch: epoch + 1,
      base: LOG_EMPTY,
      end: LOG_EMPTY,
    }, (atomic) => atomic.delete(keys.snapshot).set(keys.quarantine, note));
  }

  async repaired(): Promise<void> {
    if (!this.#damaged) return;
    const { keys, mark } = this.#opened;
    const quarantined = this.#quarantined;
    this.#damaged = false;
    this.#quarantined = null;
    mark?.repaired();
    const state = { ...this.#state, seq: this.#state.seq + 1 };
    await this.#write(state, (atomic) => atomic.delete(keys.quarantine));
    if (quarantined === null) return;
    this.#garbage.add(this.#removal.log, quarantined.log);
    this.#garbage.add(this.#removal.chunks, quarantined.chunks);
  }

  /** Replaces what is remembered of the peers. */
  async rememberPeers(encoded: Uint8Array): Promise<void> {
    await this.#atomic((atomic) => atomic.set(this.#opened.keys.peers, encoded));
  }

  /** Deletes values that are no longer part of the log. */
  async remove(garbage: readonly Deno.KvKey[]): Promise<void> {
    await this.#atomic((atomic) => {
      for (const key of garbage) atomic.delete(key);
    });
  }

  #atomicOf(step: Step, state: Uint8Array | null): Deno.AtomicOperation {
    const { keys } = this.#opened;
    const { epoch } = this.#state;
    const atomic = this.#fenced();
    for (const { firstIndex, part } of step.deletes) {
      atomic.delete(keys.part(epoch, firstIndex, part));
    }
    for (const { firstIndex, part, value } of step.puts) {
      atomic.set(keys.part(epoch, firstIndex, part), value);
    }
    if (state !== null) atomic.set(keys.state, state);
    return atomic;
  }

  /** One atomic with a new state, and its mark. */
  async #write(
    state: StateRecord,
    besides: (atomic: Deno.AtomicOperation) => void,
  ): Promise<void> {
    const encoded = encodeState(state);
    await this.#atomic((atomic) => {
      besides(atomic);
      atomic.set(this.#opened.keys.state, encoded);
    });
    this.#state = state;
    await this.#opened.mark?.write(encoded, state.seq);
  }

  async #atomic(fill: (atomic: Deno.AtomicOperation) => void): Promise<void> {
    const atomic = this.#fenced();
    fill(atomic);
    await this.#carryOut(atomic);
  }

  /** An atomic that fails once another process has opened the data. */
  #fenced(): Deno.AtomicOperation {
    const { kv, keys, fence: { versionstamp } } = this.#opened;
    return kv.atomic().check({ key: keys.boot, versionstamp });
  }

  async #carryOut(atomic: Deno.AtomicOperation): Promise<void> {
    const result = await whileBusy(() => atomic.commit());
    if (!result.ok) throw fenced(this.#opened.fence.boot);
  }

  #dropBlocks(epoch: number, blocks: number): void {
    const { keys } = this.#opened;
    const dropped = this.#index.dropFront(blocks);
    this.#garbage.add(this.#removal.log, partKeys(keys, epoch, dropped));
  }

  /** The term of an entry; null if it is not in the log and not what the log begins behind. */
  async #termAt(position: number): Promise<Term | null> {
    const index = this.#index;
    const ended = index.blocksUpTo(position);
    const end: LogEnd = index.endOf(ended);
    if (end.lastIndex === position) return end.lastTerm;
    if (ended === index.size || position < end.lastIndex) return null;
    const head = await this.#readHead(ended, position);
    return head.entries[head.entries.length - 1].term;
  }

  /** The entries up to `kept` of the block that holds it and more, which therefore has one part. */
  async #readHead(block: number, kept: number): Promise<BlockHead> {
    const { kv, keys } = this.#opened;
    const firstIndex = this.#index.firstIndex(block);
    const key = keys.part(this.#state.epoch, firstIndex, 0);
    const { value } = await whileBusy(() => kv.get(key));
    const parts = [bytesOf(value, `block at index ${firstIndex}`)];
    const { entries, payload } = decodeBlock(this.#index.endOf(block), parts);
    const stay = entries.slice(0, kept - firstIndex + 1);
    const bytes = stay.reduce((sum, entry) => sum + entryBytes(entry), 0);
    return { entries: stay, payload: payload.subarray(0, bytes) };
  }
}

/** The keys of blocks of one epoch. */
function* partKeys(
  keys: LogKeys,
  epoch: number,
  blocks: readonly { readonly firstIndex: number; readonly parts: number }[],
): Generator<Deno.KvKey> {
  for (const { firstIndex, parts } of blocks) {
    for (let part = 0; part < parts; part++) yield keys.part(epoch, firstIndex, part);
  }
}
