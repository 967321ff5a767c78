/** Writers at all nodes while nodes are killed: nothing acknowledged is lost, nothing is doubled. */
import { assert, assertGreater } from "@std/assert";
import { ProcessCluster } from "./harness.ts";
import { assertCounted, keyedWriter, plainWriter, type Tally, total, until } from "./writers.ts";

const RUN_MS = 60_000;
const KILL_EVERY_MS = 5000;
/** A killed node stays down for so long: others must carry on without it. */
const DOWN_MS = 1500;
const WRITERS_PER_NODE = 2;

/** Kills a random node every few seconds, the leader as often as chance has it. */
async function killer(cluster: ProcessCluster, endMs: number): Promise<number> {
  let kills = 0;
  while (performance.now() + KILL_EVERY_MS < endMs) {
    await new Promise((resolve) => setTimeout(resolve, KILL_EVERY_MS - DOWN_MS));
    const node = cluster.nodes[Math.floor(Math.random() * cluster.nodes.length)];
    await node.end("SIGKILL");
    kills++;
    await new Promise((resolve) => setTimeout(resolve, DOWN_MS));
    node.start();
  }
  return kills;
}

Deno.test("cluster: 60 s of writers at all nodes and kill -9 every 5 s lose nothing and double nothing", async () => {
  await ProcessCluster.run(3, async (cluster) => {
    const endMs = performance.now() + RUN_MS;
    const keyed: Promise<Tally>[] = [];
    const plain: Promise<Tally>[] = [];
    for (const [i, node] of cluster.nodes.entries()) {
      for (let j = 0; j < WRITERS_PER_NODE; j++) {
        keyed.push(keyedWriter(() => cluster.nodes, "keyed", i, until(endMs)));
        plain.push(plainWriter(node, "plain", until(endMs)));
      }
    }
    const kills = await killer(cluster, endMs);
    const [keyedTally, plainTally] = [
      total(await Promise.all(keyed)),
      total(await Promise.all(plain)),
    ];
    await cluster.ready();
    const readers = await Promise.all(
      cluster.nodes.map(async (node) => [
        Number(JSON.parse(await node.get("keyed") ?? "0")),
        Number(JSON.parse(await node.get("plain") ?? "0")),
      ]),
    );
    console.log(`${kills} kills; keyed`, keyedTally, "plain", plainTally, "final", readers[0]);
    for (const [keyedFinal, plainFinal] of readers) {
      assertCounted(keyedFinal, keyedTally);
      assertCounted(plainFinal, plainTally);
    }
    assertGreater(kills, 5);
    assertGreater(keyedTally.acknowledged, 100);
    assert(keyedTally.unknown <= keyed.length);
    await cluster.agreedHash();
  });
});
