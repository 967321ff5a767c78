/**
 * A copy of the replica's state for a backup. It costs next to nothing until it is read, and then a
 * chunk at a time, beside the replica's turns.
 *
 * @module
 */
import { NotServing } from "./outcomes.ts";
import type { State } from "./replica_state.ts";
import type { ReplicaMessage } from "./replica_types.ts";
import type { StoreCapture } from "../kv/store.ts";
import type { LogIndex, Term } from "../raft/types.ts";

/** The state after one entry, and where that entry stands. */
export interface Captured {
  readonly capture: StoreCapture;
  readonly term: Term;
}

/** Answers with a copy that has applied at least `minIndex`. */
export function capture(
  { core, store, ctx }: State,
  { minIndex, reply }: Extract<ReplicaMessage, { type: "capture" }>,
): void {
  if (store.index < minIndex) {
    ctx.failEarly(reply, new NotServing("Cannot copy the state: the replica has restarted"));
    return;
  }
  const term = core.log.term(store.index as LogIndex);
  ctx.replyEarly(reply, { capture: store.capture(), term });
}
