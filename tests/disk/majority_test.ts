/**
 * Disks of a majority are damaged, whole nodes on the simulated clock, disk and network: the cluster halts
 * and says so, at every node. It answers no read from what is left, takes no write, and nobody leads. When
 * what was lost is found again, everything that was acknowledged is there.
 *
 * @module
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { type Damage, DAMAGES } from "./damages.ts";
import { type DamagedCluster, DamagedCluster as Disks, LONG_MS } from "./damaged_cluster.ts";
import type { MemoryDisk } from "../../storage/memory_disk.ts";
import { eventsOf } from "../actors/snapshot_world.ts";

/** Nodes, how many of them are damaged, and under how many seeds. */
const CLUSTERS = [
  { size: 1, damaged: 1, seeds: 4 },
  { size: 3, damaged: 2, seeds: 5 },
  { size: 3, damaged: 3, seeds: 4 },
  { size: 5, damaged: 3, seeds: 3 },
];

interface Kept {
  readonly disk: MemoryDisk;
  readonly image: ReturnType<MemoryDisk["image"]>;
}

/** Nobody serves anything for a long time, and each node says why. */
async function halts(disks: DamagedCluster, damage: Damage, victims: readonly string[]) {
  const { cluster } = disks;
  const isAlone = cluster.ids.length === 1;
  for (const id of victims) await disks.says(id, damage, isAlone);
  await cluster.env.advance(LONG_MS);
  for (const id of victims) await disks.says(id, damage, isAlone);
  for (const id of cluster.ids) {
    await disks.servesNothing(id);
    const service = cluster.service(id);
    const why = service.notReady();
    assert(why !== null, `${id} says that it is ready`);
    assertEquals(service.status().leader, null);
    if (!victims.includes(id)) assertEquals(why, "no leader is known");
    else assertMatch(why, /no leader that could repair it|has failed|other data/);
    // In its log, too; who does not start or is refused has said so there at once.
    const told = eventsOf(cluster, id, "halted").map((words) => words.join(" "));
    assertEquals(told.includes(why), !/has failed|other data/.test(why), `${id}: ${why}`);
    if (/has failed/.test(why)) assertMatch(eventsOf(cluster, id, "ended").join(), /Corrupt/);
  }
}

/** The operator finds what was lost, and puts it back: files that were moved away, a disk that was not mounted. */
async function findAgain(
  disks: DamagedCluster,
  damage: Damage,
  kept: ReadonlyMap<string, Kept>,
): Promise<void> {
  const { cluster } = disks;
  for (const id of cluster.ids) await cluster.stop(id, 0);
  for (const [id, { disk, image }] of kept) {
    cluster.disks.set(id, disk);
    disk.putBack("log", image);
    disk.putBack("mark", image);
    if (damage.name === "a flipped bit in the snapshot") disk.corruptChunk(0);
  }
  for (const id of cluster.ids) cluster.start(id);
}

for (const damage of DAMAGES) {
  for (const { size, damaged, seeds } of CLUSTERS) {
    // Of nodes that all forgot everything nobody knows better: a limit that decision 0017 names.
    if (damage.fate === "refused" && damaged === size) continue;
    const what = `${damage.name}, at ${damaged} of ${size}`;
    Deno.test(`disk: ${what}: the cluster halts, says so, and does not lie`, async () => {
      await Disks.run(size, seeds, async (disks, seed) => {
        const { cluster } = disks;
        const from = seed % size;
        const turned = [...cluster.ids.slice(from), ...cluster.ids.slice(0, from)];
        const victims = turned.slice(0, damaged);
        // The leader is left over, or among those that are damaged.
        for (const id of cluster.ids) await cluster.crash(id);
        const kept = new Map<string, Kept>();
        for (const id of victims) {
          const disk = cluster.disks.get(id)!;
          kept.set(id, { disk, image: disk.image() });
          damage.inflict(cluster, id, disks.old.get(id)!);
        }
        const since = cluster.events.length;
        for (const id of cluster.ids) cluster.start(id);
        await halts(disks, damage, victims);
        disks.nobodyLeads(since);
        if (damage.name === "no file of the snapshots") return; // It is not found again.
        await findAgain(disks, damage, kept);
        await disks.isWhole();
      });
    });
  }
}
