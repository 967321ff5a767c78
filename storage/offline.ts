/**
 * What can be done to the data of a node that is not running: to look at it, to found a cluster from a
 * snapshot, and to make the survivor of a lost quorum a cluster of its own.
 *
 * Not here: whether that is wise. docs/operations.md says what each of them may cost.
 *
 * @module
 */
import { configurationOf } from "../raft/configuration.ts";
import { decodeConfiguration, encodeConfiguration } from "../raft/configuration_codec.ts";
import { encodeEntries } from "../raft/entry_codec.ts";
import {
  type Configuration,
  type Entry,
  EntryKind,
  GROUP_DEFAULT,
  type GroupId,
  type HardState,
  type LogIndex,
  logIndex,
  type NodeAddress,
  type NodeId,
  type SnapshotInfo,
  type Term,
  term,
} from "../raft/types.ts";
import { encodeBlock } from "./block_codec.ts";
import { exists } from "./directory.ts";
import { type Disk, diskAt, KV_FILE_NAME } from "./disk.ts";
import { bytesOf } from "./fence.ts";
import { storageError, whileBusy } from "./kv_error.ts";
import { BLOCK_PAYLOAD_BYTES_MAX } from "./limits.ts";
import { LogKeys } from "./log_keys.ts";
import { findDamage, resumeDamaged } from "./mark.ts";
import { drawIncarnation } from "./peers_record.ts";
import {
  decodeBoot,
  decodeIdentity,
  encodeBoot,
  encodeIdentity,
  encodeState,
  type StateRecord,
} from "./record_codec.ts";
import { readLog, type RecoveredLog } from "./recovery.ts";
import { Fenced, type Identity, WrongIdentity } from "./types.ts";

export { DataPresent, foundFromSnapshot } from "./founding.ts";

/** There is no data of a node where some is needed. */
export class NoData extends Error {
  override readonly name = "NoData";
}

/** What a data directory holds. */
export interface DataDescription {
  readonly identity: Identity;
  /** How often it was opened. */
  readonly boot: number;
  readonly hardState: HardState;
  readonly baseIndex: LogIndex;
  readonly baseTerm: Term;
  /** Of the last entry of the log; the base's if it is empty. */
  readonly lastIndex: LogIndex;
  readonly lastTerm: Term;
  /** Its chunks were not read. */
  readonly snapshot: SnapshotInfo | null;
  /** The latest in log and snapshot; null if there is none, since the founders' is in no log. */
  readonly configuration: Configuration | null;
  /** The stamp of the last entry or the snapshot, in ms since the epoch; null if there is neither. */
  readonly lastTimeMs: number | null;
  /** Null, or what is missing, as `Recovery.damage`. */
  readonly damage: string | null;
}

/** What {@linkcode forceNewCluster} did. */
export interface ForcedCluster {
  /** Of the configuration entry that it appended. */
  readonly index: LogIndex;
  readonly term: Term;
  /** What was missing of what this node had acknowledged, and stays missing; null if nothing. */
  readonly damage: string | null;
}

/**
 * Describes the data of a node that is not running, and changes nothing in it.
 *
 * @throws {NoData} if there is none.
 * @throws {CorruptLog} {UnsupportedFormat}
 */
export async function describeData(
  directory: string,
  group: GroupId = GROUP_DEFAULT,
): Promise<DataDescription> {
  return await withData(directory, group, ({ identity, boot, log, state, damage }) => {
    const { entries, snapshot } = log;
    const { clusterId, nodeId } = identity;
    const info = snapshot?.info ?? null;
    return Promise.resolve({
      identity: { clusterId, nodeId },
      boot,
      hardState: state.hardState,
      baseIndex: logIndex(state.base.lastIndex),
      baseTerm: state.base.lastTerm,
      lastIndex: logIndex(state.end.lastIndex),
      lastTerm: state.end.lastTerm,
      snapshot: info,
      configuration: latestConfiguration(entries, info),
      lastTimeMs: entries.at(-1)?.timeMs ?? info?.meta.timeMs ?? null,
      damage,
    });
  });
}

/**
 * Makes the node of this data, which must not be running, the only voter of a new cluster, so that it
 * can go on without the others. What only they held is lost, and what was never committed may become so.
 * One atomic step: a crash leaves all as it was, or all done.
 *
 * @throws {NoData} if there is neither an entry nor a snapshot.
 * @throws {WrongIdentity} if the data is another node's.
 * @throws {RangeError} if `clusterId` is the data's own: the others could come back.
 * @throws {Fenced} if another process opens the data at the same time.
 * @throws {CorruptLog} {UnsupportedFormat} {StorageFull}
 */
export async function forceNewCluster(options: {
  readonly directory: string;
  readonly nodeId: NodeId;
  readonly clusterId: string;
  readonly address: NodeAddress;
  readonly group?: GroupId;
}): Promise<ForcedCluster> {
  const { directory, nodeId, clusterId, address, group = GROUP_DEFAULT } = options;
  return await withData(directory, group, async (data) => {
    checkForcible(data, options);
    const { kv, disk, keys, state, log, damage } = data;
    const entry = soleVoter(data, address);
    const payload = encodeEntries([entry]);
    const block = encodeBlock(state.end, 1, payload, entry.term, BLOCK_PAYLOAD_BYTES_MAX);
    const identity = { clusterId, nodeId, incarnation: drawIncarnation() };
    const boot = data.boot + 1;
    const forced: StateRecord = {
      ...state,
      seq: state.seq + 1,
      hardState: { term: entry.term, vote: null, commit: state.hardState.commit },
      end: block.end,
    };
    const atomic = kv.atomic().check(data.bootEntry)
      .set(keys.boot, encodeBoot(boot))
      .set(keys.identity, encodeIdentity(identity))
      .set(keys.state, encodeState(forced))
      .delete(keys.peers)
      .delete(keys.quarantine);
    // Parts without a head would stand where the new block is.
    for (const { firstIndex, part } of log.orphans) {
      atomic.delete(keys.part(state.epoch, firstIndex, part));
    }
    block.parts.forEach((part, i) => atomic.set(keys.part(state.epoch, block.firstIndex, i), part));
    const result = await whileBusy(() => atomic.commit());
    if (!result.ok) throw new Fenced("Cannot change data: another process opened it");
    // A crash before this is told by the identity in the mark (findDamage).
    const mark = await disk.marks!.create({ identity, boot, damaged: false, state: forced });
    mark.close();
    return { index: entry.index, term: entry.term, damage };
  });
}

function checkForcible(
  { identity, state, log }: Data,
  { directory, nodeId, clusterId }: {
    readonly directory: string;
    readonly nodeId: NodeId;
    readonly clusterId: string;
  },
): void {
  if (identity.nodeId !== nodeId) {
    throw new WrongIdentity(
      `Cannot make ${nodeId} a cluster: the data in ${directory} belongs to ${identity.nodeId}`,
    );
  }
  if (identity.clusterId === clusterId) {
    throw new RangeError(`Cannot make a new cluster with the id of the old one, ${clusterId}`);
  }
  if (state.end.lastIndex === 0 && log.snapshot === null) {
    throw new NoData(`Cannot make a cluster of ${directory}: it holds no entry and no snapshot`);
  }
}

function soleVoter({ identity, state, log }: Data, address: NodeAddress): Entry {
  const index = logIndex(state.end.lastIndex + 1);
  const { id, url, peer } = address;
  // Not since when it was in the old cluster: in this one, on its new incarnation.
  const addresses = [{ id, url, peer, since: index }];
  const configuration = configurationOf([identity.nodeId as NodeId], { addresses });
  return {
    term: term(state.hardState.term + 1),
    index,
    timeMs: log.entries.at(-1)?.timeMs ?? log.snapshot?.info.meta.timeMs ?? 0,
    kind: EntryKind.Configuration,
    data: encodeConfiguration(configuration),
  };
}

/** What was read of a directory. */
interface Data {
  readonly kv: Deno.Kv;
  readonly disk: Disk;
  readonly keys: LogKeys;
  readonly identity: Identity;
  readonly boot: number;
  readonly bootEntry: Deno.KvEntryMaybe<unknown>;
  readonly log: RecoveredLog;
  /** As an opening would go on from. */
  readonly state: StateRecord;
  readonly damage: string | null;
}

/** Reads the data, acts, closes it. */
async function withData<T>(
  directory: string,
  group: GroupId,
  act: (data: Data) => Promise<T>,
): Promise<T> {
  if (!await exists(`${directory}/${KV_FILE_NAME}`)) {
    throw new NoData(`Cannot find data of a node in ${directory}`);
  }
  const disk = diskAt(directory, group, 0);
  const keys = new LogKeys(group);
  const kv = await disk.openKv();
  try {
    const [bootEntry, identityEntry] = await kv.getMany([keys.boot, keys.identity]);
    if (identityEntry.value === null) {
      throw new NoData(`Cannot find data of a node in ${directory}: it is nobody's`);
    }
    const identity = decodeIdentity(bytesOf(identityEntry.value, "identity"));
    const boot = decodeBoot(bytesOf(bootEntry.value, "boot number"));
    const log = await readLog(kv, keys);
    const found = await disk.marks!.read();
    const damage = log.quarantine?.reason ?? findDamage(found, log.state, identity);
    const state = damage === null ? log.state : resumeDamaged(log.state, found);
    const bootMax = Math.max(boot, found?.newest?.boot ?? 0);
    return await act({
      kv,
      disk,
      keys,
      identity,
      boot: bootMax,
      bootEntry,
      log,
      state,
      damage,
    });
  } catch (error) {
    throw storageError(error, "use the data");
  } finally {
    kv.close();
  }
}

function latestConfiguration(
  entries: readonly Entry[],
  snapshot: SnapshotInfo | null,
): Configuration | null {
  const latest = entries.findLast(({ kind }) => kind === EntryKind.Configuration);
  if (latest !== undefined) return decodeConfiguration(latest.data);
  return snapshot?.meta.configuration ?? null;
}
