/** Watches that are to go on from where nobody has come to, or only others have. */
import { assert, assertRejects } from "@std/assert";
import { SESSION_WAIT_MS, WATCH_PLACE_MS } from "../../actors/limits_replica.ts";
import { AheadOfCluster, NotCaughtUp } from "../../actors/outcomes.ts";
import { nodeId } from "../../raft/types.ts";
import { everything, Listener } from "./listener.ts";
import { others } from "./snapshot_world.ts";
import { VirtualCluster } from "./virtual_cluster.ts";

const SEEDS = 6;
/** Both waits, and what a tick and an ask take beyond their time. */
const TOLD_MS_MAX = SESSION_WAIT_MS + WATCH_PLACE_MS + 200;
const NOWHERE = { index: 1_000_000, order: 1 };

/** Fails unless a watch from `index` on at this node fails with `outcome`, and in bounded time. */
async function assertRefused(
  cluster: VirtualCluster,
  id: string,
  place: { readonly index: number; readonly order: number },
  outcome: new () => Error,
): Promise<void> {
  const startMs = cluster.env.now();
  const asked = cluster.service(id).watch(everything(place));
  await assertRejects(() => cluster.settle(asked), outcome);
  const tookMs = cluster.env.now() - startMs;
  assert(tookMs >= SESSION_WAIT_MS && tookMs < TOLD_MS_MAX, `${tookMs} ms`);
}

Deno.test("a watch from a place that the cluster never came to is refused as such, at every node", async () => {
  for (let seed = 1; seed <= SEEDS; seed++) {
    await VirtualCluster.run(3, seed, async (cluster) => {
      for (const id of cluster.ids) await assertRefused(cluster, id, NOWHERE, AheadOfCluster);
    });
  }
});

Deno.test("a watch's place is nobody's only if a leader says so: a node that is cut off cannot tell", async () => {
  for (let seed = 1; seed <= SEEDS; seed++) {
    await VirtualCluster.run(3, seed, async (cluster) => {
      const leader = await cluster.leader();
      cluster.isolate(leader);
      await assertRefused(cluster, leader, NOWHERE, NotCaughtUp);
    });
  }
});

Deno.test("a node that is behind, and hears a leader, never takes a watch's place for nobody's", async () => {
  for (let seed = 1; seed <= SEEDS; seed++) {
    await VirtualCluster.run(3, seed, async (cluster) => {
      const leader = await cluster.leader();
      const [behind, other] = others(cluster, leader);
      const listener = new Listener(
        await cluster.settle(cluster.service(other).watch(everything(null))),
      );
      // It hears all that the leader says, and so late that it waits as long as it may.
      const link = [nodeId(leader), nodeId(behind)] as const;
      cluster.network.setLink(...link, { delayMs: SESSION_WAIT_MS + 300 });
      for (let i = 0; i < 5; i++) await cluster.put(leader, "key", `${i}`);
      await cluster.eventually("it is told", () => listener.changes.includes("key=4"));
      await assertRefused(cluster, behind, listener.position!, NotCaughtUp);
      listener.close();
    });
  }
});
