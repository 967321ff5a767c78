/**
 * The fence: each opening counts the boot number up, and every later write checks that it is still
 * its own. Whoever opened before gets {@linkcode Fenced} from its next write and has written nothing.
 *
 * @module
 */
import { FENCE_ATTEMPTS_MAX } from "./limits.ts";
import type { LogKeys } from "./log_keys.ts";
import type { MarkContent } from "./mark.ts";
import { drawIncarnation } from "./peers_record.ts";
import { decodeBoot, decodeIdentity, encodeBoot, encodeIdentity } from "./record_codec.ts";
import { CorruptLog, Fenced, type Identity, sameIdentity, WrongIdentity } from "./types.ts";

/** The fence as taken: every commit checks that the boot number is still this one. */
export interface Fence {
  readonly boot: number;
  /** Of the data, see `Recovery.incarnation`. */
  readonly incarnation: number;
  readonly versionstamp: string;
}

/** What else than the log's database remembers of the data. */
export interface Remembered {
  /** Null if there is none that can be read. */
  readonly mark: MarkContent | null;
  /** The boot number beside the chunks of snapshots; 0 if there is none. */
  readonly chunkBoot: number;
}

/**
 * Counts the opening, so that every other process on the same data is fenced off, and makes the data
 * this owner's if it is nobody's. A database that was lost beside its mark keeps its incarnation: that is
 * damage, and the mark knows the votes.
 *
 * @throws {WrongIdentity} if the data or its mark belong to another owner. Nothing was changed then.
 * @throws {Fenced} if others keep opening the same data at the same time.
 */
export async function takeFence(
  kv: Deno.Kv,
  keys: LogKeys,
  identity: Identity,
  { mark, chunkBoot }: Remembered,
): Promise<Fence> {
  for (let attempt = 0; attempt < FENCE_ATTEMPTS_MAX; attempt++) {
    const [bootEntry, identityEntry] = await kv.getMany([keys.boot, keys.identity]);
    const owner = identityEntry.value === null
      ? mark?.identity ?? null
      : decodeIdentity(bytesOf(identityEntry.value, "identity"));
    checkOwner(owner, identity);
    const incarnation = owner?.incarnation ?? drawIncarnation();
    const booted = bootEntry.value === null
      ? 0
      : decodeBoot(bytesOf(bootEntry.value, "boot number"));
    // The others remember the boot number as well: it names sessions, and a database that was lost
    // must not make it begin again.
    const boot = Math.max(booted, mark?.boot ?? 0, chunkBoot) + 1;
    const result = await kv.atomic()
      .check(bootEntry)
      .set(keys.identity, encodeIdentity({ ...identity, incarnation }))
      .set(keys.boot, encodeBoot(boot))
      .commit();
    if (result.ok) return { boot, incarnation, versionstamp: result.versionstamp };
  }
  throw new Fenced(
    `Cannot open data: others opened it at the same time, ${FENCE_ATTEMPTS_MAX} times in a row`,
  );
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
  if (owner === null || sameIdentity(owner, identity)) return;
  throw new WrongIdentity(
    `Cannot open data as node ${identity.nodeId} of cluster ${identity.clusterId}: it belongs to ` +
      `node ${owner.nodeId} of cluster ${owner.clusterId}`,
  );
}
