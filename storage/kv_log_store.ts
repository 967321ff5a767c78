/**
 * The log over Deno KV: packed blocks and a state record, written in one atomic a commit under the
 * fence of the boot number, and a mark beside the file (mark.ts).
 *
 * What Deno KV does not give: grouping (commits run one by one, so that a caller must batch) and the
 * detection of a log that came back shorter (hence the mark).
 *
 * Not here: how a batch is cut into atomics (commit_plan.ts), reading back (recovery.ts), bytes
 * (block_codec.ts, record_codec.ts).
 *
 * @module
 */
import { entryBytes } from "../raft/entry_codec.ts";
import type { GroupId, HardState } from "../raft/types.ts";
import { checkBatch, isEmptyBatch } from "./batch.ts";
import { decodeBlock } from "./block_codec.ts";
import type { BlockIndex } from "./block_index.ts";
import { CommitGate } from "./commit_gate.ts";
import {
  type BlockHead,
  type CommitPlan,
  hardStateOf,
  planCommit,
  type Step,
  straddlingBlock,
} from "./commit_plan.ts";
import { type Disk, diskAt } from "./disk.ts";
import { storageError, whileBusy } from "./kv_error.ts";
import { ATOMIC_LIMITS, type AtomicLimits } from "./limits.ts";
import { findDamage, type Mark, resumeDamaged } from "./mark.ts";
import { encodeState, type StateRecord } from "./record_codec.ts";
import { bytesOf, type Fence, fenced, LogKeys, readLog, takeFence } from "./recovery.ts";
import type { Identity, LogBatch, LogStore, Recovery } from "./types.ts";

/** Whose log a store keeps. */
export interface LogOwner {
  readonly group: GroupId;
  readonly identity: Identity;
}

/**
 * The store at a location: a data directory, `:memory:`, or `kv:` and a KV Connect URL (see
 * {@linkcode diskAt}). Nothing is touched before `open`.
 *
 * @example
 * ```ts
 * const store = openKvLogStore({ directory: "data/n1", group: GROUP_DEFAULT, identity });
 * const { hardState, entries, damage } = await store.open();
 * await store.commit({ hardState, truncateFrom: null, entries: [entry] });
 * await store.close();
 * ```
 */
export function openKvLogStore(options: LogOwner & { readonly directory: string }): LogStore {
  return new KvLogStore(diskAt(options.directory, options.group), options);
}

/** What a store knows while it is open. */
interface Session {
  readonly kv: Deno.Kv;
  readonly mark: Mark | null;
  readonly fence: Fence;
  readonly index: BlockIndex;
  state: StateRecord;
  damaged: boolean;
}

/** A store over any disk. May be opened again after `close` and after a failure. */
export class KvLogStore implements LogStore {
  readonly #disk: Disk;
  readonly #identity: Identity;
  readonly #keys: LogKeys;
  readonly #limits: AtomicLimits;
  readonly #gate = new CommitGate();
  #session: Session | null = null;

  /** `limits` are for tests that want batches to be split early. */
  constructor(disk: Disk, owner: LogOwner, limits: AtomicLimits = ATOMIC_LIMITS) {
    this.#disk = disk;
    this.#identity = owner.identity;
    this.#keys = new LogKeys(owner.group);
    this.#limits = limits;
  }

  async open(): Promise<Recovery> {
    await this.close();
    let kv: Deno.Kv | null = null;
    try {
      kv = await whileBusy(() => this.#disk.openKv());
      const recovery = await this.#recover(kv);
      this.#gate.open();
      return recovery;
    } catch (error) {
      kv?.close();
      throw storageError(error, "open the log");
    }
  }

  commit(batch: LogBatch): Promise<void> {
    return this.#gate.run(isEmptyBatch(batch) ? null : () => this.#write(this.#opened(), batch));
  }

  repaired(): Promise<void> {
    return this.#gate.run(() => this.#repaired(this.#opened()));
  }

  async close(): Promise<void> {
    await this.#gate.close();
    const session = this.#session;
    this.#session = null;
    session?.mark?.close();
    session?.kv.close();
  }

  async #recover(kv: Deno.Kv): Promise<Recovery> {
    const { marks } = this.#disk;
    const markBefore = await marks?.read() ?? null;
    const takeIt = () => takeFence(kv, this.#keys, this.#identity, markBefore);
    const fence = await whileBusy(takeIt);
    const { state, index, entries } = await whileBusy(() => readLog(kv, this.#keys, fence));
    // Read again now that nobody else can commit: the mark may have moved until the fence stood.
    const found = await marks?.read() ?? null;
    const damage = marks === null ? null : findDamage(found, state);
    const current = damage === null ? state : resumeDamaged(state, found);
    // Before anything can be written to the database: from then on it counts past the old mark.
    const mark = await marks?.create({
      identity: this.#identity,
      boot: fence.boot,
      damaged: damage !== null,
      state: current,
    }) ?? null;
    this.#session = { kv, mark, fence, index, state: current, damaged: damage !== null };
    return { hardState: current.hardState, entries, boot: fence.boot, damage };
  }

  /** The gate lets nothing in while there is no session. */
  #opened(): Session {
    return this.#session!;
  }

  async #repaired(session: Session): Promise<void> {
    if (!session.damaged) return;
    session.damaged = false;
    session.mark?.setDamaged(false);
    const { end } = session.state;
    const step = { deletes: [], puts: [], end };
    const keptBlocks = session.index.size;
    const plan = { steps: [step], kept: end.lastIndex, keptBlocks, blocks: [] };
    await this.#run(session, plan, session.state.hardState);
  }

  async #write(session: Session, batch: LogBatch): Promise<void> {
    const { index } = session;
    const kept = checkBatch(batch, 0, index.end.lastIndex);
    const cut = straddlingBlock(index, kept);
    const head = cut < 0 ? null : await this.#readHead(session, cut, kept);
    const plan = planCommit(index, kept, batch.entries, head, this.#limits);
    await this.#run(session, plan, batch.hardState ?? session.state.hardState);
  }

  async #run(session: Session, plan: CommitPlan, hardState: HardState): Promise<void> {
    const seq = session.state.seq + 1;
    let encoded: Uint8Array | null = null;
    try {
      for (const step of plan.steps) {
        if (step.end !== null) {
          session.state = {
            ...session.state,
            seq,
            hardState: hardStateOf(plan, step, hardState),
            end: step.end,
          };
          encoded = encodeState(session.state);
        }
        await this.#runStep(session, step, step.end === null ? null : encoded);
      }
      session.index.truncate(plan.keptBlocks);
      for (const block of plan.blocks) session.index.push(block.parts.length, block.end);
      if (session.mark !== null && encoded !== null) await session.mark.write(encoded, seq);
    } catch (error) {
      throw storageError(error, "write the log");
    }
  }

  async #runStep(session: Session, step: Step, state: Uint8Array | null): Promise<void> {
    const keys = this.#keys;
    const { boot, versionstamp } = session.fence;
    const atomic = session.kv.atomic().check({ key: keys.boot, versionstamp });
    for (const { firstIndex, part } of step.deletes) atomic.delete(keys.part(firstIndex, part));
    for (const put of step.puts) atomic.set(keys.part(put.firstIndex, put.part), put.value);
    if (state !== null) atomic.set(keys.state, state);
    const result = await whileBusy(() => atomic.commit());
    if (!result.ok) throw fenced(boot);
  }

  /** The entries up to `kept` of the block that holds it and more. */
  async #readHead(session: Session, block: number, kept: number): Promise<BlockHead> {
    const firstIndex = session.index.firstIndex(block);
    const key = this.#keys.part(firstIndex, 0);
    const { value } = await whileBusy(() => session.kv.get(key));
    const parts = [bytesOf(value, `block at index ${firstIndex}`)];
    const { entries, payload } = decodeBlock(session.index.endOf(block), parts);
    const stay = entries.slice(0, kept - firstIndex + 1);
    const bytes = stay.reduce((sum, entry) => sum + entryBytes(entry), 0);
    return { entries: stay, payload: payload.subarray(0, bytes) };
  }
}
