/**
 * The leader's lease (thesis 6.4.1): for a while after a quorum has answered, no other node can have
 * been elected, since voters stand by a leader that they hear. Within it a read needs no round.
 *
 * The core knows which of its ticks a quorum has answered (raft/lease.ts); this turns that into time.
 * What it assumes of clocks, and why that suffices, is in docs/decisions/0015-reads-and-leases.md.
 *
 * @module
 */
import { LEASE_MS } from "./limits_replica.ts";
import type { Attempt } from "./reads.ts";
import { perform } from "./replica_effects.ts";
import type { State } from "./replica_state.ts";
import { grantByLease, leaseTick } from "../raft/lease.ts";
import type { ReadRequest } from "../raft/message.ts";
import { step } from "../raft/step.ts";
import type { NodeId } from "../raft/types.ts";

/** Whether this node leads under a lease now. The clock is read after all that the turn has taken. */
export function holdsLease(state: State): boolean {
  const tick = leaseTick(state.core);
  if (tick === null) return false;
  // The jump is looked for first: a suspended machine's clock says that no time has passed.
  const nowMs = watchClock(state);
  const timeMs = state.leaseTrusted ? state.ticks.timeOf(tick) : null;
  return timeMs !== null && nowMs - timeMs < LEASE_MS;
}

/**
 * Tells the core whether it may trust the clock, when that changes, and gives the time: after a jump
 * not for as long as a lease lasts.
 */
export function watchClock(state: State): number {
  const nowMs = state.ticks.nowMs();
  const trusted = nowMs - state.ticks.jumpedMs >= LEASE_MS;
  if (trusted !== state.leaseTrusted) {
    state.leaseTrusted = trusted;
    perform(state, step(state.core, { type: "lease-clock", trusted }));
  }
  return nowMs;
}

/** Begins an attempt at a batch of this node's own reads. */
export function beginRead(state: State, { id, lease }: Attempt): void {
  const { core, reads } = state;
  if (!lease || !holdsLease(state)) {
    perform(state, step(core, { type: "read", id, lease }));
    return;
  }
  for (const effect of grantByLease(core, null, id)) {
    if (effect.type === "read-ready") reads.confirmed(effect.id, effect.index, true);
  }
}

/** A follower asks for its clients: answered at once under a lease that they are content with. */
export function onReadRequest(state: State, from: NodeId, message: ReadRequest): void {
  if (message.lease && message.term === state.core.term && holdsLease(state)) {
    perform(state, grantByLease(state.core, from, message.id));
  } else {
    const timeMs = state.clock.nowMs();
    perform(state, step(state.core, { type: "message", from, message, timeMs }));
  }
}
