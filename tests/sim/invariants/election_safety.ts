/**
 * Election safety (Raft, figure 3): at most one leader in a term, and no node becomes it twice.
 *
 * @module
 */
import { Broken, type Invariant } from "./invariant.ts";
import type { ReplicaLife } from "../../../actors/replica_types.ts";
import type { PeerMessage } from "../../../raft/message.ts";
import type { NodeId } from "../../../raft/types.ts";
import type { Machine } from "../machine.ts";

export class ElectionSafety implements Invariant {
  readonly name = "election-safety";
  readonly #leaders = new Map<number, NodeId>();
  /** Terms in which somebody was told of a leader. */
  readonly #termsSent = new Set<number>();

  leading({ id }: Machine, { core }: ReplicaLife, isNew: boolean): void {
    const known = this.#leaders.get(core.term);
    if (known === undefined) this.#leaders.set(core.term, id);
    else if (known !== id || isNew) {
      throw new Broken(`${known} and ${id} became leader of term ${core.term}`);
    }
  }

  sent(_machine: Machine, _to: NodeId, message: PeerMessage): void {
    if (message.type === "append-request") this.#termsSent.add(message.term);
  }

  /** A leadership that died before its term was durable, and was seen by nobody, never was. */
  crashed({ id, disk }: Machine): void {
    for (const [term, leader] of this.#leaders) {
      if (leader !== id || term <= disk.hardState.term || this.#termsSent.has(term)) continue;
      this.#leaders.delete(term);
    }
  }
}
