/**
 * Expiry as a position in the log: no replica hides a key because its own clock says so. When
 * something is due, the leader proposes the time, and reads that came since wait until that is applied.
 *
 * @module
 */
import { proposeAsLeader } from "./replica_effects.ts";
import type { State } from "./replica_state.ts";
import { encodeClock } from "../kv/command.ts";

/** Runs `run` once nothing is visible any more that is due at `timeMs`: mostly at once. */
export function onceExpired(state: State, timeMs: number, run: () => void): void {
  if (state.core.role === "leader" && isDue(state.store.nextVisibleExpiryMs(), timeMs)) {
    state.deferred.push({ untilMs: timeMs, run });
  } else {
    run();
  }
}

/** As a leader, proposes the time if something is due; runs what need not wait any longer. */
export function expire(state: State, timeMs: number): void {
  const { core, store } = state;
  const inFlight = state.clockTerm === core.term && state.clockIndex > store.index;
  if (core.role === "leader" && !inFlight && isDue(store.nextExpiryMs(), timeMs)) {
    const index = proposeAsLeader(state, encodeClock());
    if (index !== null) {
      state.clockIndex = index;
      state.clockTerm = core.term;
    }
  }
  while (hasExpired(state)) state.deferred.shift()!.run();
}

/** Whether the first of what waits need not wait any longer. */
export function hasExpired(state: State): boolean {
  const first = state.deferred[0];
  if (first === undefined) return false;
  return state.core.role !== "leader" ||
    !isDue(state.store.nextVisibleExpiryMs(), first.untilMs);
}

function isDue(expiryMs: number | null, timeMs: number): boolean {
  return expiryMs !== null && expiryMs <= timeMs;
}
