/** What a node answers while it belongs to no cluster: after its removal, and before it is let in. */
import { assertEquals, assertRejects } from "@std/assert";
import { NotServing } from "../../actors/outcomes.ts";
import { LINEARIZABLE } from "../../actors/service.ts";
import { memberRequest } from "./addresses.ts";
import { key, put, VirtualCluster } from "./virtual_cluster.ts";

/** What needs the leader is refused at once at a node that was removed, and the rest goes on. */
async function assertForsaken(cluster: VirtualCluster, id: string): Promise<void> {
  const service = cluster.service(id);
  const query = { type: "get", keys: [key("key")] } as const;
  const startMs = cluster.env.now();
  for (
    const call of [
      () => service.write(put("key", "late")),
      () => service.read(query, LINEARIZABLE),
      () => service.read(query, { mode: "lease" }),
      () => service.addMember(memberRequest("n9")),
      () => service.removeMember("n1"),
      () => service.transferLeadership(null),
      () => service.backup(),
    ]
  ) {
    await assertRejects(call, NotServing, "this node was removed from the cluster");
  }
  assertEquals(cluster.env.now(), startMs);
  for (
    const consistency of [
      { mode: "session", minIndex: 0 },
      { mode: "eventual", maxStalenessMs: null },
    ] as const
  ) {
    const { results } = await cluster.settle(service.read(query, consistency));
    assertEquals(results[0].length, 1);
  }
}

Deno.test("members: who was removed refuses at once what needs the leader, and reads what it has", async () => {
  await VirtualCluster.run(3, 13, async (cluster) => {
    const leader = await cluster.leader();
    const [asked, away] = cluster.ids.filter((id) => id !== leader);
    assertEquals(await cluster.put(leader, "key", "value"), "applied");
    await cluster.agreedHash();
    const knows = (id: string) =>
      cluster.eventually(
        `${id} knows`,
        () => cluster.service(id).notReady() === "this node was removed from the cluster",
      );
    // One learns it from the others, who refuse it.
    await cluster.crash(away);
    await cluster.settle(cluster.service(asked).removeMember(away));
    await cluster.env.advance(10_000);
    cluster.start(away);
    await knows(away);
    await assertForsaken(cluster, away);
    // And one from the log: the leader itself.
    await cluster.settle(cluster.service(asked).removeMember(leader));
    await knows(leader);
    await assertForsaken(cluster, leader);
    assertEquals(await cluster.put(asked, "key", "more"), "applied");
  });
});

Deno.test("members: a write at a node that is yet to join waits for that", async () => {
  await VirtualCluster.run(3, 14, async (cluster) => {
    cluster.join("n4");
    await cluster.eventually("it is up", () => cluster.service("n4").status().replicas.length > 0);
    const early = cluster.service("n4").write(put("key", "early"));
    await cluster.settle(cluster.service("n1").addMember(memberRequest("n4")));
    assertEquals((await cluster.settle(early)).status, "applied");
  });
});
