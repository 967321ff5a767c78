/** kvctl watch, against servers that play the HTTP contract. */
import { assertEquals, assertMatch, assertThrows } from "@std/assert";
import { EventParser, EventTooLong } from "../../cli/kvctl/event_parser.ts";
import { EVENT_CHARS_MAX } from "../../cli/kvctl/limits.ts";
import { FakeCluster, type FakeNode, kvctl, problem, type Seen } from "./fake_cluster.ts";

const stamp = (index: number) => index.toString(16).padStart(16, "0") + "0001";

function watching(index: number): string {
  return `event: watching\nid: ${stamp(index)}\ndata: {"versionstamp":"${stamp(index)}"}\n\n`;
}

function change(index: number, ...changes: unknown[]): string {
  const data = JSON.stringify({ versionstamp: stamp(index), changes });
  return `event: change\nid: ${stamp(index)}\ndata: ${data}\n\n`;
}

function set(index: number, value: unknown = index): string {
  return change(index, { type: "set", key: ["a", "b"], value, encoding: "json" });
}

function events(...texts: string[]): Response {
  return new Response(texts.join(""), { headers: { "content-type": "text/event-stream" } });
}

/** Answers each request of a node's with the next of these. */
function answer(node: FakeNode, ...responses: ((seen: Seen) => Response)[]): void {
  node.fault = (seen) => responses.shift()?.(seen) ?? null;
}

Deno.test("kvctl watch prints a line for each change, in its order", async () => {
  await using cluster = new FakeCluster(1);
  const [node] = cluster.nodes;
  const stream = [
    "retry: 1000\n\n",
    watching(6),
    set(7, { n: 1 }),
    `id: ${stamp(8)}\n\n`,
    change(
      9,
      { type: "delete", key: ["a", "b"] },
      { type: "set", key: ["c", 1], value: { bytes: "YQ==" }, encoding: "bytes" },
    ),
  ];
  const lines = [
    `${stamp(7)} set a/b {"n":1}`,
    `${stamp(9)} delete a/b`,
    `${stamp(9)} set ["c",1] a`,
  ];
  answer(node, () => events(...stream), () => events(...stream));
  const args = ["watch", "a/b", "x y/%", "--prefix=c", "--prefix", "d/e", `--url=${cluster.urls}`];
  const run = await kvctl([...args, "--count=3"]);
  assertEquals([run.code, run.out, run.errors], [0, `${lines.join("\n")}\n`, ""]);
  const query = new URL(node.seen[0].path, "http://node").searchParams;
  assertEquals([...query], [
    ["key", "a/b"],
    ["key", "x%20y/%25"],
    ["prefix", "c"],
    ["prefix", "d/e"],
  ]);
  const json = (await kvctl([...args, "--count=2", "--json"])).out.trimEnd().split("\n");
  assertEquals(json.map((line) => JSON.parse(line)), [
    { type: "set", key: ["a", "b"], value: { n: 1 }, encoding: "json", versionstamp: stamp(7) },
    { type: "delete", key: ["a", "b"], versionstamp: stamp(9) },
  ]);
});

Deno.test("kvctl watch goes on behind the last event when the node ends the stream, or is not there any more", async () => {
  await using cluster = new FakeCluster(3);
  const [first, second, third] = cluster.nodes;
  await second.down();
  answer(
    first,
    () => events(watching(1), set(2)),
    () => problem(503, "draining"),
  );
  answer(third, () => events(watching(2), set(3), `id: ${stamp(9)}\n\n`), () => events(set(10)));
  const run = await kvctl(["watch", "a/b", `--url=${cluster.urls}`, "--count=3"]);
  assertEquals(run.out, [2, 3, 10].map((i) => `${stamp(i)} set a/b ${i}\n`).join(""));
  const asked = [...first.seen, ...third.seen].map(({ headers }) => headers.get("last-event-id"));
  // An id that came without data counts: what lies before it was no change of these keys.
  assertEquals(asked, [null, stamp(2), stamp(2), stamp(9)]);
});

Deno.test("kvctl watch prints gaps, and from where it is told to begin", async () => {
  await using cluster = new FakeCluster(1);
  const [node] = cluster.nodes;
  const gap = { since: stamp(3), versionstamp: stamp(9) };
  const stream = [
    watching(3),
    `event: compacted\nid: ${stamp(9)}\ndata: ${JSON.stringify(gap)}\n\n`,
    set(10),
  ];
  answer(node, () => events(...stream), () => events(...stream));
  const args = ["watch", "a/b", `--since=${stamp(3)}`, "--count=1", `--url=${cluster.urls}`];
  assertEquals(
    (await kvctl(args)).out,
    `${stamp(9)} gap ${stamp(3)}\n${stamp(10)} set a/b 10\n`,
  );
  assertEquals(node.seen[0].path, `/v1/watch?key=a%2Fb&since=${stamp(3)}`);
  const [json] = (await kvctl([...args, "--json"])).out.split("\n");
  assertEquals(JSON.parse(json), { type: "gap", ...gap });
});

Deno.test("kvctl watch asks no second time from where the cluster never came to", async () => {
  await using cluster = new FakeCluster(3);
  for (const node of cluster.nodes) {
    node.fault = () => problem(409, "ahead-of-cluster", "begin anew");
  }
  const args = ["watch", `--since=${stamp(99)}`, `--url=${cluster.urls}`];
  const { code, out, errors } = await kvctl(args);
  assertEquals([code, out], [1, ""]);
  assertEquals(errors, "kvctl watch: 409 ahead-of-cluster: begin anew\n");
  assertEquals(cluster.nodes.flatMap(({ seen }) => seen).length, 1);
});

Deno.test("kvctl watch fails when no node takes it, and when it is answered with something else", async () => {
  await using cluster = new FakeCluster(1);
  const [node] = cluster.nodes;
  const url = `--url=${cluster.urls}`;
  node.fault = () => problem(503, "overloaded");
  const refused = await kvctl(["watch", url, "--timeout=100", "--json"]);
  assertEquals([refused.code, JSON.parse(refused.out).error.code], [1, "unavailable"]);
  node.fault = () => problem(400, "bad-query", "no");
  assertEquals((await kvctl(["watch", url])).errors, "kvctl watch: 400 bad-query: no\n");
  const strange = [
    () => new Response("<html>"),
    () => events("event: change\ndata: {\n\n"),
    () => events(`data: ${"x".repeat(EVENT_CHARS_MAX)}`),
  ];
  for (const response of strange) {
    node.fault = response;
    const run = await kvctl(["watch", url, "--json"]);
    assertEquals([run.code, JSON.parse(run.out).error.code], [1, "unexpected"]);
  }
});

Deno.test("kvctl watch refuses flags that it cannot use", async () => {
  const cases: [string, RegExp][] = [
    ["--since=7", /--since takes a versionstamp/],
    ["--count=0", /--count takes a number from 1/],
    ["--prefix=a//b", /empty part/],
  ];
  for (const [flag, message] of cases) {
    const run = await kvctl(["watch", "a", flag]);
    assertEquals(run.code, 2);
    assertMatch(run.errors, message);
  }
});

Deno.test("EventParser reads the same events however the text is cut", () => {
  const text = ": hello\r\nretry: 1\n\nevent: a\ndata: 1\ndata:  2\nid: x\n\n" +
    "data\n\nid\n\nid: y\nevent: lost\n\ndata:3\nunknown: field\n\ndata: unfinished";
  for (let size = 1; size <= text.length; size++) {
    const parser = new EventParser();
    const found = [];
    for (let at = 0; at < text.length; at += size) {
      found.push(...parser.push(text.slice(at, at + size)));
    }
    assertEquals(found, [
      { name: "a", data: "1\n 2" },
      { name: "message", data: "" },
      { name: "message", data: "3" },
    ], `in pieces of ${size}`);
    assertEquals(parser.lastId, "y");
  }
});

Deno.test("EventParser takes no event without end", () => {
  const parser = new EventParser();
  const piece = "data: x\n".repeat(65_536);
  assertThrows(() => {
    for (let i = 0; i <= EVENT_CHARS_MAX / piece.length + 1; i++) parser.push(piece);
  }, EventTooLong);
});
