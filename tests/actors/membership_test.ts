import { assert, assertEquals } from "@std/assert";
import { LEADERLESS_MS, REMOVED_PEER_MS, STRANGERS_MAX } from "../../actors/limits_replica.ts";
import { Membership, peerAddress } from "../../actors/membership.ts";
import { virtualEnv } from "../../actors/virtual_env.ts";
import { type Configuration, type NodeId, nodeId } from "../../raft/types.ts";
import { addressOf } from "./addresses.ts";

interface Parts {
  readonly voters?: readonly string[];
  readonly outgoing?: readonly string[];
  readonly learners?: readonly string[];
  readonly promoting?: readonly string[];
}

function configuration(parts: Parts): Configuration {
  const { voters = [], outgoing = [], learners = [], promoting = [] } = parts;
  const all = [...new Set([...voters, ...outgoing, ...learners])];
  return {
    voters: voters.map(nodeId),
    votersOutgoing: outgoing.map(nodeId),
    learners: learners.map(nodeId),
    promoting: promoting.map((id) => ({ id: nodeId(id), replaces: null })),
    addresses: all.map(addressOf),
  };
}

class Bench {
  readonly env = virtualEnv(1);
  readonly outcast: boolean[] = [];
  peers: string[] = [];
  since: Record<string, number | undefined> = {};
  index = 0;
  readonly membership: Membership;

  constructor(self: string, founding: Configuration, seeds: readonly string[] = []) {
    this.membership = new Membership({
      self: nodeId(self),
      env: this.env,
      founding,
      seeds: seeds.map(addressOf),
      setPeers: (peers) => {
        this.peers = [...peers.keys()];
        this.since = Object.fromEntries([...peers].map(([id, peer]) => [id, peer.since]));
      },
      onOutcast: (outcast) => void this.outcast.push(outcast),
    });
    this.membership.apply();
  }

  /** Each configuration at an index of its own. */
  adopt(parts: Parts): void {
    this.membership.adopt(configuration(parts), ++this.index);
  }
}

const THREE = configuration({ voters: ["a", "b", "c"] });

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
  bench.membership.adopt(THREE, 1);
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

Deno.test("Membership tells since which configuration each peer is a member", () => {
  const bench = new Bench("a", THREE, ["x"]);
  // The first one is what the log begins with: how long its members are there is not known.
  bench.adopt({ voters: ["a", "b", "d"] });
  assertEquals(bench.since, { b: 0, d: 0, c: 0 });
  bench.adopt({ voters: ["a", "d"] });
  bench.adopt({ voters: ["a", "d"], learners: ["b"] });
  assertEquals(bench.since, { d: 0, b: 3, c: 0 });
  bench.adopt({ voters: ["a", "b", "d"] });
  assertEquals(bench.since, { d: 0, b: 3, c: 0 });
  // A snapshot led past its removal and return.
  bench.adopt({ voters: ["a", "b"], learners: ["d"] });
  assertEquals(bench.since, { b: 3, d: 5, c: 0 });
  // A restart of the replica tells them all again.
  for (const index of [1, 2, 3]) {
    bench.index = index - 1;
    bench.adopt(
      index === 1 ? { voters: ["a", "b", "d"] } : { voters: ["a", "d"], learners: ["b"] },
    );
  }
  assert(bench.since.b! <= 3);
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
