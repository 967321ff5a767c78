/**
 * State machine safety (Raft, figure 3): one index, one committed entry; and one state after it, wherever
 * it was applied, and however that state came to be there: entry by entry, by a restart, from a snapshot.
 *
 * @module
 */
import { sameEntry } from "../ledger.ts";
import { Broken, type Invariant } from "./invariant.ts";
import type { ReplicaLife } from "../../../actors/replica_types.ts";
import type { Entry } from "../../../raft/types.ts";
import type { Machine } from "../machine.ts";

export class StateMachineSafety implements Invariant {
  readonly name = "state-machine-safety";
  /** By index: the state hash, and who came to it first. */
  readonly #hashes = new Map<number, { readonly hash: string; readonly id: string }>();

  committed({ id }: Machine, _life: ReplicaLife, entry: Entry, known: Entry | undefined): void {
    if (known === undefined || sameEntry(known, entry)) return;
    throw new Broken(
      `${id} commits entry ${entry.index} of term ${entry.term}, committed is that of ${known.term}`,
    );
  }

  opened(machine: Machine, life: ReplicaLife): void {
    this.#compare(machine, life);
  }

  applied(machine: Machine, life: ReplicaLife): void {
    this.#compare(machine, life);
  }

  settled(machine: Machine, life: ReplicaLife): void {
    // What a snapshot brought was applied by nobody here.
    if (!this.#hashes.has(life.store.index)) this.#compare(machine, life);
  }

  #compare({ id }: Machine, { store }: ReplicaLife): void {
    const { index, hash } = store.hash();
    const known = this.#hashes.get(index);
    if (known === undefined) this.#hashes.set(index, { hash, id });
    else if (known.hash !== hash) {
      throw new Broken(`${id} and ${known.id} differ after entry ${index}: ${hash} ${known.hash}`);
    }
  }
}
