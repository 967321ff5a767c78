import { assert, assertEquals } from "@std/assert";
import { LEADERLESS_MS, REMOVED_PEER_MS, STRANGERS_MAX } from "../../actors/limits_replica.ts";
import { Membership, peerAddress } from "../../actors/membership.ts";
import { virtualEnv } from "../../actors/virtual_env.ts";
import { type Configuration, logIndex, type NodeId, nodeId } from "../../raft/types.ts";
import { addressOf } from "./addresses.ts";

interface Parts {
  readonly voters?: readonly string[];
  readonly outgoing?: readonly string[];
  readonly learners?: readonly string[];
  readonly promoting?: readonly string[];
  /** Which entry added a member; a founder needs none. */
  readonly since?: Readonly<Record<string, number>>;
}

function configuration(parts: Parts): Configuration {
  const { voters = [], outgoing = [], learners = [], promoting = [], since = {} } = parts;
  const all = [...new Set([...voters, ...outgoing, ...learners])];
  return {
    voters: voters.map(nodeId),
    votersOutgoing: outgoing.map(nodeId),
    learners: learners.map(nodeId),
    promoting: promoting.map((id) => ({ id: nodeId(id), replaces: null })),
    addresses: all.map((id) => ({ ...addressOf(id), since: logIndex(since[id] ?? 0) })),
  };
}

class Bench {
  readonly env = virtualEnv(1);
  readonly outcast: boolean[] = [];
  peers: string[] = [];
  since: Record<string, number | undefined> = {};
  asOf = 0;
  index = 0;
  readonly membership: Membership;

  constructor(self: string, founding: Configuration, seeds: readonly string[] = []) {
    this.membership = new Membership({
      self: nodeId(self),
      env: this.env,
      founding,
      seeds: seeds.map(addressOf),
      setPeers: (peers, asOf) => {
        this.asOf = asOf;
        this.peers = [...peers.keys()];
        this.since = Object.fromEntries([...peers].map(([id, peer]) => [id, peer.since]));
      },
      onOutcast: (outcast) => void this.outcast.push(outcast),
    });
    this.membership.apply();
  }

  /** Each configuration at an index of its own. */
  adopt(parts: Parts, committed = true): void {
    this.membership.adopt(configuration(parts), ++this.index, committed);
  }
}

const THREE = configuration({ voters: ["a", "b", "c"] });

Deno.test("Membership calls nobody a voter before the configuration that makes it one is committed", () => {
  const roles = (bench: Bench) =>
    Object.fromEntries(bench.membership.members.map(({ id, role }) => [id, role]));
  // A member, one that has just been let in, and one that was told of the joint phase first.
  const member = new Bench("a", configuration({ voters: ["a", "b"] }));
  const joiner = new Bench("c", configuration({ voters: [] }), ["a"]);
  const late = new Bench("c", configuration({ voters: [] }), ["a"]);
  for (const bench of [member, joiner]) {
    bench.adopt({ voters: ["a", "b"], learners: ["c"], promoting: ["c"] });
    assertEquals(roles(bench), { a: "voter", b: "voter", c: "joining" });
  }
  for (const bench of [member, joiner, late]) {
    for (const committed of [false, true]) {
      bench.adopt({ voters: ["a", "b", "c"], outgoing: ["a", "b"] }, committed);
      assertEquals(roles(bench), { a: "voter", b: "voter", c: "joining" });
    }
  }
  for (const bench of [member, joiner]) {
    bench.adopt({ voters: ["a", "b", "c"] }, false);
    assertEquals(roles(bench), { a: "voter", b: "voter", c: "joining" });
    bench.adopt({ voters: ["a", "b", "c"] });
    assertEquals(roles(bench), { a: "voter", b: "voter", c: "voter" });
  }
});

Deno.test("Membership talks to the latest seeds while the node is no member, and to none afterwards", () => {
  const bench = new Bench("d", configuration({ voters: [] }), ["a", "b"]);
  assertEquals(bench.peers, ["a", "b"]);
  bench.membership.reseed(["b", "c"].map(addressOf));
  assertEquals(bench.peers, ["b", "c"]);
  bench.adopt({ voters: ["b"], learners: ["d"] });
  bench.membership.reseed(["a"].map(addressOf));
  assertEquals(bench.peers, ["b"]);
});

Deno.test("Membership shows each member with its part in the configuration", () => {
  const bench = new Bench("a", THREE);
  bench.adopt({
    voters: ["a", "b"],
    outgoing: ["a", "b", "c"],
    learners: ["d", "e"],
    promoting: ["e"],
  });
  assertEquals(bench.membership.members.map(({ id, role }) => [id, role]), [
    ["a", "voter"],
    ["b", "voter"],
    ["c", "leaving"],
    ["d", "learner"],
    ["e", "joining"],
  ]);
  assertEquals(bench.membership.members[3].peer, "d:1");
});

Deno.test("Membership of a joiner talks to its seeds until it is a member", () => {
  const bench = new Bench("d", configuration({}), ["a", "b"]);
  assertEquals(bench.membership.hearsStrangers, true);
  assertEquals(bench.membership.notMember, "this node is not a member of the cluster yet");
  assertEquals(bench.peers, ["a", "b"]);
  // What it gets first is the log from its beginning, where it is no member.
  bench.adopt({ voters: ["b", "c"] });
  assertEquals(bench.membership.hearsStrangers, false);
  assertEquals(bench.peers.toSorted(), ["a", "b", "c"]);
  bench.adopt({ voters: ["b", "c"], learners: ["d"] });
  assertEquals(bench.peers, ["b", "c"]);
  assertEquals(bench.membership.notMember, null);
});

Deno.test("Membership goes on talking to who was removed for a while", async () => {
  const bench = new Bench("a", THREE);
  bench.adopt({ voters: ["a", "b"] });
  assertEquals(bench.peers, ["b", "c"]);
  await bench.env.advance(REMOVED_PEER_MS - 1);
  assertEquals(bench.peers, ["b", "c"]);
  await bench.env.advance(1);
  assertEquals(bench.peers, ["b"]);
});

Deno.test("Membership keeps who was removed and added again", async () => {
  const bench = new Bench("a", THREE);
  bench.adopt({ voters: ["a", "b"] });
  bench.adopt({ voters: ["a", "b"], learners: ["c"] });
  await bench.env.advance(2 * REMOVED_PEER_MS);
  assertEquals(bench.peers, ["b", "c"]);
});

Deno.test("Membership of a removed node says so, from the log", () => {
  const bench = new Bench("c", THREE);
  bench.adopt({ voters: ["a", "b"] });
  assertEquals(bench.membership.notMember, "this node was removed from the cluster");
  // A truncation brings the old configuration back.
  bench.membership.adopt(THREE, 0, true);
  assertEquals(bench.membership.notMember, null);
});

Deno.test("Membership believes that it was removed when all members refuse it, and no sooner", () => {
  const bench = new Bench("c", THREE);
  const id = (name: string): NodeId => nodeId(name);
  bench.membership.refusedBy(id("a"), "unknown-sender");
  bench.membership.refusedBy(id("x"), "unknown-sender");
  assertEquals([bench.membership.notMember, bench.outcast], [null, []]);
  bench.membership.refusedBy(id("b"), "unknown-sender");
  assertEquals(bench.membership.notMember, "this node was removed from the cluster");
  bench.membership.welcomedBy(id("a"));
  assertEquals(bench.membership.notMember, null);
  assertEquals(bench.outcast, [true, false]);
});

Deno.test("Membership says that its data are others as soon as one says so, a seed too", () => {
  for (const founding of [THREE, configuration({})]) {
    const bench = new Bench("c", founding, ["a", "b"]);
    bench.membership.refusedBy(nodeId("a"), "other-data");
    assert(bench.membership.notMember?.includes("a knows this node with other data"));
    bench.membership.welcomedBy(nodeId("a"));
    assertEquals(bench.membership.notMember?.includes("other data") ?? false, false);
    assertEquals(bench.outcast, [true, false]);
  }
});

Deno.test("Membership tells of each peer which entry added it, as the configuration says", () => {
  const bench = new Bench("a", THREE, ["x"]);
  assertEquals(bench.since, { b: 0, c: 0 });
  // Whatever was seen before: a snapshot may have led past any number of changes.
  bench.adopt({ voters: ["a", "b", "c"], since: { b: 7 } });
  assertEquals(bench.since, { b: 7, c: 0 });
  bench.adopt({ voters: ["a", "b"], since: { b: 7 } });
  bench.adopt({ voters: ["a"], learners: ["d"], since: { d: 12 } });
  // Those who left are talked to as what they were.
  assertEquals(bench.since, { d: 12, c: 0, b: 7 });
  bench.membership.adopt(THREE, 0, true);
  assertEquals(bench.since, { b: 0, c: 0, d: 12 });
});

Deno.test("Membership of a node that is no member has no entry for its seeds and for strangers", () => {
  const bench = new Bench("d", configuration({}), ["a"]);
  bench.membership.heard(nodeId("s"), "s:1");
  assertEquals(bench.since, { s: undefined, a: undefined });
});

Deno.test("Membership vouches for who is no peer only by a committed configuration", async () => {
  const bench = new Bench("a", THREE);
  assertEquals(bench.asOf, 0);
  bench.index = 4;
  bench.adopt({ voters: ["a", "b"] }, false);
  await bench.env.advance(REMOVED_PEER_MS);
  assertEquals([bench.peers, bench.asOf], [["b"], 0]);
  bench.index = 4;
  bench.adopt({ voters: ["a", "b"] });
  assertEquals([bench.peers, bench.asOf], [["b"], 5]);
  // A log that was lost leaves the founders', which says nothing of later members.
  bench.membership.adopt(THREE, 0, true);
  assertEquals(bench.asOf, 0);
});

Deno.test("Membership of a node without a leader hears strangers, and answers them until it knows who leads", async () => {
  const bench = new Bench("c", THREE);
  const { membership, env } = bench;
  const [d, e] = [nodeId("d"), nodeId("e")];
  await env.advance(LEADERLESS_MS - 1);
  membership.heard(d, "d:1");
  assertEquals([membership.hearsStrangers, bench.peers], [false, ["a", "b"]]);
  await env.advance(1);
  membership.heard(d, "d:1");
  membership.heard(e, "e:1");
  assertEquals([membership.hearsStrangers, bench.peers.toSorted()], [true, ["a", "b", "d", "e"]]);
  assertEquals(bench.since.d, undefined);
  for (let i = 0; i < 2 * STRANGERS_MAX; i++) membership.heard(nodeId(`s${i}`), "s:1");
  assertEquals(bench.peers.length, 2 + STRANGERS_MAX);
  membership.led(d);
  assertEquals([membership.hearsStrangers, bench.peers.includes("d")], [false, true]);
  bench.adopt({ voters: ["a", "b", "c"] });
  bench.adopt({ voters: ["c", "d"] });
  membership.led(d);
  assertEquals(bench.peers.filter((id) => !["a", "b"].includes(id)), ["d"]);
  // A campaign does not begin the time anew.
  membership.led(null);
  await env.advance(LEADERLESS_MS / 2);
  membership.led(null);
  await env.advance(LEADERLESS_MS / 2);
  assertEquals(membership.hearsStrangers, true);
});

Deno.test("peerAddress() takes names, IPv4 and IPv6 addresses", () => {
  assertEquals(peerAddress("n1.example:9001"), { hostname: "n1.example", port: 9001 });
  assertEquals(peerAddress("127.0.0.1:1"), { hostname: "127.0.0.1", port: 1 });
  assertEquals(peerAddress("[::1]:9001"), { hostname: "::1", port: 9001 });
});
