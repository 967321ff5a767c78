/**
 * kvctl members, transfer and snapshot, against servers that play the HTTP contract.
 *
 * @module
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { ClusterClient } from "../../cli/kvctl/client.ts";
import { SNAPSHOT_TIMEOUT_MS } from "../../cli/kvctl/limits.ts";
import { snapshotCommand } from "../../cli/kvctl/snapshot_command.ts";
import { FakeCluster, type FakeMember, type FakeNode, kvctl, problem } from "./fake_cluster.ts";

const n4: FakeMember = {
  id: "n4",
  url: "http://127.0.0.1:8004",
  peer: "127.0.0.1:9004",
  role: "joining",
};
const n4Flags = [`--peer=${n4.peer}`, `--member-url=${n4.url}`];

/** What the node was asked beside its view. */
function asked(node: FakeNode): unknown[] {
  return node.seen.filter(({ path }) => path !== "/v1/cluster").map(({ method, path, body }) => [
    method,
    path,
    body.length === 0 ? null : JSON.parse(new TextDecoder().decode(body)),
  ]);
}

/** Answers everything but the view. */
function answering(answer: () => Response): (seen: { path: string }) => Response | null {
  return ({ path }) => path === "/v1/cluster" ? null : answer();
}

Deno.test("kvctl members shows who is a member", async () => {
  await using cluster = new FakeCluster(2);
  const all = [...cluster.members(), n4];
  cluster.members = () => all;
  const run = await kvctl(["members", "--url", cluster.urls]);
  assertEquals(run.code, 0);
  assertEquals(run.out.trimEnd().split("\n").map((line) => line.split(/ +/)), [
    ["member", "role", "url", "peer"],
    ...all.map(({ id, role, url, peer }) => [id, role, url, peer]),
  ]);
  const json = JSON.parse((await kvctl(["members", "list", "--json", "--url", cluster.urls])).out);
  assertEquals(json, {
    clusterId: "00000000-0000-4000-8000-000000000001",
    leader: "n1",
    members: all,
  });
});

Deno.test("kvctl members believes the node that has seen most of the log", async () => {
  await using cluster = new FakeCluster();
  const [, , third] = cluster.nodes;
  const members = cluster.members();
  // n1 and n2 are behind; only n3 knows of n4.
  third.fault = async () => {
    const view = await (await fetch(`${cluster.nodes[0].url}/v1/cluster`)).json();
    view.replicas[0].commitIndex = 8;
    return Response.json({ ...view, node: "n3", members: [...members, n4] });
  };
  assertMatch((await kvctl(["members", `--url=${cluster.urls}`])).out, /^n4 +joining /m);
});

Deno.test("kvctl members add tells the cluster of a node", async () => {
  await using cluster = new FakeCluster(1);
  const [node] = cluster.nodes;
  node.fault = answering(() => Response.json({ members: [...cluster.members(), n4] }));
  const url = `--url=${node.url}`;
  const added = await kvctl(["members", "add", "n4", ...n4Flags, url]);
  assertEquals(added.code, 0);
  assertMatch(added.out, /^n4 +joining +http:\/\/127.0.0.1:8004 +127.0.0.1:9004$/m);
  await kvctl(["members", "add", "n4", ...n4Flags, "--role=learner", url]);
  const json = await kvctl(["members", "replace", "n3", "n4", ...n4Flags, url, "--json"]);
  assertEquals(JSON.parse(json.out), { members: [...cluster.members(), n4] });
  const { id, url: memberUrl, peer } = n4;
  const member = { id, url: memberUrl, peer };
  assertEquals(asked(node), [
    ["POST", "/v1/cluster/members", { ...member, role: "voter" }],
    ["POST", "/v1/cluster/members", { ...member, role: "learner" }],
    ["POST", "/v1/cluster/members", { ...member, role: "voter", replaces: "n3" }],
  ]);
  assertEquals(node.seen[0].headers.get("content-type"), "application/json");
});

Deno.test("kvctl members remove asks for it at any node, and shows who is left", async () => {
  await using cluster = new FakeCluster(2);
  const [first, second] = cluster.nodes;
  await first.down();
  second.fault = answering(() => Response.json({ members: cluster.members().slice(1) }));
  const run = await kvctl(["members", "remove", "n1", `--url=${cluster.urls}`]);
  assertEquals(run.code, 0);
  assertEquals(/^n1 /m.test(run.out), false);
  assertEquals(asked(second), [["DELETE", "/v1/cluster/members/n1", null]]);
});

const refusals: readonly [string[], number, string][] = [
  [["members", "add", "n1", ...n4Flags], 409, "member-exists"],
  [["members", "add", "n4", ...n4Flags], 409, "address-in-use"],
  [["members", "add", "n4", ...n4Flags], 409, "change-in-progress"],
  [["members", "replace", "n9", "n4", ...n4Flags], 404, "unknown-member"],
  [["members", "remove", "n9"], 404, "unknown-member"],
  [["members", "remove", "n1"], 409, "last-voter"],
  [["transfer", "--to=n9"], 404, "unknown-member"],
  [["transfer", "--to=n4"], 409, "not-a-voter"],
  [["transfer", "--to=n2"], 409, "target-unreachable"],
  [["transfer", "--to=n2"], 409, "target-lagging"],
  [["transfer"], 409, "transfer-in-progress"],
  [["transfer"], 409, "transfer-failed"],
];
for (const [args, status, code] of refusals) {
  Deno.test(`kvctl ${args.slice(0, 3).join(" ")} reports ${code} at once, and asks nobody else`, async () => {
    await using cluster = new FakeCluster(2);
    const [first, second] = cluster.nodes;
    first.fault = answering(() => problem(status, code, "as it is"));
    const url = `--url=${cluster.urls}`;
    const run = await kvctl([...args, url]);
    assertEquals([run.code, run.out], [1, ""]);
    assertEquals(run.errors, `kvctl ${args[0]}: ${status} ${code}: as it is\n`);
    const json = JSON.parse((await kvctl([...args, url, "--json"])).out);
    assertEquals(json, { error: { code, status, message: `${status} ${code}: as it is` } });
    assertEquals([asked(first).length, asked(second).length], [2, 0]);
  });
}

const once: readonly [string[], string][] = [
  [["members", "add", "n4", ...n4Flags], "kvctl members"],
  [["members", "remove", "n2"], "kvctl members"],
  [["transfer"], "kvctl status"],
];
for (const [args, lookAt] of once) {
  Deno.test(`kvctl ${args.slice(0, 3).join(" ")} is not sent again when it may have happened`, async () => {
    await using cluster = new FakeCluster(3);
    const [first, second, third] = cluster.nodes;
    // Certainly not done: another node is asked. Perhaps done: nobody is.
    first.fault = () => problem(503, "no-leader");
    second.fault = () => problem(504, "outcome-unknown");
    const run = await kvctl([...args, `--url=${cluster.urls}`]);
    assertEquals(run.code, 1);
    assertMatch(run.errors, new RegExp(`may have been, or still be. ${lookAt} shows it\n$`));
    assertEquals(cluster.nodes.map((node) => node.seen.length), [1, 1, 0]);
    assertEquals(third.seen, []);
  });
}

Deno.test("kvctl members --wait returns when the member is a voter", async () => {
  await using cluster = new FakeCluster(1);
  const members = cluster.members();
  let looks = 0;
  cluster.members = () => {
    looks++;
    if (looks === 1) return members;
    return [...members, { ...n4, role: looks < 4 ? "joining" : "voter" }];
  };
  const run = await kvctl(["members", "--wait", "n4", `--url=${cluster.urls}`]);
  assertEquals([run.code, looks], [0, 4]);
  assertMatch(run.out, /^n4 +voter /m);
});

const late: readonly [FakeMember[], string][] = [
  [[], "n4 is no member yet after 200 ms"],
  [[n4], "n4 is still joining after 200 ms"],
];
for (const [more, message] of late) {
  Deno.test(`kvctl members --wait gives up in time: ${message}`, async () => {
    await using cluster = new FakeCluster(1);
    const members = [...cluster.members(), ...more];
    cluster.members = () => members;
    const run = await kvctl(["members", "--wait=n4", `--url=${cluster.urls}`, "--timeout=200"]);
    assertEquals([run.code, run.errors], [1, `kvctl members: ${message}\n`]);
  });
}

Deno.test("kvctl members fails when nobody answers", async () => {
  await using cluster = new FakeCluster(1);
  await cluster.nodes[0].down();
  const run = await kvctl(["members", `--url=${cluster.urls}`, "--timeout=100"]);
  assertEquals(run.code, 1);
  assertMatch(run.errors, /^kvctl members: no node answered: http:\S+ cannot be reached\n$/);
});

Deno.test("kvctl transfer says who leads", async () => {
  await using cluster = new FakeCluster(1);
  const [node] = cluster.nodes;
  node.fault = () => Response.json({ leader: "n2" });
  const url = `--url=${node.url}`;
  assertEquals((await kvctl(["transfer", "--to", "n2", url])).out, "leader: n2\n");
  assertEquals((await kvctl(["transfer", url, "--json"])).out, '{"leader":"n2"}\n');
  assertEquals(asked(node), [
    ["POST", "/v1/cluster/transfer", { to: "n2" }],
    ["POST", "/v1/cluster/transfer", {}],
  ]);
});

Deno.test("kvctl snapshot goes to the nodes given, --all to every member", async () => {
  await using cluster = new FakeCluster(3);
  for (const [i, node] of cluster.nodes.entries()) {
    node.fault = answering(() => Response.json({ snapshotIndex: 40 + i }));
  }
  const [first, second] = cluster.nodes;
  const some = await kvctl(["snapshot", `--url=${first.url},${second.url}`]);
  assertEquals(some.code, 0);
  assertMatch(some.out, /^http:\S+ +40\nhttp:\S+ +41$/m);
  assertEquals(cluster.nodes.map((node) => asked(node).length), [1, 1, 0]);
  const all = JSON.parse((await kvctl(["snapshot", "--all", `--url=${first.url}`, "--json"])).out);
  assertEquals(
    all,
    { snapshots: cluster.nodes.map(({ url }, i) => ({ url, snapshotIndex: 40 + i })) },
  );
  assertEquals(asked(second), [
    ["POST", "/v1/cluster/snapshot", {}],
    ["POST", "/v1/cluster/snapshot", {}],
  ]);
});

Deno.test("kvctl snapshot fails if one node did not take one, and says which", async () => {
  await using cluster = new FakeCluster(2);
  const [first, second] = cluster.nodes;
  first.fault = answering(() => Response.json({ snapshotIndex: 40 }));
  second.fault = answering(() => problem(409, "snapshot-in-progress", "one is being taken"));
  const run = await kvctl(["snapshot", `--url=${cluster.urls}`]);
  assertEquals(run.code, 1);
  assertMatch(run.out, /^http:\S+ +40\nhttp:\S+ +409 snapshot-in-progress: one is being taken$/m);
  const json = JSON.parse((await kvctl(["snapshot", `--url=${cluster.urls}`, "--json"])).out);
  assertEquals(json.snapshots[1].error.code, "snapshot-in-progress");
});

/** Runs `kvctl snapshot --all --json` with a short timeout in place of the one that holds unless told. */
async function snapshotAll(url: string, timeoutMs: number): Promise<{ code: number; out: string }> {
  let out = "";
  const code = await snapshotCommand.run({
    args: { positionals: [], values: new Map(), lists: new Map(), switches: new Set(["all"]) },
    json: true,
    client: new ClusterClient([url], timeoutMs),
    io: {
      write: (text) => Promise.resolve(void (out += text)),
      complain: () => {},
      isTerminal: false,
      input: ReadableStream.from([]),
      env: () => undefined,
    },
  });
  return { code, out };
}

Deno.test("kvctl snapshot waits for an answer longer than for a node that cannot be reached", async () => {
  await using cluster = new FakeCluster(2);
  const [first, second] = cluster.nodes;
  await second.down();
  const timeoutMs = 300;
  const end = Promise.withResolvers<Response>();
  let late = "";
  first.fault = ({ path }) => {
    if (path === "/v1/cluster") return null;
    if (path === "/never") return end.promise;
    // Answers after the end of a call that began later, and had the client's timeout.
    return new ClusterClient([first.url], timeoutMs).call({ method: "GET", path: "/never" })
      .then(() => problem(500, "internal"), (error) => {
        late = error.message;
        return Response.json({ snapshotIndex: 40 });
      });
  };
  const startMs = performance.now();
  const { code, out } = await snapshotAll(first.url, timeoutMs);
  end.resolve(new Response());
  assertMatch(late, /did not answer within/);
  const { snapshots } = JSON.parse(out);
  assertEquals([code, snapshots[0]], [1, { url: first.url, snapshotIndex: 40 }]);
  assertEquals([snapshots[1].url, snapshots[1].error.code], [second.url, "unavailable"]);
  assertMatch(snapshots[1].error.message, /cannot be reached/);
  assert(performance.now() - startMs < SNAPSHOT_TIMEOUT_MS / 10);
});

Deno.test("kvctl snapshot is not sent to a node that does not even show its view", async () => {
  await using cluster = new FakeCluster(2);
  const [first, second] = cluster.nodes;
  const end = Promise.withResolvers<Response>();
  first.fault = answering(() => Response.json({ snapshotIndex: 40 }));
  second.fault = ({ path }) => path === "/v1/cluster" ? end.promise : null;
  const { code, out } = await snapshotAll(first.url, 300);
  end.resolve(new Response());
  const { snapshots } = JSON.parse(out);
  assertEquals([code, snapshots[0].snapshotIndex], [1, 40]);
  assertEquals(snapshots[1].error.code, "unavailable");
  assertEquals(asked(second), []);
});

const usage: readonly [string[], RegExp][] = [
  [["members", "frob"], /usage: kvctl members/],
  [["members", "add"], /usage: kvctl members/],
  [["members", "list", "n1"], /usage: kvctl members/],
  [["members", "remove"], /usage: kvctl members/],
  [["members", "remove", "n1", "n2"], /usage: kvctl members/],
  [["members", "replace", "n1", ...n4Flags], /usage: kvctl members/],
  [["members", "remove", "a/b"], /"a\/b" is no node's id/],
  [["members", "add", "n4"], /--peer is missing/],
  [["members", "add", "n4", "--peer=h:1"], /--member-url is missing/],
  [["members", "add", "n4", "--peer=h", "--member-url=http://h"], /--peer takes HOST:PORT, not h/],
  [["members", "add", "n4", "--peer=h:1", "--member-url=h"], /--member-url takes http:\/\//],
  [["members", "add", "n4", ...n4Flags, "--role=boss"], /--role takes voter or learner, not boss/],
  [["members", "add", "n4", ...n4Flags, "--wait=n4"], /members add takes no --wait/],
  [["members", "replace", "n3", "n4", ...n4Flags, "--role=learner"], /takes no --role/],
  [["members", "replace", "n4", "n4", ...n4Flags], /n4 cannot take its own place/],
  [["members", "remove", "n1", "--peer=h:1"], /members remove takes no --peer/],
  [["members", "--wait=a/b"], /--wait takes a node's id, not "a\/b"/],
  [["transfer", "n2"], /usage: kvctl transfer/],
  [["transfer", "--to=a b"], /--to takes a node's id, not "a b"/],
  [["snapshot", "n1"], /usage: kvctl snapshot/],
];
for (const [args, message] of usage) {
  Deno.test(`kvctl ${args.join(" ")} is wrong usage, and asks nobody`, async () => {
    await using cluster = new FakeCluster(1);
    const run = await kvctl([...args, `--url=${cluster.urls}`]);
    assertEquals([run.code, run.out], [2, ""]);
    assertMatch(run.errors, message);
    assertEquals(cluster.nodes[0].seen, []);
  });
}
