/**
 * kvctl status and verify.
 *
 * @module
 */
import { assertEquals, assertMatch } from "@std/assert";
import { HashComparison } from "../../cli/kvctl/hash_comparison.ts";
import { VERIFY_SAMPLES_MAX } from "../../cli/kvctl/limits.ts";
import { FakeCluster, type FakeNode, kvctl, problem } from "./fake_cluster.ts";

const a = "aa".repeat(16);
const b = "bb".repeat(16);

Deno.test("kvctl status shows all members, asked of any one", async () => {
  await using cluster = new FakeCluster();
  const run = await kvctl(["status", "--url", cluster.nodes[1].url]);
  assertEquals(run.code, 0);
  const [id, head, ...rows] = run.out.trimEnd().split("\n");
  assertEquals(id, "cluster 00000000-0000-4000-8000-000000000001");
  assertMatch(head, /^node +url +role +term +leader +snapshot +last +commit +applied +state hash$/);
  assertEquals(
    rows.map((row) => row.split(/ +/)),
    cluster.nodes.map((
      { id, url },
      i,
    ) => [id, url, i === 0 ? "leader" : "follower", "3", "n1", "4", "7", "7", "7", "aaaaaaaa@7"]),
  );
});

Deno.test("kvctl status shows who is damaged, and what it lacks", async () => {
  await using cluster = new FakeCluster();
  const [, second] = cluster.nodes;
  second.damage = "The mark beside the log is missing";
  const run = await kvctl(["status", "--url", cluster.nodes[0].url]);
  const lines = run.out.trimEnd().split("\n");
  assertEquals(lines.slice(2, 5).map((row) => row.split(/ +/)[2]), [
    "leader",
    "damaged",
    "follower",
  ]);
  assertEquals(lines.slice(5), ["n2 is damaged: The mark beside the log is missing"]);
});

Deno.test("kvctl status shows who answers and has no replica running, and why", async () => {
  await using cluster = new FakeCluster();
  const [first, , third] = cluster.nodes;
  third.failure = "the replica has failed (CorruptLog)";
  const run = await kvctl(["status", "--url", first.url]);
  assertEquals(run.code, 0);
  assertMatch(run.out, /^n3 +http:\S+ +no replica +- +- +- +- +- +- +-$/m);
  const why = "n3 has no replica running: the replica has failed (CorruptLog)";
  assertEquals(run.out.trimEnd().split("\n").at(-1), why);
  const alone = await kvctl(["status", "--url", third.url]);
  assertEquals([alone.code, alone.out.trimEnd().split("\n").at(-1)], [1, why]);
});

Deno.test("kvctl status shows who does not answer", async () => {
  await using cluster = new FakeCluster();
  const [, , third] = cluster.nodes;
  await third.down();
  const run = await kvctl(["status", `--url=${cluster.urls}`]);
  assertEquals(run.code, 0);
  assertMatch(run.out, /^n3 +http:\S+ +cannot be reached +- +- +- +- +- +- +-$/m);
  const json = JSON.parse((await kvctl(["status", `--url=${cluster.urls}`, "--json"])).out);
  assertEquals(json.clusterId, "00000000-0000-4000-8000-000000000001");
  assertEquals(json.nodes[0].status.replicas[0].stateHash, { index: 7, hash: a });
  assertEquals(json.nodes[2], {
    id: "n3",
    url: third.url,
    reachable: false,
    error: "cannot be reached",
  });
});

Deno.test("kvctl status fails when nobody answers", async () => {
  await using cluster = new FakeCluster(1);
  await cluster.nodes[0].down();
  const run = await kvctl(["status", `--url=${cluster.urls}`]);
  assertEquals(run.code, 1);
  assertMatch(run.out, /^\? +http:\S+ +cannot be reached/m);
});

Deno.test("kvctl status --wait returns when all members are ready under one leader", async () => {
  await using cluster = new FakeCluster();
  const [, second] = cluster.nodes;
  let asked = 0;
  second.fault = ({ path }) =>
    path === "/readyz" && ++asked < 3 ? problem(503, "not-serving") : null;
  const run = await kvctl(["status", "--wait", `--url=${cluster.nodes[0].url}`]);
  assertEquals([run.code, asked], [0, 3]);
  assertMatch(run.out, /^n2 .* follower /m);
});

Deno.test("kvctl status --wait says who is not ready when the time is over", async () => {
  await using cluster = new FakeCluster();
  const [, second, third] = cluster.nodes;
  second.fault = ({ path }) => path === "/readyz" ? problem(503, "not-serving") : null;
  await third.down();
  const run = await kvctl(["status", "--wait", `--url=${cluster.urls}`, "--timeout=300"]);
  assertEquals([run.code, run.out], [1, ""]);
  assertEquals(
    run.errors,
    "kvctl status: not all are ready after 300 ms: n2 is not ready; n3 cannot be reached\n",
  );
});

/** Makes the node one that was removed, and whose view, at a lower index, still has it as a member. */
async function outdate(cluster: FakeCluster, node: FakeNode): Promise<void> {
  const stale = await (await fetch(`${node.url}/v1/cluster`)).json();
  stale.replicas[0].commitIndex = 5;
  const members = cluster.members().filter(({ id }) => id !== node.id);
  cluster.members = () => members;
  node.fault = ({ path }) =>
    path === "/v1/cluster" ? Response.json(stale) : problem(503, "not-serving");
}

Deno.test("kvctl status shows as removed who is no member of the freshest view", async () => {
  await using cluster = new FakeCluster();
  const [first, , third] = cluster.nodes;
  await outdate(cluster, third);
  for (const urls of [cluster.urls, third.url, `${third.url},${first.url}`]) {
    const run = await kvctl(["status", `--url=${urls}`]);
    assertEquals(run.code, 0);
    const roles = run.out.trimEnd().split("\n").slice(2).map((line) => line.split(/ +/)[2]);
    assertEquals(roles, ["leader", "follower", "removed"]);
  }
});

Deno.test("kvctl status --wait waits neither for who was removed nor for a stranger's silence", async () => {
  await using cluster = new FakeCluster();
  await using other = new FakeCluster(1);
  const [, , third] = cluster.nodes;
  await outdate(cluster, third);
  await other.nodes[0].down();
  const args = ["status", "--wait", "--timeout=2s", `--url=${other.urls},${cluster.urls}`];
  const answering = await kvctl(args);
  assertEquals([answering.code, answering.errors], [0, ""]);
  await third.down();
  const silent = await kvctl(args);
  assertEquals([silent.code, silent.errors], [0, ""]);
});

Deno.test("kvctl status --wait waits for a member that only the freshest view names", async () => {
  await using cluster = new FakeCluster(4);
  const [, , third, fourth] = cluster.nodes;
  const all = cluster.members();
  cluster.members = () => all.slice(0, 3);
  await outdate(cluster, third);
  cluster.members = () => all.filter(({ id }) => id !== third.id);
  fourth.fault = ({ path }) => path === "/readyz" ? problem(503, "not-serving") : null;
  const run = await kvctl(["status", "--wait", `--url=${third.url}`, "--timeout=300"]);
  assertEquals(run.code, 1);
  assertEquals(run.errors, "kvctl status: not all are ready after 300 ms: n4 is not ready\n");
});

Deno.test("kvctl status --wait does not take silence for an empty cluster", async () => {
  await using cluster = new FakeCluster(1);
  await cluster.nodes[0].down();
  const run = await kvctl(["status", "--wait", `--url=${cluster.urls}`, "--timeout=300"]);
  assertEquals(run.code, 1);
  assertMatch(run.errors, /not all are ready after 300 ms: http:\S+ cannot be reached$/m);
});

Deno.test("kvctl verify finds replicas equal at one index", async () => {
  await using cluster = new FakeCluster();
  const run = await kvctl(["verify", "--url", cluster.nodes[2].url]);
  assertEquals([run.code, run.out], [0, `equal at index 7: ${a}\n`]);
  const json = await kvctl(["verify", `--url=${cluster.urls}`, "--json"]);
  assertEquals(JSON.parse(json.out), {
    equal: true,
    groups: [{ group: "0", index: 7, hashes: { n1: a, n2: a, n3: a } }],
    missing: {},
  });
});

Deno.test("kvctl verify waits for an index that all have reported, while the cluster writes", async () => {
  await using cluster = new FakeCluster();
  // Each node is seen at indexes of its own; only the multiples of 6 are common to all.
  cluster.nodes.forEach((node, i) => {
    let index = 0;
    node.sample = () => {
      index += i + 1;
      return { index, hash: `${index}`.padStart(32, "0") };
    };
  });
  const run = await kvctl(["verify", `--url=${cluster.urls}`]);
  assertEquals(run.code, 0);
  const [, index, hash] = /^equal at index (\d+): (\d+)$/m.exec(run.out)!;
  assertEquals(Number(index) % 6, 0);
  assertEquals(Number(hash), Number(index));
});

Deno.test("kvctl verify names replicas that differ, and exits with 4", async () => {
  await using cluster = new FakeCluster();
  cluster.nodes[1].sample = () => ({ index: 7, hash: b });
  const run = await kvctl(["verify", `--url=${cluster.urls}`]);
  assertEquals(run.code, 4);
  const lines = run.out.trimEnd().split("\n");
  assertEquals(lines[0], "DIFFERENT at index 7:");
  assertEquals(lines.includes(`  n2 ${b}`), true);
  const json = JSON.parse((await kvctl(["verify", `--url=${cluster.urls}`, "--json"])).out);
  assertEquals([json.equal, json.groups[0].hashes.n2], [false, b]);
});

Deno.test("kvctl verify fails for a missing member, unless that is allowed", async () => {
  await using cluster = new FakeCluster();
  await cluster.nodes[2].down();
  const args = ["verify", `--url=${cluster.urls}`, "--timeout=200"];
  const strict = await kvctl(args);
  assertEquals(strict.code, 1);
  assertEquals(strict.out, `equal at index 7: ${a}\nmissing: n3 (cannot be reached)\n`);
  const lenient = await kvctl([...args, "--allow-missing"]);
  assertEquals([lenient.code, lenient.out], [0, strict.out]);
});

Deno.test("kvctl verify does not call one replica of three equal", async () => {
  await using cluster = new FakeCluster();
  await Promise.all(cluster.nodes.slice(1).map((node) => node.down()));
  const run = await kvctl([
    "verify",
    `--url=${cluster.urls}`,
    "--timeout=200",
    "--allow-missing",
    "--json",
  ]);
  assertEquals(run.code, 1);
  assertEquals(JSON.parse(run.out), {
    equal: false,
    groups: [],
    missing: { n2: "cannot be reached", n3: "cannot be reached" },
  });
});

Deno.test("kvctl verify gives up in time when no common index is seen", async () => {
  await using cluster = new FakeCluster(2);
  cluster.nodes[1].sample = () => ({ index: 8, hash: a });
  const run = await kvctl(["verify", `--url=${cluster.urls}`, "--timeout=200"]);
  assertEquals(run.code, 1);
  assertMatch(run.out, /^not compared: no index was seen/);
});

Deno.test("kvctl verify refuses to compare different clusters, or a node with itself", async () => {
  await using cluster = new FakeCluster(2);
  cluster.nodes[1].clusterId = "00000000-0000-4000-8000-000000000002";
  const url = `--url=${cluster.nodes[0].url}`;
  const run = await kvctl(["verify", url]);
  assertEquals(run.code, 1);
  assertMatch(run.errors, /where n2 should be, belongs to another cluster/);
  cluster.nodes[1].fault = async () => await fetch(`${cluster.nodes[0].url}/v1/cluster`);
  const same = await kvctl(["verify", url, "--timeout=200"]);
  assertEquals(same.code, 1);
  assertMatch(same.out, /^missing: n2 \(http:\S+ is n1\)$/m);
});

Deno.test("HashComparison finds the highest common index, and any difference", () => {
  const comparison = new HashComparison();
  assertEquals(comparison.agreement(new Set(["n1"])), null);
  for (const [node, index] of [["n1", 1], ["n2", 1], ["n2", 2], ["n1", 2], ["n1", 3]] as const) {
    comparison.add(node, "0", { index, hash: a });
  }
  assertEquals(comparison.agreement(new Set(["n1", "n2"]))?.[0].index, 2);
  assertEquals(comparison.agreement(new Set(["n1", "n2", "n3"])), null);
  assertEquals(comparison.difference, null);
  comparison.add("n3", "0", { index: 1, hash: b });
  assertEquals(comparison.difference, {
    group: "0",
    index: 1,
    hashes: new Map([["n1", a], ["n2", a], ["n3", b]]),
  });
});

Deno.test("HashComparison wants agreement in every group", () => {
  const comparison = new HashComparison();
  const both = new Set(["n1", "n2"]);
  for (const node of both) comparison.add(node, "0", { index: 1, hash: a });
  comparison.add("n1", "1", { index: 5, hash: b });
  assertEquals(comparison.agreement(both), null);
  comparison.add("n2", "1", { index: 5, hash: b });
  assertEquals(comparison.agreement(both)?.map(({ group, index }) => [group, index]), [
    ["0", 1],
    ["1", 5],
  ]);
});

Deno.test("HashComparison forgets the oldest samples beyond its limit", () => {
  const comparison = new HashComparison();
  comparison.add("n1", "0", { index: 0, hash: a });
  for (let index = 1; index <= VERIFY_SAMPLES_MAX; index++) {
    comparison.add("n1", "0", { index, hash: a });
  }
  comparison.add("n2", "0", { index: 0, hash: b });
  assertEquals(comparison.difference, null);
  comparison.add("n2", "0", { index: 2, hash: b });
  assertEquals(comparison.difference?.index, 2);
});
