/**
 * kvctl from one node to the next: dead, paused, busy and doubtful nodes.
 *
 * @module
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { FakeCluster, kvctl, problem } from "./fake_cluster.ts";

Deno.test("kvctl goes on from a dead node to the next", async () => {
  await using cluster = new FakeCluster();
  const [first, second, third] = cluster.nodes;
  await first.down();
  const run = await kvctl([
    "put",
    "k",
    "v",
    "--url",
    first.url,
    "--url",
    `${second.url},${third.url}`,
  ]);
  assertEquals(run.code, 0);
  assertEquals([second.seen.length, third.seen.length], [1, 0]);
});

for (const status of [500, 502, 503, 504]) {
  Deno.test(`kvctl goes on from a ${status} to the next node, under the same Idempotency-Key`, async () => {
    await using cluster = new FakeCluster();
    const [first, second] = cluster.nodes;
    first.fault = () => problem(status, "as-told");
    assertEquals((await kvctl(["put", "k", "v", `--url=${cluster.urls}`])).code, 0);
    const keys = [...first.seen, ...second.seen].map((it) => it.headers.get("idempotency-key"));
    assertEquals(keys.length, 2);
    assertEquals(keys[0], keys[1]);
  });
}

Deno.test("kvctl does not write twice when a node writes and then does not answer", async () => {
  await using cluster = new FakeCluster();
  const [first, second] = cluster.nodes;
  first.fault = (seen) => {
    cluster.store(seen);
    return problem(504, "outcome-unknown");
  };
  const run = await kvctl(["put", "k", "v", `--url=${cluster.urls}`, "--json"]);
  assertEquals(run.code, 0);
  assertEquals(cluster.writes, 1);
  assertEquals(second.seen.length, 1);
});

Deno.test("kvctl leaves a node that never answers in time to ask the others", async () => {
  await using cluster = new FakeCluster(2);
  const [first, second] = cluster.nodes;
  const paused = Promise.withResolvers<Response>();
  first.fault = () => paused.promise;
  const run = await kvctl(["put", "k", "v", `--url=${cluster.urls}`, "--timeout=600"]);
  paused.resolve(new Response());
  assertEquals(run.code, 0);
  assertEquals(second.seen.length, 1);
});

Deno.test("kvctl asks all nodes again until one serves", async () => {
  await using cluster = new FakeCluster(2);
  let refusals = 0;
  for (const node of cluster.nodes) {
    node.fault = () => ++refusals <= 3 ? problem(503, "no-leader") : null;
  }
  assertEquals((await kvctl(["put", "k", "v", `--url=${cluster.urls}`])).code, 0);
  assertEquals(refusals, 4);
});

Deno.test("kvctl waits as long as a busy cluster asks for", async () => {
  await using cluster = new FakeCluster(1);
  const [node] = cluster.nodes;
  node.fault = () => new Response("{}", { status: 503, headers: { "retry-after": "1" } });
  const run = await kvctl(["get", "k", `--url=${cluster.urls}`, "--timeout=900"]);
  assertEquals(run.code, 1);
  assertEquals(node.seen.length, 1);
});

Deno.test("kvctl gives up in time when no node serves, sure that nothing was done", async () => {
  await using cluster = new FakeCluster(2);
  const [first, second] = cluster.nodes;
  await first.down();
  second.fault = () => problem(503, "no-leader", "no leader was found");
  const run = await kvctl(["put", "k", "v", `--url=${cluster.urls}`, "--timeout=300"]);
  assertEquals(run.code, 1);
  assertMatch(run.errors, /no node could serve it within 300 ms; nothing was done: /);
  assert(run.errors.includes(`${first.url} cannot be reached`));
  assert(run.errors.includes(`${second.url} answered 503 no-leader: no leader was found`));
});

Deno.test("kvctl says that a write's outcome is unknown, and how to find out", async () => {
  await using cluster = new FakeCluster(1);
  const [node] = cluster.nodes;
  node.fault = (seen) => {
    cluster.store(seen);
    return problem(504, "outcome-unknown");
  };
  const args = ["put", "k", "v", `--url=${cluster.urls}`];
  const run = await kvctl([...args, "--timeout=150", "--json"]);
  assertEquals(run.code, 1);
  const { error } = JSON.parse(run.out);
  assertEquals(error.code, "outcome-unknown");
  const [, key] = /--idempotency-key (\S+) finds out/.exec(error.message)!;
  node.fault = () => null;
  assertEquals((await kvctl([...args, `--idempotency-key=${key}`])).code, 0);
  assertEquals(cluster.writes, 1);
});

Deno.test("kvctl says of a read only that it could not be served", async () => {
  await using cluster = new FakeCluster(1);
  cluster.nodes[0].fault = () => problem(504, "outcome-unknown");
  const run = await kvctl(["get", "k", `--url=${cluster.urls}`, "--timeout=100", "--json"]);
  assertEquals(JSON.parse(run.out).error.code, "unavailable");
});

Deno.test("kvctl does not take a stranger's answer for a node's", async () => {
  await using cluster = new FakeCluster(1);
  const url = `--url=${cluster.urls}`;
  cluster.nodes[0].fault = () => new Response("<html>");
  for (const args of [["put", "k", "v"], ["list"], ["verify"]]) {
    const run = await kvctl([...args, url, "--json"]);
    assertEquals(run.code, 1);
    assertEquals(JSON.parse(run.out).error.code, "unexpected");
  }
  cluster.nodes[0].fault = () => new Response("<html>", { status: 404 });
  const run = await kvctl(["get", "k", url]);
  assertEquals(run.code, 1, "a proxy's 404 does not mean that the key is absent");
});
