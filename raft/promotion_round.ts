/**
 * The rounds in which a learner catches up before it becomes a voter (thesis 4.2.1). Plain state; the
 * rules are in promotion.ts.
 *
 * @module
 */
import type { Core } from "./core.ts";
import type { LogIndex, NodeId } from "./types.ts";

/** One round: the learner is to get all that the log held when it began. */
export interface PromotionRound {
  readonly target: LogIndex;
  readonly startedTick: number;
}

export function beginRound(core: Core, learner: NodeId): void {
  core.promotions.set(learner, { target: core.log.lastIndex, startedTick: core.ticks });
}
