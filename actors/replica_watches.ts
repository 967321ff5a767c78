/**
 * The replica's part in watches: opens them, and ends them when this replica has heard nothing of a leader
 * for so long that silence tells nothing any more. Whoever watches then goes on at another node.
 *
 * @module
 */
import { NotCaughtUp, TooStale } from "./outcomes.ts";
import { noteFreshness } from "./replica_reads.ts";
import type { State } from "./replica_state.ts";
import type { ReplicaMessage } from "./replica_types.ts";

/** Takes a watch in. */
export function takeWatch(
  state: State,
  { request, reply }: Extract<ReplicaMessage, { type: "watch" }>,
): void {
  // One that nobody waits for would never be closed.
  if (reply.settled) return;
  noteFreshness(state);
  noteAge(state);
  try {
    state.ctx.replyEarly(reply, state.watching.open(request));
  } catch (error) {
    if (!(error instanceof NotCaughtUp || error instanceof TooStale)) throw error;
    state.ctx.failEarly(reply, error);
  }
}

/** Time passes, and `noteFreshness` was called. */
export function onWatchTick(state: State): void {
  if (state.watching.size > 0) noteAge(state);
}

function noteAge({ ticks, staleness, store, watching }: State): void {
  const nowMs = ticks.nowMs();
  watching.noteAge(nowMs, staleness.at(nowMs, store.index, ticks.jumpedMs));
}
