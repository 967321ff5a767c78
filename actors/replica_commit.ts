/**
 * How what a turn brought becomes durable: as the turn's own commit, beside the next turns, or as the
 * switch to a leader's snapshot.
 *
 * @module
 */
import type { State } from "./replica_state.ts";
import { perform } from "./replica_effects.ts";
import type { ReplicaMessage } from "./replica_types.ts";
import { step } from "../raft/step.ts";
import type { LogIndex } from "../raft/types.ts";

/** The replica threw away what it had, and starts anew as a damaged one. */
class Quarantined extends Error {
  override readonly name = "Quarantined";
}

/**
 * Commits the turn.
 *
 * @throws what the log throws: the outcome is unknown, and the replica must be rebuilt from storage.
 */
export function commitTurn(state: State): void | Promise<void> {
  const { core, turn, hashCheck, receiving } = state;
  if (hashCheck.mismatch !== null) return quarantine(state, hashCheck.mismatch);
  if (receiving.isReady) return install(state);
  if (!turn.isDirty) return;
  if (core.role === "leader" && turn.isAppendOnly) return overlap(state);
  return makeDurable(state);
}

/**
 * Writes a leader's new entries beside its turns (thesis 10.2.1): nothing waits for this disk in
 * particular, since a quorum of the others may commit them, and then their answers go ahead. One
 * write at a time; what comes meanwhile goes with the next.
 */
function overlap(state: State): void {
  if (state.writing !== null) return;
  const { boot, core: { log }, ctx } = state;
  const written = { type: "written", boot, index: log.lastIndex, term: log.lastTerm } as const;
  const end = (error: unknown) => {
    state.writing = null;
    ctx.self.tell({ ...written, error }, { lane: "control" });
  };
  state.writing = state.log.commit(state.turn.takeBatch()).then(() => end(null), end);
}

/** @throws what the write failed with: as in a turn's own commit, its outcome is unknown. */
export function onWritten(
  state: State,
  written: Extract<ReplicaMessage, { type: "written" }>,
): void {
  const { core } = state;
  const { index, term, error } = written;
  if (error !== null) throw error;
  // Entries that were replaced meanwhile are not what became durable.
  if (!core.log.matches(index, term)) return;
  state.durableIndex = Math.max(state.durableIndex, index) as LogIndex;
  perform(state, step(core, { type: "persisted", index, term }));
}

async function makeDurable(state: State): Promise<void> {
  // Should it have failed, the store is shut, and the commit below fails, too.
  if (state.writing !== null) await state.writing;
  const batch = state.turn.takeBatch();
  await state.log.commit(batch);
  if (state.turn.repaired) {
    await state.log.repaired();
    state.turn.repaired = false;
  }
  // No step runs while the turn waits, so the core's log is what the batch has just completed.
  state.durableIndex = state.core.log.lastIndex;
  state.untold = batch.entries.length > 0;
}

/** The log must be on the disk as the core has it before something takes its place. */
async function install(state: State): Promise<void> {
  await makeDurable(state);
  await state.receiving.install(state);
}

/** The state is not what the majority has. Neither it nor the log that led there is built upon again. */
async function quarantine(state: State, reason: string): Promise<never> {
  if (state.writing !== null) await state.writing;
  await state.log.quarantine(reason);
  state.options.onEvent({ type: "quarantined", reason });
  throw new Quarantined(`Cannot go on: ${reason}`);
}
