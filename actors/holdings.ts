/**
 * What a replica's data hold, as far as others can rely on it: what this one shows, and what a leader
 * notes of its followers, so that one that comes back with less is found out
 * (docs/decisions/0021-older-copies.md).
 *
 * Not here: who judges by it (transport/acquaintances.ts).
 *
 * @module
 */
import { ACKNOWLEDGED_KEEP_TICKS } from "./limits_replica.ts";
import type { State } from "./replica_state.ts";
import type { Core } from "../raft/core.ts";
import { HOLDS_ALL } from "../transport/acquaintances.ts";
import type { Holding } from "../transport/types.ts";

/**
 * What a replica shows. A damaged one knows that entries are missing, and has the others repair it; its
 * term is above all it remembers.
 */
export function holdingOf({ term, damaged, log }: Core): Holding {
  return { term, lastIndex: damaged ? HOLDS_ALL.lastIndex : log.lastIndex };
}

/**
 * As a leader: notes what each follower has acknowledged, in this turn too. Only of what is committed,
 * since what is not may rightly go from its log. Hot path.
 */
export function noteAcknowledged(state: State, ticks: number): void {
  const { core, options: { acknowledged, keepAcknowledged } } = state;
  if (core.role === "leader" && acknowledged !== undefined) {
    const { term, commitIndex } = core;
    for (const { id, match, counts } of core.progress.values()) {
      if (counts && match > 0) acknowledged(id, { term, lastIndex: Math.min(match, commitIndex) });
    }
  }
  // Also by who leads no longer: what it noted last is kept with the next.
  state.unkeptTicks += ticks;
  if (state.unkeptTicks < ACKNOWLEDGED_KEEP_TICKS) return;
  state.unkeptTicks = 0;
  keepAcknowledged?.();
}
