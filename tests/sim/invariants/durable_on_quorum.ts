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
import type { Configuration, Entry, NodeId } from "../../../raft/types.ts";
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
    // Those of the configuration in effect had to agree: of the latest in the log. By the end of the step
    // that may be one which the commit itself has brought about; or the one before has become the first.
    const { configurations, commitIndex } = core;
    const first = configurations.findLastIndex(({ index }) => index <= commitIndex);
    const inEffect = configurations.slice(Math.max(0, first));
    if (inEffect.some(({ configuration }) => this.#isOnQuorum(configuration, entry))) return;
    const holders = this.#machines.filter(({ id }) => this.#isDurable(id, entry)).map(({ id }) =>
      id
    );
    const voters = inEffect.map(({ configuration }) => `[${configuration.voters}]`);
    throw new Broken(
      `entry ${entry.index} of term ${entry.term} is committed and on ${holders} of ${voters}`,
    );
  }

  /** Whether a majority of the voters has it; of both halves, if there are two. */
  #isOnQuorum({ voters, votersOutgoing }: Configuration, entry: Entry): boolean {
    const halves = votersOutgoing.length === 0 ? [voters] : [voters, votersOutgoing];
    return halves.every((half) => {
      return half.filter((id) => this.#isDurable(id, entry)).length > half.length / 2;
    });
  }

  #isDurable(id: NodeId, { index, term }: Entry): boolean {
    const disk = this.#machines.find((machine) => machine.id === id)?.disk;
    if (disk === undefined) return false;
    if (index <= (disk.snapshot?.meta.index ?? 0)) return true;
    return disk.entries[index - disk.baseIndex - 1]?.term === term;
  }
}
