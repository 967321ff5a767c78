/**
 * kvctl restore, read back as a node would.
 *
 * @module
 */
import { assertEquals, assertMatch } from "@std/assert";
import { requireOurs } from "../../cli/cluster/data_directory.ts";
import { readMembersFile } from "../../cli/members_file.ts";
import { logIndex, nodeId } from "../../raft/types.ts";
import { withDirectory } from "../storage/directory.ts";
import { kvctl } from "./fake_cluster.ts";
import { exampleBackup, names, openAsNode } from "./offline.ts";

const clusterId = "00000000-0000-4000-8000-00000000000c";
const peers = "a=h1:9001@http://h1:8001,b=[fd00::2]:9002@https://b.example";
const nodeFlags = ["--id=b", `--peers=${peers}`, `--cluster-id=${clusterId}`];

/** Runs `test` with a backup's path. */
function withBackup(
  bytes: Uint8Array,
  test: (given: { root: string; file: string; data: string }) => Promise<void>,
): Promise<void> {
  return withDirectory(async (root) => {
    const file = `${root}/file`;
    Deno.writeFileSync(file, bytes);
    await test({ root, file, data: `${root}/data` });
  });
}

Deno.test("kvctl restore founds a cluster that the launcher starts, with the backup's state at every node", async () => {
  const { header, bytes } = exampleBackup();
  await withBackup(bytes, async ({ file, data }) => {
    const args = ["restore", file, "--data", data, "--size=2", "--base-port=7001", "--json"];
    const run = await kvctl(args);
    assertEquals([run.code, run.errors], [0, ""]);
    const restored = JSON.parse(run.out);
    assertEquals(restored, {
      clusterId: restored.clusterId,
      index: header.index,
      stateHash: header.stateHash,
      nodes: [1, 2].map((i) => ({ id: `n${i}`, directory: `${data}/n${i}` })),
    });
    assertEquals(restored.clusterId === header.clusterId, false);
    assertEquals(names(data), ["cluster.json", "cluster.lock", "n1", "n2"]);
    requireOurs(data, { size: 2, basePort: 7001 }, false);
    const addresses = [1, 2].map((i) => ({
      id: nodeId(`n${i}`),
      url: `http://127.0.0.1:700${i}`,
      peer: `127.0.0.1:800${i}`,
    }));
    for (const { id, directory } of restored.nodes) {
      const known = {
        clusterId: restored.clusterId,
        joined: true,
        founders: [],
        members: addresses,
      };
      assertEquals(readMembersFile(directory), known);
      const { recovery, stateHash } = await openAsNode(directory, restored.clusterId, id);
      assertEquals(stateHash, { index: header.index, hash: header.stateHash });
      assertEquals([recovery.entries, recovery.damage, recovery.baseIndex], [
        [],
        null,
        header.index,
      ]);
      const meta = recovery.snapshot!.meta;
      assertEquals([meta.term, meta.timeMs], [header.term, header.timeMs]);
      assertEquals(meta.configuration, {
        voters: addresses.map(({ id }) => id),
        votersOutgoing: [],
        learners: [],
        promoting: [],
        addresses: addresses.map((address) => ({ ...address, since: logIndex(0) })),
      });
    }
  });
});

Deno.test("kvctl restore says what it founded and how it is started", async () => {
  const { header, bytes } = exampleBackup();
  await withBackup(bytes, async ({ file, data }) => {
    const run = await kvctl(["restore", file, "--data", data]);
    const text = `^founded cluster \\S{36} at index ${header.index}, state hash ` +
      `${header.stateHash}, in ${data}/n1, ${data}/n2, ${data}/n3\n` +
      `start it with: deno task cluster --data ${data} --size 3 --base-port 8001\n$`;
    assertMatch(run.out, new RegExp(text));
  });
});

Deno.test("kvctl restore makes the data of one node for its own machine", async () => {
  const { header, bytes } = exampleBackup();
  await withBackup(bytes, async ({ file, data }) => {
    const run = await kvctl(["restore", file, "--data", data, ...nodeFlags]);
    assertEquals([run.code, run.errors], [0, ""]);
    assertMatch(run.out, /start it with: deno task node --id b --data \S+ --peers a=h1/);
    const { recovery, stateHash } = await openAsNode(data, clusterId, "b");
    assertEquals(stateHash?.hash, header.stateHash);
    assertEquals(recovery.snapshot!.meta.configuration.addresses.map(({ peer }) => peer), [
      "h1:9001",
      "[fd00::2]:9002",
    ]);
  });
});

/** The example with one byte changed. */
function damaged(at: (bytes: Uint8Array) => number): Uint8Array {
  const { bytes } = exampleBackup();
  bytes[at(bytes)] ^= 1;
  return bytes;
}

const bad: readonly [string, Uint8Array, string, RegExp][] = [
  ["is cut short", exampleBackup().bytes.subarray(0, 5000), "malformed-backup", /cut short/],
  ["has a flipped bit", damaged(() => 3000), "malformed-backup", /checksum/],
  [
    "has another version",
    damaged(() => 5),
    "unsupported-backup",
    /version 0, this program reads 1/,
  ],
  ["is none", new TextEncoder().encode("something"), "malformed-backup", /begin like one/],
  [
    "has another state than it says",
    exampleBackup({ stateHash: "ab".repeat(16) }).bytes,
    "malformed-backup",
    /its state is at index \d+ with the hash/,
  ],
  [
    "stands at another index than it says",
    exampleBackup({ index: 9 }).bytes,
    "malformed-backup",
    /not at 9 with/,
  ],
];
for (const [what, bytes, code, message] of bad) {
  Deno.test(`kvctl restore of a file that ${what} makes nothing`, async () => {
    await withBackup(bytes, async ({ root, file, data }) => {
      for (const flags of [[], nodeFlags]) {
        const run = await kvctl(["restore", file, "--data", data, "--json", ...flags]);
        const { error } = JSON.parse(run.out);
        assertEquals([run.code, error.code], [1, code]);
        assertMatch(error.message, message);
        assertEquals(names(root), ["file"]);
      }
    });
  });
}

Deno.test("kvctl restore of a file that is not there makes nothing", async () => {
  await withDirectory(async (root) => {
    const run = await kvctl(["restore", `${root}/none`, `--data=${root}/data`]);
    assertEquals([run.code, names(root)], [1, []]);
    assertMatch(run.errors, /cannot use \S+none/);
  });
});

Deno.test("kvctl restore leaves nothing when a node's data cannot be written", async () => {
  // A sound backup in one chunk, which is more than the storage takes.
  const { bytes } = exampleBackup({}, 1_000_000);
  await withBackup(bytes, async ({ root, file, data }) => {
    for (const flags of [[], nodeFlags]) {
      const run = await kvctl(["restore", file, "--data", data, "--json", ...flags]);
      assertEquals([run.code, JSON.parse(run.out).error.code], [1, "file-error"]);
      assertEquals(names(root), ["file"]);
    }
  });
});

Deno.test("kvctl restore touches no directory that holds anything", async () => {
  const { bytes } = exampleBackup();
  await withBackup(bytes, async ({ file, data }) => {
    Deno.mkdirSync(`${data}/n1`, { recursive: true });
    const refused = await kvctl(["restore", file, "--data", data]);
    assertEquals(refused.code, 2);
    assertMatch(refused.errors, /data: it is not empty \(n1\)/);
    // The same node twice: the second time there is data.
    const node = ["restore", file, `--data=${data}/n1`, ...nodeFlags];
    assertEquals((await kvctl(node)).code, 0);
    const before = names(`${data}/n1`);
    const again = await kvctl(node);
    assertEquals([again.code, names(`${data}/n1`)], [2, before]);
    assertMatch(again.errors, /it holds data already/);
    assertEquals((await openAsNode(`${data}/n1`, clusterId, "b")).recovery.damage, null);
  });
});

const usage: readonly [string[], RegExp][] = [
  [["restore"], /usage: kvctl restore FILE --data DIR/],
  [["restore", "file"], /--data is missing/],
  [["restore", "file", "--data=d", "--size=0"], /--size must be a whole number from 1 to 9, not 0/],
  [["restore", "file", "--data=d", "--base-port=0"], /--base-port must be a whole number from 1/],
  [["restore", "file", "--data=a,b"], /--data must not contain a comma: a,b/],
  [["restore", "file", "--data=d", "--size=3", "--id=n1"], /--id and --size exclude each other/],
  [["restore", "file", "--data=d", "--id=b"], /--peers must name all nodes of the new cluster/],
  [["restore", "file", "--data=d", "--id=b", `--peers=${peers}`], /--cluster-id must be a UUID/],
  [["restore", "file", "--data=d", ...nodeFlags.slice(1)], /--id must name the node/],
  [["restore", "file", "--data=d", "--id=c", ...nodeFlags.slice(1)], /--peers must name c/],
];
for (const [args, message] of usage) {
  Deno.test(`kvctl ${args.join(" ").slice(0, 80)} is wrong usage`, async () => {
    const run = await kvctl(args);
    assertEquals([run.code, run.out], [2, ""]);
    assertMatch(run.errors, message);
  });
}

Deno.test("kvctl restore refuses the id of the cluster that the backup is of, and a volatile Deno KV", async () => {
  const { bytes } = exampleBackup({ clusterId });
  await withBackup(bytes, async ({ root, file, data }) => {
    const args = ["restore", file, "--data", data, ...nodeFlags];
    const same = await kvctl(args);
    assertEquals(same.code, 2);
    assertMatch(same.errors, /--cluster-id must not be that of the cluster of the backup/);
    const volatile = await kvctl(args, { env: { DENO_KV_DB_MODE: "memory" } });
    assertEquals(volatile.code, 2);
    assertMatch(volatile.errors, /DENO_KV_DB_MODE=memory/);
    assertEquals(names(root), ["file"]);
  });
});
