/**
 * Opening: takes the fence, reads the log back, verifies it, and holds it against its mark.
 *
 * Two kinds of defect are told apart. Data that contradicts itself (a checksum, the chain, a gap, an
 * end other than the state says) is {@linkcode CorruptLog}: nothing can be built on it. Data that is
 * sound but older than the mark is damage: a prefix of what was acknowledged, on which the leader of
 * a quorum can append the rest.
 *
 * @module
 */
import type { Entry, GroupId } from "../raft/types.ts";
import { blockParts, decodeBlock } from "./block_codec.ts";
import { BlockIndex } from "./block_index.ts";
import { chainText, sameChain } from "./chain.ts";
import type { PartKey } from "./commit_plan.ts";
import { ATOMIC_MUTATIONS_MAX, FENCE_ATTEMPTS_MAX, RECOVERY_LIST_BATCH } from "./limits.ts";
import type { MarkFound } from "./mark.ts";
import {
  decodeBoot,
  decodeIdentity,
  decodeState,
  encodeBoot,
  encodeIdentity,
  STATE_EMPTY,
  type StateRecord,
} from "./record_codec.ts";
import { CorruptLog, Fenced, type Identity, WrongIdentity } from "./types.ts";

/** Where the values of a group are. */
export class LogKeys {
  readonly boot: Deno.KvKey;
  readonly identity: Deno.KvKey;
  readonly state: Deno.KvKey;
  readonly log: Deno.KvKey;

  constructor(group: GroupId) {
    this.boot = ["raft", group, "boot"];
    this.identity = ["raft", group, "identity"];
    this.state = ["raft", group, "state"];
    this.log = ["raft", group, "log"];
  }

  part(firstIndex: number, part: number): Deno.KvKey {
    return [...this.log, firstIndex, part];
  }
}

/** The fence as taken: every commit checks that the boot number is still this one. */
export interface Fence {
  readonly boot: number;
  readonly versionstamp: string;
}

/** The log as read back. */
export interface RecoveredLog {
  readonly state: StateRecord;
  readonly index: BlockIndex;
  readonly entries: Entry[];
}

/**
 * Counts the opening, so that every other process on the same data is fenced off, and makes the data
 * this owner's if it is nobody's.
 *
 * @throws {WrongIdentity} if the data or its mark belong to another owner. Nothing was changed then.
 * @throws {Fenced} if others keep opening the same data at the same time.
 */
export async function takeFence(
  kv: Deno.Kv,
  keys: LogKeys,
  identity: Identity,
  mark: MarkFound | null,
): Promise<Fence> {
  const marked = mark?.newest ?? null;
  for (let attempt = 0; attempt < FENCE_ATTEMPTS_MAX; attempt++) {
    const [bootEntry, identityEntry] = await kv.getMany([keys.boot, keys.identity]);
    const owner = identityEntry.value === null
      ? marked?.identity ?? null
      : decodeIdentity(bytesOf(identityEntry.value, "identity"));
    checkOwner(owner, identity);
    const booted = bootEntry.value === null
      ? 0
      : decodeBoot(bytesOf(bootEntry.value, "boot number"));
    // The mark remembers the boot number as well: it names sessions, and a database that was lost
    // must not make it begin again.
    const boot = Math.max(booted, marked?.boot ?? 0) + 1;
    const result = await kv.atomic()
      .check(bootEntry)
      .set(keys.identity, encodeIdentity(identity))
      .set(keys.boot, encodeBoot(boot))
      .commit();
    if (result.ok) return { boot, versionstamp: result.versionstamp };
  }
  throw new Fenced(
    `Cannot open data: others opened it at the same time, ${FENCE_ATTEMPTS_MAX} times in a row`,
  );
}

/**
 * Reads the whole log and verifies it. Parts of a block that never got its head, because a crash came
 * between, are removed.
 *
 * @throws {CorruptLog} if it is not what was written.
 * @throws {Fenced} if another process has opened the same data since.
 */
export async function readLog(kv: Deno.Kv, keys: LogKeys, fence: Fence): Promise<RecoveredLog> {
  const stateValue = (await kv.get(keys.state)).value;
  const state = stateValue === null
    ? STATE_EMPTY
    : decodeState(bytesOf(stateValue, "state record"));
  const reader = new LogReader(state);
  for await (
    const { key, value } of kv.list({ prefix: keys.log }, { batchSize: RECOVERY_LIST_BATCH })
  ) {
    reader.take(key, value);
  }
  reader.finish();
  await removeParts(kv, keys, fence, reader.orphans);
  return { state, index: reader.index, entries: reader.entries };
}

/** Puts the values of the log together, in the order of their keys. */
class LogReader {
  readonly index = new BlockIndex();
  readonly entries: Entry[] = [];
  /** Parts behind the end of the log whose head was never written. */
  readonly orphans: PartKey[] = [];
  readonly #state: StateRecord;
  #parts: Uint8Array[] = [];
  #partsMissing = 0;

  constructor(state: StateRecord) {
    this.#state = state;
  }

  take(key: Deno.KvKey, value: unknown): void {
    const [firstIndex, part] = key.slice(3);
    if (key.length !== 5 || !isWhole(firstIndex) || !isWhole(part)) {
      throw new CorruptLog(
        `Cannot read log: ${JSON.stringify(key.slice(3), safe)} is no key of it`,
      );
    }
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

async function removeParts(
  kv: Deno.Kv,
  keys: LogKeys,
  fence: Fence,
  parts: readonly PartKey[],
): Promise<void> {
  for (let at = 0; at < parts.length; at += ATOMIC_MUTATIONS_MAX) {
    const atomic = kv.atomic().check({ key: keys.boot, versionstamp: fence.versionstamp });
    for (const { firstIndex, part } of parts.slice(at, at + ATOMIC_MUTATIONS_MAX)) {
      atomic.delete(keys.part(firstIndex, part));
    }
    if (!(await atomic.commit()).ok) throw fenced(fence.boot);
  }
}

/** What a process is told that was fenced off. */
export function fenced(boot: number): Fenced {
  return new Fenced(`Cannot write: the data was opened by another process after boot ${boot}`);
}

/** @throws {CorruptLog} if a stored value is not bytes. */
export function bytesOf(value: unknown, what: string): Uint8Array {
  if (value instanceof Uint8Array) return value;
  throw new CorruptLog(
    `Cannot read ${what}: it is ${value === null ? "missing" : typeof value}, not bytes`,
  );
}

function checkOwner(owner: Identity | null, identity: Identity): void {
  if (owner === null) return;
  if (owner.clusterId === identity.clusterId && owner.nodeId === identity.nodeId) return;
  throw new WrongIdentity(
    `Cannot open data as node ${identity.nodeId} of cluster ${identity.clusterId}: it belongs to ` +
      `node ${owner.nodeId} of cluster ${owner.clusterId}`,
  );
}

function isWhole(part: Deno.KvKeyPart): part is number {
  return typeof part === "number" && Number.isSafeInteger(part) && part >= 0;
}

/** JSON has no form for bigints and bytes; a key of the log with one is wrong, and is to be shown. */
function safe(_key: string, value: unknown): unknown {
  return typeof value === "bigint" ? `${value}n` : value;
}
