/** Disks without room: what still passes, who leads, and how it ends. */
import { assert, assertEquals, assertLess, assertRejects } from "@std/assert";
import { memberRequest } from "./addresses.ts";
import { key, put, VirtualCluster, write } from "./virtual_cluster.ts";
import { eventsOf, load, others, replicaOf, underSeeds, watchChunks } from "./snapshot_world.ts";
import { AdminRefused, OutcomeUnknown, StorageExhausted } from "../../actors/outcomes.ts";
import { RESERVE_RETRY_TICKS, TICK_MS } from "../../actors/limits_replica.ts";
import { DiskFull } from "../../actors/disk_full.ts";
import { encodeAtomicWrite } from "../../kv/command.ts";
import type { AtomicWrite } from "../../kv/types.ts";
import { RaftLog } from "../../raft/log.ts";
import type { AppendRequest } from "../../raft/message.ts";
import { type Entry, EntryKind, logIndex, nodeId, term } from "../../raft/types.ts";
import { RESERVE_BYTES } from "../../storage/limits.ts";
import { StorageFull } from "../../storage/types.ts";

const RETRY_MS = RESERVE_RETRY_TICKS * TICK_MS;
const NEVER = { snapshots: { entriesMax: 1_000_000 } };

function erase(name: string): AtomicWrite {
  return write({ type: "delete", key: key(name) });
}

function fill(cluster: VirtualCluster, ...ids: string[]): void {
  for (const id of ids) cluster.disks.get(id)!.fill();
}

function enlarge(cluster: VirtualCluster, ...ids: string[]): void {
  for (const id of ids) cluster.disks.get(id)!.enlarge();
}

/** Waits until a node knows that its disk is full. */
async function noticed(cluster: VirtualCluster, id: string): Promise<void> {
  await cluster.eventually(
    `${id} says that its disk is full`,
    () => cluster.service(id).notReady()?.includes("the disk is full"),
  );
}

async function refused(cluster: VirtualCluster, id: string): Promise<void> {
  const putting = cluster.service(id).write(put("refused", "value"));
  await assertRejects(() => cluster.settle(putting), StorageExhausted);
}

async function erased(cluster: VirtualCluster, id: string, name: string): Promise<void> {
  const { status } = await cluster.settle(cluster.service(id).write(erase(name)));
  assertEquals(status, "applied");
}

/** Nobody ended for good, and the states agree, once there is room again. */
async function recovered(cluster: VirtualCluster): Promise<void> {
  await cluster.env.advance(RETRY_MS + 1000);
  await cluster.ready();
  for (const id of cluster.ids) {
    assertEquals(await cluster.put(id, `after-${id}`, "value"), "applied");
    assertEquals(eventsOf(cluster, id, "ended"), []);
  }
  await cluster.agreedHash();
}

Deno.test("full disk: a leader gives up its place, and the others carry on", async () => {
  await underSeeds(5, async (cluster) => {
    const leader = await cluster.leader();
    await load(cluster, leader, 20);
    fill(cluster, leader);
    const last = cluster.service(leader).write(put("last", "straw")).catch((error) => error);
    await noticed(cluster, leader);
    await cluster.settle(last);
    const rest = others(cluster, leader);
    const next = await cluster.leader();
    assert(rest.includes(next));
    await load(cluster, next, 20, "meanwhile");
    await refused(cluster, leader);
    const asItIs = { mode: "eventual", maxStalenessMs: null } as const;
    const query = { type: "get", keys: [key("key-3")] } as const;
    const { results } = await cluster.settle(cluster.service(leader).read(query, asItIs));
    assert(results[0][0] !== null, "it still reads what it has");
    enlarge(cluster, leader);
    await recovered(cluster);
    assertEquals(await cluster.get(leader, "meanwhile-19"), "meanwhile 19");
  }, NEVER);
});

Deno.test("full disk: a follower stays behind the first write that it has no room for, and catches up", async () => {
  await underSeeds(5, async (cluster) => {
    const leader = await cluster.leader();
    const [id] = others(cluster, leader);
    await load(cluster, leader, 20);
    fill(cluster, id);
    await load(cluster, leader, 20, "meanwhile");
    await noticed(cluster, id);
    const { lastIndex } = replicaOf(cluster, id);
    const used = cluster.disks.get(id)!.usedBytes;
    await load(cluster, leader, 100, "more");
    assertEquals(replicaOf(cluster, id).lastIndex, lastIndex);
    assertEquals(cluster.disks.get(id)!.usedBytes, used, "the reserve is not for that");
    assertEquals(await cluster.leader(), leader);
    assertEquals(cluster.service(id).status().leader, leader);
    await refused(cluster, id);
    enlarge(cluster, id);
    await recovered(cluster);
  }, NEVER);
});

Deno.test("full disk: when all disks are full, deletes pass at every node, and nothing else does", async () => {
  await underSeeds(5, async (cluster) => {
    const leader = await cluster.leader();
    await load(cluster, leader, 20);
    await cluster.agreedHash();
    fill(cluster, ...cluster.ids);
    const last = cluster.service(leader).write(put("last", "straw")).catch((error) => error);
    for (const id of cluster.ids) await noticed(cluster, id);
    await cluster.settle(last);
    await cluster.leader();
    for (const [i, id] of cluster.ids.entries()) {
      await refused(cluster, id);
      await erased(cluster, id, `key-${i}`);
    }
    for (const id of cluster.ids) assertEquals(await cluster.get(id, "key-1"), null);
    enlarge(cluster, ...cluster.ids);
    await recovered(cluster);
  }, NEVER);
});

Deno.test("full disk: a single node takes deletes, and everything again once there is room", async () => {
  await VirtualCluster.run(1, 1, async (cluster) => {
    await load(cluster, "n1", 20);
    fill(cluster, "n1");
    const last = cluster.service("n1").write(put("last", "straw")).catch((error) => error);
    await noticed(cluster, "n1");
    await cluster.settle(last);
    await refused(cluster, "n1");
    await erased(cluster, "n1", "key-3");
    assertEquals(await cluster.get("n1", "key-3"), null);
    enlarge(cluster, "n1");
    await recovered(cluster);
  }, NEVER);
});

Deno.test("full disk: ten minutes without any room, even for the reserve's part, ends no node", async () => {
  await VirtualCluster.run(3, 2, async (cluster) => {
    const leader = await cluster.leader();
    const [id] = others(cluster, leader);
    await load(cluster, leader, 20);
    const disk = cluster.disks.get(id)!;
    disk.fill(-RESERVE_BYTES - 1_000_000); // Somebody else takes what the reserve sets free.
    await load(cluster, leader, 20, "meanwhile");
    await cluster.env.advance(10 * 60_000);
    assertEquals(eventsOf(cluster, id, "ended"), []);
    assert(eventsOf(cluster, id, "fault").length > 80, "it is tried again and again");
    assert(eventsOf(cluster, id, "fault").every((words) => words[0].startsWith("StorageFull")));
    assert(cluster.service(id).notReady()?.includes(StorageFull.name));
    enlarge(cluster, id);
    await recovered(cluster);
  }, NEVER);
});

Deno.test("full disk: nodes with room take the lead back from one without", async () => {
  await underSeeds(5, async (cluster) => {
    const leader = await cluster.leader();
    const [behind, away] = others(cluster, leader);
    await load(cluster, leader, 20);
    // The one node with room that runs lacks entries, and cannot be elected.
    cluster.isolate(behind);
    await load(cluster, leader, 5, "unseen");
    await cluster.crash(away);
    fill(cluster, leader);
    const last = cluster.service(leader).write(put("last", "straw")).catch((error) => error);
    await noticed(cluster, leader);
    await cluster.settle(last);
    cluster.network.heal();
    assertEquals(await cluster.leader([leader, behind]), leader);
    await erased(cluster, behind, "key-3");
    cluster.start(away);
    assertEquals(await cluster.put(behind, "by-it", "value"), "applied");
    assert((await cluster.leader()) !== leader);
  }, NEVER);
});

Deno.test("full disk: what a learner passes on costs a leader its place only if voters have room", async () => {
  await VirtualCluster.run(3, 6, async (cluster) => {
    const leader = await cluster.leader();
    cluster.join("n4");
    const learner = memberRequest("n4", { role: "learner" });
    await cluster.settle(cluster.service(leader).addMember(learner));
    await load(cluster, leader, 20);
    await cluster.agreedHash();
    const voters = cluster.ids.filter((id) => id !== "n4");
    fill(cluster, ...voters);
    const last = cluster.service(leader).write(put("last", "straw")).catch((error) => error);
    for (const id of voters) await noticed(cluster, id);
    await cluster.settle(last);
    const full = await cluster.leader();
    await erased(cluster, full, "key-1");
    const from = cluster.events.length;
    const passedOn = cluster.service("n4").write(put("passed", "on"));
    await assertRejects(() => cluster.settle(passedOn), OutcomeUnknown);
    assertEquals(cluster.events.slice(from).filter((event) => / role /.test(event)), []);
    await erased(cluster, "n4", "key-2");
    enlarge(cluster, ...voters);
    await recovered(cluster);
  }, NEVER);
});

Deno.test("full disk: snapshots that would use up the reserve are not taken, nor taken in", async () => {
  await VirtualCluster.run(3, 3, async (cluster) => {
    const leader = await cluster.leader();
    const [id] = others(cluster, leader);
    for (let i = 0; i < 120; i++) await cluster.put(leader, `large-${i}`, "v".repeat(20_000));
    for (const it of cluster.ids) await cluster.settle(cluster.service(it).takeSnapshot());
    fill(cluster, id);
    await load(cluster, leader, 20);
    await noticed(cluster, id);
    const seen = watchChunks(cluster, id, 1);
    const onDemand = cluster.service(id).takeSnapshot();
    await assertRejects(() => cluster.settle(onDemand), StorageExhausted);
    // Behind what the leader's log still has, it would need a snapshot.
    await load(cluster, leader, 60, "more");
    await cluster.settle(cluster.service(leader).takeSnapshot());
    await cluster.env.advance(5000);
    assertEquals(seen.count, 0);
    enlarge(cluster, id);
    await recovered(cluster);
    assert(seen.count > 0);
  }, { snapshots: { entriesMax: 1_000_000, tailEntries: 2 } });
});

Deno.test("full disk: one that a snapshot's chunk meets first is noticed like any other", async () => {
  await VirtualCluster.run(1, 4, async (cluster) => {
    await load(cluster, "n1", 20);
    fill(cluster, "n1");
    const taking = cluster.service("n1").takeSnapshot();
    await assertRejects(() => cluster.settle(taking), StorageExhausted);
    await noticed(cluster, "n1");
    assertEquals(eventsOf(cluster, "n1", "fault"), []);
    await erased(cluster, "n1", "key-3");
    enlarge(cluster, "n1");
    await recovered(cluster);
  }, NEVER);
});

Deno.test("full disk: who has one does not lead on request, before a restart or after", async () => {
  await VirtualCluster.run(3, 5, async (cluster) => {
    const leader = await cluster.leader();
    const [id] = others(cluster, leader);
    await load(cluster, leader, 20);
    await cluster.agreedHash();
    fill(cluster, id);
    await assertRejects(() => cluster.settle(cluster.service(id).takeSnapshot()));
    for (const restarted of [false, true]) {
      if (restarted) {
        await cluster.crash(id);
        cluster.start(id);
      }
      await noticed(cluster, id);
      await cluster.eventually(
        "it is heard",
        () => cluster.service(id).status().leader === leader,
      );
      await cluster.env.advance(500);
      const transfer = cluster.service(leader).transferLeadership(id);
      const error = await assertRejects(() => cluster.settle(transfer), AdminRefused);
      assertEquals(error.reason, "transfer-failed");
      assertEquals(await cluster.leader(), leader);
    }
    enlarge(cluster, id);
    await recovered(cluster);
    assertEquals(await cluster.settle(cluster.service(leader).transferLeadership(id)), id);
  }, NEVER);
});

Deno.test("full disk: an append is cut before the first write that the log does not have yet", () => {
  const entry = (index: number, command: AtomicWrite): Entry => ({
    term: term(1),
    index: logIndex(index),
    timeMs: 0,
    kind: EntryKind.Command,
    data: encodeAtomicWrite(command),
  });
  const known = [entry(1, put("a", "known")), entry(2, erase("a"))];
  const log = new RaftLog(known, logIndex(0), term(0));
  const request = (...entries: Entry[]): AppendRequest => ({
    type: "append-request",
    term: term(1),
    prevIndex: logIndex(0),
    prevTerm: term(0),
    commit: logIndex(0),
    round: 0,
    stamp: 0,
    echo: 0,
    entries,
  });
  const later = [entry(3, erase("b")), entry(4, put("b", "new")), entry(5, erase("b"))];
  const sent = request(...known, ...later);
  const admitted = new DiskFull(true).admitted(log, sent);
  assertEquals(admitted.entries, [...known, later[0]]);
  assertEquals(new DiskFull(false).admitted(log, sent), sent);
  // What replaces an entry is as new as any.
  const other = { ...entry(1, put("a", "other")), term: term(2) };
  assertEquals(new DiskFull(true).admitted(log, request(other)).entries, []);
});

Deno.test("a full follower that lacks megabytes is not sent them again and again", async () => {
  await VirtualCluster.run(3, 1, async (cluster) => {
    const leader = await cluster.leader();
    const [id] = others(cluster, leader);
    // Without any way to go, answers come in the turn of the question and nothing is seen of a loop.
    for (const [from, to] of [[leader, id], [id, leader]]) {
      cluster.network.setLink(nodeId(from), nodeId(to), { delayMs: 1 });
    }
    fill(cluster, id);
    for (let i = 0; i < 40; i++) await cluster.put(leader, `bulk/${i}`, "x".repeat(60_000));
    await noticed(cluster, id);
    const before = cluster.sent(leader, id);
    await cluster.env.advance(1000);
    const after = cluster.sent(leader, id);
    // A probe of one entry with each heartbeat, and no more.
    assertLess(after.messages - before.messages, 50);
    assertLess(after.bytes - before.bytes, 1_500_000);
    enlarge(cluster, id);
    await cluster.env.advance(RETRY_MS);
    await cluster.agreedHash();
  }, NEVER);
});
