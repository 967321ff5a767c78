/** Snapshots on their way from a leader to a follower that lacks what the log no longer has. */
import { assert, assertEquals, assertInstanceOf } from "@std/assert";
import { increment, VirtualCluster } from "./virtual_cluster.ts";
import {
  chunksTaken,
  eventsOf,
  leaveBehind,
  load,
  loadLarge,
  OFTEN,
  others,
  replicaOf,
  underSeeds,
  watchChunks,
} from "./snapshot_world.ts";
import { SNAPSHOT_WINDOW } from "../../actors/limits_replica.ts";
import { OutcomeUnknown } from "../../actors/outcomes.ts";
import { SESSION_TTL_MS } from "../../kv/limits.ts";
import { nodeId } from "../../raft/types.ts";
import { memberRequest } from "./addresses.ts";

/** No snapshot but those that transfers need: what is written at a follower is what it receives. */
const ON_DEMAND = { snapshots: { entriesMax: 1_000_000, tailEntries: 5 } };

async function caughtUp(cluster: VirtualCluster, behind: string): Promise<void> {
  await cluster.ready();
  await cluster.agreedHash();
  assertEquals(await cluster.get(behind, "later-59"), "later 59");
  assertEquals(await cluster.put(behind, "by-it", "again"), "applied");
}

/** As `leaveBehind`, with a log cut off on demand; gives the number of chunks to come. */
async function leaveBehindOnDemand(cluster: VirtualCluster) {
  const leader = await cluster.leader();
  const [behind, other] = others(cluster, leader);
  await cluster.crash(behind);
  await loadLarge(cluster, leader);
  await load(cluster, leader, 60, "later");
  for (const id of [leader, other]) await cluster.settle(cluster.service(id).takeSnapshot());
  return { leader, behind, other, chunks: chunksTaken(cluster, leader) };
}

Deno.test("snapshot transfer: a follower that was away gets one, while writes go on", async () => {
  await underSeeds(8, async (cluster) => {
    const { leader, behind } = await leaveBehind(cluster);
    cluster.start(behind);
    await load(cluster, leader, 100, "meanwhile");
    await caughtUp(cluster, behind);
    const installed = eventsOf(cluster, behind, "snapshot-installed");
    assert(installed.length >= 1 && installed.length <= 2, installed.join("; "));
    assertEquals(await cluster.get(behind, "meanwhile-99"), "meanwhile 99");
    const { snapshotIndex, firstIndex } = replicaOf(cluster, behind);
    assert(firstIndex <= snapshotIndex + 1 && snapshotIndex > 0);
  });
});

Deno.test("snapshot transfer: one that is cut off for a while gets one without a restart", async () => {
  await underSeeds(5, async (cluster) => {
    const leader = await cluster.leader();
    const [behind] = others(cluster, leader);
    cluster.isolate(behind);
    await load(cluster, leader, 150, "later");
    cluster.network.heal();
    await caughtUp(cluster, behind);
    assertEquals(eventsOf(cluster, behind, "snapshot-installed").length, 1);
    assertEquals(eventsOf(cluster, behind, "fault"), []);
  });
});

Deno.test("snapshot transfer: a receiver that crashes in the middle goes on where it was", async () => {
  await underSeeds(5, async (cluster) => {
    const { behind, chunks } = await leaveBehindOnDemand(cluster);
    const seen = watchChunks(cluster, behind, 5);
    cluster.start(behind);
    await cluster.eventually("half of it is here", () => seen.count >= chunks / 2);
    await cluster.crash(behind);
    await cluster.env.advance(500);
    cluster.start(behind);
    await caughtUp(cluster, behind);
    // At most the one that was being written is written again.
    assert(seen.count <= chunks + 1, `${seen.count} chunks for ${chunks}`);
    // An operator is told once in each life, and how much is here already.
    const told = eventsOf(cluster, behind, "snapshot-receiving");
    const [first, second] = told.map(([_index, _from, received]) => Number(received));
    assertEquals([told.length, first], [2, 1]);
    assert(second >= Math.floor(chunks / 2), `${second} of ${chunks}`);
  }, ON_DEMAND);
});

Deno.test("snapshot transfer: a disk that fails in the middle of it ends the receiver's life, and the next goes on", async () => {
  await underSeeds(3, async (cluster) => {
    const { behind, chunks } = await leaveBehindOnDemand(cluster);
    const failAt = Math.floor(chunks / 2);
    const seen = watchChunks(cluster, behind, 5, (count) => {
      if (count === failAt) throw new Error("the disk does not answer");
    });
    cluster.start(behind);
    await caughtUp(cluster, behind);
    assertEquals(eventsOf(cluster, behind, "fault").length, 1);
    assert(seen.count <= chunks + 1, `${seen.count} chunks for ${chunks}`);
  }, ON_DEMAND);
});

Deno.test("snapshot transfer: a sender that crashes in the middle goes on where it was", async () => {
  await underSeeds(5, async (cluster) => {
    const { leader, behind, other, chunks } = await leaveBehindOnDemand(cluster);
    // A leader's no-op would make the next snapshot another one; this one can only be the same.
    await cluster.crash(other);
    const seen = watchChunks(cluster, behind, 5);
    cluster.start(behind);
    await cluster.eventually("half of it is here", () => seen.count >= chunks / 2);
    await cluster.crash(leader);
    await cluster.env.advance(1000);
    const count = seen.count;
    assert(count <= chunks / 2 + SNAPSHOT_WINDOW, "what was on its way came, and no more");
    cluster.start(leader);
    await cluster.eventually(
      "the leader's snapshot is installed",
      () => eventsOf(cluster, behind, "snapshot-installed").length === 1,
    );
    assertEquals(seen.count, chunks);
    cluster.start(other);
    await caughtUp(cluster, behind);
  }, ON_DEMAND);
});

Deno.test("snapshot transfer: a new leader in the middle of it finishes it with its own", async () => {
  await underSeeds(8, async (cluster) => {
    const { leader, behind, other, chunks } = await leaveBehindOnDemand(cluster);
    const seen = watchChunks(cluster, behind, 5);
    cluster.start(behind);
    await cluster.eventually("half of it is here", () => seen.count >= chunks / 2);
    cluster.isolate(leader);
    await cluster.leader([other, behind]);
    await cluster.eventually(
      "the snapshot is installed",
      () => eventsOf(cluster, behind, "snapshot-installed").length === 1,
    );
    // Taken at the same index, it is the same one: whoever sends it goes on where the other was.
    assert(seen.count <= chunks + 1, `${seen.count} chunks for ${chunks}`);
    cluster.network.heal();
    await caughtUp(cluster, behind);
  }, ON_DEMAND);
});

Deno.test("snapshot transfer: over a network that loses, doubles and reorders", async () => {
  await underSeeds(5, async (cluster) => {
    const { behind } = await leaveBehind(cluster);
    for (const from of cluster.ids) {
      for (const to of cluster.ids) {
        if (from === to) continue;
        const link = { dropRate: 0.1, duplicateRate: 0.2, reorderRate: 0.1, jitterMs: 20 };
        cluster.network.setLink(nodeId(from), nodeId(to), link);
      }
    }
    cluster.start(behind);
    await cluster.eventually(
      "the snapshot is installed",
      () => eventsOf(cluster, behind, "snapshot-installed").length >= 1,
    );
    cluster.network.heal();
    await caughtUp(cluster, behind);
  });
});

Deno.test("snapshot transfer: a chunk that rots on the sender's disk is written anew, and all arrives", async () => {
  await underSeeds(5, async (cluster) => {
    const { leader, behind, chunks } = await leaveBehindOnDemand(cluster);
    cluster.disks.get(leader)!.corruptChunk(Math.floor(chunks / 2));
    cluster.start(behind);
    await caughtUp(cluster, behind);
    assertEquals(eventsOf(cluster, leader, "snapshot-corrupt").length, 1);
    assertEquals(eventsOf(cluster, leader, "fault"), []);
    assertEquals(eventsOf(cluster, behind, "snapshot-installed").length, 1);
    // What it took in place of the other reads back: a restart shows it.
    await cluster.crash(leader);
    cluster.start(leader);
    await cluster.ready();
    assertEquals(eventsOf(cluster, leader, "quarantined"), []);
  }, ON_DEMAND);
});

Deno.test("snapshot transfer: a chunk that rots on the receiver's disk is noticed, and all fetched anew", async () => {
  await underSeeds(5, async (cluster) => {
    const { behind, chunks } = await leaveBehindOnDemand(cluster);
    const disk = cluster.disks.get(behind)!;
    const before = disk.entries.length;
    const seen = watchChunks(cluster, behind, 1, (count) => {
      if (count === chunks) disk.corruptChunk(3, "incoming");
    });
    cluster.start(behind);
    await cluster.eventually(
      "it is refused",
      () => eventsOf(cluster, behind, "snapshot-refused").length === 1,
    );
    assertEquals(disk.entries.length, before, "nothing was given up for it");
    await caughtUp(cluster, behind);
    assertEquals(seen.count, 2 * chunks);
    assertEquals(eventsOf(cluster, behind, "snapshot-installed").length, 1);
  }, ON_DEMAND);
});

Deno.test("snapshot transfer: a node whose directory was wiped joins anew by one", async () => {
  await underSeeds(5, async (cluster) => {
    const { leader, behind } = await leaveBehind(cluster);
    await cluster.settle(cluster.service(leader).removeMember(behind));
    cluster.join(behind);
    await cluster.settle(cluster.service(leader).addMember(memberRequest(behind)));
    await caughtUp(cluster, behind);
    assert(eventsOf(cluster, behind, "snapshot-installed").length >= 1);
  });
});

Deno.test("snapshot transfer: a crash at the install leaves the old state or the new one, whole", async () => {
  for (const point of ["before-landing", "after-landing"] as const) {
    await underSeeds(3, async (cluster) => {
      const { behind, chunks } = await leaveBehindOnDemand(cluster);
      const disk = cluster.disks.get(behind)!;
      let failing = false;
      watchChunks(cluster, behind, 5, (count) => {
        if (count !== chunks) return;
        failing = true;
        disk.failNextCommit(point);
      });
      cluster.start(behind);
      await cluster.eventually("the last chunk is written", () => failing);
      await caughtUp(cluster, behind);
      assertEquals(eventsOf(cluster, behind, "fault").length, 1);
      assertEquals(eventsOf(cluster, behind, "quarantined"), []);
    }, ON_DEMAND);
  }
});

Deno.test("snapshot transfer: a client whose write is overtaken by one is answered, once (bug 33)", async () => {
  await underSeeds(8, async (cluster) => {
    const leader = await cluster.leader();
    const [behind] = others(cluster, leader);
    await cluster.put(behind, "session", "open");
    // The leader hears it, but it hears nothing of what becomes of its writes.
    cluster.network.setLink(nodeId(leader), nodeId(behind), { cut: true });
    let answers = 0;
    const writes = Array.from({ length: 5 }, () => {
      const write = cluster.service(behind).write(increment("n"), { deadlineMs: 60_000 });
      return write.finally(() => answers++);
    });
    await untilCounted(cluster, leader, 5);
    cluster.isolate(behind);
    await load(cluster, leader, 150, "later");
    assertEquals(answers, 0);
    cluster.network.heal();
    const results = await cluster.settle(Promise.all(writes));
    assert(results.every(({ status }) => status === "applied"));
    assertEquals(eventsOf(cluster, behind, "snapshot-installed").length, 1);
    assertEquals(await cluster.counter(behind, "n"), 5);
    assertEquals(answers, 5);
    await cluster.agreedHash();
  });
});

Deno.test("snapshot transfer: a write overtaken together with the end of its session is unknown, not doubled", async () => {
  await underSeeds(1, async (cluster) => {
    const leader = await cluster.leader();
    const [behind] = others(cluster, leader);
    await cluster.put(behind, "session", "open");
    cluster.network.setLink(nodeId(leader), nodeId(behind), { cut: true });
    const deadlineMs = 2 * SESSION_TTL_MS;
    const write = cluster.service(behind).write(increment("n"), { deadlineMs })
      .catch((error) => error);
    await untilCounted(cluster, leader, 1);
    cluster.isolate(behind);
    await cluster.env.advance(SESSION_TTL_MS + 1000);
    await load(cluster, leader, 150, "later");
    cluster.network.heal();
    assertInstanceOf(await cluster.settle(write), OutcomeUnknown);
    assertEquals(await cluster.counter(behind, "n"), 1);
    // The node has a new session, and goes on.
    assertEquals(await cluster.put(behind, "after", "all"), "applied");
  });
});

Deno.test("snapshot transfer: reads that wait while one is installed are answered from it", async () => {
  await underSeeds(5, async (cluster) => {
    const leader = await cluster.leader();
    const [behind] = others(cluster, leader);
    cluster.isolate(behind);
    await loadLarge(cluster, leader);
    await load(cluster, leader, 60, "later");
    cluster.network.heal();
    watchChunks(cluster, behind, 5);
    await cluster.eventually(
      "it hears the leader again",
      () => cluster.service(behind).status().leader === leader,
    );
    assertEquals(await cluster.get(behind, "later-59"), "later 59");
  });
});

Deno.test("snapshot transfer: a slow follower does not make the others' logs grow", async () => {
  await underSeeds(3, async (cluster) => {
    const leader = await cluster.leader();
    const [slow] = others(cluster, leader);
    const disk = cluster.disks.get(slow)!;
    disk.beforeCommit = () =>
      new Promise<void>((resolve) => void cluster.env.setTimer(resolve, 400));
    watchChunks(cluster, slow, 400);
    let longest = 0;
    for (let round = 0; round < 10; round++) {
      await load(cluster, leader, 100, `round-${round}`);
      await loadLarge(cluster, leader);
      const { firstIndex, lastIndex } = replicaOf(cluster, leader);
      longest = Math.max(longest, lastIndex - firstIndex);
    }
    // Three snapshots' worth are kept for a transfer, and then no more.
    assert(longest < 40 * 1.25 * 5, `${longest} entries`);
    disk.beforeCommit = null;
    disk.beforeChunk = null;
    await load(cluster, leader, 60, "later");
    await caughtUp(cluster, slow);
  });
});

Deno.test("snapshot transfer: what follows the snapshot on its way stays in the log, though a newer one is taken", async () => {
  await underSeeds(5, async (cluster) => {
    const { leader, behind, chunks } = await leaveBehindOnDemand(cluster);
    const seen = watchChunks(cluster, behind, 5);
    cluster.start(behind);
    await cluster.eventually("half of it is here", () => seen.count >= chunks / 2);
    await load(cluster, leader, 30, "meanwhile");
    await cluster.settle(cluster.service(leader).takeSnapshot());
    await caughtUp(cluster, behind);
    assertEquals(eventsOf(cluster, behind, "snapshot-installed").length, 1);
    assertEquals(seen.count, chunks);
  }, ON_DEMAND);
});

Deno.test("snapshot transfer: an install ends the snapshot that the replica is taking of its old state", async () => {
  await underSeeds(3, async (cluster) => {
    const leader = await cluster.leader();
    const [behind] = others(cluster, leader);
    await loadLarge(cluster, leader);
    await cluster.agreedHash();
    cluster.isolate(behind);
    await load(cluster, leader, 60, "later");
    const index = await cluster.settle(cluster.service(leader).takeSnapshot());
    const chunks = chunksTaken(cluster, leader);
    const seen = watchChunks(cluster, behind, 50);
    cluster.network.heal();
    await cluster.eventually("half of it is here", () => seen.count >= chunks / 2);
    assertEquals(await cluster.settle(cluster.service(behind).takeSnapshot()), index);
    await caughtUp(cluster, behind);
    assertEquals(eventsOf(cluster, behind, "snapshot-installed").length, 1);
    assertEquals(eventsOf(cluster, behind, "snapshot-failed"), []);
    assertEquals(eventsOf(cluster, behind, "snapshot-taken"), []);
    // Another can be taken at once.
    assertEquals(await cluster.put(behind, "one", "more"), "applied");
    assert(await cluster.settle(cluster.service(behind).takeSnapshot()) > index);
  }, ON_DEMAND);
});

Deno.test("snapshot transfer: two followers at a time, and the third when one is done", async () => {
  await VirtualCluster.run(7, 1, async (cluster) => {
    const leader = await cluster.leader();
    const away = others(cluster, leader).slice(0, 3);
    for (const id of away) await cluster.crash(id);
    await loadLarge(cluster, leader);
    await cluster.settle(cluster.service(leader).takeSnapshot());
    const seen = away.map((id) => watchChunks(cluster, id, 5));
    for (const id of away) cluster.start(id);
    await cluster.eventually(
      "two are being fed",
      () => seen.filter((it) => it.count > 2).length === 2,
    );
    assertEquals(seen.filter((it) => it.count === 0).length, 1);
    await cluster.ready();
    await cluster.agreedHash();
  }, ON_DEMAND);
});

Deno.test("snapshot transfer: the same seed gives the same run", async () => {
  const trace = async (seed: number) => {
    let events: string[] = [];
    await VirtualCluster.run(3, seed, async (cluster) => {
      const { behind } = await leaveBehind(cluster);
      cluster.start(behind);
      await caughtUp(cluster, behind);
      events = [...cluster.events, await cluster.agreedHash()];
    }, OFTEN);
    return events;
  };
  for (let seed = 1; seed <= 3; seed++) assertEquals(await trace(seed), await trace(seed));
});

/** Waits until the counter `n` has come to `count` at a node. */
async function untilCounted(cluster: VirtualCluster, id: string, count: number): Promise<void> {
  for (let reads = 0; await cluster.counter(id, "n") < count; reads++) {
    assert(reads < 1000, `the counter is not at ${count}`);
  }
}
