/**
 * Leader append-only (Raft, figure 3): a leader takes no entry of its log back.
 *
 * @module
 */
import { Broken, type Invariant } from "./invariant.ts";
import type { ReplicaLife } from "../../../actors/replica_types.ts";
import type { NodeId } from "../../../raft/types.ts";
import type { Machine } from "../machine.ts";

export class LeaderAppendOnly implements Invariant {
  readonly name = "leader-append-only";
  readonly #seen = new Map<NodeId, { readonly term: number; readonly lastIndex: number }>();

  leading({ id }: Machine, { core }: ReplicaLife, isNew: boolean): void {
    const { term, log: { lastIndex, lastTerm } } = core;
    const seen = this.#seen.get(id);
    if (!isNew && seen !== undefined && seen.term === term && lastIndex < seen.lastIndex) {
      throw new Broken(`${id} in term ${term} went back from ${seen.lastIndex} to ${lastIndex}`);
    }
    if (lastTerm !== term) {
      throw new Broken(`${id} leads term ${term}, and its log ends in term ${lastTerm}`);
    }
    this.#seen.set(id, { term, lastIndex });
  }
}
