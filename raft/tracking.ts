/**
 * Whom a leader keeps progress of: the members of the configuration in effect, and for a while those
 * that left it, who are fed until they know (see {@linkcode Departure}).
 *
 * @module
 */
import {
  formerConfiguration,
  isConfigurationCommitted,
  latestConfiguration,
} from "./configuration.ts";
import type { Core } from "./core.ts";
import { createProgress } from "./progress.ts";
import { beginRound } from "./promotion_round.ts";
import { members } from "./quorum.ts";
import type { LogIndex, NodeId } from "./types.ts";

/** A member that left. It campaigns for as long as nobody tells it, so the leader does. */
export interface Departure {
  /** The entry without it. */
  readonly index: LogIndex;
  /** The tick in which that was committed; null before. */
  committedTick: number | null;
}

/** As a leader, in a configuration that has just come into effect, or at the start of its term. */
export function trackMembers(core: Core): void {
  const present = new Set(members(core.configuration));
  for (const id of leaving(core)) {
    if (id === core.id || present.has(id) || core.departed.has(id)) continue;
    core.departed.set(id, { index: latestConfiguration(core).index, committedTick: null });
    track(core, id);
  }
  for (const id of present) {
    // Who comes back may come with an empty disk: what it held before proves nothing.
    if (core.departed.delete(id)) core.progress.delete(id);
    track(core, id);
  }
  const promoting = new Set(core.configuration.promoting.map(({ id }) => id));
  for (const id of core.promotions.keys()) if (!promoting.has(id)) core.promotions.delete(id);
  for (const id of promoting) if (!core.promotions.has(id)) beginRound(core, id);
}

/** Who may leave: who was tracked, and who leaves by a change that a former leader did not finish. */
function leaving(core: Core): NodeId[] {
  const known = [...core.progress.keys()];
  if (isConfigurationCommitted(core)) return known;
  return [...known, ...members(formerConfiguration(core).configuration)];
}

function track(core: Core, id: NodeId): void {
  if (id === core.id || core.progress.has(id)) return;
  const next = core.log.lastIndex + 1 as LogIndex;
  const { inflightMessagesMax } = core.limits;
  core.progress.set(id, createProgress(id, next, core.ticks, inflightMessagesMax));
}

/** As who no longer leads. */
export function trackNobody(core: Core): void {
  core.progress.clear();
  core.departed.clear();
  core.promotions.clear();
}
