/**
 * A node whose directory was lost and that is started again as if nothing had happened, on real processes.
 *
 * @module
 */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { eventually, type NodeProcess, ProcessCluster } from "./harness.ts";

async function refused(node: NodeProcess): Promise<void> {
  await eventually(`${node.id} says that it is refused, and what to do`, async () => {
    const response = await node.fetch("/readyz");
    const text = await response.text();
    return response.status === 503 && text.includes("knows this node with other data") &&
      text.includes("docs/operations.md");
  });
}

async function put(node: NodeProcess, body: string): Promise<void> {
  const response = await node.fetch("/v1/kv/key", { method: "PUT", body });
  assertEquals(response.status, 200, await response.text());
}

Deno.test("wiped: a node that begins anew under its old id is refused, over restarts of all, until it was removed", async () => {
  await ProcessCluster.run(3, async (cluster) => {
    const wiped = cluster.node("n3");
    const others = cluster.nodes.filter((node) => node !== wiped);
    await put(await cluster.leader(), "first");
    await wiped.end("SIGKILL");
    await Deno.remove(wiped.config.data, { recursive: true });
    wiped.start();
    await refused(wiped);
    await eventually("its log says so", () => wiped.log.includes("refused this node: other-data"));
    const leader = await cluster.leader(others);
    assertStringIncludes(leader.log, "refused a connection of n3: other-data");
    await put(leader, "second");

    // Nobody alive has met it before now.
    for (const node of cluster.nodes) await node.end("SIGKILL");
    for (const node of cluster.nodes) node.start();
    await refused(wiped);
    await put(await cluster.leader(others), "third");
    const view = await wiped.view();
    assertEquals([view.leader, view.replicas[0].appliedIndex], [null, 0]);

    await wiped.end("SIGTERM");
    await Deno.remove(wiped.config.data, { recursive: true });
    const at = await cluster.leader(others);
    const removed = await at.fetch("/v1/cluster/members/n3", { method: "DELETE" });
    assertEquals(removed.status, 200, await removed.text());
    const again = cluster.join("n3");
    await eventually("it is a voter", async () => {
      return (await at.view()).members.some(({ id, role }) => id === "n3" && role === "voter");
    }, 30_000);
    await cluster.ready(30_000);
    await cluster.agreedHash();
    // It counts: the other one is not needed.
    const [away] = others.filter((node) => node !== at);
    await away.end("SIGKILL");
    await put(await cluster.leader([at, again]), "fourth");
    assert(await again.isReady());
  });
});
