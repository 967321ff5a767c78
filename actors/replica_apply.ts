/**
 * Applying what is committed, and answering who waited for it.
 *
 * @module
 */
import { APPLY_SLICE_MS } from "./limits_replica.ts";
import { answerReads } from "./replica_reads.ts";
import type { State } from "./replica_state.ts";
import { CommandKind, commandKind } from "../kv/command.ts";
import { EntryKind, type LogIndex } from "../raft/types.ts";

/**
 * Applies what is committed, answers its writers, then the reads that waited for it. A follower
 * applies only what is durable here; a leader's entries may be committed by the others' disks.
 *
 * A state that was found to differ from the majority's answers nobody any more.
 */
export function applyCommitted(state: State): void {
  const last = lastToApply(state);
  while (state.store.index < last && state.hashCheck.mismatch === null) applyNext(state);
  if (state.hashCheck.mismatch !== null) return;
  state.watching.publish();
  answerReads(state);
  state.taking.takeIfDue(state);
}

/** At the start: applies what the log holds behind the snapshot, in slices; `breathe` is awaited between them. */
export async function applyRecovered(state: State, breathe: () => Promise<void>): Promise<void> {
  const { env } = state.ctx;
  let sliceMs = env.now();
  const last = lastToApply(state);
  while (state.store.index < last && state.hashCheck.mismatch === null) {
    applyNext(state);
    if (env.now() - sliceMs < APPLY_SLICE_MS) continue;
    await breathe();
    sliceMs = env.now();
  }
  if (state.hashCheck.mismatch === null) state.watching.publish();
}

function lastToApply({ core, commitIndex, durableIndex }: State): number {
  return core.role === "leader" ? commitIndex : Math.min(commitIndex, durableIndex);
}

function applyNext(state: State): void {
  const { core, store, proposals } = state;
  const index = store.index + 1;
  const entry = core.log.entry(index as LogIndex);
  const { timeMs, kind, data } = entry;
  const isCommand = kind === EntryKind.Command;
  const applied = store.apply({ index, timeMs, data, isCommand });
  const { session, sequence, result } = applied;
  state.options.observer?.applied(state, entry, applied);
  state.taking.applied(entry);
  state.watching.applied(index, applied.changes);
  if (!isCommand) return;
  if (commandKind(data) === CommandKind.OpenSession) proposals.sessionOpened(session);
  else proposals.applied(session, sequence, result);
  state.hashCheck.applied(state, data);
}
