/** Election scenarios on real processes (issue: the cluster that keeps a key). */
import { assert, assertEquals, assertLess } from "@std/assert";
import { type TransportName, TRANSPORTS } from "../../cli/config.ts";
import { eventually, type NodeProcess, ProcessCluster } from "./harness.ts";
import { freePorts } from "./ports.ts";

/** From the end of a leader to the next accepted write. */
const FAILOVER_MS_MAX = 2000;
/** A node's own deadline, and room for the answer to arrive. */
const REFUSAL_MS_MAX = 7000;

function others(cluster: ProcessCluster, ...not: NodeProcess[]): NodeProcess[] {
  return cluster.running.filter((node) => !not.includes(node));
}

/** Writes `count` keys round robin over the running nodes; every one must be acknowledged. */
async function writeKeys(cluster: ProcessCluster, prefix: string, count: number): Promise<void> {
  const nodes = cluster.running;
  for (let i = 0; i < count; i++) {
    assertEquals(await nodes[i % nodes.length].put(`${prefix}/${i}`, `${prefix}-${i}`), 200);
  }
}

async function assertKeys(cluster: ProcessCluster, prefix: string, count: number): Promise<void> {
  const nodes = cluster.running;
  for (let i = 0; i < count; i++) {
    assertEquals(await nodes[(i + 1) % nodes.length].get(`${prefix}/${i}`), `${prefix}-${i}`);
  }
}

/** Of HTTP, which has the streams' own code above it, what does not turn on the transport says nothing new. */
const NOT_HTTP = TRANSPORTS.filter((transport) => transport !== "http");

/** The same on each transport between real nodes. */
function scenario(
  what: string,
  size: number,
  body: (cluster: ProcessCluster) => Promise<void>,
  transports: readonly TransportName[] = TRANSPORTS,
): void {
  for (const transport of transports) {
    Deno.test(`cluster over ${transport}: ${what}`, async () => {
      await ProcessCluster.run(size, body, undefined, transport);
    });
  }
}

scenario("a write at one node reads back at every other", 3, async (cluster) => {
  for (const [i, node] of cluster.nodes.entries()) {
    assertEquals(await node.put(`key/${i}`, `value ${i}`), 200);
    for (const reader of cluster.nodes) assertEquals(await reader.get(`key/${i}`), `value ${i}`);
  }
  await cluster.agreedHash();
});

scenario(
  "the leader killed, a client that waits at another node gets its 200 within 2 s",
  3,
  async (cluster) => {
    await writeKeys(cluster, "before", 20);
    const leader = await cluster.leader();
    const [writer] = others(cluster, leader);
    leader.signal("SIGKILL");
    const killedMs = performance.now();
    assertEquals(await writer.put("after/0", "after-0"), 200);
    assertLess(performance.now() - killedMs, FAILOVER_MS_MAX);
    await leader.ended();
    await assertKeys(cluster, "before", 20);
    await assertKeys(cluster, "after", 1);
  },
);

scenario("a paused leader, resumed, does not answer from its stale state", 3, async (cluster) => {
  const leader = await cluster.leader();
  assertEquals(await leader.put("key", "old"), 200);
  leader.signal("SIGSTOP");
  const [writer] = others(cluster, leader);
  await cluster.leader(others(cluster, leader));
  assertEquals(await writer.put("key", "new"), 200);
  // One read waits in the paused process's socket, more come right behind its awakening.
  const waiting = leader.get("key");
  leader.signal("SIGCONT");
  assertEquals(await leader.get("key"), "new");
  assertEquals(await waiting, "new");
  await cluster.ready();
  await cluster.agreedHash();
});

scenario("a follower killed and restarted catches up", 3, async (cluster) => {
  const leader = await cluster.leader();
  const [follower] = others(cluster, leader);
  await writeKeys(cluster, "before", 20);
  await follower.end();
  await writeKeys(cluster, "meanwhile", 50);
  follower.start();
  await cluster.ready();
  assertEquals(await follower.get("meanwhile/49"), "meanwhile-49");
  await cluster.agreedHash();
});

scenario(
  "all three killed at once and restarted have lost nothing acknowledged",
  3,
  async (cluster) => {
    await writeKeys(cluster, "kept", 60);
    for (const node of cluster.nodes) node.signal("SIGKILL");
    for (const node of cluster.nodes) await node.ended();
    for (const node of cluster.nodes) node.start();
    await cluster.ready();
    await assertKeys(cluster, "kept", 60);
    await cluster.agreedHash();
  },
);

scenario(
  "with two of three down, reads and writes are refused in bounded time",
  3,
  async (cluster) => {
    assertEquals(await cluster.nodes[0].put("key", "value"), 200);
    const leader = await cluster.leader();
    const [survivor, second] = others(cluster, leader);
    await Promise.all([leader.end(), second.end()]);
    await eventually("the survivor knows of no leader", async () => {
      return (await survivor.view()).leader === null;
    });
    const startMs = performance.now();
    const answers = await Promise.all([
      survivor.fetch("/v1/kv/key"),
      survivor.fetch("/v1/kv/key", { method: "PUT", body: "lost" }),
    ]);
    assertLess(performance.now() - startMs, REFUSAL_MS_MAX);
    for (const answer of answers) {
      assertEquals(answer.status, 503);
      assert(answer.headers.has("retry-after"));
      assertEquals((await answer.json()).code, "no-leader");
    }
    assertEquals(await survivor.isReady(), false);
    second.start();
    await cluster.ready();
    assertEquals(await survivor.get("key"), "value");
  },
  NOT_HTTP,
);

scenario(
  "a leader alone steps down and refuses, and never shows what it could not commit",
  3,
  async (cluster) => {
    const leader = await cluster.leader();
    assertEquals(await leader.put("key", "value"), 200);
    const followers = others(cluster, leader);
    for (const follower of followers) follower.signal("SIGSTOP");
    // Taken by a leader that does not know yet that it is alone: whether it happened is open.
    assertEquals(await leader.put("key", "open"), 504);
    await eventually("the lone leader has stepped down", async () => {
      return (await leader.view()).leader === null;
    });
    const refused = await leader.fetch("/v1/kv/key");
    await refused.body?.cancel();
    assertEquals(refused.status, 503);
    for (const follower of followers) follower.signal("SIGCONT");
    await cluster.ready();
    const value = await leader.get("key");
    assert(value === "value" || value === "open");
    for (const node of cluster.nodes) assertEquals(await node.get("key"), value);
    await cluster.agreedHash();
  },
);

scenario("five nodes serve with two down", 5, async (cluster) => {
  await writeKeys(cluster, "before", 10);
  const leader = await cluster.leader();
  const [second] = others(cluster, leader);
  await Promise.all([leader.end(), second.end()]);
  await cluster.leader();
  await writeKeys(cluster, "during", 10);
  await assertKeys(cluster, "before", 10);
  leader.start();
  second.start();
  await cluster.ready();
  await assertKeys(cluster, "during", 10);
  await cluster.agreedHash();
}, NOT_HTTP);

scenario("restarts in a row, each under writes, lose nothing", 3, async (cluster) => {
  for (let round = 0; round < 6; round++) {
    const node = cluster.nodes[round % 3];
    await node.end(round % 2 === 0 ? "SIGKILL" : "SIGTERM");
    await writeKeys(cluster, `round-${round}`, 10);
    node.start();
    await cluster.ready();
  }
  for (let round = 0; round < 6; round++) await assertKeys(cluster, `round-${round}`, 10);
  await cluster.agreedHash();
});

scenario("a node asked to stop ends with code 0 and closes its door first", 3, async (cluster) => {
  await writeKeys(cluster, "kept", 10);
  const status = await cluster.nodes[0].end("SIGTERM");
  assertEquals(status.code, 0);
  await cluster.leader();
  await writeKeys(cluster, "more", 10);
  await assertKeys(cluster, "kept", 10);
}, NOT_HTTP);

scenario(
  "a second process on a node's data fences the first, which ends with code 3",
  3,
  async (cluster) => {
    const [first] = cluster.nodes;
    await cluster.agreedHash();
    const [twinPort, twinPeerPort] = freePorts(2);
    await ProcessCluster.twin(first, twinPort!, twinPeerPort!, async (twin) => {
      await eventually("the twin has opened the data", () => twin.log.includes("the log is open"));
      // The first learns of it with its next commit, which a write brings.
      const [other] = others(cluster, first);
      assertEquals(await other.put("key", "value"), 200);
      assertEquals((await first.ended()).code, 3);
      assert(first.log.includes("Fenced"), first.log);
    });
  },
  NOT_HTTP,
);
