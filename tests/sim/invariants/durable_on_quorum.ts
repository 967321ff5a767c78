/**
 * Committed means durable: at the moment an index is committed first, a majority of voters (of both halves,
 * where the configuration is joint) have the entry on their disks.
 *
 * Not where a disk was damaged in this run: a node may have lost what it had acknowledged in good faith.
 *
 * @module
 */
import { Broken, type Invariant } from "./invariant.ts";
import type { ReplicaLife } from "../../../actors/replica_types.ts";
import type { Entry, NodeId } from "../../../raft/types.ts";
import type { Machine } from "../machine.ts";

export class DurableOnQuorum implements Invariant {
  readonly name = "durable-on-quorum";
  readonly #machines: readonly Machine[];

  constructor(machines: readonly Machine[]) {
    this.#machines = machines;
  }

  committed(
    _machine: Machine,
    { core }: ReplicaLife,
    entry: Entry,
    known: Entry | undefined,
  ): void {
    if (known !== undefined || this.#machines.some(({ wasDamaged }) => wasDamaged)) return;
    // What is committed in one step is judged by one configuration: the later of two within it may differ.
    const at = core.configurations.findLast(({ index }) => index <= core.commitIndex);
    const { voters, votersOutgoing } = at?.configuration ?? core.configuration;
    for (const half of votersOutgoing.length === 0 ? [voters] : [voters, votersOutgoing]) {
      const holders = half.filter((id) => this.#isDurable(id, entry));
      if (holders.length > half.length / 2) continue;
      throw new Broken(
        `entry ${entry.index} of term ${entry.term} is committed and on ${holders} of ${half}`,
      );
    }
  }

  #isDurable(id: NodeId, { index, term }: Entry): boolean {
    const disk = this.#machines.find((machine) => machine.id === id)?.disk;
    if (disk === undefined) return false;
    if (index <= (disk.snapshot?.meta.index ?? 0)) return true;
    return disk.entries[index - disk.baseIndex - 1]?.term === term;
  }
}
