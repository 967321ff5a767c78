/**
 * Whom a leader keeps progress of: the members of the configuration in effect, and for a while those
 * that left it, who are fed until they know (see {@linkcode Departure}).
 *
 * @module
 */
import { latestConfiguration } from "./configuration.ts";
import type { Core } from "./core.ts";
import { createProgress } from "./progress.ts";
import { beginRound } from "./promotion_round.ts";
import { members } from "./quorum.ts";
import type { LogIndex } from "./types.ts";

/** A member that left. It campaigns for as long as nobody tells it, so the leader does. */
export interface Departure {
  /** The entry without it. */
  readonly index: LogIndex;
  /** The tick in which that was committed; null before. */
  committedTick: number | null;
}

/** As a leader, in a configuration that has just come into effect. */
export function trackMembers(core: Core): void {
  const present = new Set(members(core.configuration));
  for (const id of core.progress.keys()) {
    if (present.has(id) || core.departed.has(id)) continue;
    core.departed.set(id, { index: latestConfiguration(core).index, committedTick: null });
  }
  const next = core.log.lastIndex + 1 as LogIndex;
  for (const id of present) {
    // Who comes back may come with an empty disk: what it held before proves nothing.
    if (core.departed.delete(id)) core.progress.delete(id);
    if (id === core.id || core.progress.has(id)) continue;
    const { inflightMessagesMax } = core.limits;
    core.progress.set(id, createProgress(id, next, core.ticks, inflightMessagesMax));
  }
  const promoting = new Set(core.configuration.promoting.map(({ id }) => id));
  for (const id of core.promotions.keys()) if (!promoting.has(id)) core.promotions.delete(id);
  for (const id of promoting) if (!core.promotions.has(id)) beginRound(core, id);
}

/** As who no longer leads. */
export function trackNobody(core: Core): void {
  core.progress.clear();
  core.departed.clear();
  core.promotions.clear();
}
