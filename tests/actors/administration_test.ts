/** Members that come and go, leadership that is handed over, on whole clusters in virtual time. */
import { assert, assertEquals, assertNotEquals, assertRejects } from "@std/assert";
import { AdminRefused, Draining, NoLeader, OutcomeUnknown } from "../../actors/outcomes.ts";
import { nodeId } from "../../raft/types.ts";
import { memberRequest } from "./addresses.ts";
import { CLUSTER_ID, increment, put, VirtualCluster } from "./virtual_cluster.ts";

function others(cluster: VirtualCluster, id: string): string[] {
  return cluster.running.filter((other) => other !== id);
}

/** The members as `id` sees them: `n1 n2+ n3-`, `+` for joining, `-` for leaving, `?` for a learner. */
function membersAt(cluster: VirtualCluster, id: string): string {
  const marks = { voter: "", joining: "+", leaving: "-", learner: "?" };
  return cluster.service(id).status().members.map(({ id, role }) => id + marks[role]).toSorted()
    .join(" ");
}

async function add(cluster: VirtualCluster, at: string, id: string, changes = {}): Promise<void> {
  cluster.join(id);
  await cluster.settle(cluster.service(at).addMember(memberRequest(id, changes)));
}

async function allSee(cluster: VirtualCluster, members: string): Promise<void> {
  await cluster.eventually(
    `all see ${members}`,
    () => cluster.running.every((id) => membersAt(cluster, id) === members),
  );
}

/** Runs `act` and gives the reason for which it was refused. */
async function refusal(cluster: VirtualCluster, act: Promise<unknown>): Promise<string> {
  return (await assertRejects(() => cluster.settle(act), AdminRefused)).reason;
}

/** Gives every message a time to travel: without it a load leaves no room for time to pass. */
function travel(cluster: VirtualCluster, delayMs: number): void {
  const ids = ["n1", "n2", "n3", "n4", "n5"].map(nodeId);
  for (const from of ids) {
    for (const to of ids) if (from !== to) cluster.network.setLink(from, to, { delayMs });
  }
}

/** Increments at `at`, one after the other, until told to end; gives how many were applied. */
function load(cluster: VirtualCluster, at: string): () => Promise<number> {
  let going = true;
  let applied = 0;
  const run = async () => {
    while (going) {
      const result = await cluster.service(at).write(increment("n"));
      if (result.status === "applied") applied++;
    }
  };
  const running = run();
  running.catch(() => {});
  return async () => {
    going = false;
    await cluster.settle(running);
    return applied;
  };
}

Deno.test("members: a node joins empty, by any node, gets everything, and votes", async () => {
  await VirtualCluster.run(3, 1, async (cluster) => {
    const leader = await cluster.leader();
    const [asked] = others(cluster, leader);
    for (let i = 0; i < 50; i++) assertEquals(await cluster.put(leader, `k${i}`, "v"), "applied");
    cluster.join("n4");
    await cluster.eventually("it is up", () => cluster.service("n4").status().replicas.length > 0);
    assertEquals(cluster.service("n4").notReady(), "this node is not a member of the cluster yet");
    const members = await cluster.settle(cluster.service(asked).addMember(memberRequest("n4")));
    assert(members.some(({ id, url }) => id === "n4" && url === "http://n4"));
    await allSee(cluster, "n1 n2 n3 n4");
    await cluster.ready();
    assertEquals(await cluster.put("n4", "key", "value"), "applied");
    assertEquals(await cluster.get("n4", "k49"), "v");
    // Its vote counts: with two of four gone nothing is written, with one nothing is missed.
    await cluster.crash(asked);
    assertEquals(await cluster.put("n4", "key", "more"), "applied");
    await cluster.agreedHash();
  });
});

Deno.test("members: a learner gets everything and never votes", async () => {
  await VirtualCluster.run(3, 2, async (cluster) => {
    await add(cluster, "n1", "n4", { role: "learner" });
    await allSee(cluster, "n1 n2 n3 n4?");
    await cluster.ready();
    assertEquals(await cluster.put("n4", "key", "value"), "applied");
    assertEquals(await cluster.get("n4", "key"), "value");
    await cluster.agreedHash();
  });
});

Deno.test("members: grow from 3 to 5 and shrink to 3 under load, the leader last, without a failed write", async () => {
  for (let seed = 1; seed <= 3; seed++) {
    await VirtualCluster.run(3, seed, async (cluster) => {
      const leader = await cluster.leader();
      const [asked, leaving] = others(cluster, leader);
      travel(cluster, 1);
      const ended = load(cluster, asked);
      await add(cluster, asked, "n4");
      await allSee(cluster, "n1 n2 n3 n4");
      await add(cluster, asked, "n5");
      await allSee(cluster, "n1 n2 n3 n4 n5");
      await cluster.settle(cluster.service(asked).removeMember(leaving));
      const members = await cluster.settle(cluster.service(asked).removeMember(leader));
      assertEquals(members.map(({ id }) => id).toSorted(), [asked, "n4", "n5"].toSorted());
      const next = await cluster.leader([asked, "n4", "n5"]);
      assertNotEquals(next, leader);
      // The removed ones learn it, say so, and leave the others in peace.
      for (const id of [leaving, leader]) {
        await cluster.eventually(
          `${id} knows`,
          () => cluster.service(id).notReady() === "this node was removed from the cluster",
        );
        // From the log: nobody stopped talking to it before it knew.
        assert(!cluster.service(id).status().members.some((member) => member.id === id));
      }
      const applied = await ended();
      const { term } = cluster.service(next).status();
      await cluster.env.advance(20_000);
      assertEquals(cluster.service(next).status().term, term);
      assert(applied > 0);
      assertEquals(await cluster.counter(asked, "n"), applied);
    });
  }
});

Deno.test("members: a dead node is replaced in one step by a new one", async () => {
  await VirtualCluster.run(3, 3, async (cluster) => {
    const leader = await cluster.leader();
    const [asked, dead] = others(cluster, leader);
    assertEquals(await cluster.put(asked, "key", "value"), "applied");
    await cluster.crash(dead);
    await add(cluster, asked, "n4", { replaces: dead });
    await allSee(cluster, [leader, asked, "n4"].toSorted().join(" "));
    await cluster.ready();
    assertEquals(await cluster.get("n4", "key"), "value");
    await cluster.agreedHash();
  });
});

Deno.test("members: what cannot be done is refused with its reason, by any node, and changes nothing", async () => {
  await VirtualCluster.run(3, 4, async (cluster) => {
    const leader = await cluster.leader();
    for (const at of [leader, others(cluster, leader)[0]]) {
      const service = cluster.service(at);
      const before = service.status().members;
      const reasonOf = (act: Promise<unknown>) => refusal(cluster, act);
      assertEquals(await reasonOf(service.addMember(memberRequest("n2"))), "member-exists");
      const taken = memberRequest("n9", { peer: "n2:1" });
      assertEquals(await reasonOf(service.addMember(taken)), "address-in-use");
      const foreign = memberRequest("n9", { clusterId: "another" });
      assertEquals(await reasonOf(service.addMember(foreign)), "wrong-cluster");
      assertEquals(await reasonOf(service.removeMember("n9")), "unknown-member");
      assertEquals(await reasonOf(service.transferLeadership("n9")), "unknown-member");
      assertEquals(service.status().members, before);
    }
    const own = memberRequest("n9", { clusterId: CLUSTER_ID, role: "learner" });
    await cluster.settle(cluster.service(leader).addMember(own));
    const toLearner = cluster.service(leader).transferLeadership("n9");
    assertEquals(await refusal(cluster, toLearner), "not-a-voter");
  });
  await VirtualCluster.run(1, 4, async (cluster) => {
    assertEquals(await refusal(cluster, cluster.service("n1").removeMember("n1")), "last-voter");
  });
});

Deno.test("members: of two changes at once one is refused as such", async () => {
  await VirtualCluster.run(3, 5, async (cluster) => {
    const leader = await cluster.leader();
    const both = [memberRequest("n4"), memberRequest("n5")].map((member) =>
      cluster.service(leader).addMember(member).then(() => "done", (error) => error.reason)
    );
    assertEquals((await cluster.settle(Promise.all(both))).toSorted(), [
      "change-in-progress",
      "done",
    ]);
  });
});

Deno.test("members: a request outlives the leader that was to do it, and happens once", async () => {
  for (let seed = 1; seed <= 20; seed++) {
    await VirtualCluster.run(3, seed, async (cluster) => {
      const leader = await cluster.leader();
      const [asked] = others(cluster, leader);
      cluster.join("n4");
      const added = cluster.service(asked).addMember(memberRequest("n4"));
      for (let steps = 0; steps < 2 * seed; steps++) {
        cluster.env.step();
        await Promise.resolve();
      }
      await cluster.crash(leader);
      const members = await cluster.settle(added);
      assert(members.some(({ id }) => id === "n4"));
      await allSee(cluster, "n1 n2 n3 n4");
    });
  }
});

Deno.test("members: a leader that is cut off in the middle cannot tell, and says so", async () => {
  await VirtualCluster.run(3, 6, async (cluster) => {
    const leader = await cluster.leader();
    cluster.isolate(leader);
    const lost = cluster.service(leader).removeMember(others(cluster, leader)[0]);
    await assertRejects(() => cluster.settle(lost), OutcomeUnknown);
    const none = cluster.service(leader).removeMember(others(cluster, leader)[0]);
    await assertRejects(() => cluster.settle(none), NoLeader);
  });
  await VirtualCluster.run(3, 6, async (cluster) => {
    const leader = await cluster.leader();
    cluster.isolate(leader);
    const lost = cluster.service(leader).addMember(memberRequest("n4"));
    await assertRejects(() => cluster.settle(lost), OutcomeUnknown);
    cluster.network.heal();
    await allSee(cluster, "n1 n2 n3");
  });
});

Deno.test("members: they survive restarts of all nodes, whoever founded the cluster", async () => {
  await VirtualCluster.run(3, 7, async (cluster) => {
    const leader = await cluster.leader();
    const [asked] = others(cluster, leader);
    await add(cluster, asked, "n4");
    await allSee(cluster, "n1 n2 n3 n4");
    await cluster.settle(cluster.service(asked).removeMember(leader));
    await cluster.stop(leader);
    const left = [...cluster.running].toSorted();
    for (const id of left) await cluster.crash(id);
    for (const id of left) cluster.start(id);
    await cluster.ready();
    await allSee(cluster, left.join(" "));
    assertEquals(await cluster.put("n4", "key", "value"), "applied");
  });
});

Deno.test("members: who was removed while it was away learns it when it returns, and disturbs nobody (bug 26)", async () => {
  await VirtualCluster.run(3, 8, async (cluster) => {
    const leader = await cluster.leader();
    const [asked, away] = others(cluster, leader);
    await cluster.crash(away);
    await cluster.settle(cluster.service(asked).removeMember(away));
    await cluster.env.advance(20_000);
    const { term } = cluster.service(asked).status();
    cluster.start(away);
    await cluster.eventually(
      "it knows",
      () => cluster.service(away).notReady() === "this node was removed from the cluster",
    );
    await cluster.env.advance(20_000);
    assertEquals(cluster.service(asked).status().term, term);
    // It asks for votes so rarely that nobody who would hear it could be disturbed.
    const campaigns = cluster.events.filter((event) =>
      event.includes(`${away} role pre-candidate`)
    );
    assert(campaigns.length <= 5, `${campaigns.length} campaigns`);
  });
});

Deno.test("transfer: leadership goes where it is told to, asked of any node, and to the best by itself", async () => {
  await VirtualCluster.run(3, 9, async (cluster) => {
    const old = await cluster.leader();
    const [asked, target] = others(cluster, old);
    assertEquals(
      await cluster.settle(cluster.service(asked).transferLeadership(target)),
      target,
    );
    assertEquals(await cluster.leader(), target);
    // To who leads already: nothing is to be done.
    assertEquals(await cluster.settle(cluster.service(old).transferLeadership(target)), target);
    const next = await cluster.settle(cluster.service(old).transferLeadership(null));
    assertNotEquals(next, target);
    assertEquals(await cluster.leader(), next);
  });
});

Deno.test("transfer: to a dead node is refused, and the leader goes on", async () => {
  await VirtualCluster.run(3, 10, async (cluster) => {
    const leader = await cluster.leader();
    const [asked, dead] = others(cluster, leader);
    await cluster.crash(dead);
    await cluster.env.advance(1000);
    const moved = cluster.service(asked).transferLeadership(dead);
    assertEquals(await refusal(cluster, moved), "target-unreachable");
    assertEquals(await cluster.put(asked, "key", "value"), "applied");
    assertEquals(cluster.service(asked).status().leader, leader);
  });
});

Deno.test("transfer: one that fails is said to have failed, and writes that waited go on", async () => {
  await VirtualCluster.run(3, 11, async (cluster) => {
    const leader = await cluster.leader();
    const [target, third] = others(cluster, leader);
    // The target acknowledges, but its request for votes reaches nobody.
    cluster.network.setLink(nodeId(leader), nodeId(target), { delayMs: 250 });
    await cluster.env.advance(1000);
    const moved = cluster.service(leader).transferLeadership(target);
    const waiting = cluster.service(third).write(put("key", "value"));
    cluster.network.setLink(nodeId(leader), nodeId(target), { delayMs: 600 });
    assertEquals(await refusal(cluster, moved), "transfer-failed");
    assertEquals((await cluster.settle(waiting)).status, "applied");
  });
});

Deno.test("transfer: writes at every node go on through it, with a gap of a few round trips", async () => {
  for (let seed = 1; seed <= 10; seed++) {
    await VirtualCluster.run(3, seed, async (cluster) => {
      travel(cluster, 2);
      const loads = cluster.ids.map((id) => load(cluster, id));
      await cluster.env.advance(200);
      const startMs = cluster.env.now();
      const old = await cluster.leader();
      const moved = cluster.service(old).transferLeadership(null);
      let lastMs = startMs;
      let gapMs = 0;
      let applied = 0;
      const probe = async () => {
        while (cluster.env.now() - startMs < 1000) {
          await cluster.service(old).write(increment("probe"));
          applied++;
          gapMs = Math.max(gapMs, cluster.env.now() - lastMs);
          lastMs = cluster.env.now();
        }
      };
      await cluster.settle(probe());
      assertNotEquals(await cluster.settle(moved), old);
      assert(applied > 20 && gapMs <= 100, `${applied} writes, gap ${gapMs} ms, seed ${seed}`);
      let total = 0;
      for (const ended of loads) total += await ended();
      assertEquals(await cluster.counter(old, "n"), total);
    });
  }
});

Deno.test("retire: a rolling restart of all nodes fails no write and leaves no long gap", async () => {
  for (let seed = 1; seed <= 5; seed++) {
    await VirtualCluster.run(3, seed, async (cluster) => {
      let gapMs = 0;
      let applied = 0;
      let going = true;
      /** A client that goes to another node once its own says that it is not ready. */
      const client = async () => {
        let lastMs = cluster.env.now();
        while (going) {
          const at = cluster.running.find((id) => cluster.service(id).notReady() === null) ??
            cluster.running[0];
          const result = await cluster.service(at).write(increment("n"));
          if (result.status === "applied") applied++;
          gapMs = Math.max(gapMs, cluster.env.now() - lastMs);
          lastMs = cluster.env.now();
        }
      };
      travel(cluster, 2);
      const clients = Promise.all([client(), client(), client()]);
      clients.catch(() => {});
      for (const id of cluster.ids) {
        const node = cluster.node(id);
        await cluster.settle(node.retire());
        assertNotEquals(cluster.service(others(cluster, id)[0]).status().leader, id);
        assertEquals(
          (await cluster.settle(node.service.write(increment("late")))).status,
          "applied",
        );
        await cluster.stop(id);
        await cluster.env.advance(500);
        cluster.start(id);
        await cluster.ready();
        await cluster.env.advance(500);
      }
      going = false;
      await cluster.settle(clients);
      assert(applied > 100 && gapMs <= 200, `${applied} writes, gap ${gapMs} ms, seed ${seed}`);
      assertEquals(await cluster.counter("n1", "n"), applied);
      assertEquals(await cluster.counter("n1", "late"), 3);
    });
  }
});

Deno.test("retire: a leader alone, or without anybody to hand over to, ends in bounded time", async () => {
  for (const size of [1, 3]) {
    await VirtualCluster.run(size, 12, async (cluster) => {
      const leader = await cluster.leader();
      for (const id of others(cluster, leader)) await cluster.crash(id);
      const startMs = cluster.env.now();
      const node = cluster.node(leader);
      await cluster.stop(leader);
      assert(cluster.env.now() - startMs <= 1100, `${cluster.env.now() - startMs} ms`);
      await assertRejects(() => node.service.write(put("key", "late")), Draining);
    });
  }
});
