/**
 * Term, commit and applied index only rise while a replica lives, and on its disk the term rises, too, and
 * the vote of a term stays, unless the disk itself was damaged.
 *
 * @module
 */
import { Broken, type Invariant } from "./invariant.ts";
import type { ReplicaLife } from "../../../actors/replica_types.ts";
import type { HardState, NodeId } from "../../../raft/types.ts";
import type { Machine } from "../machine.ts";

interface Seen {
  readonly term: number;
  readonly commit: number;
  readonly applied: number;
}

export class Monotonic implements Invariant {
  readonly name = "monotonic";
  readonly #lives = new Map<NodeId, Seen>();
  readonly #disks = new Map<NodeId, HardState>();

  opened({ id }: Machine): void {
    this.#lives.delete(id);
  }

  damaged({ id }: Machine): void {
    this.#disks.delete(id);
  }

  settled({ id }: Machine, { core, commitIndex, store }: ReplicaLife): void {
    const seen = this.#lives.get(id);
    if (seen !== undefined) {
      rises(id, "term", seen.term, core.term);
      rises(id, "commit index", seen.commit, commitIndex);
      rises(id, "applied index", seen.applied, store.index);
      if (
        seen.term === core.term && seen.commit === commitIndex && seen.applied === store.index
      ) return;
    }
    this.#lives.set(id, { term: core.term, commit: commitIndex, applied: store.index });
  }

  landed({ id, disk: { hardState } }: Machine): void {
    const before = this.#disks.get(id);
    if (before === hardState) return;
    if (before !== undefined) {
      rises(id, "term on disk", before.term, hardState.term);
      const isSameTerm = hardState.term === before.term;
      if (isSameTerm && before.vote !== null && hardState.vote !== before.vote) {
        throw new Broken(`${id} voted for ${before.vote} in term ${hardState.term}, and forgot it`);
      }
    }
    this.#disks.set(id, hardState);
  }
}

function rises(id: string, what: string, before: number, now: number): void {
  if (now < before) throw new Broken(`the ${what} of ${id} fell from ${before} to ${now}`);
}
