/**
 * Damaged files of real nodes, real processes between them: what a node says that comes back on them, how
 * the others repair it, and that a cluster of which a majority is damaged halts and says so.
 *
 * A wiped directory has its own test: tests/cluster/wiped_test.ts.
 *
 * @module
 */
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import {
  CHUNK_FILES,
  cutFrames,
  flipFrame,
  flipMark,
  flipText,
  KV_FILES,
  MARK_NAME,
  read,
  remove,
  replace,
} from "../disk/files.ts";
import { KV_FILE_NAME } from "../../storage/disk.ts";
import { eventually, type NodeProcess, ProcessCluster } from "./harness.ts";

const NEEDLE = "a-text-that-stands-nowhere-else";
const WAL_NAME = `${KV_FILE_NAME}-wal`;
const DAMAGED = /log is damaged/;
const UNREADABLE = /the replica has failed \(CorruptLog\).*Delete nothing/;

interface Case {
  readonly name: string;
  /** How the process ends: a clean stop moves the write-ahead log into the database. */
  readonly signal: "SIGKILL" | "SIGTERM";
  /** What the node's log says of it, once it has started again. */
  readonly says: RegExp;
  /** `old` are the files from some writes ago. */
  damage(directory: string, old: ReadonlyMap<string, Uint8Array>): Promise<void>;
}

const CASES: readonly Case[] = [
  {
    name: "a flipped bit in the write-ahead log",
    signal: "SIGKILL",
    says: /the log is damaged: .* was acknowledged/,
    damage: (directory) => flipFrame(`${directory}/${WAL_NAME}`, 6),
  },
  {
    name: "a cut write-ahead log",
    signal: "SIGKILL",
    says: /the log is damaged: .* was acknowledged/,
    damage: (directory) => cutFrames(`${directory}/${WAL_NAME}`, 6),
  },
  {
    name: "no database",
    signal: "SIGKILL",
    says: /the log is damaged: .* ends at index 0 .* was acknowledged/,
    damage: (directory) => remove(directory, KV_FILES),
  },
  {
    name: "no mark",
    signal: "SIGTERM",
    says: /the log is damaged: The mark beside the log is missing/,
    damage: (directory) => remove(directory, [MARK_NAME]),
  },
  {
    name: "flipped bits in the mark",
    signal: "SIGKILL",
    says: /the log is damaged: The mark beside the log cannot be read/,
    damage: flipMark,
  },
  {
    name: "an older copy of the database alone",
    signal: "SIGTERM",
    says: /the log is damaged: .* was acknowledged/,
    async damage(directory, old) {
      const files = [...old].filter(([name]) => KV_FILES.includes(name));
      await replace(directory, KV_FILES, new Map(files));
    },
  },
  {
    name: "an older copy of the mark alone",
    signal: "SIGKILL",
    says: /the log is damaged: .* a mark that was synced is lost/,
    damage: (directory, old) =>
      replace(directory, [MARK_NAME], new Map([[MARK_NAME, old.get(MARK_NAME)!]])),
  },
  {
    name: "a flipped bit in the snapshot",
    signal: "SIGTERM",
    says: /data is set aside, and fetched anew: its snapshot does not read back/,
    damage: (directory) => flipText(directory, CHUNK_FILES, NEEDLE),
  },
  {
    name: "no file of the snapshots",
    signal: "SIGTERM",
    says: /data is set aside, and fetched anew: its snapshot does not read back/,
    damage: (directory) => remove(directory, CHUNK_FILES),
  },
];

/** Writes so many keys, each a commit of its own at every node. */
async function fill(node: NodeProcess, prefix: string, count: number): Promise<void> {
  for (let n = 0; n < count; n++) {
    assertEquals(await node.put(`${prefix}-${n}`, `${prefix} ${n}`), 200);
  }
}

/** What a node's log has said since it was so long. */
async function saysInLog(node: NodeProcess, from: number, what: RegExp): Promise<void> {
  await eventually(`${node.id} says ${what} in its log`, () => what.test(node.log.slice(from)));
}

/** A copy of the files of a node that stands still for so long: nothing is half written. */
async function copy(node: NodeProcess): Promise<Map<string, Uint8Array>> {
  node.signal("SIGSTOP");
  try {
    return await read(node.config.data, [...KV_FILES, MARK_NAME]);
  } finally {
    node.signal("SIGCONT");
  }
}

/** The status of a read. */
async function got(node: NodeProcess, name: string): Promise<number> {
  const response = await node.fetch(`/v1/kv/${name}`);
  await response.body?.cancel();
  return response.status;
}

async function whyNotReady(node: NodeProcess): Promise<string> {
  const response = await node.fetch("/readyz");
  const text = await response.text();
  return response.status === 503 ? text : "";
}

Deno.test("disk files: whatever befell the files of one of three, it says so, is repaired, and serves again", async () => {
  await ProcessCluster.run(3, async (cluster) => {
    await fill(await cluster.leader(), "needle", 1);
    assertEquals(await cluster.node("n1").put("needle", NEEDLE), 200);
    const [victim, other] = [cluster.node("n3"), cluster.node("n1")];
    for (const [round, each] of CASES.entries()) {
      const prefix = `round-${round}`;
      const old = await copy(victim);
      await fill(other, prefix, 4);
      if (each.says.source.includes("snapshot")) {
        const taken = await victim.fetch("/v1/cluster/snapshot", { method: "POST" });
        assertEquals(taken.status, 200, await taken.text());
      }
      await cluster.agreedHash();
      await victim.end(each.signal);
      await each.damage(victim.config.data, old);
      const from = victim.log.length;
      victim.start();
      await saysInLog(victim, from, each.says);
      await saysInLog(victim, from, /the log holds again all that this node had acknowledged/);
      await cluster.ready();
      assertEquals(await victim.put(`${prefix}-again`, each.name), 200);
      assertEquals(await victim.get(`${prefix}-3`), `${prefix} 3`);
      await cluster.agreedHash();
      assertEquals((await victim.view()).replicas.length, 1);
    }
    for (const round of CASES.keys()) {
      assertEquals(await victim.get(`round-${round}-0`), `round-${round} 0`);
    }
  });
});

Deno.test("disk files: a flipped bit in the log of one of three: it does not start, and is repaired without its database", async () => {
  await ProcessCluster.run(3, async (cluster) => {
    const [victim, other] = [cluster.node("n2"), cluster.node("n1")];
    assertEquals(await other.put("needle", NEEDLE), 200);
    await fill(other, "more", 4);
    await cluster.agreedHash();
    await victim.end("SIGTERM");
    await flipText(victim.config.data, KV_FILES, NEEDLE);
    const from = victim.log.length;
    victim.start();
    await saysInLog(victim, from, /the node serves no more: CorruptLog: /);
    assertStringIncludes(victim.log.slice(from), "Delete nothing");
    assertMatch(await whyNotReady(victim), UNREADABLE);
    assertEquals((await victim.view()).replicas, []);
    assertEquals(await got(victim, "needle"), 503);
    assertEquals(await other.put("meanwhile", "by the others"), 200);
    // The operator's way (docs/operations.md, A damaged disk).
    await victim.end("SIGTERM");
    const { data } = victim.config;
    const moved = await read(data, KV_FILES);
    await remove(data, KV_FILES);
    const again = victim.log.length;
    victim.start();
    await saysInLog(victim, again, /the log is damaged: The log ends at index 0 /);
    await cluster.ready();
    assertEquals(await victim.get("needle"), NEEDLE);
    assertEquals(await victim.put("again", "at the one that was damaged"), 200);
    await cluster.agreedHash();
    assertEquals(moved.has(KV_FILE_NAME), true);
  });
});

Deno.test("disk files: two of three damaged: the cluster halts, says so, and has everything once the files are found", async () => {
  await ProcessCluster.run(3, async (cluster) => {
    const [n1, n2, n3] = cluster.nodes;
    await fill(await cluster.leader(), "key", 4);
    await cluster.agreedHash();
    for (const node of cluster.nodes) await node.end("SIGKILL");
    const database = await read(n2.config.data, KV_FILES);
    const mark = await read(n3.config.data, [MARK_NAME]);
    await remove(n2.config.data, KV_FILES);
    await remove(n3.config.data, [MARK_NAME]);
    const marked = await read(n2.config.data, [MARK_NAME]);
    for (const node of cluster.nodes) node.start();
    for (const node of [n2, n3]) {
      await eventually(`${node.id} says it`, async () => DAMAGED.test(await whyNotReady(node)));
    }
    await saysInLog(n1, 0, /HALTED, nothing is served here: no leader is known/);
    await saysInLog(n2, 0, /HALTED.*no leader that could repair it: The log ends at index 0 /);
    await saysInLog(
      n3,
      0,
      /HALTED.*no leader that could repair it: The mark beside the log is missing/,
    );
    await Promise.all(cluster.nodes.map(async (node) => {
      assertEquals((await node.view()).leader, null);
      assertEquals(await Promise.all([got(node, "key-0"), node.put("key-0", "other")]), [503, 503]);
    }));
    for (const node of cluster.nodes) await node.end("SIGTERM");
    await replace(n2.config.data, [...KV_FILES, MARK_NAME], new Map([...database, ...marked]));
    await replace(n3.config.data, [MARK_NAME], mark);
    n1.start();
    n2.start();
    await cluster.leader([n1, n2]);
    for (let n = 0; n < 4; n++) assertEquals(await n2.get(`key-${n}`), `key ${n}`);
    n3.start();
    await cluster.ready();
    await cluster.agreedHash();
  });
});
