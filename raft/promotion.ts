/**
 * When a learner becomes a voter (thesis 4.2.1): once it gets what a round is to bring within the
 * shortest election timeout. Then it can keep up, and counting it will not stop the cluster.
 *
 * There is no last round: a learner that is too slow or away stays one until it is fast enough, or is
 * removed.
 *
 * @module
 */
import type { Core } from "./core.ts";
import { appendConfiguration, isReachable, mayChange, withPromoted } from "./membership.ts";
import type { Progress } from "./progress.ts";
import { beginRound } from "./promotion_round.ts";

/** After an answer of `peer`. */
export function advancePromotion(core: Core, peer: Progress): void {
  const round = core.promotions.get(peer.id);
  if (round === undefined || !peer.counts || peer.match < round.target) return;
  const isFast = core.ticks - round.startedTick < core.limits.electionTicks;
  const next = withPromoted(core.configuration, peer.id);
  if (isFast && mayChange(core) && isReachable(core, next.voters)) {
    appendConfiguration(core, next);
  } else {
    beginRound(core, peer.id);
  }
}
