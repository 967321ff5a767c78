/**
 * How a node finds its cluster and gets into it, against servers that play the HTTP contract.
 *
 * @module
 */
import { assertEquals, assertRejects } from "@std/assert";
import { UsageError } from "../../cli/args.ts";
import { type NodeConfig, resolveNodeConfig } from "../../cli/config.ts";
import { JoinRefused } from "../../cli/join.ts";
import { readMembersFile, writeMembersFile } from "../../cli/members_file.ts";
import { prepareStart, type Start } from "../../cli/node_start.ts";
import { GROUP_DEFAULT } from "../../raft/types.ts";
import { KV_FILE_NAME, markFileName } from "../../storage/disk.ts";
import { FakeCluster, type FakeMember, type FakeNode, problem, type Seen } from "./fake_cluster.ts";

const clusterId = "00000000-0000-4000-8000-000000000001";
const elsewhere = "00000000-0000-4000-8000-000000000002";
const n4: FakeMember = {
  id: "n4",
  url: "http://127.0.0.1:8004",
  peer: "127.0.0.1:9004",
  role: "joining",
};

function configOf(data: string, flags: readonly string[]): NodeConfig {
  const own = ["--id=n4", "--port=8004", "--peer-port=9004", `--data=${data}`];
  return resolveNodeConfig([...own, ...flags], () => undefined, () => "");
}

/** A directory, a cluster of one node, and what a node that joins it says meanwhile. */
class Joining implements AsyncDisposable {
  readonly cluster = new FakeCluster(1);
  readonly data = Deno.makeTempDirSync({ prefix: "kvorum-cli-" });
  readonly said: string[] = [];
  readonly over = new AbortController();

  get node(): FakeNode {
    return this.cluster.nodes[0];
  }

  /** What the node was asked to take in. */
  get asked(): unknown[] {
    return this.node.seen.filter(({ method }) => method === "POST")
      .map(({ body }) => JSON.parse(new TextDecoder().decode(body)));
  }

  /** The directory of a node that has run. */
  giveLog(): void {
    Deno.writeTextFileSync(`${this.data}/${KV_FILE_NAME}`, "");
  }

  prepare(...flags: string[]): Promise<Start | null> {
    const say = (text: string) => void this.said.push(text);
    return prepareStart(configOf(this.data, flags), say, this.over.signal);
  }

  join(...flags: string[]): Promise<Start | null> {
    return this.prepare(`--join=${this.cluster.urls}`, ...flags);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.cluster[Symbol.asyncDispose]();
    Deno.removeSync(this.data, { recursive: true });
  }
}

/** Answers requests to be taken in. */
function taking(answer: () => Response): (seen: Seen) => Response | null {
  return ({ method }) => method === "POST" ? answer() : null;
}

Deno.test("prepareStart() asks to be taken in, and notes it before", async () => {
  await using joining = new Joining();
  const { node, cluster, data } = joining;
  const members = cluster.members();
  let noted: unknown = null;
  node.fault = taking(() => {
    noted = readMembersFile(data);
    return Response.json({ members: [...members, n4] });
  });
  const start = await joining.join("--replaces=n1");
  assertEquals(start, { clusterId, founders: [], seeds: [...members, n4] });
  const { id, url, peer } = n4;
  assertEquals(joining.asked, [{ id, url, peer, role: "voter", clusterId, replaces: "n1" }]);
  const [{ id: oldId, url: oldUrl, peer: oldPeer }] = members;
  assertEquals(noted, {
    clusterId,
    joined: true,
    founders: [],
    members: [{ id: oldId, url: oldUrl, peer: oldPeer }],
  });
});

const passing: readonly [number, string][] = [
  [409, "change-in-progress"],
  [409, "member-exists"],
  [504, "outcome-unknown"],
];
for (const [status, code] of passing) {
  Deno.test(`prepareStart() asks again after ${code}, and says once what it waits for`, async () => {
    await using joining = new Joining();
    let asked = 0;
    joining.node.fault = taking(() =>
      ++asked < 3 ? problem(status, code) : Response.json({ members: [n4] })
    );
    assertEquals((await joining.join())?.seeds, [n4]);
    // A 504 is tried again by the call itself.
    if (status === 409) {
      assertEquals(joining.said, [`waiting to be taken in: ${status} ${code}: as told`]);
    }
    assertEquals(asked, 3);
  });
}

Deno.test("prepareStart() takes it as done when an earlier request came through", async () => {
  await using joining = new Joining();
  const members = joining.cluster.members();
  joining.node.fault = taking(() => {
    joining.cluster.members = () => [...members, n4];
    return problem(409, "member-exists");
  });
  assertEquals((await joining.join())?.seeds, [...members, n4]);
  assertEquals(joining.asked.length, 1);
});

Deno.test("prepareStart() does not ask for a learner that an operator has added", async () => {
  await using joining = new Joining();
  const members = [...joining.cluster.members(), { ...n4, role: "learner" }];
  joining.cluster.members = () => members;
  assertEquals((await joining.join())?.seeds, members);
  assertEquals(joining.asked, []);
});

const taken: readonly [string, FakeMember, RegExp][] = [
  [
    "a voter with an empty directory",
    { ...n4, role: "voter" },
    /n4 is a voter already, .* remove it first/,
  ],
  ["a voter on its way out", { ...n4, role: "leaving" }, /n4 is a voter already/],
  ["an id at another URL", { ...n4, url: "http://h:1" }, /n4 is a member already, at http:\/\/h:1/],
  ["an id at another peer address", { ...n4, peer: "h:1" }, /n4 is a member already, at .* h:1/],
];
for (const [what, member, message] of taken) {
  Deno.test(`prepareStart() refuses to start ${what}`, async () => {
    await using joining = new Joining();
    const members = [...joining.cluster.members(), member];
    joining.cluster.members = () => members;
    const error = await assertRejects(() => joining.join(), JoinRefused);
    assertEquals(message.test(error.message), true, error.message);
    assertEquals([joining.asked, readMembersFile(joining.data)], [[], null]);
  });
}

const refused: readonly [number, string][] = [
  [409, "address-in-use"],
  [409, "wrong-cluster"],
  [404, "unknown-member"],
  [400, "bad-request"],
];
for (const [status, code] of refused) {
  Deno.test(`prepareStart() gives up at once after ${code}`, async () => {
    await using joining = new Joining();
    joining.node.fault = taking(() => problem(status, code));
    await assertRejects(() => joining.join(), JoinRefused, `${status} ${code}: as told`);
    assertEquals(joining.asked.length, 1);
  });
}

Deno.test("prepareStart() refuses another cluster than the one that was meant", async () => {
  await using joining = new Joining();
  const join = () => joining.join(`--cluster-id=${elsewhere}`);
  await assertRejects(join, JoinRefused, `the cluster to join is ${clusterId}, not ${elsewhere}`);
  assertEquals([joining.asked, readMembersFile(joining.data)], [[], null]);
});

Deno.test("prepareStart() stops waiting when it is told to", async () => {
  await using joining = new Joining();
  joining.node.fault = taking(() => {
    joining.over.abort();
    return problem(409, "change-in-progress");
  });
  assertEquals(await joining.join(), null);
});

Deno.test("prepareStart() of a node with data asks nobody", async () => {
  await using joining = new Joining();
  joining.giveLog();
  writeMembersFile(joining.data, { clusterId, joined: true, founders: [], members: [n4] });
  const known = { clusterId, founders: [], seeds: [{ id: n4.id, url: n4.url, peer: n4.peer }] };
  assertEquals(await joining.join(), known);
  // Neither do its flags make a founder of it later.
  assertEquals(await joining.prepare(), known);
  assertEquals(await joining.prepare("--peers=n4=127.0.0.1:9004@http://127.0.0.1:8004"), known);
  assertEquals(joining.node.seen, []);
});

Deno.test("prepareStart() of a node that lost its database, but not its mark, asks nobody, either", async () => {
  // It is a member, with votes that the mark knows: no newcomer, and no founder of another cluster.
  await using joining = new Joining();
  Deno.writeTextFileSync(`${joining.data}/${markFileName(GROUP_DEFAULT)}`, "");
  writeMembersFile(joining.data, { clusterId, joined: true, founders: [], members: [n4] });
  const known = { clusterId, founders: [], seeds: [{ id: n4.id, url: n4.url, peer: n4.peer }] };
  assertEquals(await joining.join(), known);
  assertEquals(await joining.prepare(), known);
  assertEquals(joining.node.seen, []);
});

Deno.test("prepareStart() lets --cluster-id win over what the node noted", async () => {
  await using joining = new Joining();
  joining.giveLog();
  writeMembersFile(joining.data, { clusterId, joined: false, founders: [], members: [n4] });
  assertEquals((await joining.prepare(`--cluster-id=${elsewhere}`))?.clusterId, elsewhere);
  assertEquals((await joining.prepare())?.clusterId, clusterId);
});

Deno.test("prepareStart() of a founder derives one id for all that are given the same founders", async () => {
  await using joining = new Joining();
  const peers = ["n4=127.0.0.1:9004@http://127.0.0.1:8004", "n5=h:1@http://h:2"];
  const start = await joining.prepare(`--peers=${peers}`);
  assertEquals(start?.founders.map(({ id }) => id), ["n4", "n5"]);
  assertEquals(start?.seeds, []);
  const turned = await joining.prepare(`--peers=${peers.toReversed()}`);
  assertEquals(turned?.clusterId, start?.clusterId);
  const alone = await joining.prepare();
  assertEquals(alone?.clusterId === start?.clusterId, false);
});

/** Four founders' lists; n4 is the node itself. */
const [ALONE, THREE, FIVE, OTHERS] = [[4], [4, 5, 6], [4, 5, 6, 7, 8], [4, 5, 7]].map((ids) =>
  `--peers=${ids.map((n) => `n${n}=127.0.0.1:900${n}@http://127.0.0.1:800${n}`)}`
);

Deno.test("prepareStart() of a founder with data keeps to those that it founded its cluster with", async () => {
  await using joining = new Joining();
  // The launcher makes no node's directory.
  Deno.removeSync(joining.data);
  const founded = await joining.prepare(THREE!);
  const noted = readMembersFile(joining.data);
  assertEquals(noted?.founders.map(({ id }) => id), ["n4", "n5", "n6"]);
  for (const hasLog of [false, true]) {
    if (hasLog) joining.giveLog();
    for (const list of [FIVE!, OTHERS!, ALONE!]) {
      await assertRejects(
        () => joining.prepare(list, `--cluster-id=${founded!.clusterId}`),
        UsageError,
        "n4 founded its cluster with n4,n5,n6",
      );
    }
  }
  await assertRejects(() => joining.prepare(FIVE!), UsageError, "--peers names n4,n5,n6,n7,n8");
  assertEquals(readMembersFile(joining.data), noted);
  // Without a list it knows them all the same.
  const { clusterId, founders } = founded!;
  const known = { clusterId, founders, seeds: founders };
  assertEquals(await joining.prepare(), known);
  assertEquals(await joining.prepare(THREE!), known);
});

Deno.test("prepareStart() of a founder takes a list of its members today, and new addresses", async () => {
  await using joining = new Joining();
  const { clusterId, founders } = (await joining.prepare(THREE!))!;
  joining.giveLog();
  const moved = THREE!.replace("n5=127.0.0.1", "n5=10.0.0.5");
  const [first, second, third] = founders;
  assertEquals((await joining.prepare(moved))?.founders, [
    first,
    { ...second, peer: "10.0.0.5:9005" },
    third,
  ]);
  const n7 = { ...n4, id: "n7" };
  writeMembersFile(joining.data, {
    clusterId,
    joined: false,
    founders,
    members: [n4, second!, n7],
  });
  assertEquals((await joining.prepare(OTHERS!))?.founders.map(({ id }) => id), ["n4", "n5", "n6"]);
});

Deno.test("prepareStart() of a founder with data knows its founders also if it is told to join", async () => {
  await using joining = new Joining();
  const { clusterId, founders } = (await joining.prepare(THREE!))!;
  joining.giveLog();
  assertEquals(await joining.join(), { clusterId, founders, seeds: founders });
});

Deno.test("prepareStart() of a founder whose note does not say who founded its cluster is not alone for it", async () => {
  await using joining = new Joining();
  joining.giveLog();
  // As an earlier version noted it.
  const members = [n4, { ...n4, id: "n5" }].map(({ id, url, peer }) => ({ id, url, peer }));
  const text = JSON.stringify({ format: 1, clusterId, joined: false, members });
  Deno.writeTextFileSync(`${joining.data}/members.json`, text);
  assertEquals((await joining.prepare())?.founders, members);
  assertEquals((await joining.prepare(THREE!))?.founders.length, 3);
});

Deno.test("prepareStart() of a founder keeps its noted address, unless it is told another or is alone", async () => {
  for (const [list, own] of [[THREE!, "127.0.0.1:9004"], [ALONE!, "10.0.0.4:9004"]] as const) {
    await using joining = new Joining();
    const ownOf = async (...flags: string[]) =>
      (await joining.prepare(...flags))!.founders[0]!.peer;
    await joining.prepare(list);
    joining.giveLog();
    assertEquals(await ownOf("--host=10.0.0.4"), own);
    assertEquals(await ownOf("--advertise-peer=n4.example:1"), "n4.example:1");
  }
});

Deno.test("prepareStart() of data without a note does not take the node for the only founder", async () => {
  await using joining = new Joining();
  joining.giveLog();
  const id = `--cluster-id=${clusterId}`;
  await assertRejects(
    () => joining.prepare(id),
    UsageError,
    "members.json is missing. Say --peers",
  );
  assertEquals((await joining.prepare(id, THREE!))?.founders.length, 3);
  assertEquals((await joining.prepare(id, ALONE!))?.founders.length, 1);
  // The id that is made of it alone would be another than its log's.
  assertEquals((await joining.prepare())?.founders.length, 1);
  // One that joined knows whom to ask.
  assertEquals((await joining.join(id))?.founders, []);
});

Deno.test("prepareStart() of a founder without data may found another cluster", async () => {
  await using joining = new Joining();
  const first = await joining.prepare(THREE!);
  const second = await joining.prepare(FIVE!);
  assertEquals(second!.founders.length, 5);
  assertEquals(second!.clusterId === first!.clusterId, false);
});

Deno.test("prepareStart() never founds a cluster where a node began to join one", async () => {
  await using joining = new Joining();
  writeMembersFile(joining.data, { clusterId, joined: true, founders: [], members: [] });
  await assertRejects(() => joining.prepare(), UsageError, "was joining a cluster and has no data");
});

Deno.test("prepareStart() refuses a members.json that it did not write", async () => {
  await using joining = new Joining();
  for (const text of ["{", "[]", '{"format":9}', '{"format":1,"clusterId":"x","joined":true}']) {
    Deno.writeTextFileSync(`${joining.data}/members.json`, text);
    await assertRejects(
      () => joining.prepare(),
      UsageError,
      "this version of Kvorum did not write",
    );
  }
});

Deno.test("prepareStart() of a joiner with data and nothing noted wants the cluster's id", async () => {
  await using joining = new Joining();
  joining.giveLog();
  await assertRejects(() => joining.join(), UsageError, "--cluster-id is missing");
});
