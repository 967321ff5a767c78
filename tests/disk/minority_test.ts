/**
 * Disks of a minority are damaged, whole nodes on the simulated clock, disk and network: the replicas
 * refuse, are repaired by the quorum, and serve again. Nothing that was acknowledged is lost meanwhile,
 * though all that held a part of it is damaged or cut off.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { DAMAGES, mend } from "./damages.ts";
import { type DamagedCluster, DamagedCluster as Disks, LONG_MS } from "./damaged_cluster.ts";

/** Nodes, how many of them are damaged, and under how many seeds. */
const CLUSTERS = [
  { size: 3, damaged: 1, seeds: 8 },
  { size: 5, damaged: 2, seeds: 3 },
];

interface Cast {
  readonly victims: readonly string[];
  /** Has all that was acknowledged, and nobody hears it. */
  readonly holder: string;
}

/**
 * An entry is acknowledged by the leader and as many others as it takes. Of these all but one are damaged
 * then, and that one is cut off, so that the rest is a majority that would never have heard of it.
 */
async function acknowledgeByFew(
  disks: DamagedCluster,
  damaged: number,
  seed: number,
): Promise<Cast> {
  const { cluster } = disks;
  const leader = await cluster.leader();
  const followers = cluster.ids.filter((id) => id !== leader);
  const behind = followers.slice(damaged);
  for (const id of behind) cluster.isolate(id);
  await disks.put(leader, "last", "as few as possible have it");
  // The leader is among the damaged in every other seed.
  const has = [leader, ...followers.slice(0, damaged)];
  const holder = seed % 2 === 0 ? leader : has[1];
  return { victims: has.filter((id) => id !== holder), holder };
}

for (const damage of DAMAGES) {
  for (const { size, damaged, seeds } of CLUSTERS) {
    const what = `${damage.name}, at ${damaged} of ${size}`;
    Deno.test(`disk: ${what}: the replica refuses, is repaired, and serves again`, async () => {
      await Disks.run(size, seeds, async (disks, seed) => {
        const { cluster } = disks;
        const { victims, holder } = await acknowledgeByFew(disks, damaged, seed);
        await disks.inflict(damage, victims);
        cluster.network.heal();
        cluster.isolate(holder);
        const since = cluster.events.length;
        for (const id of victims) cluster.start(id);
        // Who could be refused only by who knows better, is, once those behind have met it.
        for (const id of victims) await disks.says(id, damage);
        for (const id of victims) await disks.servesNothing(id);
        await cluster.env.advance(LONG_MS);
        disks.nobodyLeads(since);
        for (const id of victims) await disks.says(id, damage);

        cluster.network.heal();
        const sound = cluster.ids.filter((id) => !victims.includes(id));
        for (const id of victims) await mend(cluster, id, damage, sound);
        await disks.isWhole();
        // Their votes count again: with them there is a majority, and without them there is none.
        const away = cluster.ids.filter((id) => !victims.includes(id)).slice(0, damaged);
        for (const id of away) cluster.isolate(id);
        const rest = cluster.ids.filter((id) => !away.includes(id));
        await cluster.leader(rest);
        await disks.put(victims[0], "voted", "with the votes of those that were damaged");
        cluster.network.heal();
        await disks.isWhole();
        assertEquals(cluster.running.length, size);
      });
    });
  }
}
