/** Snapshots that replicas take of themselves, and what they start from. */
import { assert, assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import { memberRequest } from "./addresses.ts";
import { increment, put, VirtualCluster } from "./virtual_cluster.ts";
import {
  chunksTaken,
  eventsOf,
  load,
  loadLarge,
  OFTEN,
  others,
  replicaOf,
  underSeeds,
  watchChunks,
} from "./snapshot_world.ts";
import { AdminRefused } from "../../actors/outcomes.ts";
import { nodeId } from "../../raft/types.ts";
import { CorruptSnapshot } from "../../storage/types.ts";

Deno.test("snapshots: taken by entries under writes, with a log that stays short", async () => {
  await underSeeds(5, async (cluster) => {
    const leader = await cluster.leader();
    await load(cluster, leader, 400);
    await cluster.agreedHash();
    for (const id of cluster.ids) {
      const { snapshotIndex, firstIndex, lastIndex } = replicaOf(cluster, id);
      assert(snapshotIndex > 300, `${id}: ${snapshotIndex}`);
      assert(firstIndex > snapshotIndex - 20 && firstIndex <= snapshotIndex + 1);
      assert(lastIndex - firstIndex < 40 * 1.25 + 30, `${id} keeps ${lastIndex - firstIndex}`);
      assertEquals(cluster.disks.get(id)!.entries[0].index as number, firstIndex);
      const taken = eventsOf(cluster, id, "snapshot-taken").length;
      assert(taken >= 6 && taken <= 10, `${id} took ${taken}`);
    }
  });
});

Deno.test("snapshots: replicas draw when they take them, so that they do not all write at once", async () => {
  const indexes = new Set<string>();
  await underSeeds(5, async (cluster) => {
    await load(cluster, await cluster.leader(), 520);
    for (const id of cluster.ids) indexes.add(eventsOf(cluster, id, "snapshot-taken")[0][0]);
  }, { snapshots: { entriesMax: 400 } });
  assert(indexes.size > 5, [...indexes].join());
});

Deno.test("snapshots: taken by bytes, and never more often than the state's own size is written", async () => {
  await VirtualCluster.run(1, 1, async (cluster) => {
    await loadLarge(cluster, "n1");
    // 1.2 MB were written: at 200 KB, at 400 KB (the state is as large), at 800 KB.
    const taken = eventsOf(cluster, "n1", "snapshot-taken");
    assert(taken.length >= 2 && taken.length <= 3, taken.join("; "));
    assertEquals(replicaOf(cluster, "n1").firstIndex > 1, true);
  }, { snapshots: { bytesMax: 200_000, tailBytes: 50_000 } });
});

Deno.test("snapshots: the tail is bounded by bytes as well", async () => {
  await VirtualCluster.run(1, 2, async (cluster) => {
    await loadLarge(cluster, "n1");
    const { firstIndex, snapshotIndex } = replicaOf(cluster, "n1");
    assertEquals(snapshotIndex - firstIndex + 1, 2); // Two of 20 KB fit into 50.
  }, { snapshots: { entriesMax: 40, tailEntries: 30, tailBytes: 50_000 } });
});

Deno.test("snapshots: on demand under writes, one at a time", async () => {
  await underSeeds(5, async (cluster) => {
    const leader = await cluster.leader();
    for (const id of [leader, others(cluster, leader)[0]]) {
      await loadLarge(cluster, leader);
      watchChunks(cluster, id, 5);
      const loading = load(cluster, id, 30, id);
      const first = cluster.service(id).takeSnapshot();
      const second = cluster.service(id).takeSnapshot();
      const error = await assertRejects(() => cluster.settle(second), AdminRefused);
      assertEquals(error.reason, "snapshot-in-progress");
      const index = await cluster.settle(first);
      await loading;
      assertEquals(replicaOf(cluster, id).snapshotIndex, index);
      assert(index < replicaOf(cluster, id).appliedIndex, "writes went on meanwhile");
    }
    await cluster.agreedHash();
  }, { snapshots: { entriesMax: 1_000_000 } });
});

Deno.test("snapshots: on demand with nothing new gives the one there is", async () => {
  await VirtualCluster.run(1, 3, async (cluster) => {
    await load(cluster, "n1", 5);
    const index = await cluster.settle(cluster.service("n1").takeSnapshot());
    const seen = watchChunks(cluster, "n1", 1);
    assertEquals(await cluster.settle(cluster.service("n1").takeSnapshot()), index);
    assertEquals(seen.count, 0);
  });
});

Deno.test("snapshots: after a restart, the snapshot and the log behind it give the same state", async () => {
  await underSeeds(5, async (cluster) => {
    const leader = await cluster.leader();
    const [follower] = others(cluster, leader);
    for (let i = 0; i < 12; i++) {
      await cluster.settle(cluster.service(follower).write(increment("n")));
      await load(cluster, follower, 10, `round-${i}`);
    }
    await cluster.settle(cluster.service(leader).write(put("short", "lived", 3000)));
    const hash = await cluster.agreedHash();
    for (const id of cluster.ids) await cluster.crash(id);
    for (const id of cluster.ids) cluster.start(id);
    await cluster.ready();
    for (const id of cluster.ids) {
      assert(replicaOf(cluster, id).firstIndex > 1);
      assertEquals(await cluster.counter(id, "n"), 12);
      assertEquals(await cluster.get(id, "short"), "lived");
      assertEquals(await cluster.get(id, "round-3-7"), "round-3 7");
    }
    assert(hash !== await cluster.agreedHash());
    await cluster.env.advance(3000);
    for (const id of cluster.ids) assertEquals(await cluster.get(id, "short"), null);
  });
});

Deno.test("snapshots: an idempotency key and a session outlive the log that they came in (bug 35)", async () => {
  await underSeeds(3, async (cluster) => {
    const leader = await cluster.leader();
    const once = { ...increment("n"), idempotencyKey: "the-request" };
    const first = await cluster.settle(cluster.service(leader).write(once));
    await load(cluster, leader, 100);
    for (const id of cluster.ids) await cluster.crash(id);
    for (const id of cluster.ids) cluster.start(id);
    await cluster.ready();
    for (const id of cluster.ids) {
      assertEquals(await cluster.settle(cluster.service(id).write(once)), first);
      assertEquals(await cluster.counter(id, "n"), 1);
    }
  });
});

Deno.test("snapshots: a crash at any chunk leaves the one before and the log", async () => {
  for (let at = 1; at <= 20; at += 3) {
    await VirtualCluster.run(1, at, async (cluster) => {
      await loadLarge(cluster, "n1");
      await cluster.settle(cluster.service("n1").takeSnapshot());
      const before = replicaOf(cluster, "n1").snapshotIndex;
      await load(cluster, "n1", 20);
      const seen = watchChunks(cluster, "n1", 5);
      const taking = cluster.service("n1").takeSnapshot().catch((error) => error);
      await cluster.eventually("so many chunks are written", () => seen.count >= at);
      await cluster.crash("n1");
      assertInstanceOf(await cluster.settle(taking), Error);
      cluster.start("n1");
      await cluster.ready();
      assertEquals(replicaOf(cluster, "n1").snapshotIndex, before);
      assertEquals(await cluster.get("n1", "key-19"), "key 19");
    }, { snapshots: { entriesMax: 1_000_000 } });
  }
});

Deno.test("snapshots: a node that stops in the middle of one leaves nothing behind", async () => {
  await VirtualCluster.run(1, 4, async (cluster) => {
    await loadLarge(cluster, "n1");
    watchChunks(cluster, "n1", 5);
    const taking = cluster.service("n1").takeSnapshot().catch((error) => error);
    await cluster.env.advance(20);
    await cluster.stop("n1", 0);
    assertInstanceOf(await cluster.settle(taking), Error);
    assertEquals(cluster.env.timersPending, 0);
  });
});

Deno.test("snapshots: one that fails is tried again, and the replica goes on meanwhile", async () => {
  await VirtualCluster.run(1, 5, async (cluster) => {
    cluster.disks.get("n1")!.failNextChunk("before-landing");
    await load(cluster, "n1", 100);
    assertEquals(eventsOf(cluster, "n1", "snapshot-failed").length, 1);
    assertEquals(eventsOf(cluster, "n1", "fault"), []);
    assertEquals(replicaOf(cluster, "n1").snapshotIndex, 0);
    await cluster.env.advance(10_000);
    await load(cluster, "n1", 1, "more");
    assertEquals(eventsOf(cluster, "n1", "snapshot-taken").length, 1);
  }, OFTEN);
});

Deno.test("snapshots: a switch that fails restarts the replica from what is durable", async () => {
  for (const point of ["before-landing", "after-landing"] as const) {
    await VirtualCluster.run(1, 6, async (cluster) => {
      await load(cluster, "n1", 30);
      // Nobody writes, so that the next commit is the switch.
      watchChunks(cluster, "n1", 1, () => cluster.disks.get("n1")!.failNextCommit(point));
      const taking = cluster.service("n1").takeSnapshot().catch((error) => error);
      assertInstanceOf(await cluster.settle(taking), Error);
      await cluster.ready();
      assertEquals(replicaOf(cluster, "n1").snapshotIndex > 0, point === "after-landing");
      assertEquals(await cluster.get("n1", "key-29"), "key 29");
    });
  }
});

Deno.test("snapshots: a leader waits for its own disk before it switches to one", async () => {
  await VirtualCluster.run(3, 7, async (cluster) => {
    const leader = await cluster.leader();
    await load(cluster, leader, 10);
    const disk = cluster.disks.get(leader)!;
    let release = () => {};
    disk.beforeCommit = () => new Promise<void>((resolve) => release = resolve);
    // The two others commit them; this disk is still busy with the first, and knows of no second.
    assertEquals(await cluster.put(leader, "first", "of two"), "applied");
    assertEquals(await cluster.put(leader, "ahead", "of the disk"), "applied");
    const { appliedIndex } = replicaOf(cluster, leader);
    const taking = cluster.service(leader).takeSnapshot();
    await cluster.env.advance(200);
    assertEquals(replicaOf(cluster, leader).snapshotIndex, 0);
    disk.beforeCommit = null;
    release();
    assertEquals(await cluster.settle(taking), appliedIndex);
    assertEquals(eventsOf(cluster, leader, "fault"), []);
    await cluster.crash(leader);
    cluster.start(leader);
    await cluster.ready();
    assertEquals(await cluster.get(leader, "ahead"), "of the disk");
  });
});

Deno.test("snapshots: one that does not read back at the start is put aside, and all is fetched anew", async () => {
  await underSeeds(3, async (cluster) => {
    const leader = await cluster.leader();
    const [id] = others(cluster, leader);
    await loadLarge(cluster, leader);
    await cluster.agreedHash();
    const chunks = chunksTaken(cluster, id);
    await cluster.crash(id);
    cluster.disks.get(id)!.corruptChunk(Math.floor(chunks / 2));
    cluster.start(id);
    await cluster.ready();
    assertEquals(eventsOf(cluster, id, "quarantined").length, 1);
    assertEquals(eventsOf(cluster, id, "repaired").length, 1);
    assertEquals(eventsOf(cluster, id, "snapshot-installed").length, 1);
    await cluster.agreedHash();
    assertEquals(await cluster.put(id, "after", "all"), "applied");
  });
});

Deno.test("snapshots: a single node whose snapshot does not read back halts and says so", async () => {
  await VirtualCluster.run(1, 8, async (cluster) => {
    await load(cluster, "n1", 60);
    await cluster.crash("n1");
    cluster.disks.get("n1")!.corruptChunk(0);
    cluster.start("n1");
    assertInstanceOf(await cluster.settle(cluster.node("n1").ended), CorruptSnapshot);
    assertEquals(eventsOf(cluster, "n1", "quarantined"), []);
    assert(cluster.service("n1").notReady()?.includes("CorruptSnapshot"));
  }, OFTEN);
});

Deno.test("snapshots: a node that joins takes none of a time from which it does not know the members", async () => {
  const snapshots = { entriesMax: 40, tailEntries: 1_000 };
  const limits = { appendEntriesMax: 8, inflightMessagesMax: 1 };
  await VirtualCluster.run(1, 1, async (cluster) => {
    await load(cluster, "n1", 100);
    assertEquals(replicaOf(cluster, "n1").firstIndex, 1);
    cluster.join("n4");
    await cluster.settle(cluster.service("n1").addMember(memberRequest("n4")));
    await load(cluster, "n1", 100, "later");
    await cluster.agreedHash();
    assert(eventsOf(cluster, "n4", "snapshot-taken").length > 0);
    for (const [index] of eventsOf(cluster, "n4", "snapshot-taken")) {
      assert(Number(index) > 100, `taken at ${index}, before the first configuration in its log`);
    }
    const { meta } = cluster.disks.get("n4")!.snapshot!;
    assert(meta.configuration.voters.includes(nodeId("n1")), "it does not say who leads");
  }, { snapshots, limits });
});
