/** Replicas that compare their states, and what becomes of one that differs. */
import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { type ClusterOptions, VirtualCluster } from "./virtual_cluster.ts";
import { eventsOf, load, others, replicaOf, underSeeds } from "./snapshot_world.ts";
import { HashCheck } from "../../actors/hash_check.ts";
import { HASH_REPORT_MS } from "../../actors/limits_replica.ts";
import { applyCommitted } from "../../actors/replica_apply.ts";
import type { State } from "../../actors/replica_state.ts";
import { CommandKind, commandKind, encodeHashCheck, encodeHashMark } from "../../kv/command.ts";
import { type Entry, nodeId } from "../../raft/types.ts";

const CHECKED: ClusterOptions = { hashCheckMs: 1000 };

/**
 * Has a replica come to another state than the others: while it is down, its log is changed in a way
 * that no checksum shows, as a bug in applying it would look. `text` is what the write of `name` says.
 */
async function leadAstray(cluster: VirtualCluster, id: string, name: string, text: string) {
  await cluster.crash(id);
  const entries = cluster.disks.get(id)!.entries as Entry[];
  const at = entries.findIndex(({ data }) => textOf(data).includes(name));
  assert(at >= 0, `no entry writes ${name}`);
  const data = entries[at].data.slice();
  const start = textOf(data).indexOf(text);
  assert(start >= 0);
  data[start] ^= 1;
  entries[at] = { ...entries[at], data };
  cluster.start(id);
  await cluster.ready();
}

function textOf(data: Uint8Array): string {
  return new TextDecoder("latin1").decode(data);
}

function checksIn(cluster: VirtualCluster, id: string): number {
  return cluster.disks.get(id)!.entries
    .filter(({ data }) => commandKind(data) === CommandKind.HashCheck).length;
}

/** Waits until a mark is in a node's log, and gives the first. */
function firstMark(cluster: VirtualCluster, id: string): Promise<Entry> {
  return cluster.eventually(
    "a mark is in the log",
    () =>
      cluster.disks.get(id)!.entries.find(({ data }) => commandKind(data) === CommandKind.HashMark),
  );
}

Deno.test("hash check: replicas whose states are equal are left alone, and idle ones propose nothing", async () => {
  await underSeeds(5, async (cluster) => {
    const leader = await cluster.leader();
    await load(cluster, leader, 20);
    await cluster.env.advance(1500);
    await cluster.eventually("a check is in the log", () => checksIn(cluster, leader) === 1);
    await cluster.agreedHash();
    const { lastIndex } = replicaOf(cluster, leader);
    await cluster.env.advance(20_000);
    assertEquals(replicaOf(cluster, leader).lastIndex, lastIndex);
    for (const id of cluster.ids) assertEquals(eventsOf(cluster, id, "quarantined"), []);
    await load(cluster, leader, 1, "more");
    await cluster.eventually("another check is in the log", () => checksIn(cluster, leader) === 2);
  }, CHECKED);
});

Deno.test("hash check: a follower whose state differs is found, put aside, and fetched anew", async () => {
  await underSeeds(5, async (cluster) => {
    const leader = await cluster.leader();
    const [id] = others(cluster, leader);
    await load(cluster, leader, 20);
    await leadAstray(cluster, id, "key-7", "key 7");
    assertNotEquals(
      replicaOf(cluster, id).stateHash.hash,
      replicaOf(cluster, leader).stateHash.hash,
    );
    await load(cluster, leader, 5, "more");
    await cluster.eventually(
      "it is repaired",
      () => eventsOf(cluster, id, "repaired").length === 1,
    );
    assertEquals(eventsOf(cluster, id, "quarantined").length, 1);
    const told = cluster.ids.flatMap((it) => eventsOf(cluster, it, "diverged"));
    assertEquals(told.length, 1);
    await cluster.ready();
    await cluster.agreedHash();
    assertEquals(await cluster.get(id, "key-7"), "key 7");
    await load(cluster, id, 5, "after");
    await cluster.env.advance(5000);
    assertEquals(eventsOf(cluster, id, "quarantined").length, 1);
  }, CHECKED);
});

Deno.test("hash check: it is fetched anew by a snapshot where the log is cut off", async () => {
  await underSeeds(3, async (cluster) => {
    const leader = await cluster.leader();
    const [id] = others(cluster, leader);
    await load(cluster, leader, 45);
    await leadAstray(cluster, id, "key-7", "key 7");
    await load(cluster, leader, 150, "more");
    await cluster.eventually(
      "it is repaired",
      () => eventsOf(cluster, id, "repaired").length === 1,
    );
    assertEquals(eventsOf(cluster, id, "snapshot-installed").length, 1);
    await cluster.ready();
    await cluster.agreedHash();
  }, { hashCheckMs: 3000, snapshots: { entriesMax: 60, tailEntries: 5 } });
});

Deno.test("hash check: a leader whose own state differs is outvoted", async () => {
  await underSeeds(5, async (cluster) => {
    const first = await cluster.leader();
    const [id] = others(cluster, first);
    await load(cluster, first, 20);
    await leadAstray(cluster, id, "key-7", "key 7");
    assertEquals(await cluster.settle(cluster.service(first).transferLeadership(id)), id);
    await load(cluster, id, 5, "more");
    await cluster.eventually(
      "it is repaired",
      () => eventsOf(cluster, id, "repaired").length === 1,
    );
    const rest = others(cluster, id);
    for (const other of rest) assertEquals(eventsOf(cluster, other, "quarantined"), []);
    assert(rest.includes(await cluster.leader()));
    await cluster.agreedHash();
    assertEquals(await cluster.get(id, "key-7"), "key 7");
  }, { hashCheckMs: 4000 });
});

Deno.test("hash check: without a majority for any state nobody is put aside, and the leader says so", async () => {
  await underSeeds(3, async (cluster) => {
    const leader = await cluster.leader();
    await load(cluster, leader, 20);
    const [a, b] = others(cluster, leader);
    await leadAstray(cluster, a, "key-7", "key 7");
    await leadAstray(cluster, b, "key-8", "key 8");
    await load(cluster, leader, 1, "more");
    await firstMark(cluster, leader);
    // No hash that is still to come could make a majority: it waits for none.
    await cluster.env.advance(HASH_REPORT_MS / 5);
    const told = () => cluster.ids.flatMap((it) => eventsOf(cluster, it, "diverged"));
    assertEquals(told().map(([_index, agreed]) => agreed), ["null"]);
    await cluster.env.advance(HASH_REPORT_MS);
    assertEquals(told().length, 1);
    for (const id of cluster.ids) assertEquals(eventsOf(cluster, id, "quarantined"), []);
  }, { hashCheckMs: 10_000 });
});

Deno.test("hash check: reports that get lost are sent again, and leaders that change pass it on", async () => {
  await underSeeds(5, async (cluster) => {
    const leader = await cluster.leader();
    const [id, other] = others(cluster, leader);
    await load(cluster, leader, 20);
    await leadAstray(cluster, id, "key-7", "key 7");
    for (const it of [id, other]) {
      cluster.network.setLink(nodeId(it), nodeId(leader), { delayMs: 60 });
      cluster.network.setLink(nodeId(leader), nodeId(it), { delayMs: 60 });
    }
    await cluster.put(leader, "change", "one");
    const mark = await firstMark(cluster, leader);
    // The followers have noted their hashes, and the leader is gone before it hears of them.
    await cluster.eventually(
      "the followers have applied it",
      () => [id, other].every((it) => replicaOf(cluster, it).appliedIndex >= mark.index),
    );
    await cluster.crash(leader);
    await cluster.leader([id, other]);
    assertEquals(checksIn(cluster, other), 0);
    cluster.start(leader);
    await cluster.eventually(
      "it is repaired",
      () => eventsOf(cluster, id, "repaired").length === 1,
    );
    for (const it of [leader, other]) assertEquals(eventsOf(cluster, it, "quarantined"), []);
    const [[...reason]] = eventsOf(cluster, id, "quarantined");
    assert(reason.join(" ").includes(`at index ${mark.index} `), "found by that mark");
    cluster.network.heal();
    await cluster.agreedHash();
  }, { hashCheckMs: 3000 });
});

Deno.test("hash check: nobody is put aside whom a quorum needs, until those that agree are there again", async () => {
  await VirtualCluster.run(5, 1, async (cluster) => {
    const leader = await cluster.leader();
    const [a, b, gone, late] = others(cluster, leader);
    await load(cluster, leader, 20);
    await leadAstray(cluster, a, "key-7", "key 7");
    await leadAstray(cluster, b, "key-7", "key 7");
    assertEquals(await cluster.leader(), leader);
    await cluster.crash(late);
    await load(cluster, leader, 1, "more");
    const mark = await firstMark(cluster, leader);
    await cluster.eventually(
      "those that run have applied it",
      () => cluster.running.every((id) => replicaOf(cluster, id).appliedIndex >= mark.index),
    );
    await cluster.env.advance(500);
    // Two agree and have said so. One of them goes before the third says the same.
    await cluster.crash(gone);
    await cluster.env.advance(1000);
    cluster.start(late);
    await cluster.env.advance(5000);
    const quarantined = () =>
      cluster.ids.filter((id) => eventsOf(cluster, id, "quarantined").length > 0);
    assertEquals(eventsOf(cluster, leader, "diverged").length, 1);
    assertEquals(quarantined(), []);
    assertEquals(await cluster.put(leader, "still", "taken"), "applied");
    // Tried again after the interval, though nothing but that has changed.
    cluster.start(gone);
    await cluster.eventually(
      "both are repaired",
      () => [a, b].every((id) => eventsOf(cluster, id, "repaired").length === 1),
    );
    assertEquals(quarantined(), cluster.ids.filter((id) => id === a || id === b));
    await cluster.ready();
    await cluster.agreedHash();
    assertEquals(await cluster.get(a, "key-7"), "key 7");
  }, { hashCheckMs: 10_000 });
});

Deno.test("hash check: a state that was found to differ is shown to nobody any more", () => {
  const shown: string[] = [];
  const showing = (what: string) => () => (shown.push(what), []);
  const stateWith = (mismatch: string | null) => ({
    core: { role: "leader" },
    commitIndex: 7,
    store: { index: 7 },
    hashCheck: { mismatch },
    watching: { publish: showing("to watches") },
    reads: { takeReady: showing("to reads") },
    sessionReads: { takeReady: showing("to session reads") },
    taking: { takeIfDue: showing("in a snapshot") },
  } as unknown as State);
  applyCommitted(stateWith("its hash is another"));
  assertEquals(shown, []);
  applyCommitted(stateWith(null));
  assertEquals(shown, ["to watches", "to reads", "to session reads", "in a snapshot"]);
});

Deno.test("HashCheck holds what was noted against the state it was noted of, and no other", () => {
  const [mine, theirs] = ["11".repeat(16), "22".repeat(16)];
  const state = {
    store: { index: 7, hash: () => ({ index: 5, hash: mine }) },
    core: { role: "follower", leader: null },
    ctx: { env: { now: () => 0 } },
  } as unknown as State;
  const mismatchAfter = (index: number, hash: string, between: (check: HashCheck) => void) => {
    const check = new HashCheck(1000, 0);
    check.applied(state, encodeHashMark());
    between(check);
    check.applied(state, encodeHashCheck(index, hash));
    return check.mismatch;
  };
  assertEquals(mismatchAfter(5, mine, () => {}), null);
  assert(mismatchAfter(5, theirs, () => {})?.includes("at index 5 "));
  assertEquals(mismatchAfter(4, theirs, () => {}), null);
  // A snapshot has taken the state's place since.
  assertEquals(mismatchAfter(5, theirs, (check) => check.installed()), null);
});
