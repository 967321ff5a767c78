/**
 * kvctl's commands on keys, against servers that play the HTTP contract.
 *
 * @module
 */
import { assertEquals, assertMatch } from "@std/assert";
import { keyPath, keyText } from "../../cli/kvctl/keys.ts";
import { FakeCluster, kvctl, problem } from "./fake_cluster.ts";

const stamp = (index: number) => index.toString(16).padStart(16, "0") + "0000";

Deno.test("kvctl put and get give the same text back", async () => {
  await using cluster = new FakeCluster(1);
  const url = `--url=${cluster.urls}`;
  assertEquals((await kvctl(["put", "a/b", "007 ü", url])).out, `${stamp(1)}\n`);
  assertEquals((await kvctl(["get", "a/b", url])).out, "007 ü");
  assertEquals((await kvctl(["get", "a/b", url], { isTerminal: true })).out, "007 ü\n");
  const [put] = cluster.nodes[0].seen;
  assertEquals(put.headers.get("content-type"), "application/octet-stream");
});

Deno.test("kvctl put - takes standard input byte for byte, and get gives it back", async () => {
  await using cluster = new FakeCluster(1);
  const url = `--url=${cluster.urls}`;
  const input = Uint8Array.from({ length: 65_536 }, (_, i) => i % 256);
  assertEquals((await kvctl(["put", "k", "-", url], { input })).code, 0);
  assertEquals((await kvctl(["get", "k", url])).bytes, input);
  assertEquals(
    (await kvctl(["get", "k", url, "--json"])).out,
    `${
      JSON.stringify({
        key: ["k"],
        value: { bytes: input.toBase64() },
        encoding: "bytes",
        versionstamp: stamp(1),
      })
    }\n`,
  );
});

Deno.test("kvctl put - refuses standard input that is too long, and sends nothing", async () => {
  await using cluster = new FakeCluster(1);
  const url = `--url=${cluster.urls}`;
  const run = await kvctl(["put", "k", "-", url], { input: new Uint8Array(65_537) });
  assertEquals(run.code, 2);
  assertMatch(run.errors, /standard input is longer than a value may be: 65536 bytes/);
  assertEquals(cluster.nodes[0].seen, []);
});

const forms: readonly [string, string, string, string, string][] = [
  // form, argument, body sent, printed, printed with --raw
  ["json", '{"a": [1]}', '{"a": [1]}', '{"a":[1]}\n', '{"a": [1]}'],
  ["json", '"text"', '"text"', "text", '"text"'],
  ["text", 'say "hi"', '"say \\"hi\\""', 'say "hi"', '"say \\"hi\\""'],
  ["text", "1", '"1"', "1", '"1"'],
];
for (const [form, argument, body, printed, raw] of forms) {
  Deno.test(`kvctl put --as ${form} stores ${argument} as a JavaScript value`, async () => {
    await using cluster = new FakeCluster(1);
    const url = `--url=${cluster.urls}`;
    assertEquals((await kvctl(["put", "k", argument, "--as", form, url])).code, 0);
    const [put] = cluster.nodes[0].seen;
    assertEquals(new TextDecoder().decode(put.body), body);
    assertEquals(put.headers.get("content-type"), "application/json");
    assertEquals((await kvctl(["get", "k", url])).out, printed);
    assertEquals((await kvctl(["get", "k", "--raw", url])).out, raw);
    assertEquals(JSON.parse((await kvctl(["get", "k", "--json", url])).out), {
      key: ["k"],
      value: JSON.parse(body),
      encoding: "json",
      versionstamp: stamp(1),
    });
  });
}

Deno.test("kvctl sends conditions and expiry as the contract has them", async () => {
  await using cluster = new FakeCluster(1);
  const url = `--url=${cluster.urls}`;
  await kvctl(["put", "k", "1", "--if-absent", "--expire-in=90s", url]);
  await kvctl(["put", "k", "2", `--if-match=${stamp(1)}`, url]);
  await kvctl(["delete", "k", `--if-match=${stamp(2)}`, "--idempotency-key=mine", url]);
  const [first, second, third] = cluster.nodes[0].seen;
  assertEquals(first.path, "/v1/kv/k?expireIn=90000");
  assertEquals(first.headers.get("if-none-match"), "*");
  assertMatch(first.headers.get("idempotency-key")!, /^[0-9a-f-]{36}$/);
  assertEquals(second.headers.get("if-match"), `"${stamp(1)}"`);
  assertEquals(third.method, "DELETE");
  assertEquals(third.headers.get("if-match"), `"${stamp(2)}"`);
  assertEquals(third.headers.get("idempotency-key"), "mine");
  assertEquals(cluster.writes, 3);
});

Deno.test("kvctl exits with 3 for a key that is not there, and 4 for a failed precondition", async () => {
  await using cluster = new FakeCluster(1);
  const url = `--url=${cluster.urls}`;
  const absent = await kvctl(["get", "k", url]);
  assertEquals([absent.code, absent.out], [3, ""]);
  assertMatch(absent.errors, /^kvctl get: 404 not-found: as told\n$/);
  await kvctl(["put", "k", "1", url]);
  assertEquals((await kvctl(["put", "k", "2", "--if-absent", url])).code, 4);
  assertEquals((await kvctl(["delete", "k", `--if-match=${stamp(9)}`, url])).code, 4);
  assertEquals((await kvctl(["delete", "k", url])).code, 0);
});

Deno.test("kvctl reports a refusal at once, and as JSON if asked", async () => {
  await using cluster = new FakeCluster(3);
  for (const node of cluster.nodes) node.fault = () => problem(413, "too-large", "65536 bytes");
  const run = await kvctl(["put", "k", "v", `--url=${cluster.urls}`, "--json"]);
  assertEquals(run.code, 1);
  assertEquals(run.errors, "");
  assertEquals(JSON.parse(run.out), {
    error: { code: "too-large", status: 413, message: "413 too-large: 65536 bytes" },
  });
  assertEquals(cluster.nodes.map((node) => node.seen.length), [1, 0, 0]);
});

Deno.test("keyPath() encodes each part for itself", () => {
  assertEquals(keyPath("a b/ü/100%/%2F/?#[]"), "a%20b/%C3%BC/100%25/%252F/%3F%23%5B%5D");
  assertEquals(decodeURIComponent(keyPath("\0__proto__")), "\0__proto__");
});

Deno.test("keyText() is what keyPath() takes, or else JSON", () => {
  assertEquals(keyText(["a", "b c", "ü%"]), "a/b c/ü%");
  for (const parts of [["a/b"], ["", "a"], ["."], [".."], ["a\n"], ["[1]"], ["a", 1], [true], []]) {
    if (parts.length > 0) assertEquals(keyText(parts), JSON.stringify(parts));
  }
});

Deno.test("kvctl list follows pages up to its limit, and prints the cursor of the rest", async () => {
  await using cluster = new FakeCluster(1);
  const [node] = cluster.nodes;
  const entries = Array.from({ length: 5 }, (_, i) => ({
    key: ["a", `k${i}`],
    value: i,
    encoding: "json",
    versionstamp: stamp(i + 1),
  }));
  node.fault = ({ path }) => {
    const query = new URL(path, node.url).searchParams;
    const from = Number(query.get("cursor") ?? "0");
    const to = from + Math.min(2, Number(query.get("limit")));
    return Response.json({
      entries: entries.slice(from, to),
      cursor: to < entries.length ? `${to}` : "",
    });
  };
  const url = `--url=${cluster.urls}`;
  const some = await kvctl(["list", "a", "--limit=3", url]);
  assertEquals(some.out, "a/k0\t0\na/k1\t1\na/k2\t2\n");
  assertEquals(some.errors, "there are more: --cursor 3\n");
  const rest = await kvctl(["list", "a", "--cursor=3", url]);
  assertEquals([rest.out, rest.errors], ["a/k3\t3\na/k4\t4\n", ""]);
  const json = await kvctl(["list", "a", "--limit=3", "--json", url]);
  assertEquals(JSON.parse(json.out), { entries: entries.slice(0, 3), cursor: "3" });
});

Deno.test("kvctl list passes its range on, and shows bytes that are text as text", async () => {
  await using cluster = new FakeCluster(1);
  const [node] = cluster.nodes;
  const shown: [unknown, string, string][] = [
    [{ bytes: "aMO8" }, "bytes", "hü"],
    [{ bytes: "/w==" }, "bytes", '{"bytes":"/w=="}'],
    [{ bytes: "YQo=" }, "bytes", '{"bytes":"YQo="}'],
    [{ bytes: "aMO8" }, "json", '{"bytes":"aMO8"}'],
    ["a", "json", '"a"'],
    ["42", "le64", '"42"'],
  ];
  node.fault = () =>
    Response.json({
      entries: shown.map(([value, encoding], i) => ({ key: [i], value, encoding })),
      cursor: "",
    });
  const run = await kvctl([
    "list",
    "a b/ü",
    "--start=a b/ü/x",
    "--end=a b/ü/y",
    "--reverse",
    "--limit=9",
    `--url=${cluster.urls}`,
  ]);
  assertEquals(run.out, shown.map(([, , text], i) => `[${i}]\t${text}\n`).join(""));
  const query = Object.fromEntries(new URL(node.seen[0].path, node.url).searchParams);
  assertEquals(query, {
    prefix: "a%20b/%C3%BC",
    start: "a%20b/%C3%BC/x",
    end: "a%20b/%C3%BC/y",
    reverse: "true",
    limit: "9",
  });
});

Deno.test("kvctl list --keys-only prints keys", async () => {
  await using cluster = new FakeCluster(1);
  const [node] = cluster.nodes;
  node.fault = () => Response.json({ entries: [{ key: ["a"] }, { key: ["b/c"] }], cursor: null });
  const run = await kvctl(["list", "--keys-only", `--url=${cluster.urls}`]);
  assertEquals(run.out, 'a\n["b/c"]\n');
  assertEquals(node.seen[0].path, "/v1/kv?keysOnly=true&limit=100");
});

Deno.test("kvctl get and list ask for the consistency that they are told, and say what was served", async () => {
  await using cluster = new FakeCluster(1);
  const [node] = cluster.nodes;
  const url = `--url=${node.url}`;
  const headers = {
    "content-type": "application/json",
    "x-kvorum-consistency": "eventual",
    "x-kvorum-versionstamp": stamp(9),
    "x-kvorum-staleness-ms": "12",
  };
  node.fault = () => new Response("1", { headers });
  const eventual = ["--consistency=eventual", "--max-staleness-ms=50"];
  const got = JSON.parse((await kvctl(["get", "k", ...eventual, "--json", url])).out);
  assertEquals([got.consistency, got.readAt, got.stalenessMs], ["eventual", stamp(9), 12]);
  await kvctl(["get", "k", "--consistency=session", `--min=${stamp(3)}`, url]);
  await kvctl(["get", "k", "--consistency=lease", url]);
  node.fault = () => new Response('{"entries":[],"cursor":""}', { headers });
  const listed = JSON.parse((await kvctl(["list", ...eventual, "--json", url])).out);
  assertEquals([listed.consistency, listed.readAt, listed.stalenessMs], ["eventual", stamp(9), 12]);
  assertEquals(node.seen.map(({ path }) => path), [
    "/v1/kv/k?consistency=eventual&maxStalenessMs=50",
    `/v1/kv/k?consistency=session&min=${stamp(3)}`,
    "/v1/kv/k?consistency=lease",
    "/v1/kv?consistency=eventual&maxStalenessMs=50&limit=100",
  ]);
});

Deno.test("kvctl list in a session reads no page of an earlier state than the one before", async () => {
  await using cluster = new FakeCluster(1);
  const [node] = cluster.nodes;
  let pages = 0;
  node.fault = () =>
    Response.json({ entries: [{ key: ["a"] }], cursor: ++pages < 3 ? "c" : "" }, {
      headers: { "x-kvorum-consistency": "session", "x-kvorum-versionstamp": stamp(10 + pages) },
    });
  await kvctl(["list", "--consistency=session", `--min=${stamp(1)}`, `--url=${node.url}`]);
  const mins = node.seen.map(({ path }) => new URL(path, node.url).searchParams.get("min"));
  assertEquals(mins, [stamp(1), stamp(11), stamp(12)]);
});

const usage: readonly [string[], RegExp][] = [
  [["put", "k"], /usage: kvctl put KEY VALUE/],
  [["put", "k", "v", "w"], /usage: kvctl put KEY VALUE/],
  [["put", "k", "v", "--as", "xml"], /--as takes bytes, text, json, not xml/],
  [["put", "k", "{", "--as", "json"], /the value is not JSON: /],
  [["put", "k", "v", "--expire-in", "soon"], /--expire-in takes milliseconds, .* not soon/],
  [["put", "k", "v", "--expire-in", "0"], /--expire-in takes milliseconds, .* not 0/],
  [["put", "k", "v", "--if-match", "1"], /--if-match takes a versionstamp, 20 hex digits, not 1/],
  [["put", "k", "v", "--if-absent", `--if-match=${stamp(1)}`], /exclude each other/],
  [["put", "k", "v", "--idempotency-key", "ü"], /--idempotency-key takes 1 to 256 printable/],
  [["put", "k", "v", "--limit", "1"], /unknown flag: --limit/],
  [["get", "a//b"], /has an empty part/],
  [["get", "a/"], /has an empty part/],
  [["get", "a/../b"], /has the part "\.\.", which no URL can carry/],
  [["get", "./b"], /has the part "\.", which no URL can carry/],
  [["get", "k", "--raw", "--json"], /--raw and --json exclude each other/],
  [["list", "--limit", "0"], /--limit takes a whole number from 1, not 0/],
  [["status", "now"], /usage: kvctl status/],
  [
    ["get", "k", "--consistency", "strong"],
    /--consistency takes linearizable, lease, session, eventual/,
  ],
  [["get", "k", "--min", stamp(1)], /--min goes with --consistency session only/],
  [
    ["get", "k", "--consistency=session", "--min=7"],
    /--min takes a versionstamp, 20 hex digits, not 7/,
  ],
  [["list", "--max-staleness-ms=5"], /--max-staleness-ms goes with --consistency eventual only/],
  [
    ["list", "--consistency=eventual", "--max-staleness-ms=1s"],
    /--max-staleness-ms takes a whole number, not 1s/,
  ],
  [["get", "k", "--timeout", "10 s"], /--timeout takes milliseconds/],
  [["get", "k", "--url", "127.0.0.1:8001"], /"127.0.0.1:8001" is no node/],
  [["get", "k", "--url", "http://a,http://b/x"], /"http:\/\/b\/x" is no node/],
  [
    ["frob"],
    /unknown command frob; there are put, get, delete, list, watch, status, verify, members, /,
  ],
];
for (const [args, message] of usage) {
  Deno.test(`kvctl ${args.join(" ")} is wrong usage`, async () => {
    const run = await kvctl(args);
    assertEquals(run.code, 2);
    assertMatch(run.errors + run.out, message);
  });
}

Deno.test("kvctl says what a node answered, not that it had no time to answer once more", async () => {
  await using cluster = new FakeCluster(1);
  const [node] = cluster.nodes;
  const { promise: never, resolve } = Promise.withResolvers<Response>();
  node.fault = () => node.seen.length === 1 ? problem(503, "no-leader", "none was found") : never;
  const run = await kvctl(["get", "k", `--url=${cluster.urls}`, "--timeout=600"]);
  resolve(problem(503, "draining"));
  assertEquals([run.code, node.seen.length], [1, 2]);
  assertMatch(run.errors, /answered 503 no-leader: none was found$/m);
});

Deno.test("kvctl reports wrong usage as JSON if asked", async () => {
  const run = await kvctl(["put", "k", "--json"]);
  assertEquals(run.code, 2);
  assertEquals(JSON.parse(run.out).error.code, "usage");
});

const readFlags = ["consistency", "min", "max-staleness-ms"];
const commandFlags: Readonly<Record<string, readonly string[]>> = {
  put: ["as", "expire-in", "if-match", "if-absent", "idempotency-key"],
  get: ["raw", ...readFlags],
  delete: ["if-match", "idempotency-key"],
  list: ["start", "end", "reverse", "limit", "keys-only", "cursor", ...readFlags],
  status: ["wait"],
  verify: ["allow-missing"],
  members: ["peer", "member-url", "role", "wait"],
  transfer: ["to"],
  snapshot: ["all"],
  backup: ["force"],
  restore: ["data", "size", "base-port", "id", "peers", "cluster-id"],
  recover: ["force-new-cluster", "data", "node", "peer", "member-url", "yes"],
};

Deno.test("kvctl explains itself and each command", async () => {
  const all = await kvctl(["help"]);
  assertEquals(all.code, 0);
  assertEquals((await kvctl(["--help"])).out, all.out);
  assertEquals((await kvctl([])).code, 2);
  for (const name of Object.keys(commandFlags)) {
    assertMatch(all.out, new RegExp(`^${name} `, "m"));
    const help = await kvctl(["help", name]);
    assertEquals(help.code, 0);
    for (const flag of commandFlags[name]) assertMatch(help.out, new RegExp(`^  --${flag} `, "m"));
    assertMatch(help.out, new RegExp(`^Usage: kvctl ${name}`, "m"));
    assertEquals((await kvctl([name, "--help", "--nonsense"])).out, help.out);
  }
  assertEquals((await kvctl(["help", "frob"])).code, 2);
});

Deno.test("kvctl takes the nodes from KVORUM_URL, and --url over it", async () => {
  await using cluster = new FakeCluster(2);
  const [first, second] = cluster.nodes;
  const env = { KVORUM_URL: first.url };
  await kvctl(["put", "k", "v"], { env });
  await kvctl(["put", "k", "v", "--url", second.url], { env });
  assertEquals([first.seen.length, second.seen.length], [1, 1]);
});
