/**
 * Leader completeness (Raft, figure 3): who leads a term has all that was committed in earlier ones.
 *
 * @module
 */
import type { Ledger } from "../ledger.ts";
import { Broken, type Invariant } from "./invariant.ts";
import type { ReplicaLife } from "../../../actors/replica_types.ts";
import type { Entry } from "../../../raft/types.ts";
import type { Machine } from "../machine.ts";

export class LeaderCompleteness implements Invariant {
  readonly name = "leader-completeness";
  readonly #ledger: Ledger;
  readonly #machines: readonly Machine[];

  constructor(ledger: Ledger, machines: readonly Machine[]) {
    this.#ledger = ledger;
    this.#machines = machines;
  }

  leading({ id }: Machine, life: ReplicaLife, isNew: boolean): void {
    if (!isNew) return;
    const { entries, committedIn } = this.#ledger;
    for (let index = life.core.log.baseIndex + 1; index < entries.length; index++) {
      // A vote may come so late that later terms have committed more: then it leads nobody.
      if (committedIn[index]! < life.core.term) holds(id, life, entries[index]!);
    }
  }

  committed(
    _machine: Machine,
    { core }: ReplicaLife,
    entry: Entry,
    known: Entry | undefined,
  ): void {
    if (known !== undefined) return;
    for (const { id, life } of this.#machines) {
      if (life?.core.role === "leader" && life.core.term > core.term) holds(id, life, entry);
    }
  }
}

function holds(id: string, { core }: ReplicaLife, { index, term }: Entry): void {
  if (index < core.log.baseIndex || core.log.matches(index, term)) return;
  throw new Broken(`${id} leads term ${core.term} without the committed entry ${index}`);
}
