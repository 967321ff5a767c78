/** The kinds of reads, on whole clusters in virtual time. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { LEASE_MS, SESSION_READS_MAX, SESSION_WAIT_MS } from "../../actors/limits_replica.ts";
import { NotCaughtUp, Overloaded, TooStale } from "../../actors/outcomes.ts";
import { type Consistency, LINEARIZABLE, type ServedRead } from "../../actors/service.ts";
import { nodeId } from "../../raft/types.ts";
import { key, put, VirtualCluster } from "./virtual_cluster.ts";

const LEASE: Consistency = { mode: "lease" };
const EVENTUAL: Consistency = { mode: "eventual", maxStalenessMs: null };

function read(
  cluster: VirtualCluster,
  id: string,
  name: string,
  consistency: Consistency,
): Promise<ServedRead> {
  return cluster.service(id).read({ type: "get", keys: [key(name)] }, consistency);
}

function textOf({ results }: ServedRead): string | null {
  const entry = results[0][0];
  return entry === null ? null : new TextDecoder().decode(entry.value.data);
}

function others(cluster: VirtualCluster, id: string): string[] {
  return cluster.running.filter((other) => other !== id);
}

/** Answers a read without letting time pass; null if it is not answered then. */
async function atOnce(promise: Promise<ServedRead>, cluster: VirtualCluster) {
  let answer: ServedRead | null = null;
  promise.then((read) => answer = read, () => {});
  await cluster.env.runUntilIdle();
  return answer as ServedRead | null;
}

Deno.test("reads: a leader answers by lease without a message, and says so", async () => {
  await VirtualCluster.run(3, 1, async (cluster) => {
    const leader = await cluster.leader();
    assertEquals(await cluster.put(leader, "key", "value"), "applied");
    await cluster.env.advance(200);
    cluster.isolate(leader); // No round could confirm anything now.
    const answer = await atOnce(read(cluster, leader, "key", LEASE), cluster);
    assertEquals([answer?.served, answer && textOf(answer)], ["lease", "value"]);
    assertEquals(await atOnce(read(cluster, leader, "key", LINEARIZABLE), cluster), null);
  });
});

Deno.test("reads: a lease ends in time, whatever the leader still believes", async () => {
  await VirtualCluster.run(3, 2, async (cluster) => {
    const leader = await cluster.leader();
    await cluster.env.advance(200);
    cluster.isolate(leader);
    await cluster.env.advance(LEASE_MS);
    assertEquals(cluster.service(leader).status().replicas[0].role, "leader");
    assertEquals(await atOnce(read(cluster, leader, "key", LEASE), cluster), null);
  });
});

Deno.test("reads: without a lease a lease read is done as linearizable, and says so", async () => {
  await VirtualCluster.run(3, 3, async (cluster) => {
    const leader = await cluster.leader();
    assertEquals(await cluster.put(leader, "key", "value"), "applied");
    cluster.clock(leader).jumpWall(60_000);
    const answer = await cluster.settle(read(cluster, leader, "key", LEASE));
    assertEquals([answer.served, textOf(answer)], ["linearizable", "value"]);
    await cluster.env.advance(LEASE_MS + 200);
    assertEquals((await cluster.settle(read(cluster, leader, "key", LEASE))).served, "lease");
  });
});

Deno.test("reads: a follower's lease read costs one question to the leader", async () => {
  await VirtualCluster.run(3, 4, async (cluster) => {
    const leader = await cluster.leader();
    const [asker, third] = others(cluster, leader);
    assertEquals(await cluster.put(asker, "key", "value"), "applied");
    await cluster.env.advance(200);
    // Nothing comes back to the leader that could confirm a round.
    cluster.network.setLink(nodeId(third), nodeId(leader), { cut: true });
    const asked = read(cluster, asker, "key", LEASE);
    const answer = await atOnce(asked, cluster);
    assertEquals([answer?.served, answer && textOf(answer)], ["lease", "value"]);
  });
});

Deno.test("reads: a follower's linearizable read waits for a round, whatever lease the leader has", async () => {
  await VirtualCluster.run(5, 4, async (cluster) => {
    const leader = await cluster.leader();
    const [asker, ...rest] = others(cluster, leader);
    assertEquals(await cluster.put(asker, "key", "value"), "applied");
    await cluster.env.advance(200);
    // The leader hears the question, but not enough of the others to confirm a round.
    for (const id of rest) {
      cluster.network.setLink(nodeId(id), nodeId(leader), { cut: true });
    }
    const answer = await atOnce(read(cluster, asker, "key", LEASE), cluster);
    assertEquals([answer?.served, answer && textOf(answer)], ["lease", "value"]);
    assertEquals(await atOnce(read(cluster, asker, "key", LINEARIZABLE), cluster), null);
  });
});

Deno.test("reads: no lease read sees a key that is due", async () => {
  await VirtualCluster.run(3, 5, async (cluster) => {
    const leader = await cluster.leader();
    for (const reader of cluster.ids) {
      assertEquals(
        (await cluster.settle(cluster.service(leader).write(put("key", "value", 300)))).status,
        "applied",
      );
      const dueMs = cluster.env.now() + 300;
      assertEquals(textOf(await cluster.settle(read(cluster, reader, "key", LEASE))), "value");
      await cluster.env.advance(dueMs - cluster.env.now());
      assertEquals(textOf(await cluster.settle(read(cluster, reader, "key", LEASE))), null);
    }
  });
});

/** Makes every commit of a node take so long. */
function slowDisk(cluster: VirtualCluster, id: string, ms: number): void {
  cluster.disks.get(id)!.beforeCommit = () =>
    new Promise<void>((resolve) => void cluster.env.setTimer(resolve, ms));
}

/** Deposes a leader that does not notice: the rest elects another one, and writes "new". */
async function depose(cluster: VirtualCluster, old: string): Promise<void> {
  const rest = others(cluster, old);
  await cluster.leader(rest);
  assertEquals(await cluster.put(rest[0], "key", "new"), "applied");
}

const STANDSTILLS = [
  ["paused leader", "stop"],
  ["suspended leader, whose clock stood still,", "suspend"],
] as const;

for (const [what, how] of STANDSTILLS) {
  Deno.test(`reads: a ${what} serves nothing old${how === "stop" ? " when it goes on" : ""} (bug 20)`, async () => {
    for (let seed = 1; seed <= 20; seed++) {
      await VirtualCluster.run(3, seed, async (cluster) => {
        const old = await cluster.leader();
        assertEquals(await cluster.put(old, "key", "old"), "applied");
        await cluster.env.advance(200);
        cluster.clock(old)[how]();
        const asked = read(cluster, old, "key", LEASE); // Waits in the mailbox of a stopped process.
        cluster.isolate(old);
        await depose(cluster, old);
        cluster.clock(old).resume();
        assertEquals(await atOnce(asked, cluster), null);
        cluster.network.heal();
        assertEquals(textOf(await cluster.settle(asked)), "new");
      });
    }
  });
}

Deno.test("reads: a leader that is suspended for moments, again and again, serves nothing old (bug 20)", async () => {
  for (let seed = 1; seed <= 20; seed++) {
    await VirtualCluster.run(3, seed, async (cluster) => {
      const old = await cluster.leader();
      assertEquals(await cluster.put(old, "key", "old"), "applied");
      await cluster.env.advance(200);
      cluster.isolate(old);
      let acknowledged = false;
      const next = others(cluster, old).map((id) => cluster.service(id).write(put("key", "new")));
      for (const write of next) write.then(() => acknowledged = true, () => {});
      // Each standstill is shorter than what is taken for a clock that was set.
      for (let times = 0; times < 12; times++) {
        cluster.clock(old).suspend();
        await cluster.env.advance(90);
        cluster.clock(old).resume();
        const isOver = acknowledged;
        const answer = await atOnce(read(cluster, old, "key", LEASE), cluster);
        if (isOver) assertEquals(answer, null, `seed ${seed}, after ${times} standstills`);
        await cluster.env.advance(5);
      }
      assert(acknowledged);
      await Promise.allSettled(next);
    });
  }
});

Deno.test("reads: an eventual read counts the time that its node did not see pass", async () => {
  await VirtualCluster.run(3, 1, async (cluster) => {
    const leader = await cluster.leader();
    const [follower] = others(cluster, leader);
    assertEquals(await cluster.put(leader, "key", "old"), "applied");
    await cluster.env.advance(1000);
    cluster.isolate(follower);
    const stalenessMs = async () =>
      (await atOnce(read(cluster, follower, "key", EVENTUAL), cluster))!.stalenessMs!;
    const beforeMs = await stalenessMs();
    for (let times = 0; times < 3; times++) {
      cluster.clock(follower).suspend();
      await cluster.env.advance(90);
      cluster.clock(follower).resume();
      await stalenessMs();
    }
    assert(await stalenessMs() >= beforeMs + 270, `${beforeMs} became ${await stalenessMs()}`);
  });
});

Deno.test("reads: with clocks a quarter apart, a leader that is cut off serves nothing old (bug 20)", async () => {
  for (let seed = 1; seed <= 40; seed++) {
    await VirtualCluster.run(3, seed, async (cluster) => {
      const old = await cluster.leader();
      const rest = others(cluster, old);
      // The leader's time passes slowly, as it sees it, and the voters' fast.
      cluster.clock(old).setRate(0.9);
      for (const id of rest) cluster.clock(id).setRate(0.9 * 1.25);
      assertEquals(await cluster.put(old, "key", "old"), "applied");
      await cluster.env.advance(300);
      cluster.isolate(old); // The others elect another one as soon as they can.
      let acknowledged = false;
      const next = rest.map((id) => cluster.service(id).write(put("key", "new")));
      for (const write of next) write.then(() => acknowledged = true, () => {});
      let byLease = 0;
      for (let ms = 0; ms < 1500; ms += 5) {
        const isOver = acknowledged;
        const answer = await atOnce(read(cluster, old, "key", LEASE), cluster);
        if (answer !== null) {
          byLease++;
          assert(!isOver || textOf(answer) === "new", `stale after ${ms} ms, seed ${seed}`);
        }
        await cluster.env.advance(5);
      }
      assert(acknowledged && byLease > 0);
    });
  }
});

Deno.test("reads: a leader that asked another to take over serves nothing by lease (bug 21)", async () => {
  for (let seed = 1; seed <= 20; seed++) {
    await VirtualCluster.run(3, seed, async (cluster) => {
      const old = await cluster.leader();
      const rest = others(cluster, old);
      assertEquals(await cluster.put(old, "key", "old"), "applied");
      for (const from of cluster.ids) {
        for (const to of cluster.ids) {
          if (from !== to) cluster.network.setLink(nodeId(from), nodeId(to), { delayMs: 5 });
        }
      }
      await cluster.env.advance(300);
      const moved = cluster.service(old).transferLeadership(rest[0]);
      await cluster.env.advance(2);
      // It hears nothing of the election that it has asked for, and its lease would last a while.
      for (const id of rest) {
        cluster.network.setLink(nodeId(id), nodeId(old), { cut: true });
      }
      const askedMs = cluster.env.now();
      await cluster.leader(rest);
      assertEquals(await cluster.put(rest[0], "key", "new"), "applied");
      assert(cluster.env.now() - askedMs < LEASE_MS / 2, "the lease would be over");
      const answer = await atOnce(read(cluster, old, "key", LEASE), cluster);
      assertEquals(answer && textOf(answer), null);
      cluster.network.heal();
      assertEquals(await cluster.settle(moved), rest[0]);
    });
  }
});

Deno.test("reads: what a follower shows, the leader's lease read shows after it (bug 22)", async () => {
  for (let seed = 1; seed <= 20; seed++) {
    await VirtualCluster.run(3, seed, async (cluster) => {
      const leader = await cluster.leader();
      const [follower, slow] = others(cluster, leader);
      slowDisk(cluster, slow, 5);
      let seen = -1;
      const writes: Promise<unknown>[] = [];
      for (let i = 0; i < 20; i++) {
        writes.push(cluster.service(follower).write(put("key", String(i))));
        for (let steps = 0; steps < 1 + (seed + i) % 7; steps++) cluster.env.step();
        await Promise.resolve();
        // The follower shows what it has applied, which the leader may only know to be committed.
        const shown = await atOnce(read(cluster, follower, "key", EVENTUAL), cluster);
        seen = Math.max(seen, Number(shown === null ? -1 : textOf(shown) ?? -1));
        for (const reader of [leader, slow]) {
          const led = await cluster.settle(read(cluster, reader, "key", LEASE));
          assert(Number(textOf(led) ?? -1) >= seen, `${textOf(led)} after ${seen}, seed ${seed}`);
        }
      }
      await cluster.settle(Promise.all(writes));
    });
  }
});

Deno.test("reads: a stalled leader that resumes expires nothing by itself (bug 23)", async () => {
  for (let seed = 1; seed <= 10; seed++) {
    await VirtualCluster.run(3, seed, async (cluster) => {
      const old = await cluster.leader();
      const rest = others(cluster, old);
      const written = cluster.service(old).write(put("key", "held", 2000));
      assertEquals((await cluster.settle(written)).status, "applied");
      const dueMs = cluster.env.now() + 2000;
      cluster.clock(old).stop();
      await cluster.leader(rest);
      // Its holder prolongs the key in time, at the new leader.
      await cluster.settle(cluster.service(rest[0]).write(put("key", "prolonged", 60_000)));
      await cluster.env.advance(dueMs + 100 - cluster.env.now());
      cluster.clock(old).resume();
      for (const consistency of [LEASE, LINEARIZABLE, { mode: "session", minIndex: 1 }] as const) {
        const answer = await cluster.settle(read(cluster, old, "key", consistency));
        // By its own clock the key is due, but that says nothing: at worst it shows the old state.
        const shown = consistency.mode === "session" ? ["held", "prolonged"] : ["prolonged"];
        assert(shown.includes(textOf(answer) ?? "expired"), `${textOf(answer)}, seed ${seed}`);
      }
      for (const id of cluster.ids) assertEquals(await cluster.get(id, "key"), "prolonged");
      await cluster.agreedHash();
    });
  }
});

Deno.test("reads: a session reads its own writes at any node, and never goes back", async () => {
  await VirtualCluster.run(3, 8, async (cluster) => {
    const leader = await cluster.leader();
    const [follower] = others(cluster, leader);
    cluster.network.setLink(nodeId(leader), nodeId(follower), { delayMs: 300 });
    const result = await cluster.settle(cluster.service(leader).write(put("key", "value")));
    assert(result.status === "applied");
    const minIndex = result.versionstamp.index;
    const stale = await atOnce(read(cluster, follower, "key", EVENTUAL), cluster);
    assertEquals(stale && textOf(stale), null);
    const asked = read(cluster, follower, "key", { mode: "session", minIndex });
    assertEquals(await atOnce(asked, cluster), null);
    const answer = await cluster.settle(asked);
    assertEquals([textOf(answer), answer.served], ["value", "session"]);
    assert(answer.index >= minIndex);
  });
});

Deno.test("reads: a session that asks for more than there is hears so in bounded time", async () => {
  await VirtualCluster.run(3, 9, async (cluster) => {
    const startMs = cluster.env.now();
    const asked = read(cluster, "n1", "key", { mode: "session", minIndex: 1_000_000 });
    await assertRejects(() => cluster.settle(asked), NotCaughtUp);
    const tookMs = cluster.env.now() - startMs;
    assert(tookMs >= SESSION_WAIT_MS && tookMs < SESSION_WAIT_MS + 100, `${tookMs} ms`);
  });
});

Deno.test("reads: no more than so many session reads wait", async () => {
  await VirtualCluster.run(1, 10, async (cluster) => {
    const session = { mode: "session", minIndex: 1_000_000 } as const;
    const outcomes = Array.from(
      { length: SESSION_READS_MAX + 1 },
      () => read(cluster, "n1", "key", session).then(() => null, (error) => error),
    );
    const errors = await cluster.settle(Promise.all(outcomes));
    assertEquals(errors.filter((error) => error instanceof Overloaded).length, 1);
    assertEquals(errors.filter((error) => error instanceof NotCaughtUp).length, SESSION_READS_MAX);
  });
});

Deno.test("reads: an eventual read says how stale it may be, and never too little", async () => {
  for (let seed = 1; seed <= 10; seed++) {
    await VirtualCluster.run(3, seed, async (cluster) => {
      const leader = await cluster.leader();
      const [follower] = others(cluster, leader);
      const delayMs = 5 * (seed - 1);
      const diskMs = seed % 2 === 0 ? 60 : 0;
      if (diskMs > 0) slowDisk(cluster, follower, diskMs);
      for (const from of cluster.ids) {
        for (const to of cluster.ids) {
          if (from !== to) cluster.network.setLink(nodeId(from), nodeId(to), { delayMs });
        }
      }
      await cluster.env.advance(1000);
      // When each value was acknowledged, by the world's clock.
      const acknowledgedMs: number[] = [];
      let writing: Promise<unknown> | null = null;
      let isolatedMs = Infinity;
      const startMs = cluster.env.now();
      while (cluster.env.now() < startMs + 2000) {
        writing ??= cluster.service(leader).write(put("key", String(acknowledgedMs.length))).then(
          () => {
            acknowledgedMs.push(cluster.env.now());
            writing = null;
          },
          () => {}, // The end of the test cuts the last one off.
        );
        if (isolatedMs === Infinity && cluster.env.now() > startMs + 1000) {
          cluster.isolate(follower);
          isolatedMs = cluster.env.now();
        }
        await cluster.env.advance(10);
        const asked = read(cluster, follower, "key", EVENTUAL)
          .then((answer) => ({ ...answer, atMs: cluster.env.now() }));
        const { stalenessMs, atMs, ...answer } = await cluster.settle(asked);
        assert(stalenessMs !== null);
        const shown = Number(textOf({ ...answer, stalenessMs }) ?? -1);
        const mustShow = acknowledgedMs.findLastIndex((ms) => ms < atMs - stalenessMs);
        assert(shown >= mustShow, `shows ${shown}, not ${mustShow}, ${stalenessMs} ms, ${seed}`);
        // While it hears the leader it must not claim to be much staler than it is, either.
        const mostMs = 400 + 10 * delayMs + 3 * diskMs;
        if (atMs < isolatedMs) assert(stalenessMs <= mostMs, `${stalenessMs} ms, ${seed}`);
        else assert(stalenessMs >= atMs - isolatedMs, `${stalenessMs} ms, ${seed}`);
      }
      assert(acknowledgedMs.length > 10);
    });
  }
});

Deno.test("reads: a deposed leader that does not know it vouches for nobody's freshness", async () => {
  for (let seed = 1; seed <= 10; seed++) {
    await VirtualCluster.run(5, seed, async (cluster) => {
      const old = await cluster.leader();
      const [follower, ...rest] = others(cluster, old);
      assertEquals(await cluster.put(old, "key", "old"), "applied");
      await cluster.env.advance(500);
      cluster.clock(old).setRate(0.4); // So it believes for long that it leads.
      for (const id of rest) cluster.isolate(id);
      for (const from of rest) {
        for (const to of rest) cluster.network.setLink(nodeId(from), nodeId(to), { cut: false });
      }
      let newMs: number | null = null;
      const note = () => newMs ??= cluster.env.now();
      for (const id of rest) cluster.service(id).write(put("key", "new")).then(note, () => {});
      const startMs = cluster.env.now();
      while (cluster.env.now() < startMs + 1000) {
        await cluster.env.advance(5);
        const answer = await atOnce(read(cluster, follower, "key", EVENTUAL), cluster);
        assert(answer !== null && answer.stalenessMs !== null && textOf(answer) === "old");
        const asOfMs = cluster.env.now() - answer.stalenessMs;
        assert(newMs === null || asOfMs <= newMs, `claims ${answer.stalenessMs} ms, ${seed}`);
      }
      assert(newMs !== null);
    });
  }
});

Deno.test("reads: an eventual read is refused where it may be too stale", async () => {
  await VirtualCluster.run(3, 12, async (cluster) => {
    const leader = await cluster.leader();
    const [follower] = others(cluster, leader);
    assertEquals(await cluster.put(leader, "key", "value"), "applied");
    await cluster.env.advance(1000);
    const fresh = { mode: "eventual", maxStalenessMs: 500 } as const;
    assertEquals(textOf(await cluster.settle(read(cluster, follower, "key", fresh))), "value");
    cluster.isolate(follower);
    await cluster.env.advance(1000);
    await assertRejects(() => cluster.settle(read(cluster, follower, "key", fresh)), TooStale);
    const any = await cluster.settle(read(cluster, follower, "key", EVENTUAL));
    assert(any.stalenessMs !== null && any.stalenessMs >= 1000);
  });
});

Deno.test("reads: who never heard a leader cannot tell how stale it is", async () => {
  await VirtualCluster.run(3, 13, async (cluster) => {
    assertEquals(await cluster.put("n1", "key", "value"), "applied");
    await cluster.agreedHash();
    for (const id of cluster.ids) await cluster.crash(id);
    cluster.start("n1");
    await cluster.eventually("it runs", () => cluster.service("n1").status().replicas.length > 0);
    const answer = await cluster.settle(read(cluster, "n1", "key", EVENTUAL));
    assertEquals(answer.stalenessMs, null);
    const fresh = { mode: "eventual", maxStalenessMs: 1_000_000 } as const;
    await assertRejects(() => cluster.settle(read(cluster, "n1", "key", fresh)), TooStale);
  });
});
