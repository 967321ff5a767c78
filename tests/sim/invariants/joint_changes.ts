/**
 * Voters change through a joint configuration only, and one change after the other (Raft, section 6).
 *
 * @module
 */
import { Broken, type ConfigurationEffect, type Invariant } from "./invariant.ts";
import type { ReplicaLife } from "../../../actors/replica_types.ts";
import type { Machine } from "../machine.ts";

export class JointChanges implements Invariant {
  readonly name = "joint-changes";

  configured({ id }: Machine, { core }: ReplicaLife, effect: ConfigurationEffect): void {
    const { configuration: { voters, votersOutgoing }, index } = effect;
    const at = core.configurations.findIndex((each) => each.index === index);
    const before = core.configurations[at - 1]?.configuration;
    // What comes in a snapshot may skip any number of changes, as does who knew nothing.
    if (before === undefined || before.voters.length === 0) return;
    const follows = votersOutgoing.length > 0
      ? before.votersOutgoing.length === 0 && `${votersOutgoing}` === `${before.voters}`
      : `${voters}` === `${before.voters}`;
    if (follows) return;
    throw new Broken(
      `${id} goes from voters ${before.voters} to ${voters} (outgoing ${votersOutgoing}) at ${index}`,
    );
  }
}
