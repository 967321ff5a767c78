/**
 * How what a turn brought becomes durable: as the turn's own commit, beside the next turns, or as the
 * switch to a leader's snapshot.
 *
 * @module
 */
import { applyCommitted } from "./replica_apply.ts";
import { perform } from "./replica_effects.ts";
import { continueSoon, type State } from "./replica_state.ts";
import { step } from "../raft/step.ts";
import type { LogIndex } from "../raft/types.ts";

/** The replica threw away what it had, and starts anew as a damaged one. */
class Quarantined extends Error {
  override readonly name = "Quarantined";
}

/**
 * Commits the turn, and applies in the shadow of that what was committed before it. Hot path: disk and
 * followers are at work while this replica applies and answers.
 *
 * @throws what the log throws: the outcome is unknown, and the replica must be rebuilt from storage.
 */
export function commitTurn(state: State): void | Promise<void> {
  const { hashCheck, receiving } = state;
  if (hashCheck.mismatch !== null) return quarantine(state, hashCheck.mismatch);
  if (receiving.isReady) return install(state);
  const durable = write(state);
  try {
    applyCommitted(state);
    state.administration.settle(state);
  } catch (error) {
    // The turn fails with this. What becomes of its write, nobody waits for any more.
    durable?.catch(() => {});
    throw error;
  }
  return durable;
}

/** Hands what the turn owes to the disk. */
function write(state: State): void | Promise<void> {
  const { core, turn } = state;
  if (!turn.isDirty) return;
  if (core.role === "leader" && turn.isAppendOnly) return overlap(state);
  return makeDurable(state);
}

/**
 * Writes a leader's new entries beside its turns (thesis 10.2.1): nothing waits for this disk in
 * particular, since a quorum of the others may commit them, and then their answers go ahead. One
 * write at a time; what comes meanwhile goes with the next, and under load some wait for company.
 */
function overlap(state: State): void {
  if (state.writing !== null || state.ownWrite.mayWait(state.core)) return;
  const { lastIndex: index, lastTerm: term } = state.core.log;
  const end = (error: unknown) => {
    state.writing = null;
    state.written = { index, term, error };
    // Left in the state, so that it cannot get lost: a mailbox without room brings a turn by itself.
    continueSoon(state);
  };
  state.writing = state.log.commit(state.turn.takeBatch()).then(() => end(null), end);
}

/**
 * At the start of a turn: tells the core of the write that has ended since the last one, if any.
 *
 * @throws what the write failed with: as in a turn's own commit, its outcome is unknown.
 */
export function noteWritten(state: State): void {
  const { core, written } = state;
  if (written === null) return;
  state.written = null;
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
  state.ownWrite.taken();
  const batch = state.turn.takeBatch();
  // Taken with the batch: what is applied meanwhile may append (hash_check.ts), and that waits for the next.
  const { lastIndex } = state.core.log;
  await state.log.commit(batch);
  if (state.turn.repaired) {
    await state.log.repaired();
    state.turn.repaired = false;
  }
  state.durableIndex = lastIndex;
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
