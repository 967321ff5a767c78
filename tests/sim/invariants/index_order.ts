/**
 * Purged, in the snapshot, applied, committed: none is ahead of the next; and what a follower has applied is
 * on its disk.
 *
 * @module
 */
import { Broken, type Invariant } from "./invariant.ts";
import type { ReplicaLife } from "../../../actors/replica_types.ts";
import type { Machine } from "../machine.ts";

export class IndexOrder implements Invariant {
  readonly name = "index-order";

  settled({ id, disk }: Machine, { commitIndex, store }: ReplicaLife): void {
    const purged = disk.baseIndex;
    const snapshot = disk.snapshot?.meta.index ?? 0;
    const applied = store.index;
    if (purged <= snapshot && snapshot <= applied && applied <= commitIndex) return;
    throw new Broken(
      `${id} has purged ${purged}, snapshot ${snapshot}, applied ${applied}, committed ${commitIndex}`,
    );
  }
}
