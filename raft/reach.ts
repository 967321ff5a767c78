/**
 * Whether a leader can commit without its own disk for now. Not part of the protocol, which counts
 * whoever is durable; a shell that puts its own write off a little asks this first (thesis 10.2.1).
 *
 * @module
 */
import type { Core } from "./core.ts";
import { quorumValue } from "./quorum.ts";

/**
 * Whether the other voters that take appends at once, and were heard within a heartbeat, are a quorum by
 * themselves. An observation: any of them may fail in the next moment.
 */
export function othersSuffice(core: Core): boolean {
  const { heartbeatTicks, inflightBytesMax } = core.limits;
  return quorumValue(core.configuration, (voter) => {
    const peer = core.progress.get(voter);
    // One that waits for a snapshot counts as probed.
    const isAtHand = peer !== undefined && peer.counts && !peer.probing &&
      !peer.inflight.isFull(inflightBytesMax) && core.ticks - peer.heardTick <= heartbeatTicks;
    return isAtHand ? 1 : 0;
  }) >= 1;
}
