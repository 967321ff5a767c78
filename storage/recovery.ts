/**
 * Reading the log back, and verifying it.
 *
 * Two kinds of defect are told apart. Data that contradicts itself (a checksum, the chain, a gap, an
 * end other than the state says) is {@linkcode CorruptLog}: nothing can be built on it. Data that is
 * sound but older than the mark is damage (mark.ts): a prefix of what was acknowledged, on which the
 * leader of a quorum can append the rest.
 *
 * What is no longer part of the log, because the deletion of it was cut off, is told apart as well.
 *
 * @module
 */
import type { Entry } from "../raft/types.ts";
import { blockParts, decodeBlock } from "./block_codec.ts";
import { BlockIndex } from "./block_index.ts";
import { chainText, sameChain } from "./chain.ts";
import type { PartKey } from "./commit_plan.ts";
import { bytesOf, type Fence, fenced } from "./fence.ts";
import { ATOMIC_MUTATIONS_MAX, RECOVERY_LIST_BATCH } from "./limits.ts";
import { isWhole, type LogKeys } from "./log_keys.ts";
import { decodeState, STATE_EMPTY, type StateRecord } from "./record_codec.ts";
import type { StoredSnapshot } from "./snapshot_place.ts";
import { decodeQuarantine, decodeStored, type Quarantine } from "./snapshot_record.ts";
import { CorruptLog } from "./types.ts";

/** The log as read back. */
export interface RecoveredLog {
  readonly state: StateRecord;
  readonly snapshot: StoredSnapshot | null;
  readonly quarantine: Quarantine | null;
  readonly index: BlockIndex;
  readonly entries: Entry[];
  /** Parts behind the end of the log whose head was never written. */
  readonly orphans: readonly PartKey[];
  /** Keys of what compaction, an install or a quarantine has cut off. Of a damaged log they are kept. */
  readonly garbage: readonly Deno.KvKey[];
}

/**
 * Reads the whole log and verifies it.
 *
 * @throws {CorruptLog} if it is not what was written.
 */
export async function readLog(kv: Deno.Kv, keys: LogKeys): Promise<RecoveredLog> {
  const records = await kv.getMany([keys.state, keys.snapshot, keys.quarantine]);
  const [stateValue, snapshotValue, quarantineValue] = records.map(({ value }) => value);
  const state = stateValue === null
    ? STATE_EMPTY
    : decodeState(bytesOf(stateValue, "state record"));
  const snapshot = snapshotValue === null
    ? null
    : decodeStored(bytesOf(snapshotValue, "record of the current snapshot"));
  const quarantine = quarantineValue === null
    ? null
    : decodeQuarantine(bytesOf(quarantineValue, "note of a quarantine"));
  checkSnapshot(state, snapshot);
  const reader = new LogReader(state);
  for await (
    const { key, value } of kv.list({ prefix: keys.log }, { batchSize: RECOVERY_LIST_BATCH })
  ) {
    reader.take(key, value);
  }
  reader.finish();
  const { index, entries, orphans, garbage } = reader;
  return { state, snapshot, quarantine, index, entries, orphans, garbage };
}

/** What a log begins behind must be in a snapshot, and what a snapshot ends at in the log. */
function checkSnapshot({ base, end }: StateRecord, snapshot: StoredSnapshot | null): void {
  const index = snapshot?.info.meta.index ?? 0;
  if (base.lastIndex <= index && index <= end.lastIndex) return;
  throw new CorruptLog(
    `Cannot read log: it has the entries behind ${base.lastIndex} up to ${end.lastIndex}, its ` +
      `snapshot is at ${index}`,
  );
}

/** Puts the values of the log together, in the order of their keys. */
class LogReader {
  readonly index: BlockIndex;
  readonly entries: Entry[] = [];
  readonly orphans: PartKey[] = [];
  readonly garbage: Deno.KvKey[] = [];
  readonly #state: StateRecord;
  #parts: Uint8Array[] = [];
  #partsMissing = 0;

  constructor(state: StateRecord) {
    this.#state = state;
    this.index = new BlockIndex(state.base);
  }

  take(key: Deno.KvKey, value: unknown): void {
    const [epoch, firstIndex, part] = key.slice(3);
    const isOurs = key.length === 6 && isWhole(epoch) && isWhole(firstIndex) && isWhole(part);
    if (!isOurs || epoch > this.#state.epoch) {
      throw new CorruptLog(
        `Cannot read log: ${JSON.stringify(key.slice(3), safe)} is no key of it`,
      );
    }
    if (epoch < this.#state.epoch) this.garbage.push(key);
    else if (firstIndex <= this.#state.base.lastIndex) this.garbage.push(key);
    else this.#takePart(firstIndex, part, value);
  }

  #takePart(firstIndex: number, part: number, value: unknown): void {
    const bytes = bytesOf(value, `block at index ${firstIndex}`);
    if (part > 0 && firstIndex > this.#state.end.lastIndex && this.#partsMissing === 0) {
      this.orphans.push({ firstIndex, part });
      return;
    }
    const next = this.index.end.lastIndex + 1;
    if (firstIndex !== next || part !== this.#parts.length) {
      throw new CorruptLog(
        `Cannot read log: part ${part} of a block at index ${firstIndex} stands where part ` +
          `${this.#parts.length} of one at index ${next} should`,
      );
    }
    if (part === 0) this.#partsMissing = blockParts(bytes);
    this.#parts.push(bytes);
    if (--this.#partsMissing === 0) this.#takeBlock();
  }

  /** @throws {CorruptLog} if the log does not end where its state says. */
  finish(): void {
    const { end } = this.index;
    const expected = this.#state.end;
    if (this.#parts.length > 0) {
      throw new CorruptLog(`Cannot read log: the block at index ${end.lastIndex + 1} lacks parts`);
    }
    if (end.lastIndex !== expected.lastIndex || !sameChain(end.chain, expected.chain)) {
      throw new CorruptLog(
        `Cannot read log: it ends at index ${end.lastIndex} with chain ${
          chainText(end.chain)
        }, its ` +
          `state says ${expected.lastIndex} with ${chainText(expected.chain)}`,
      );
    }
  }

  #takeBlock(): void {
    const block = decodeBlock(this.index.end, this.#parts);
    this.index.push(this.#parts.length, block.end);
    for (const entry of block.entries) this.entries.push(entry);
    this.#parts = [];
  }
}

/**
 * Removes parts of a block that never got its head, because a crash came between.
 *
 * @throws {Fenced} if another process has opened the same data since.
 */
export async function removeOrphans(
  kv: Deno.Kv,
  keys: LogKeys,
  fence: Fence,
  { orphans, state }: RecoveredLog,
): Promise<void> {
  for (let at = 0; at < orphans.length; at += ATOMIC_MUTATIONS_MAX) {
    const atomic = kv.atomic().check({ key: keys.boot, versionstamp: fence.versionstamp });
    for (const { firstIndex, part } of orphans.slice(at, at + ATOMIC_MUTATIONS_MAX)) {
      atomic.delete(keys.part(state.epoch, firstIndex, part));
    }
    if (!(await atomic.commit()).ok) throw fenced(fence.boot);
  }
}

/** JSON has no form for bigints and bytes; a key of the log with one is wrong, and is to be shown. */
function safe(_key: string, value: unknown): unknown {
  return typeof value === "bigint" ? `${value}n` : value;
}
