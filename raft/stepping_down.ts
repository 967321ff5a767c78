/**
 * How a leader leaves office of its own accord: because it is out of the configuration (section 6), or
 * because its shell says that it should not lead.
 *
 * @module
 */
import type { Core } from "./core.ts";
import { isOnlyVoter } from "./quorum.ts";
import { becomeFollower } from "./roles.ts";
import { handOver, successor } from "./transfer.ts";

/** Asks the voter best prepared to stand, and steps down without waiting for it. */
export function retire(core: Core): void {
  const next = successor(core);
  if (next !== null) handOver(core, next.id);
  becomeFollower(core, core.term, null);
}

/**
 * Whether this node should lead. While it should not, it gives up what it has or campaigns for, and
 * waits far longer than the others before it campaigns (election.ts). The only voter leads on: nobody
 * else could.
 */
export function stand(core: Core, standing: boolean, outcast: boolean): void {
  core.standing = standing;
  core.outcast = outcast;
  if (standing || isOnlyVoter(core.configuration, core.id)) return;
  if (core.role === "leader") retire(core);
  else if (core.role !== "follower") becomeFollower(core, core.term, null);
}
