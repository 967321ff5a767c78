import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { Backups } from "../../actors/backup.ts";
import { systemEnv } from "../../actors/env.ts";
import { BACKUP_CHUNK_BYTES, BACKUP_STALL_MS, BACKUPS_MAX } from "../../actors/limits_replica.ts";
import { Draining, NoLeader, NotServing, Overloaded } from "../../actors/outcomes.ts";
import type { Backup } from "../../actors/service.ts";
import { virtualEnv } from "../../actors/virtual_env.ts";
import { BackupReader } from "../../kv/backup_file.ts";
import { encodeClock } from "../../kv/command.ts";
import { SnapshotReader } from "../../kv/snapshot_reader.ts";
import { Store } from "../../kv/store.ts";
import { term } from "../../raft/types.ts";
import { CLUSTER_ID, put, VirtualCluster } from "./virtual_cluster.ts";

async function readAll(backup: Backup): Promise<Uint8Array[]> {
  const parts: Uint8Array[] = [];
  for await (const part of backup.body) parts.push(part);
  return parts;
}

/** What a backup holds, read as `restore` reads it. */
function restored(parts: Uint8Array[]) {
  const reader = new BackupReader();
  const state = new SnapshotReader();
  for (const part of parts) for (const chunk of reader.push(part)) state.push(chunk);
  reader.finish();
  return { header: reader.header, store: state.finish() };
}

/** A copy of a state that nobody can tell from another one. */
function captured() {
  const store = new Store();
  store.apply({ index: 1, timeMs: 5, data: encodeClock(), isCommand: true });
  return { capture: store.capture(), term: term(1) };
}

const ORIGIN = { clusterId: CLUSTER_ID, createdBy: "a test" };

Deno.test("backup: the state of a linearizable read, from any node, whole and checked", async () => {
  await VirtualCluster.run(3, 1, async (cluster) => {
    for (const id of cluster.ids) {
      const text = "x".repeat(30_000);
      for (let i = 0; i < 5; i++) assertEquals(await cluster.put(id, `${id}${i}`, text), "applied");
      const backup = await cluster.settle(cluster.service(id).backup());
      // What comes after it is not in it.
      const before = backup.stateHash;
      assertEquals(await cluster.put(id, "late", "value"), "applied");
      const parts = await readAll(backup);
      const { header, store } = restored(parts);
      assertEquals([header?.clusterId, header?.index], [CLUSTER_ID, before.index]);
      assertEquals(store.hash(), before);
      assert(before.index < cluster.service(id).status().replicas[0].appliedIndex);
    }
  });
});

Deno.test("backup: sees every write that was acknowledged before, at whatever node", async () => {
  await VirtualCluster.run(3, 2, async (cluster) => {
    const leader = await cluster.leader();
    const [other] = cluster.running.filter((id) => id !== leader);
    const result = await cluster.settle(cluster.service(leader).write(put("key", "value")));
    assert(result.status === "applied");
    const { stateHash, body } = await cluster.settle(cluster.service(other).backup());
    assert(stateHash.index >= result.versionstamp.index);
    await body.cancel();
  });
});

Deno.test("backup: is refused without a leader, and by a node that is shutting down", async () => {
  await VirtualCluster.run(3, 3, async (cluster) => {
    cluster.isolate("n1");
    await assertRejects(() => cluster.settle(cluster.service("n1").backup()), NoLeader);
    cluster.node("n2").drain();
    await assertRejects(() => cluster.settle(cluster.service("n2").backup()), Draining);
  });
});

Deno.test("backup: few at a time, and the next as soon as one has ended, however it did", async () => {
  await VirtualCluster.run(1, 4, async (cluster) => {
    assertEquals(await cluster.put("n1", "key", "value"), "applied");
    const make = () => cluster.settle(cluster.service("n1").backup());
    const first = await make();
    const second = await make();
    await assertRejects(make, Overloaded);
    await first.body.cancel();
    const third = await make();
    await assertRejects(make, Overloaded);
    await readAll(second);
    await readAll(third);
    const fourth = await make();
    await cluster.node("n1").stop(0);
    const error = await assertRejects(() => readAll(fourth), NotServing);
    assert(error.message.includes("shutting down"));
  });
});

Deno.test("Backups encodes only what is asked for", async () => {
  let asked = 0;
  const { capture, term } = captured();
  const records = capture.records;
  const watched = {
    ...capture,
    records: new Proxy(records, {
      get(target, name) {
        if (name === "scan") asked++;
        const value = Reflect.get(target, name);
        return typeof value === "function" ? value.bind(target) : value;
      },
    }),
  };
  const backups = new Backups(systemEnv());
  const { body } = backups.stream({ capture: watched, term }, ORIGIN, backups.admit());
  const reader = body.getReader();
  await reader.read(); // The prefix.
  await reader.read(); // The header.
  assertEquals(asked, 0);
  const chunk = await reader.read();
  assert(asked > 0 && chunk.value !== undefined && chunk.value.length <= BACKUP_CHUNK_BYTES + 100);
  await reader.cancel();
});

Deno.test("Backups cuts off a reader that takes nothing for long, and frees its place", async () => {
  for (const taken of [0, 2]) {
    const env = virtualEnv(1);
    const backups = new Backups(env);
    const body = backups.stream(captured(), ORIGIN, backups.admit()).body;
    const reader = body.getReader();
    for (let part = 0; part < taken; part++) {
      await env.advance(BACKUP_STALL_MS - 1);
      await reader.read();
    }
    await env.advance(BACKUP_STALL_MS - 1);
    const release = backups.admit();
    assertThrows(() => backups.admit(), Overloaded);
    release();
    await env.advance(1);
    await assertRejects(() => reader.read(), NotServing, "not read for");
    for (let place = 0; place < BACKUPS_MAX; place++) backups.admit();
  }
});

Deno.test("Backups frees a place once, however often it is told to", () => {
  const backups = new Backups(systemEnv());
  const release = backups.admit();
  backups.admit();
  release();
  release();
  backups.admit();
  assertThrows(() => backups.admit(), Overloaded);
});
