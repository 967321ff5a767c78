/**
 * Disks that fail instead of forgetting: they cannot be read at the start, cannot be written, or have no
 * room. Nothing on them is wrong, so that nothing needs a repair; a majority that cannot write serves
 * nothing until it can, and has everything then.
 *
 * @module
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { DamagedCluster as Disks, LONG_MS } from "./damaged_cluster.ts";
import { increment, put } from "../actors/virtual_cluster.ts";
import { eventsOf } from "../actors/snapshot_world.ts";

const EIO = "disk I/O error";
/** As often as a replica is started anew at once, and so often that the node gives up. */
const BRIEF = 2;
const FOR_GOOD = 1000;

/** Nodes, and how many of them are hit. */
const CLUSTERS = [
  { size: 1, hit: 1, seeds: 3 },
  { size: 3, hit: 1, seeds: 5 },
  { size: 3, hit: 2, seeds: 5 },
];

for (const { size, hit, seeds } of CLUSTERS) {
  const at = `at ${hit} of ${size}`;
  const isMinority = hit * 2 < size;

  Deno.test(`disk: a read error at the start, ${at}: the replica tries again, and has everything`, async () => {
    await Disks.run(size, seeds, async (disks) => {
      const { cluster } = disks;
      const victims = cluster.ids.slice(0, hit);
      for (const id of victims) await cluster.crash(id);
      for (const id of victims) {
        cluster.disks.get(id)!.failOpening(BRIEF, new Error(EIO));
        cluster.start(id);
      }
      await disks.isWhole();
      for (const id of victims) {
        const faults = eventsOf(cluster, id, "fault").filter((words) =>
          words.join(" ").includes(EIO)
        );
        assertEquals(faults.length, BRIEF);
      }
    });
  });

  Deno.test(`disk: a read error for good, ${at}: the node ends with it, and loses nothing`, async () => {
    await Disks.run(size, seeds, async (disks) => {
      const { cluster } = disks;
      const victims = cluster.ids.slice(0, hit);
      for (const id of victims) await cluster.crash(id);
      for (const id of victims) {
        cluster.disks.get(id)!.failOpening(FOR_GOOD, new Error(EIO));
        cluster.start(id);
      }
      const isOver = (id: string) => eventsOf(cluster, id, "ended").length > 0;
      await cluster.eventually("they give up", () => victims.every(isOver));
      for (const id of victims) {
        assertMatch(eventsOf(cluster, id, "ended").join(" "), /I\/O,error/);
        assertMatch(
          cluster.service(id).notReady()!,
          /has failed \(Error\); the node's log says more/,
        );
        await disks.servesNothing(id);
      }
      const rest = cluster.ids.filter((id) => !victims.includes(id));
      if (isMinority) await disks.put(await cluster.leader(rest), "meanwhile", "by the others");
      else for (const id of rest) await disks.servesNothing(id);
      // The disk is mended, and the process started anew, as the launcher does all the while.
      for (const id of victims) {
        await cluster.stop(id, 0);
        cluster.disks.get(id)!.heal();
        cluster.start(id);
      }
      await disks.isWhole();
    });
  });

  for (const point of ["before-landing", "after-landing"] as const) {
    Deno.test(`disk: a write error ${point}, ${at}: nothing acknowledged is lost, and nothing done twice`, async () => {
      await Disks.run(size, seeds, async (disks) => {
        const { cluster } = disks;
        let [applied, unknown] = [0, 0];
        for (let round = 0; round < 5; round++) {
          const leader = await cluster.leader();
          const victims = [leader, ...cluster.ids.filter((id) => id !== leader)].slice(0, hit);
          for (const id of victims) cluster.disks.get(id)!.failNextCommit(point, new Error(EIO));
          const written = cluster.service(leader).write(increment("count"));
          const [outcome] = await cluster.settle(Promise.allSettled([written]));
          if (outcome.status === "fulfilled") applied++;
          else unknown++;
          // A leader that failed in the middle of it does not know, and says so.
          if (outcome.status === "rejected") assertEquals(outcome.reason.name, "OutcomeUnknown");
          await disks.isWhole();
        }
        const count = await cluster.counter(cluster.ids[0], "count");
        assert(
          applied <= count && count <= applied + unknown,
          `${count} of ${applied}, ${unknown}`,
        );
        // They start anew from what the disk has, which is no damage.
        for (const id of cluster.ids) assertEquals(eventsOf(cluster, id, "repaired"), []);
        assert(cluster.ids.some((id) => eventsOf(cluster, id, "fault").length > 0));
      });
    });
  }

  Deno.test(`disk: no room, ${at}, and room again: no write is promised that has none`, async () => {
    await Disks.run(size, seeds, async (disks) => {
      const { cluster } = disks;
      const victims = cluster.ids.slice(0, hit);
      for (const id of victims) cluster.disks.get(id)!.fill();
      const asked = await cluster.settle(Promise.allSettled(
        cluster.ids.map((id) => cluster.service(id).write(put(`full-${id}`, "value"))),
      ));
      await cluster.env.advance(LONG_MS);
      if (!isMinority) {
        const refused = asked.filter((one) => one.status === "rejected");
        assert(refused.length > 0, "they took everything");
        for (const id of victims) {
          assertMatch(cluster.service(id).notReady()!, /disk is full|has failed \(StorageFull\)/);
        }
      }
      for (const id of victims) cluster.disks.get(id)!.enlarge();
      await cluster.env.advance(LONG_MS);
      await disks.isWhole();
      const kept = await Promise.all(
        cluster.ids.map((id) => cluster.get(cluster.ids[0], `full-${id}`)),
      );
      for (const [i, one] of asked.entries()) {
        if (one.status === "fulfilled") assertEquals(kept[i], "value");
      }
    });
  });
}
