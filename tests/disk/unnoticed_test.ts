/**
 * A disk that lies with one voice: the log and its mark are both from some time ago, so that neither tells
 * of the other's loss. Nothing on that disk says so. Who led, remembers what this replica acknowledged, and
 * answers it, refuses it (decision 0021). To all others a replica that forgot votes and entries counts as a
 * sound one. What is promised then is what sound disks hold: an entry that a majority has without that disk
 * is not lost, and who knows what was committed does not give it up.
 *
 * Not here: an older copy of a whole directory, which the others find out in the same way
 * (tests/actors/wiped_test.ts).
 *
 * @module
 */
import { assert, assertEquals, assertMatch, equal } from "@std/assert";
import { DamagedCluster as Disks, LONG_MS } from "./damaged_cluster.ts";
import { eventsOf } from "../actors/snapshot_world.ts";

const CLUSTERS = [
  { size: 3, liars: 1, seeds: 10 },
  { size: 5, liars: 2, seeds: 5 },
];

/**
 * Everybody gets some more writes, then the power fails at some nodes (they are down now), and log and mark
 * of some of them go back. A snapshot in between would tell: with it the chunks of the one before are deleted.
 */
async function goBack(
  disks: Disks,
  ids: readonly string[],
  failing: readonly string[],
): Promise<void> {
  const { cluster } = disks;
  const diskOf = (id: string) => cluster.disks.get(id)!;
  const snapshots = () => ids.map((id) => diskOf(id).snapshot?.id);
  for (let n = 0;; n++) {
    const leader = await cluster.leader();
    await cluster.agreedHash();
    const old = new Map(ids.map((id) => [id, diskOf(id).image()]));
    const before = snapshots();
    for (let k = 0; k < 3; k++) await disks.put(leader, `lost-${n}-${k}`, "everybody has it");
    await cluster.agreedHash();
    for (const id of failing) await cluster.crash(id);
    if (equal(before, snapshots())) {
      for (const id of ids) {
        for (const file of ["log", "mark"] as const) diskOf(id).putBack(file, old.get(id)!);
      }
      return;
    }
    for (const id of failing) cluster.start(id);
  }
}

/** A node is told that it holds less than it acknowledged, and takes part in nothing. */
function isRefused({ cluster }: Disks, id: string): boolean {
  return /acknowledged more than it holds/.test(cluster.service(id).notReady() ?? "");
}

/** Of the last entry on a node's disk. */
function lastIndexOf({ cluster }: Disks, id: string): number {
  const { baseIndex, entries } = cluster.disks.get(id)!;
  return baseIndex + entries.length;
}

for (const { size, liars, seeds } of CLUSTERS) {
  Deno.test(`disk: log and mark go back together, at ${liars} of ${size}: what a majority of the others has is kept`, async () => {
    await Disks.run(size, seeds, async (disks, seed) => {
      const { cluster } = disks;
      const leader = await cluster.leader();
      const followers = cluster.ids.filter((id) => id !== leader);
      // The leader is among the liars in every other seed.
      const lying = (seed % 2 === 0 ? followers : [leader, ...followers]).slice(0, liars);
      const honest = cluster.ids.filter((id) => !lying.includes(id));
      await goBack(disks, lying, cluster.ids);
      // Of the honest as many are cut off as a cluster bears: without the liars there is no majority.
      const away = honest.slice(0, (size - 1) / 2);
      for (const id of away) cluster.isolate(id);
      for (const id of cluster.ids) cluster.start(id);
      const rest = cluster.ids.filter((id) => !away.includes(id));
      const next = await cluster.leader(rest);
      assert(honest.includes(next), `${next} leads, which lacks what was acknowledged`);
      for (const id of rest) await disks.servesAgain(id);
      cluster.network.heal();
      await disks.isWhole();
    });
  });
}

Deno.test("disk: log and mark go back together, at 1 of 3: who had its acknowledgements refuses it, and the others serve on", async () => {
  await Disks.run(3, 6, async (disks) => {
    const { cluster } = disks;
    const leader = await cluster.leader();
    const [lying, third] = cluster.ids.filter((id) => id !== leader);
    await goBack(disks, [lying], [lying]);
    // By the leader, which was not restarted. The third never led, and could not tell.
    cluster.start(lying);
    await cluster.eventually("it is refused", () => isRefused(disks, lying));
    for (const id of [leader, third]) await disks.servesAgain(id);
    // Without it there is no majority, and it makes none.
    cluster.isolate(leader);
    const since = cluster.events.length;
    await cluster.env.advance(LONG_MS);
    disks.nobodyLeads(since);
    cluster.network.heal();
    for (const id of [await cluster.leader([leader, third]), third]) await disks.servesAgain(id);
    assert(isRefused(disks, lying));
  });
});

Deno.test("disk: log and mark go back together, at 2 of 3: the cluster halts while who had their acknowledgements answers", async () => {
  await Disks.run(3, 6, async (disks) => {
    const { cluster } = disks;
    const knowing = await cluster.leader();
    const others = cluster.ids.filter((id) => id !== knowing);
    await goBack(disks, others, others);
    const since = cluster.events.length;
    for (const id of others) cluster.start(id);
    await cluster.env.advance(LONG_MS);
    disks.nobodyLeads(since);
    for (const id of others) assert(isRefused(disks, id), `${id} is believed`);
    for (const id of cluster.ids) await disks.servesNothing(id);
  });
});

Deno.test("disk: log and mark go back together, at 2 of 3: who knows better gives nothing up, and says so", async () => {
  await Disks.run(3, 6, async (disks) => {
    const { cluster } = disks;
    const knowing = await cluster.leader();
    const others = cluster.ids.filter((id) => id !== knowing);
    await goBack(disks, others, others);
    const lastIndex = lastIndexOf(disks, knowing);
    // It is cut off until the others have elected a leader, who cannot know better.
    cluster.isolate(knowing);
    for (const id of others) cluster.start(id);
    await cluster.leader(others);
    cluster.network.heal();
    await cluster.env.advance(LONG_MS);
    const [why] = eventsOf(cluster, knowing, "ended");
    assertEquals(lastIndexOf(disks, knowing), lastIndex);
    // It was to give up what it knows to be committed, and rather ends.
    assertMatch(why?.join(" ") ?? "", /InvariantError/);
    assertMatch(cluster.service(knowing).notReady()!, /has failed \(InvariantError\)/);
  });
});
