import { assert, assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import { startNode } from "../../actors/node.ts";
import { NotServing } from "../../actors/outcomes.ts";
import { LINEARIZABLE } from "../../actors/service.ts";
import { type VirtualEnv, virtualEnv } from "../../actors/virtual_env.ts";
import { MalformedSnapshot } from "../../kv/snapshot_reader.ts";
import { nodeId } from "../../raft/types.ts";
import { MemoryDisk, MemoryLogStore } from "../../storage/memory_log_store.ts";
import { CorruptLog, CorruptSnapshot, type LogStore } from "../../storage/types.ts";
import { createMemoryNetwork } from "../../transport/memory.ts";
import { addressOf } from "./addresses.ts";
import { put } from "./virtual_cluster.ts";

/** A node whose log is opened by `open`, which may open it `really`. */
function nodeWith(
  env: VirtualEnv,
  open: (really: LogStore["open"]) => ReturnType<LogStore["open"]>,
) {
  const network = createMemoryNetwork({ env });
  const disk = new MemoryDisk();
  const log = new MemoryLogStore(disk, { clusterId: "c", nodeId: "n1" });
  const really = log.open.bind(log);
  Object.assign(log, { open: () => open(really) });
  return startNode({
    id: nodeId("n1"),
    clusterId: "c",
    founders: [addressOf("n1")],
    env,
    openLog: () => log,
    openTransport: () => network.transport(nodeId("n1")),
  });
}

/** Lets virtual time pass until the promise has settled. */
async function settle<T>(env: VirtualEnv, promise: Promise<T>): Promise<T> {
  let settled = false;
  const done = () => void (settled = true);
  promise.then(done, done);
  while (!settled) await env.advance(10);
  return await promise;
}

Deno.test("node: what its replica never took is certainly not applied, and said so in time", async () => {
  const env = virtualEnv(1);
  const node = nodeWith(env, () => new Promise(() => {}));
  // At once: the supervisor has not even started the replica.
  await assertRejects(() => node.service.write(put("key", "value")), NotServing);
  await env.runUntilIdle();
  const startMs = env.now();
  await assertRejects(() => settle(env, node.service.write(put("key", "value"))), NotServing);
  assert(env.now() - startMs <= 5300);
  const query = { type: "get", keys: [] } as const;
  await assertRejects(() => settle(env, node.service.read(query, LINEARIZABLE)), NotServing);
  assertEquals(node.service.notReady(), "the replica is starting");
  await settle(env, node.stop(0));
});

Deno.test("node: who the members are it says once its log is read, and no founders before that", async () => {
  // They may have left long ago. Whoever acts on what a node says must not take it for news.
  const env = virtualEnv(1);
  const opening = Promise.withResolvers<void>();
  const node = nodeWith(env, async (really) => {
    await opening.promise;
    return await really();
  });
  await env.advance(1000);
  assertEquals(node.service.status().members, []);
  opening.resolve();
  await settle(env, node.started);
  assertEquals(node.service.status().members.map(({ id }) => id), ["n1"]);
  await settle(env, node.stop(0));
});

Deno.test("node: what a restart cannot mend ends it at once, others are tried again", async () => {
  for (
    const { error, tries } of [
      { error: new CorruptLog("bad"), tries: 1 },
      { error: new CorruptSnapshot("bad"), tries: 1 },
      { error: new MalformedSnapshot("bad"), tries: 1 },
      { error: new Deno.errors.NotCapable("no"), tries: 1 },
      { error: new Error("busy"), tries: 3 },
    ]
  ) {
    const env = virtualEnv(1);
    let opened = 0;
    const node = nodeWith(env, () => {
      opened++;
      return Promise.reject(error);
    });
    assertInstanceOf(await settle(env, node.ended), error.constructor as typeof Error);
    assert(tries === 1 ? opened === 1 : opened >= tries, `opened ${opened} times`);
    assert(node.service.notReady()?.includes(error.name));
    await settle(env, node.stop(0));
  }
});
