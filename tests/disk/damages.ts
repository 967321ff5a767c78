/**
 * The damages that a disk can do to a replica while it is down, as data: how each is brought about on the
 * simulated disk, what the node must say when it comes back, and what it takes until it serves again.
 *
 * docs/reliability/disk.md has the same table in words. On the simulated disk the log has no bytes: that
 * any bit of them may flip is the business of tests/storage/flip_test.ts and tests/cluster/disk_files_test.ts.
 *
 * @module
 */
import { assert } from "@std/assert";
import type { DiskImage } from "../../storage/memory_disk_parts.ts";
import { memberRequest } from "../actors/addresses.ts";
import type { VirtualCluster } from "../actors/virtual_cluster.ts";

/** Commits that a lying disk loses: more than one batch, less than all. */
const LOST_COMMITS = 6;

/** What becomes of a replica that starts on such a disk. */
export type Fate =
  /** It starts, counts for nothing, and the others repair it. */
  | "repaired"
  /** The same, after it has set aside by itself what it has. Who has nobody to ask does not start. */
  | "sets its data aside"
  /** It does not start on such data: an operator moves them away, and leaves the mark. */
  | "does not start"
  /** The others refuse it: an operator takes it out, and lets it join anew. */
  | "refused";

export interface Damage {
  readonly name: string;
  readonly fate: Fate;
  /** What the node says at `/readyz`; where it runs, and where it does not. */
  readonly says: RegExp;
  /** Does it to a node that is down. `old` is a copy of its disk from some commits and a snapshot ago. */
  inflict(cluster: VirtualCluster, id: string, old: DiskImage): void;
}

/** Every damage but older copies that look whole: tests/actors/wiped_test.ts and unnoticed_test.ts (decision 0021). */
export const DAMAGES: readonly Damage[] = [
  {
    name: "a lost tail of commits that were acknowledged",
    fate: "repaired",
    // With the tail the switch to the current snapshot may be lost; the chunks of the one before are gone.
    says: /log is damaged.*(was acknowledged|does not read back)/,
    inflict(cluster, id) {
      const disk = cluster.disks.get(id)!;
      assert(disk.losableCommits > LOST_COMMITS, `${id} has few commits to lose`);
      disk.loseCommits(LOST_COMMITS);
    },
  },
  {
    name: "a flipped bit in the log or its state",
    fate: "does not start",
    says: /failed \(CorruptLog\).*does not start.*Delete nothing/,
    inflict: (cluster, id) => cluster.disks.get(id)!.corruptLog(),
  },
  {
    name: "a flipped bit in the snapshot",
    fate: "sets its data aside",
    says: /log is damaged.*its snapshot does not read back/,
    inflict: (cluster, id) => cluster.disks.get(id)!.corruptChunk(0),
  },
  {
    name: "no file of the snapshots",
    fate: "sets its data aside",
    says: /log is damaged.*its snapshot does not read back/,
    inflict: (cluster, id) => cluster.disks.get(id)!.chunks.lose(),
  },
  {
    name: "a mark without its log",
    fate: "repaired",
    says: /log is damaged.*ends at index 0 .*was acknowledged/,
    inflict: (cluster, id) => cluster.disks.get(id)!.putBack("log", null),
  },
  {
    name: "a log without its mark",
    fate: "repaired",
    says: /log is damaged.*mark beside the log is missing/,
    inflict: (cluster, id) => cluster.disks.get(id)!.putBack("mark", null),
  },
  {
    name: "an older copy of the log alone",
    fate: "repaired",
    says: /log is damaged.*(was acknowledged|does not read back)/,
    inflict: (cluster, id, old) => cluster.disks.get(id)!.putBack("log", old),
  },
  {
    name: "an older copy of the mark alone",
    fate: "repaired",
    says: /log is damaged.*a mark that was synced is lost/,
    inflict: (cluster, id, old) => cluster.disks.get(id)!.putBack("mark", old),
  },
  {
    name: "a wiped directory",
    fate: "refused",
    says: /knows this node with other data/,
    inflict: (cluster, id) => cluster.wipe(id),
  },
];

/**
 * What the operator does, if it takes one, until the others can repair the node (docs/operations.md):
 * `sound` are those that nothing happened to.
 */
export async function mend(
  cluster: VirtualCluster,
  id: string,
  { fate }: Damage,
  sound: readonly string[],
): Promise<void> {
  if (fate === "does not start") {
    await cluster.stop(id, 0);
    cluster.disks.get(id)!.putBack("log", null);
    cluster.start(id);
  } else if (fate === "refused") {
    await cluster.stop(id, 0);
    const at = await cluster.leader(sound);
    await cluster.settle(cluster.service(at).removeMember(id));
    cluster.join(id);
    await cluster.settle(cluster.service(at).addMember(memberRequest(id)));
    await cluster.eventually(
      `${id} is a voter`,
      () => cluster.service(at).status().members.find((it) => it.id === id)?.role === "voter",
    );
  }
}
