/** When a leader under load may put its own write off. */
import { assert, assertEquals } from "@std/assert";
import { OWN_WRITE_DELAY_MS, OWN_WRITE_ENTRIES_MIN } from "../../actors/limits_replica.ts";
import { OwnWrite } from "../../actors/own_write.ts";
import type { ReplicaMessage } from "../../actors/replica_types.ts";
import type { Ctx } from "../../actors/types.ts";
import { virtualEnv } from "../../actors/virtual_env.ts";
import { put, VirtualCluster } from "./virtual_cluster.ts";
import { configuration } from "../raft/script.ts";
import { A, acknowledge, B, bytes, C, leadSettled, propose, start } from "../raft/script.ts";

function setUp() {
  const env = virtualEnv(1);
  const seen = { due: 0 };
  const ctx = {
    env,
    setTimer: (_: ReplicaMessage, { delayMs }: { delayMs: number }) =>
      env.setTimer(() => {
        seen.due++;
        own.due();
      }, delayMs),
  } as unknown as Ctx<ReplicaMessage>;
  const core = leadSettled(start({ configuration: configuration([A, B, C]) }));
  acknowledge(core, B);
  acknowledge(core, C);
  const load = (count: number) => propose(core, ...Array.from({ length: count }, () => bytes(1)));
  const own: OwnWrite = new OwnWrite(ctx);
  return { env, seen, core, load, own };
}

Deno.test("OwnWrite lets few entries go at once", () => {
  const { core, load, own, env } = setUp();
  load(OWN_WRITE_ENTRIES_MIN - 1);
  assertEquals(own.mayWait(core), false);
  assertEquals([own.isWaiting, env.timersPending], [false, 0]);
});

Deno.test("OwnWrite lets many wait for a while, together with those that come meanwhile", async () => {
  const { core, load, own, env, seen } = setUp();
  load(OWN_WRITE_ENTRIES_MIN);
  assertEquals(own.mayWait(core), true);
  await env.advance(OWN_WRITE_DELAY_MS / 2);
  load(OWN_WRITE_ENTRIES_MIN);
  assertEquals(own.mayWait(core), true);
  assertEquals([own.isWaiting, env.timersPending, seen.due], [true, 1, 0]);
  await env.advance(OWN_WRITE_DELAY_MS / 2);
  assertEquals(seen.due, 1);
  assertEquals(own.mayWait(core), false);
  assertEquals([own.isWaiting, env.timersPending], [false, 0]);
  // What comes after that waits for a time of its own.
  load(OWN_WRITE_ENTRIES_MIN);
  assertEquals(own.mayWait(core), true);
});

Deno.test("OwnWrite waits no longer than its timer, should that fire a fraction early", () => {
  const { core, load, own } = setUp();
  load(OWN_WRITE_ENTRIES_MIN);
  assertEquals(own.mayWait(core), true);
  own.due();
  assertEquals(own.mayWait(core), false);
});

Deno.test("OwnWrite waits no longer once the others are no quorum", () => {
  const { core, load, own, env } = setUp();
  load(OWN_WRITE_ENTRIES_MIN);
  assertEquals(own.mayWait(core), true);
  core.progress.get(C)!.heardTick = -Infinity;
  assertEquals(own.mayWait(core), false);
  assertEquals([own.isWaiting, env.timersPending], [false, 0]);
});

/** Has the cluster take `count` writes at once; gives how many commits each node's disk has made for them. */
async function load(cluster: VirtualCluster, leader: string, count: number) {
  const before = new Map(cluster.ids.map((id) => [id, cluster.disks.get(id)!.commits]));
  const writes = Array.from(
    { length: count },
    (_, n) => cluster.service(leader).write(put(`k${n}`, "v")),
  );
  for (const { status } of await cluster.settle(Promise.all(writes))) {
    assertEquals(status, "applied");
  }
  return (id: string) => cluster.disks.get(id)!.commits - before.get(id)!;
}

Deno.test("a leader whose write waited has all entries on its disk soon after", async () => {
  await VirtualCluster.run(3, 1, async (cluster) => {
    const leader = await cluster.leader();
    const commits = await load(cluster, leader, 200);
    await cluster.env.advance(OWN_WRITE_DELAY_MS + 100);
    const { lastIndex } = cluster.service(leader).status().replicas[0];
    assertEquals(cluster.disks.get(leader)!.entries.at(-1)?.index, lastIndex);
    for (const id of cluster.ids) assert(commits(id) > 0, `${id} wrote nothing`);
  });
});

Deno.test("a leader that dies with entries that only the others have written loses none of them", async () => {
  await VirtualCluster.run(3, 2, async (cluster) => {
    const leader = await cluster.leader();
    await load(cluster, leader, 200);
    await cluster.crash(leader);
    const [survivor] = cluster.running;
    for (const n of [0, 99, 199]) assertEquals(await cluster.get(survivor, `k${n}`), "v");
    cluster.start(leader);
    await cluster.ready();
    await cluster.agreedHash();
  });
});
