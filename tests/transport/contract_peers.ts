/**
 * The part of the transports' contract about who is a peer: members that restart, leave and come, and
 * nodes that are not known.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import type { Transport } from "../../transport/types.ts";
import { EventLog, GROUP, N1, N2, N3, ping, until } from "./harness.ts";
import { type Body, connect, open } from "./place.ts";

export const survivesRestart: Body = async (place) => {
  const [a, b] = [await open(place, N1), await open(place, N2)];
  await connect(place, a.transport, b.transport);
  a.transport.send(N2, GROUP, ping(1));
  await until("the first has arrived", () => b.inbox.received.length === 1);
  await b.transport.close();
  await until("the loss is seen", () => a.transport.stats().get(N2)?.connected === false);
  const again = await open(place, N2);
  again.transport.setPeers(new Map([[N1, place.address(N1)]]));
  await until(
    "it is heard and reached again",
    () =>
      a.transport.stats().get(N2)?.connected === true &&
      again.transport.stats().get(N1)?.connected === true,
  );
  assert(a.transport.send(N2, GROUP, ping(2)));
  assert(again.transport.send(N1, GROUP, ping(3)));
  await until("both have arrived", () => again.inbox.ids.length + a.inbox.ids.length === 2);
  assertEquals([b.inbox.ids, again.inbox.ids, a.inbox.ids], [[1], [2], [3]]);
};

export const removesPeers: Body = async (place) => {
  const [a, b, c] = [await open(place, N1), await open(place, N2), await open(place, N3)];
  await connect(place, a.transport, b.transport, c.transport);
  a.transport.setPeers(new Map([[N3, place.address(N3)]]));
  assert(!a.transport.send(N2, GROUP, ping(1)));
  b.transport.send(N1, GROUP, ping(2));
  // What n3 sends now is in order behind nothing of n2's, so b's message had its chance.
  b.transport.send(N3, GROUP, ping(3));
  await until("n3 has heard n2", () => c.inbox.ids.length === 1);
  c.transport.send(N1, GROUP, ping(4));
  await until("n1 has heard n3", () => a.inbox.ids.includes(4));
  assertEquals(a.inbox.ids, [4]);
  assertEquals(a.transport.stats().get(N2)?.connected, false);
  await connect(place, a.transport, b.transport, c.transport);
  assert(a.transport.send(N2, GROUP, ping(5)));
  await until("n2 is reached again", () => b.inbox.ids.includes(5));
};

export const readds: Body = async (place) => {
  const a = await open(place, N1);
  // Several boots, so that a number that was kept would refuse the first one of the new data.
  for (let boot = 1; boot <= 3; boot++) {
    const b = await open(place, N2);
    await connect(place, a.transport, b.transport);
    await b.transport.close();
    await until("the loss is seen", () => a.transport.stats().get(N2)?.connected === false);
  }
  a.transport.setPeers(new Map());
  place.wipe(N2);
  const again = await open(place, N2);
  await connect(place, a.transport, again.transport);
  assert(a.transport.send(N2, GROUP, ping(1)));
  assert(again.transport.send(N1, GROUP, ping(2)));
  await until("both have arrived", () => again.inbox.ids.length + a.inbox.ids.length === 2);
};

export const changesPeers: Body = async (place) => {
  const nodes = [await open(place, N1), await open(place, N2), await open(place, N3)];
  const [a, b, c] = nodes;
  for (let round = 0; round < 3; round++) {
    await connect(place, a.transport, b.transport);
    const before = a.inbox.received.length;
    assert(!a.transport.send(N3, GROUP, ping(round)));
    assert(b.transport.send(N1, GROUP, ping(round)));
    await connect(place, a.transport, b.transport, c.transport);
    assert(a.transport.send(N3, GROUP, ping(round)));
    assert(c.transport.send(N1, GROUP, ping(100 + round)));
    await until("n1 has heard both", () => a.inbox.received.length === before + 2);
    await until("n3 has heard n1", () => c.inbox.received.length === round + 1);
    for (const { transport } of [a, b]) {
      transport.setPeers(new Map([N1, N2].map((id) => [id, place.address(id)])));
    }
    c.transport.setPeers(new Map());
  }
  assertEquals(c.inbox.ids, [0, 1, 2]);
};

export const tellsRemoved: Body = async (place) => {
  const log = new EventLog();
  const [a, b] = [await open(place, N1), await open(place, N2, { onEvent: log.record })];
  await connect(place, a.transport, b.transport);
  a.transport.setPeers(new Map());
  b.transport.send(N1, GROUP, ping(1));
  await until("n2 is told", () => log.of("refused").length > 0);
  const [{ peer, reason, byPeer, direction }] = log.of("refused");
  assertEquals([peer, reason, byPeer, direction], [N1, "unknown-sender", true, "outgoing"]);
  await until("it is not connected", () => b.transport.stats().get(N1)?.connected === false);
  assertEquals(a.inbox.received, []);
  await connect(place, a.transport, b.transport);
  b.transport.send(N1, GROUP, ping(2));
  const last = () => log.events.findLast(({ type }) => type === "refused" || type === "connected");
  await until("n2 is told that it is taken again", () => last()?.type === "connected");
};

export const hearsStrangers: Body = async (place) => {
  let accepts = false;
  const log = new EventLog();
  const joiner = await open(place, N1, { acceptUnknown: () => accepts });
  const leader = await open(place, N2, { onEvent: log.record });
  leader.transport.setPeers(new Map([[N1, place.address(N1)]]));
  leader.transport.send(N1, GROUP, ping(0));
  await until("it is refused", () => log.of("refused").length > 0);
  accepts = true;
  await until("it is connected", () => leader.transport.stats().get(N1)?.connected === true);
  assert(leader.transport.send(N1, GROUP, ping(1)));
  await until("it is heard", () => joiner.inbox.received.length > 0);
  assertEquals(joiner.inbox.received, [{ from: N2, group: GROUP, message: ping(1) }]);
  assert(!joiner.transport.send(N2, GROUP, ping(2)), "an unknown sender cannot be answered");
  assertEquals(leader.inbox.received, []);
};

export const adoptsStrangers: Body = async (place) => {
  const log = new EventLog();
  let accepts = true;
  const joiner = await open(place, N1, { acceptUnknown: () => accepts, onEvent: log.record });
  const leader = await open(place, N2);
  leader.transport.setPeers(new Map([[N1, place.address(N1)]]));
  await until("it is connected", () => leader.transport.stats().get(N1)?.connected === true);
  leader.transport.send(N1, GROUP, ping(1));
  await until("it is heard", () => joiner.inbox.ids.length === 1);
  accepts = false;
  joiner.transport.setPeers(new Map([[N2, place.address(N2)]]));
  leader.transport.send(N1, GROUP, ping(2));
  await until("it is reached", () => joiner.transport.send(N2, GROUP, ping(3)));
  await until("both have arrived", () => joiner.inbox.ids.length + leader.inbox.ids.length === 3);
  assertEquals([joiner.inbox.ids, leader.inbox.ids], [[1, 2], [3]]);
  assertEquals(log.of("disconnected"), []);
};

export const dropsStrangers: Body = async (place) => {
  let accepts = true;
  const joiner = await open(place, N1, { acceptUnknown: () => accepts });
  const [b, c] = [await open(place, N2), await open(place, N3)];
  const peers = new Map([N1, N2, N3].map((id) => [id, place.address(id)]));
  for (const { transport } of [b, c]) transport.setPeers(peers);
  const reached = (from: Transport) => from.stats().get(N1)?.connected === true;
  await until("both are connected", () => reached(b.transport) && reached(c.transport));
  joiner.transport.setPeers(new Map([[N2, place.address(N2)]]));
  assert(reached(c.transport), "an unknown node is kept while unknown nodes are heard");
  accepts = false;
  joiner.transport.setPeers(new Map([[N2, place.address(N2)]]));
  await until("the unknown node is let go of", () => !reached(c.transport));
  joiner.transport.setPeers(new Map());
  await until("so is the one that was removed", () => !reached(b.transport));
  for (const { transport } of [b, c]) transport.send(N1, GROUP, ping(9));
  assertEquals(joiner.inbox.received, []);
};

export const removesInside: Body = async (place) => {
  const [a, c] = [await open(place, N1), await open(place, N3)];
  const seen: string[] = [];
  const transport = place.create(N2);
  await transport.start((from, _group, message) => {
    if (message.type !== "read-request") return;
    seen.push(`${from} ${message.id}`);
    if (message.id === 1) transport.setPeers(new Map([[N3, place.address(N3)]]));
  });
  await connect(place, a.transport, transport, c.transport);
  for (let i = 0; i < 5; i++) a.transport.send(N2, GROUP, ping(i));
  await until("n1 was removed", () => seen.includes("n1 1"));
  assert(c.transport.send(N2, GROUP, ping(100)));
  await until("n3 is still heard", () => seen.includes("n3 100"));
  assertEquals(seen, ["n1 0", "n1 1", "n3 100"]);
};
