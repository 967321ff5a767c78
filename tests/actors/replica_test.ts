/** Replicas and nodes, whole, in virtual time. */
import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertNotEquals,
  assertRejects,
} from "@std/assert";
import { CLUSTER_ID, increment, key, put, VirtualCluster } from "./virtual_cluster.ts";
import { Draining, NoLeader, NotServing, OutcomeUnknown } from "../../actors/outcomes.ts";
import { TICK_MS } from "../../actors/limits_replica.ts";
import { SESSION_TTL_MS } from "../../kv/limits.ts";
import { LINEARIZABLE } from "../../actors/service.ts";
import { Fenced } from "../../storage/types.ts";
import { nodeId } from "../../raft/types.ts";

const SIZES = [1, 2, 3, 5];

function others(cluster: VirtualCluster, id: string): string[] {
  return cluster.running.filter((other) => other !== id);
}

for (const size of SIZES) {
  Deno.test(`replica: a cluster of ${size} keeps a key that any node writes and any reads`, async () => {
    await VirtualCluster.run(size, 1, async (cluster) => {
      for (const writer of cluster.ids) {
        assertEquals(await cluster.put(writer, writer, `by ${writer}`), "applied");
        for (const reader of cluster.ids) {
          assertEquals(await cluster.get(reader, writer), `by ${writer}`);
        }
      }
      await cluster.agreedHash();
    });
  });
}

Deno.test("replica: a write that waits at a follower survives its leader, and happens once", async () => {
  for (let seed = 1; seed <= 20; seed++) {
    await VirtualCluster.run(3, seed, async (cluster) => {
      const leader = await cluster.leader();
      const [follower] = others(cluster, leader);
      const writes = Array.from(
        { length: 10 },
        () => cluster.service(follower).write(increment("n")),
      );
      // Some seeds let the forwarded batch reach the leader's log, or even both logs, some do not.
      for (let steps = 0; steps < seed; steps++) {
        cluster.env.step();
        await Promise.resolve();
      }
      await cluster.crash(leader);
      for (const result of await cluster.settle(Promise.all(writes))) {
        assertEquals(result.status, "applied");
      }
      assertEquals(await cluster.counter(follower, "n"), 10);
    });
  }
});

Deno.test("replica: an isolated leader neither commits nor answers a read (actors 13)", async () => {
  await VirtualCluster.run(3, 3, async (cluster) => {
    const old = await cluster.leader();
    assertEquals(await cluster.put(old, "key", "old"), "applied");
    cluster.isolate(old);
    const lost = assertRejects(() =>
      cluster.settle(cluster.service(old).write(put("key", "lost")))
    );
    const stale = cluster.get(old, "key").then((value) => value, (error) => error);
    const rest = others(cluster, old);
    await cluster.leader(rest);
    assertEquals(await cluster.put(rest[0], "key", "new"), "applied");
    assertInstanceOf(await lost, OutcomeUnknown);
    assertInstanceOf(await stale, NoLeader);
    cluster.network.heal();
    await cluster.leader();
    // The write that the old leader kept may not come back: its client was told "unknown" long ago,
    // and its node has stopped proposing it.
    for (const id of cluster.ids) assertEquals(await cluster.get(id, "key"), "new");
    await cluster.agreedHash();
  });
});

Deno.test("replica: a read asked of an isolated leader is answered after the heal, and not stale", async () => {
  await VirtualCluster.run(3, 4, async (cluster) => {
    const old = await cluster.leader();
    assertEquals(await cluster.put(old, "key", "old"), "applied");
    cluster.isolate(old);
    const read = cluster.get(old, "key");
    const rest = others(cluster, old);
    await cluster.leader(rest);
    assertEquals(await cluster.put(rest[0], "key", "new"), "applied");
    cluster.network.heal();
    assertEquals(await read, "new");
  });
});

Deno.test("replica: a majority gone, writes and reads are refused at their deadline, not earlier promised", async () => {
  await VirtualCluster.run(3, 5, async (cluster) => {
    const leader = await cluster.leader();
    const [second, third] = others(cluster, leader);
    await cluster.crash(leader);
    await cluster.crash(second);
    await cluster.eventually("no leader", () => cluster.service(third).status().leader === null);
    const startMs = cluster.env.now();
    await assertRejects(() => cluster.put(third, "key", "value"), NoLeader);
    await assertRejects(() => cluster.get(third, "key"), NoLeader);
    assert(cluster.env.now() - startMs < 11_000);
    assertNotEquals(cluster.service(third).notReady(), null);
  });
});

Deno.test("replica: all crash at once and come back with everything acknowledged", async () => {
  await VirtualCluster.run(3, 6, async (cluster) => {
    for (let i = 0; i < 30; i++) {
      assertEquals(await cluster.put(cluster.ids[i % 3], `k${i}`, `v${i}`), "applied");
    }
    for (const id of cluster.ids) await cluster.crash(id);
    for (const id of cluster.ids) cluster.start(id);
    await cluster.ready();
    for (let i = 0; i < 30; i++) {
      assertEquals(await cluster.get(cluster.ids[(i + 1) % 3], `k${i}`), `v${i}`);
    }
    await cluster.agreedHash();
  });
});

Deno.test("replica: a failed commit restarts it from storage; nothing is doubled, nothing lost", async () => {
  for (const point of ["before-landing", "after-landing"] as const) {
    await VirtualCluster.run(3, 7, async (cluster) => {
      const leader = await cluster.leader();
      const [follower] = others(cluster, leader);
      cluster.disks.get(leader)!.failNextCommit(point);
      // Asked at another node, the write outlives the leader's fault.
      const result = await cluster.settle(cluster.service(follower).write(increment("n")));
      assertEquals(result.status, "applied");
      await cluster.ready();
      assertEquals(await cluster.counter(leader, "n"), 1);
      await cluster.agreedHash();
    });
  }
});

Deno.test("replica: a client of the node whose commit failed is told that the outcome is unknown", async () => {
  await VirtualCluster.run(1, 8, async (cluster) => {
    cluster.disks.get("n1")!.failNextCommit("after-landing");
    await assertRejects(
      () => cluster.settle(cluster.service("n1").write(increment("n"))),
      OutcomeUnknown,
    );
    await cluster.ready();
    assertEquals(await cluster.counter("n1", "n"), 1);
  });
});

Deno.test("replica: of two processes on one data directory, exactly one survives (actors 14)", async () => {
  await VirtualCluster.run(3, 9, async (cluster) => {
    const [id] = others(cluster, await cluster.leader());
    cluster.disks.get(id)!.boot({ clusterId: CLUSTER_ID, nodeId: id });
    // The fenced one learns of it with its next commit, which a write elsewhere brings.
    const [other] = others(cluster, id);
    assertEquals(await cluster.put(other, "key", "value"), "applied");
    assertInstanceOf(await cluster.settle(cluster.node(id).ended), Fenced);
    assertNotEquals(cluster.service(id).notReady(), null);
    await assertRejects(() => cluster.put(id, "key", "again"), NotServing);
  });
});

Deno.test("replica: after losing acknowledged entries it counts for nothing until a quorum has repaired it", async () => {
  await VirtualCluster.run(3, 10, async (cluster) => {
    const leader = await cluster.leader();
    const [liar, third] = others(cluster, leader);
    for (let i = 0; i < 5; i++) assertEquals(await cluster.put(leader, `k${i}`, "v"), "applied");
    await cluster.agreedHash();
    await cluster.crash(liar);
    cluster.disks.get(liar)!.loseCommits(3);
    await cluster.crash(third);
    cluster.start(liar);
    // Two of three run, but one of them does not know what it promised: nothing may commit.
    await assertRejects(() => cluster.put(leader, "key", "value"));
    assertNotEquals(cluster.service(liar).notReady(), null);
    cluster.start(third);
    await cluster.ready();
    assertEquals(await cluster.put(liar, "key", "value"), "applied");
    for (let i = 0; i < 5; i++) assertEquals(await cluster.get(liar, `k${i}`), "v");
    await cluster.agreedHash();
    // Whole again, it may carry the cluster together with either of the others.
    await cluster.crash(leader);
    await cluster.leader();
    assertEquals(await cluster.put(liar, "key", "more"), "applied");
  });
});

Deno.test("replica: a key is gone for every reader from the moment it is due, without any write", async () => {
  await VirtualCluster.run(3, 11, async (cluster) => {
    const [id] = others(cluster, await cluster.leader());
    const result = await cluster.settle(cluster.service(id).write(put("key", "value", 1000)));
    assertEquals(result.status, "applied");
    const dueMs = cluster.env.now() + 1000;
    assertEquals(await cluster.get(id, "key"), "value");
    await cluster.env.advance(dueMs - cluster.env.now());
    for (const reader of cluster.ids) assertEquals(await cluster.get(reader, "key"), null);
    await cluster.agreedHash();
  });
});

Deno.test("replica: a read in the very instant in which a key is due does not see it", async () => {
  await VirtualCluster.run(3, 11, async (cluster) => {
    const leader = await cluster.leader();
    // Over a whole tick of offsets, so that most of these instants are nobody's tick.
    for (let offsetMs = 0; offsetMs < TICK_MS; offsetMs++) {
      for (const reader of [leader, others(cluster, leader)[0]]) {
        // Nothing in this takes time: the entry's stamp is this instant's.
        const written = cluster.service(leader).write(put("key", "value", 100 + offsetMs));
        await cluster.env.runUntilIdle();
        assertEquals((await written).status, "applied");
        await cluster.env.advance(100 + offsetMs);
        // The news of the time may be overtaken by what confirms the read.
        const faults = { jitterMs: 8, dropRate: 0.2 };
        for (const id of others(cluster, leader)) {
          cluster.network.setLink(nodeId(leader), nodeId(id), faults);
        }
        assertEquals(await cluster.get(reader, "key"), null);
        cluster.network.heal();
      }
    }
  });
});

Deno.test("replica: a leader deposed while its disk is busy goes on as a follower", async () => {
  await VirtualCluster.run(3, 19, async (cluster) => {
    const old = await cluster.leader();
    const disk = cluster.disks.get(old)!;
    disk.beforeCommit = () =>
      new Promise<void>((resolve) => void cluster.env.setTimer(resolve, 3000));
    cluster.isolate(old);
    // Its entry will be replaced; its node proposes it again once it has found the new leader.
    const waiting = cluster.service(old).write(increment("n"));
    const rest = others(cluster, old);
    await cluster.leader(rest);
    const other = await cluster.settle(cluster.service(rest[0]).write(increment("n")));
    assertEquals(other.status, "applied");
    cluster.network.heal();
    await cluster.eventually("it follows", () => cluster.service(old).status().leader !== old);
    disk.beforeCommit = null;
    assertEquals((await cluster.settle(waiting)).status, "applied");
    await cluster.ready();
    assertEquals(await cluster.counter(old, "n"), 2);
    assertEquals(cluster.events.filter((event) => event.includes(" fault ")), []);
    await cluster.agreedHash();
  });
});

Deno.test("replica: thousands of keys due at once delay no read, and are all removed", async () => {
  await VirtualCluster.run(3, 13, async (cluster) => {
    const leader = await cluster.leader();
    const count = 2000;
    await cluster.settle(Promise.all(
      Array.from(
        { length: count },
        (_, i) => cluster.service(leader).write(put(`k${i}`, "v", 1000)),
      ),
    ));
    await cluster.env.advance(1010);
    const query = { type: "get", keys: [key("k0"), key(`k${count - 1}`)] } as const;
    const read = cluster.service(leader).read(query, LINEARIZABLE);
    assertEquals((await cluster.settle(read)).results, [[null, null]]);
    await cluster.agreedHash();
    // Their removal takes a few entries, not one for each key.
    await cluster.env.advance(1000);
    assert(cluster.service(leader).status().replicas[0].lastIndex < 2 * count);
    await cluster.agreedHash();
  });
});

Deno.test("replica: sums are exact over a network that loses, doubles, delays and reorders", async () => {
  for (let seed = 20; seed < 30; seed++) {
    await VirtualCluster.run(3, seed, async (cluster) => {
      for (const from of cluster.ids) {
        for (const to of cluster.ids) {
          if (from === to) continue;
          cluster.network.setLink(nodeId(from), nodeId(to), {
            dropRate: 0.15,
            duplicateRate: 0.2,
            reorderRate: 0.2,
            jitterMs: 5,
          });
        }
      }
      const outcomes = await cluster.settle(Promise.allSettled(
        Array.from(
          { length: 60 },
          (_, i) => cluster.service(cluster.ids[i % 3]).write(increment("n")),
        ),
      ));
      const applied = outcomes.filter((outcome) => outcome.status === "fulfilled").length;
      cluster.network.heal();
      await cluster.ready();
      const final = await cluster.counter(cluster.ids[0], "n");
      assert(applied > 0);
      assert(final >= applied && final <= 60, `${applied} acknowledged, ${final} counted`);
      await cluster.agreedHash();
    });
  }
});

Deno.test("replica: a node that stops finishes what it took and refuses what comes then", async () => {
  await VirtualCluster.run(3, 12, async (cluster) => {
    const [id] = others(cluster, await cluster.leader());
    const node = cluster.node(id);
    const taken = node.service.write(put("key", "value"));
    const stopped = node.stop(5000);
    await assertRejects(() => node.service.write(put("key", "late")), Draining);
    assertEquals((await cluster.settle(taken)).status, "applied");
    await cluster.settle(stopped);
    assertEquals(await cluster.get(await cluster.leader(others(cluster, id)), "key"), "value");
  });
});

Deno.test("replica: the same seed gives the same run (actors 15)", async () => {
  const trace = async (seed: number): Promise<string[]> => {
    let events: string[] = [];
    await VirtualCluster.run(3, seed, async (cluster) => {
      const leader = await cluster.leader();
      await cluster.put(leader, "key", "value");
      await cluster.crash(leader);
      await cluster.leader();
      cluster.start(leader);
      await cluster.ready();
      events = [...cluster.events, await cluster.agreedHash()];
    });
    return events;
  };
  for (let seed = 1; seed <= 10; seed++) assertEquals(await trace(seed), await trace(seed));
  assertNotEquals(await trace(1), await trace(2));
});

Deno.test("replica: large values on a slow disk depose no leader", async () => {
  await VirtualCluster.run(3, 14, async (cluster) => {
    const bytesPerMs = 50_000;
    for (const disk of cluster.disks.values()) {
      let seen = 0;
      disk.beforeCommit = async () => {
        // What was appended since, at 50 MB/s: the disk sees a batch once it has landed.
        const bytes = disk.entries.slice(seen).reduce((sum, entry) => sum + entry.data.length, 0);
        seen = disk.entries.length;
        await new Promise<void>((resolve) =>
          void cluster.env.setTimer(resolve, 2 + bytes / bytesPerMs)
        );
      };
    }
    const elections = () => cluster.events.filter((event) => event.includes("role leader")).length;
    const before = elections();
    const text = "x".repeat(60_000);
    const writes = cluster.ids.flatMap((id) =>
      Array.from({ length: 300 }, (_, i) => cluster.service(id).write(put(`${id}-${i}`, text)))
    );
    for (const result of await cluster.settle(Promise.all(writes))) {
      assertEquals(result.status, "applied");
    }
    assertEquals(elections(), before);
  });
});

Deno.test("replica: reads and writes succeed over slow links, at the leader and at followers", async () => {
  for (const delayMs of [60, 90]) {
    await VirtualCluster.run(3, 15, async (cluster) => {
      for (const from of cluster.ids) {
        for (const to of cluster.ids) {
          if (from !== to) cluster.network.setLink(nodeId(from), nodeId(to), { delayMs });
        }
      }
      for (const id of cluster.ids) {
        assertEquals(await cluster.put(id, id, "value"), "applied");
        const startMs = cluster.env.now();
        assertEquals(await cluster.get(id, id), "value");
        assert(cluster.env.now() - startMs <= 6 * delayMs, `${cluster.env.now() - startMs} ms`);
      }
    });
  }
});

Deno.test("replica: writes that wait at a candidate keep it from nothing", async () => {
  await VirtualCluster.run(3, 16, async (cluster) => {
    const [id] = cluster.ids;
    cluster.isolate(id);
    await cluster.eventually(
      "it has no leader",
      () => cluster.service(id).status().leader === null,
    );
    const write = cluster.service(id).write(put("key", "value"));
    await cluster.env.advance(1000); // Would not return if turns called for turns without end.
    cluster.network.heal();
    assertEquals((await cluster.settle(write)).status, "applied");
  });
});

Deno.test("replica: a session that expired is opened anew, and its writes happen once", async () => {
  await VirtualCluster.run(1, 17, async (cluster) => {
    assertEquals(await cluster.put("n1", "key", "value"), "applied");
    await cluster.env.advance(SESSION_TTL_MS + 1000);
    const writes = [1, 2, 3].map(() => cluster.service("n1").write(increment("n")));
    for (const result of await cluster.settle(Promise.all(writes))) {
      assertEquals(result.status, "applied");
    }
    assertEquals(await cluster.counter("n1", "n"), 3);
  });
});
