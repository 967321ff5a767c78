/** Members come and go, lose their disks, get snapshots and are restarted, all under load. */
import { assert, assertEquals, assertGreater } from "@std/assert";
import { eventually, type NodeProcess, ProcessCluster } from "./harness.ts";
import { CHUNK_FILE_NAME } from "../../storage/disk.ts";
import { assertCounted, keyedWriter, plainWriter, type Tally, total } from "./writers.ts";

const WRITERS = 4;
/** Snapshots so frequent that every test takes some, and no follower that was away is fed by the log. */
const SMALL_SNAPSHOTS = { entriesMax: 200, bytesMax: null, tailEntries: 10 };

/** Clients at the nodes that `serving` names, from now until `stop`. */
class Load implements AsyncDisposable {
  #stopped = false;
  readonly #keyed: Promise<Tally>[] = [];
  readonly #plain: Promise<Tally>[] = [];

  constructor(serving: () => readonly NodeProcess[], steady: NodeProcess) {
    const goesOn = () => !this.#stopped;
    for (let i = 0; i < WRITERS; i++) {
      this.#keyed.push(keyedWriter(serving, "keyed", i, goesOn));
    }
    this.#plain.push(plainWriter(steady, "plain", goesOn));
  }

  /** Ends the clients of a test that has failed. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopped = true;
    await Promise.allSettled([...this.#keyed, ...this.#plain]);
  }

  /** Ends the clients, and holds the counters at every running node against what they were told. */
  async stop(cluster: ProcessCluster): Promise<{ keyed: Tally; plain: Tally }> {
    this.#stopped = true;
    const keyed = total(await Promise.all(this.#keyed));
    const plain = total(await Promise.all(this.#plain));
    for (const node of cluster.members) {
      assertCounted(Number(JSON.parse(await node.get("keyed") ?? "0")), keyed);
      assertCounted(Number(JSON.parse(await node.get("plain") ?? "0")), plain);
    }
    await cluster.agreedHash(cluster.members);
    assertGreater(keyed.acknowledged, 20);
    // With an idempotency key and somebody to ask, no write fails and none stays unknown.
    assertEquals(keyed.unknown, 0);
    return { keyed, plain };
  }
}

/** Waits until exactly `ids` are members, all of them voters, and everybody says so. */
async function membersAre(cluster: ProcessCluster, ids: readonly string[]): Promise<void> {
  const wanted = ids.map((id) => `${id} voter`).sort().join();
  await eventually(`the members are ${wanted}`, async () => {
    const views = await Promise.all(ids.map((id) => cluster.node(id).view()));
    return views.every(({ members }) =>
      members.map((member) => `${member.id} ${member.role}`).sort().join() === wanted
    );
  }, 30_000);
}

async function remove(cluster: ProcessCluster, id: string): Promise<void> {
  const via = cluster.members.find((node) => node.id !== id)!;
  cluster.forget(id);
  await eventually(`${id} is removed`, async () => {
    const response = await via.fetch(`/v1/cluster/members/${id}`, { method: "DELETE" });
    const text = await response.text();
    // A promotion may be under way still, or the leader may be changing.
    if (response.status === 409 && text.includes("change-in-progress")) return false;
    if (response.status === 404 || response.status === 200) return true;
    assert(response.status >= 500, text);
    return false;
  });
}

/** Has a node take a snapshot, once the one that it may be taking by itself is done; gives its index. */
async function snapshot(node: NodeProcess): Promise<number> {
  return await eventually(`${node.id} takes a snapshot`, async () => {
    const response = await node.fetch("/v1/cluster/snapshot", { method: "POST" });
    const answer = await response.json();
    if (response.status === 409 && answer.code === "snapshot-in-progress") return null;
    assertEquals(response.status, 200, JSON.stringify(answer));
    return answer.snapshotIndex as number;
  });
}

Deno.test("members: 3 grow to 5, two are replaced, 5 shrink to 3, under load, and nothing is lost", async () => {
  await ProcessCluster.run(3, async (cluster) => {
    await using load = new Load(() => cluster.members, cluster.node("n1"));
    for (const id of ["n4", "n5"]) cluster.join(id);
    await membersAre(cluster, ["n1", "n2", "n3", "n4", "n5"]);
    // Two die and are replaced by new ones in one step each.
    for (const [dead, fresh] of [["n2", "n6"], ["n3", "n7"]]) {
      await cluster.node(dead).end("SIGKILL");
      cluster.join(fresh, dead);
      const left = cluster.running.map((node) => node.id);
      await membersAre(cluster, left);
    }
    // Two leave, the leader among them.
    const leader = await cluster.leader();
    const gone = leader.id === "n1" ? ["n4", "n5"] : [leader.id, leader.id === "n4" ? "n5" : "n4"];
    for (const id of gone) {
      await remove(cluster, id);
      await eventually(`${id} knows that it is removed`, async () => {
        const response = await cluster.node(id).fetch("/readyz");
        const text = await response.text();
        return response.status === 503 && text.includes("removed");
      });
      await cluster.node(id).end("SIGTERM");
    }
    await membersAre(cluster, cluster.running.map((node) => node.id));
    assertEquals(cluster.members.length, 3);
    const { keyed, plain } = await load.stop(cluster);
    console.log("grow, replace, shrink:", keyed, plain);
  }, SMALL_SNAPSHOTS);
});

Deno.test("members: all nodes are restarted by SIGTERM, one after the other, under load, and no write fails", async () => {
  await ProcessCluster.run(3, async (cluster) => {
    await using load = new Load(() => cluster.members, cluster.node("n1"));
    for (const node of cluster.nodes) {
      const status = await node.end("SIGTERM");
      assertEquals(status.code, 0);
      node.start();
      await cluster.ready();
    }
    const { keyed, plain } = await load.stop(cluster);
    // Whoever was accepted was answered: nothing is unknown even without an idempotency key.
    assertEquals(plain.unknown, 0);
    console.log("rolling restart:", keyed, plain);
  });
});

Deno.test("members: a node whose directory was lost joins anew under its old id, by snapshot", async () => {
  await ProcessCluster.run(3, async (cluster) => {
    await using load = new Load(() => cluster.members, cluster.node("n1"));
    await eventually("the logs are compacted", async () => {
      const views = await Promise.all(cluster.nodes.map((node) => node.view()));
      return views.every(({ replicas: [replica] }) => replica.firstIndex > 1);
    }, 60_000);
    const lost = cluster.node("n3");
    await lost.end("SIGKILL");
    await Deno.remove(lost.config.data, { recursive: true });
    await remove(cluster, "n3");
    const again = cluster.join("n3");
    await membersAre(cluster, ["n1", "n2", "n3"]);
    const { replicas: [replica] } = await again.view();
    // What it lacked was in no log any more.
    assertGreater(replica.snapshotIndex, 0);
    assertGreater(replica.firstIndex, 1);
    const { keyed, plain } = await load.stop(cluster);
    console.log("wiped and joined:", keyed, plain);
  }, SMALL_SNAPSHOTS);
});

Deno.test("members: snapshots are forced at every node while clients write", async () => {
  await ProcessCluster.run(3, async (cluster) => {
    await using load = new Load(() => cluster.members, cluster.node("n1"));
    for (let round = 0; round < 5; round++) {
      const indexes = await Promise.all(cluster.nodes.map(async (node) => {
        return await snapshot(node);
      }));
      for (const [i, node] of cluster.nodes.entries()) {
        const { replicas: [replica] } = await node.view();
        assert(replica.snapshotIndex >= indexes[i]);
      }
    }
    // What was compacted away is not needed to start again.
    const node = cluster.node("n2");
    await node.end("SIGKILL");
    node.start();
    await cluster.ready();
    const { keyed, plain } = await load.stop(cluster);
    console.log("forced snapshots:", keyed, plain);
  });
});

/** Values that make a snapshot of about 25 MB, so that its transfer can be interrupted. */
const BULK_KEYS = 400;
const BULK_VALUE_BYTES = 64_000;
/** What its receiver has on the disk before it is killed, and how many chunks of up to 64 KB that are at least. */
const KEPT_BYTES = 4_000_000;
const KEPT_CHUNKS = 10;

async function fill(node: NodeProcess, round: number): Promise<void> {
  for (let i = 0; i < BULK_KEYS; i++) {
    const bytes = new Uint8Array(BULK_VALUE_BYTES).fill(i + round);
    const response = await node.fetch(`/v1/kv/bulk/${i}`, { method: "PUT", body: bytes });
    await response.body?.cancel();
    assertEquals(response.status, 200);
  }
}

/** Takes n3 down, and gives the others a state that only a snapshot can bring it. */
async function leaveBehind(cluster: ProcessCluster): Promise<NodeProcess> {
  const behind = cluster.node("n3");
  await behind.end("SIGKILL");
  await fill(await cluster.leader(), 1);
  for (const node of cluster.running) await snapshot(node);
  return behind;
}

/** Waits until the node has some of a snapshot; gives how many chunks it had when it said so first. */
async function receiving(node: NodeProcess): Promise<number> {
  const from = node.log.length;
  return await eventually(`${node.id} is receiving a snapshot`, () => {
    const match = /receiving a snapshot .*: (\d+) of \d+ chunks/.exec(node.log.slice(from));
    return match === null ? null : Number(match[1]);
  }, 30_000);
}

/** What the chunks of snapshots take in the node's directory. */
function chunkBytes(node: NodeProcess): number {
  let bytes = 0;
  for (const { name } of Deno.readDirSync(node.config.data)) {
    if (!name.startsWith(CHUNK_FILE_NAME)) continue; // SQLite's log stands beside the file.
    bytes += Deno.statSync(`${node.config.data}/${name}`).size;
  }
  return bytes;
}

Deno.test("snapshots: a receiver killed in mid-snapshot goes on where it was", async () => {
  await ProcessCluster.run(3, async (cluster) => {
    const behind = await leaveBehind(cluster);
    const before = chunkBytes(behind);
    behind.start();
    await eventually("some of the snapshot is durable", () => {
      return chunkBytes(behind) > before + KEPT_BYTES;
    }, 30_000);
    await behind.end("SIGKILL");
    behind.start();
    // What it had kept before it was killed need not be sent again.
    assertGreater(await receiving(behind), KEPT_CHUNKS);
    await cluster.ready(30_000);
    const { replicas: [replica] } = await eventually("n3 has the snapshot", async () => {
      const view = await behind.view();
      return view.replicas[0].snapshotIndex > 0 ? view : null;
    }, 30_000);
    assertGreater(replica.firstIndex, 1);
    await cluster.agreedHash();
  }, SMALL_SNAPSHOTS);
});

Deno.test("snapshots: a sender killed in mid-snapshot is followed by another", async () => {
  await ProcessCluster.run(3, async (cluster) => {
    const behind = await leaveBehind(cluster);
    behind.start();
    await receiving(behind);
    const sender = await cluster.leader(cluster.nodes.slice(0, 2));
    await sender.end("SIGKILL");
    sender.start();
    await cluster.ready(30_000);
    await eventually("n3 has the snapshot", async () => {
      return (await behind.view()).replicas[0].snapshotIndex > 0;
    }, 30_000);
    await cluster.agreedHash();
  }, SMALL_SNAPSHOTS);
});
