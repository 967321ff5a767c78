/**
 * What a replica starts from: its log, and the store that its snapshot holds. A snapshot that does not
 * read back is put aside, and the replica starts as a damaged one, to be made whole by the others.
 *
 * @module
 */
import { ELECTION_TICKS, HEARTBEAT_TICKS, READ_TICKS } from "./limits_replica.ts";
import type { ReplicaMessage, ReplicaOptions } from "./replica_types.ts";
import { restoreStore } from "./restoring.ts";
import type { Ctx } from "./types.ts";
import { MalformedSnapshot } from "../kv/snapshot_reader.ts";
import { Store } from "../kv/store.ts";
import { type Core, createCore } from "../raft/core.ts";
import { isOnlyVoter } from "../raft/quorum.ts";
import { CorruptSnapshot, type LogStore, type Recovery } from "../storage/types.ts";

export interface Recovered {
  readonly log: LogStore;
  readonly core: Core;
  readonly store: Store;
  readonly recovery: Recovery;
}

/**
 * Opens the log and restores the snapshot, in slices.
 *
 * @throws what `LogStore.open` throws.
 * @throws {CorruptSnapshot} {MalformedSnapshot} if there is nobody to fetch another from.
 */
export async function recover(
  options: ReplicaOptions,
  ctx: Ctx<ReplicaMessage>,
): Promise<Recovered> {
  for (;;) {
    const log = options.openLog();
    try {
      const recovery = await log.open();
      const core = coreFrom(options, recovery, !log.reserve.released, ctx.env.randomUint32());
      const restored = await tryRestore(log, recovery, ctx);
      if (restored instanceof Store) return { log, core, store: restored, recovery };
      if (isOnlyVoter(core.configuration, options.id)) throw restored;
      const reason = `its snapshot does not read back: ${restored.message}`;
      await log.quarantine(reason);
      options.onEvent({ type: "quarantined", reason });
    } catch (error) {
      await log.close();
      throw error;
    }
    await log.close();
  }
}

/** Lets everything else that is ready go first. @throws once the actor is to stop. */
export async function breathe({ env, signal }: Ctx<ReplicaMessage>): Promise<void> {
  await new Promise<void>((resolve) => env.defer(resolve));
  signal.throwIfAborted();
}

async function tryRestore(
  { snapshots }: LogStore,
  { snapshot }: Recovery,
  ctx: Ctx<ReplicaMessage>,
): Promise<Store | CorruptSnapshot | MalformedSnapshot> {
  if (snapshot === null) return new Store();
  try {
    const read = (chunk: number) => snapshots.read(snapshot, chunk);
    return await restoreStore(snapshot, read, () => breathe(ctx));
  } catch (error) {
    if (error instanceof CorruptSnapshot || error instanceof MalformedSnapshot) return error;
    throw error;
  }
}

function coreFrom(
  { id, configuration, limits }: ReplicaOptions,
  { hardState, entries, baseIndex, baseTerm, snapshot, damage }: Recovery,
  standing: boolean,
  seed: number,
): Core {
  return createCore({
    id,
    configuration,
    hardState,
    log: { entries, baseIndex, baseTerm },
    snapshot,
    seed,
    damaged: damage !== null,
    standing,
    electionTicks: ELECTION_TICKS,
    heartbeatTicks: HEARTBEAT_TICKS,
    readTicks: READ_TICKS,
    appendEntriesMax: limits?.appendEntriesMax,
    inflightMessagesMax: limits?.inflightMessagesMax,
  });
}
