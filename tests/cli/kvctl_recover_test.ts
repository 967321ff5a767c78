/**
 * kvctl recover, on data that a restore made, read back as a node would.
 *
 * @module
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { DataDirectory, requireOurs } from "../../cli/cluster/data_directory.ts";
import { readMembersFile } from "../../cli/members_file.ts";
import { decodeConfiguration } from "../../raft/configuration_codec.ts";
import { logIndex, nodeId } from "../../raft/types.ts";
import { withDirectory } from "../storage/directory.ts";
import { kvctl, type Run } from "./fake_cluster.ts";
import { exampleBackup, names, openAsNode } from "./offline.ts";

interface Cluster {
  readonly root: string;
  readonly data: string;
  readonly clusterId: string;
  readonly index: number;
}

/** Runs `test` with the data of a stopped cluster of three. */
function withCluster(test: (cluster: Cluster) => Promise<void>): Promise<void> {
  return withDirectory(async (root) => {
    const { header, bytes } = exampleBackup();
    Deno.writeFileSync(`${root}/file`, bytes);
    const data = `${root}/data`;
    const run = await kvctl(["restore", `${root}/file`, "--data", data, "--json"]);
    const { clusterId } = JSON.parse(run.out);
    await test({ root, data, clusterId, index: header.index });
  });
}

function recover(...flags: string[]): Promise<Run> {
  return kvctl(["recover", "--force-new-cluster", ...flags]);
}

Deno.test("kvctl recover shows what it finds, and changes nothing without --yes", async () => {
  await withCluster(async ({ data, clusterId, index }) => {
    const run = await recover(`--data=${data}`, "--node=n2");
    assertEquals(run.code, 1);
    assertEquals(run.errors, "kvctl recover: nothing was changed; --yes does it\n");
    const time = new Date(1000).toISOString();
    for (
      const line of [
        `node n2 of cluster ${clusterId}`,
        `last entry: index ${index}, term 3, of ${time}`,
        `known to be committed: up to index ${index}`,
        `snapshot: at index ${index}`,
        "members: n1, n2, n3",
      ]
    ) assert(run.out.includes(`${line}\n`), `${line} in\n${run.out}`);
    assertMatch(run.out, /is lost, also if it was acknowledged/);
    const json = JSON.parse((await recover(`--data=${data}/n2`, "--json")).out);
    assertEquals([json.done, json.found.lastIndex, json.found.members.length], [false, index, 3]);
    assertEquals((await openAsNode(`${data}/n2`, clusterId, "n2")).recovery.entries, []);
    requireOurs(data, { size: 3, basePort: 8001 }, false);
  });
});

for (const how of ["with --node", "by the node's own directory"]) {
  Deno.test(`kvctl recover makes n1 of a launcher's cluster one of its own, ${how}`, async () => {
    await withCluster(async ({ data, clusterId, index }) => {
      const where = how === "with --node"
        ? [`--data=${data}`, "--node=n1"]
        : [`--data=${data}/n1/`];
      const run = await recover(...where, "--yes", "--json");
      assertEquals([run.code, run.errors], [0, ""]);
      const done = JSON.parse(run.out);
      assertEquals([done.done, done.index, done.term], [true, index + 1, 4]);
      assertEquals(done.clusterId === clusterId, false);
      const { recovery } = await openAsNode(`${data}/n1`, done.clusterId, "n1");
      const [entry] = recovery.entries;
      const address = { id: nodeId("n1"), url: "http://127.0.0.1:8001", peer: "127.0.0.1:9001" };
      assertEquals(decodeConfiguration(entry.data), {
        voters: [nodeId("n1")],
        votersOutgoing: [],
        learners: [],
        promoting: [],
        addresses: [{ ...address, since: logIndex(done.index) }],
      });
      const noted = { clusterId: done.clusterId, joined: true, founders: [], members: [address] };
      assertEquals(readMembersFile(`${data}/n1`), noted);
      // The launcher starts n1 alone now, and none of the old nodes beside it.
      requireOurs(data, { size: 1, basePort: 8001 }, false);
    });
  });
}

Deno.test("kvctl recover of another node than n1 leaves nothing to the launcher", async () => {
  await withCluster(async ({ data }) => {
    const run = await recover(`--data=${data}`, "--node=n3", "--yes");
    assertEquals(run.code, 0);
    assertMatch(
      run.out,
      /start it with: deno task node --id n3 --port 8003 --peer-port 9003 --data \S+\/n3\n$/,
    );
    assertEquals(names(data).filter((name) => name.startsWith("cluster")), [
      "cluster.json.abandoned",
      "cluster.lock",
    ]);
  });
});

Deno.test("kvctl recover takes the new addresses that it is told", async () => {
  await withCluster(async ({ root, data }) => {
    Deno.renameSync(`${data}/n2`, `${root}/elsewhere`);
    const flags = ["--peer=[fd00::2]:9443", "--member-url=https://b.example"];
    const run = await recover(`--data=${root}/elsewhere`, ...flags, "--yes");
    assertEquals(run.code, 0);
    assertEquals(readMembersFile(`${root}/elsewhere`)?.members, [
      { id: "n2", url: "https://b.example", peer: "[fd00::2]:9443" },
    ]);
  });
});

Deno.test("kvctl recover refuses a directory whose launcher is running", async () => {
  await withCluster(async ({ data, clusterId }) => {
    using _running = DataDirectory.open(data);
    for (const where of [[`--data=${data}`, "--node=n1"], [`--data=${data}/n1`]]) {
      const run = await recover(...where, "--yes");
      assertEquals(run.code, 2);
      assertMatch(run.errors, /another launcher is running a cluster in/);
    }
    assertEquals((await openAsNode(`${data}/n1`, clusterId, "n1")).recovery.entries, []);
  });
});

Deno.test("kvctl recover refuses what is no node's data", async () => {
  await withCluster(async ({ root, data }) => {
    const refused: readonly [string[], RegExp][] = [
      [[`--data=${root}/none`, "--yes"], /Cannot find data of a node in/],
      [[`--data=${root}`, "--yes"], /Cannot find data of a node in/],
      [[`--data=${data}`, "--yes"], /is a directory of "task cluster": say which --node/],
      [[`--data=${data}`, "--node=n4", "--yes"], /Cannot find data of a node in/],
      [[`--data=${data}`, "--node=../x", "--yes"], /--node takes n1 to n9/],
      [[`--data=${root}`, "--node=n1", "--yes"], /is no directory of "task cluster"/],
      [[`--data=${data}/n1`, "--peer=x", "--yes"], /--peer takes HOST:PORT, not x/],
      [[`--data=${data}/n1`, "--member-url=x", "--yes"], /--member-url takes http:\/\//],
      [["--yes"], /--data is missing/],
    ];
    for (const [flags, message] of refused) {
      const run = await recover(...flags);
      assertEquals([run.code, run.out], [2, ""], flags.join(" "));
      assertMatch(run.errors, message);
    }
    const unforced = await kvctl(["recover", `--data=${data}/n1`, "--yes"]);
    assertEquals(unforced.code, 2);
    assertMatch(unforced.errors, /say --force-new-cluster if that is meant/);
    requireOurs(data, { size: 3, basePort: 8001 }, false);
  });
});
