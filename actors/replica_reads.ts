/**
 * A read's way through the replica, by what it asks for: by an index that the core confirms, by one
 * that the client names, or from the state as it is.
 *
 * Keys that are due: linearizable and lease reads never see one (replica_expiry.ts). The other kinds
 * read the state as of the entry applied last: what fell due since then, by the leader's clock, is
 * still there.
 *
 * @module
 */
import { SESSION_WAIT_MS } from "./limits_replica.ts";
import { TooStale } from "./outcomes.ts";
import { onceExpired } from "./replica_expiry.ts";
import type { State } from "./replica_state.ts";
import type { ReplicaMessage } from "./replica_types.ts";
import type { Consistency, ServedRead } from "./service.ts";
import type { Reply } from "./types.ts";
import type { ReadQuery } from "../kv/types.ts";
import { freshness } from "../raft/freshness.ts";

type ReadMessage = Extract<ReplicaMessage, { type: "read" }>;

/** Takes a read in: answers it, or has it wait for what it needs. */
export function takeRead(state: State, read: ReadMessage, timeMs: number): void {
  const { query, consistency, deadlineMs, reply } = read;
  switch (consistency.mode) {
    case "linearizable":
    case "lease": {
      const lease = consistency.mode === "lease";
      onceExpired(state, timeMs, () => state.reads.admit({ query, reply, deadlineMs, lease }));
      break;
    }
    case "session": {
      const { minIndex } = consistency;
      if (state.store.index >= minIndex) return answer(state, reply, query, "session", null);
      const waitUntilMs = Math.min(deadlineMs, state.ctx.env.now() + SESSION_WAIT_MS);
      state.sessionReads.admit({ query, reply, minIndex, deadlineMs: waitUntilMs });
      break;
    }
    case "eventual":
      readAsIs(state, query, consistency.maxStalenessMs, reply);
      break;
  }
}

/** After entries were applied: answers the reads that waited for them. */
export function answerReads(state: State): void {
  const { store } = state;
  for (const { reads, served } of state.reads.takeReady(store.index)) {
    for (const { reply, query } of reads) answer(state, reply, query, served, null);
  }
  for (const { reply, query } of state.sessionReads.takeReady(store.index)) {
    answer(state, reply, query, "session", null);
  }
}

/** Notes what the core knows of the leader's commit index, and as of when. */
export function noteFreshness({ core, staleness, ticks }: State): void {
  const fresh = freshness(core);
  const timeMs = fresh === null ? null : ticks.timeOf(fresh.tick);
  // What was said before a clock jump: nobody knows how long ago that was.
  if (fresh === null || timeMs === null || timeMs <= ticks.jumpedMs) return;
  staleness.note(timeMs, fresh.index);
}

function readAsIs(
  state: State,
  query: ReadQuery,
  maxStalenessMs: number | null,
  reply: Reply<ServedRead>,
): void {
  const nowMs = state.ticks.nowMs();
  noteFreshness(state);
  const stalenessMs = state.staleness.at(nowMs, state.store.index, state.ticks.jumpedMs);
  if (maxStalenessMs !== null && (stalenessMs === null || stalenessMs > maxStalenessMs)) {
    const found = stalenessMs === null ? "nobody knows how stale" : `up to ${stalenessMs} ms stale`;
    const error = new TooStale(
      `Cannot read: at most ${maxStalenessMs} ms are wanted, and this replica is ${found}`,
    );
    state.ctx.failEarly(reply, error);
    return;
  }
  answer(state, reply, query, "eventual", stalenessMs);
}

function answer(
  state: State,
  reply: Reply<ServedRead>,
  query: ReadQuery,
  served: Consistency["mode"],
  stalenessMs: number | null,
): void {
  if (reply.settled) return;
  const { results, index } = state.store.read(query);
  state.ctx.replyEarly(reply, { results, index, served, stalenessMs });
}
