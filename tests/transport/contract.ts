/**
 * What every transport must do, as one suite over a factory.
 *
 * @module
 */
import { assert, assertEquals, assertRejects, equal } from "@std/assert";
import type { PeerMessage } from "../../raft/message.ts";
import { groupId, nodeId, term } from "../../raft/types.ts";
import {
  adoptsStrangers,
  changesPeers,
  dropsStrangers,
  hearsStrangers,
  readds,
  removesInside,
  removesPeers,
  survivesRestart,
  tellsRemoved,
} from "./contract_peers.ts";
import {
  adoptsAsMember,
  forgetsOnlyLeavers,
  neverForgetsByGoingBack,
  refusesOlderData,
  refusesOtherData,
  remembersOverRestarts,
  trustsReadded,
} from "./contract_lives.ts";
import { append, EventLog, GROUP, N1, N2, N3, ping, snapshotChunk, until } from "./harness.ts";
import { type Body, connect, open, type Place } from "./place.ts";

/** Registers the suite. */
export function transportContract(name: string, makePlace: () => Place): void {
  const check = (what: string, body: Body) =>
    Deno.test(`${name} transport ${what}`, async () => {
      const place = makePlace();
      try {
        await body(place);
      } finally {
        await place.dispose();
      }
    });
  check("delivers both ways, in order, to several peers", deliversBothWays);
  check("keeps group and sender apart", keepsGroupAndSender);
  check("carries every kind of message unchanged", carriesEveryKind);
  check("carries an append request of a mebibyte, whole and unshared", carriesLarge);
  check("gives each receiver its own bytes", givesOwnBytes);
  check("refuses an unknown peer and itself, and counts it", refusesUnknownPeers);
  check("never throws into a sender, before start and after close", neverThrows);
  check("refuses what cannot be encoded, and goes on", refusesNotEncodable);
  check("starts once", startsOnce);
  check("delivers again after a peer was restarted in its place", survivesRestart);
  check("stops sending to and hearing a peer that was removed", removesPeers);
  check("connects to a peer that was removed and comes again on new data", readds);
  check("refuses a peer that comes on other data, and tells both", refusesOtherData);
  check(
    "refuses a peer whose data hold less than it acknowledged, over restarts",
    refusesOlderData,
  );
  check("remembers its peers' data and boots over its own restart", remembersOverRestarts);
  check("takes a peer that was added anew on the data that it then has", trustsReadded);
  check("remembers an unknown node from when it is a member", adoptsAsMember);
  check(
    "forgets who is no peer any more, and nobody before it knows its peers",
    forgetsOnlyLeavers,
  );
  check("forgets nobody because an older set of peers came back", neverForgetsByGoingBack);
  check("takes peers in and lets them go while it runs", changesPeers);
  check("tells a node that was removed that it is no peer any more", tellsRemoved);
  check("hears an unknown node only if told to, and cannot answer it", hearsStrangers);
  check("goes on hearing an unknown node that becomes a peer", adoptsStrangers);
  check("lets go of unknown nodes, and of removed ones, when its peers are set", dropsStrangers);
  check("counts messages and bytes by peer", countsByPeer);
  check("drops the newest when its queue is full in messages", boundedMessages);
  check("drops the newest when its queue is full in bytes", boundedBytes);
  check("delivers nothing after close", silentAfterClose);
  check("survives a handler that throws", survivesHandler);
  check("comes to its end for everybody who closes it", closesForAll);
  check("may be closed from inside its handler", closesInside);
  check("may lose a peer from inside its handler, and hears no more of it", removesInside);
}

const deliversBothWays: Body = async (place) => {
  const [a, b, c] = [await open(place, N1), await open(place, N2), await open(place, N3)];
  await connect(place, a.transport, b.transport, c.transport);
  const ids = Array.from({ length: 100 }, (_, i) => i);
  for (const id of ids) {
    assert(a.transport.send(N2, GROUP, ping(id)));
    assert(a.transport.send(N3, GROUP, ping(1000 + id)));
    assert(b.transport.send(N1, GROUP, ping(2000 + id)));
  }
  const all = () => [a, b, c].every(({ inbox }) => inbox.received.length === 100);
  await until("all messages have arrived", all);
  assertEquals(b.inbox.ids, ids);
  assertEquals(c.inbox.ids, ids.map((id) => 1000 + id));
  assertEquals(a.inbox.ids, ids.map((id) => 2000 + id));
};

const keepsGroupAndSender: Body = async (place) => {
  const [a, b, c] = [await open(place, N1), await open(place, N2), await open(place, N3)];
  await connect(place, a.transport, b.transport, c.transport);
  a.transport.send(N3, groupId("alpha"), ping(1));
  b.transport.send(N3, groupId("beta-2"), ping(2));
  await until("both have arrived", () => c.inbox.received.length === 2);
  const seen = c.inbox.received.map(({ from, group }) => `${from} ${group}`).sort();
  assertEquals(seen, ["n1 alpha", "n2 beta-2"]);
};

const carriesEveryKind: Body = async (place) => {
  const [a, b] = [await open(place, N1), await open(place, N2)];
  await connect(place, a.transport, b.transport);
  const { prevIndex, prevTerm } = append(0, 0);
  const at = { lastIndex: prevIndex, lastTerm: prevTerm };
  const messages: PeerMessage[] = [
    { type: "vote-request", term: term(3), pre: true, transfer: false, ...at },
    { type: "vote-reply", term: term(3), pre: true, granted: true },
    append(3, 300),
    append(0, 0),
    {
      type: "append-reply",
      term: term(3),
      success: false,
      index: prevIndex,
      conflictIndex: prevIndex,
      conflictTerm: prevTerm,
      round: 8,
      stamp: 21,
      sent: 34,
      counts: true,
    },
    { type: "forward", term: term(3), commands: [new Uint8Array([1, 2]), new Uint8Array()] },
    ping(5),
    { ...ping(6), lease: true },
    { type: "read-reply", term: term(3), id: 5, granted: true, index: prevIndex },
    { type: "timeout-now", term: term(3) },
    snapshotChunk(999, 60 * 1024),
    snapshotChunk(0, 0),
    { type: "snapshot-reply", term: term(3), id: "00ff00ff00ff00ff", index: prevIndex, next: 7 },
    { type: "admin-request", id: 1, body: new TextEncoder().encode('{"type":"x"}') },
    { type: "admin-reply", id: 1, body: new Uint8Array() },
    { type: "hash-report", index: prevIndex, hash: "0123456789abcdef".repeat(2) },
  ];
  for (const message of messages) assert(a.transport.send(N2, GROUP, message), message.type);
  await until("all have arrived", () => b.inbox.received.length === messages.length);
  assertEquals(b.inbox.received.map(({ message }) => message), messages);
};

const carriesLarge: Body = async (place) => {
  const [a, b] = [await open(place, N1), await open(place, N2)];
  await connect(place, a.transport, b.transport);
  const large = append(16, 64 * 1024);
  for (let i = 0; i < 3; i++) {
    assert(a.transport.send(N2, GROUP, large));
    assert(a.transport.send(N2, GROUP, ping(i)));
  }
  await until("all have arrived", () => b.inbox.received.length === 6);
  for (const i of [0, 2, 4]) {
    // assertEquals would take minutes to print how two mebibytes differ.
    assert(equal(b.inbox.received[i].message, large), `message ${i} differs`);
  }
  assertEquals(b.inbox.ids, [0, 1, 2]);
};

/** Entries are kept by the receiver: no later read, and no sender, may change them. */
const givesOwnBytes: Body = async (place) => {
  const [a, b, c] = [await open(place, N1), await open(place, N2), await open(place, N3)];
  await connect(place, a.transport, b.transport, c.transport);
  const requests = Array.from(
    { length: 200 },
    (_, i) => i % 2 === 0 ? snapshotChunk(i, 200) : append(4, 50 + i),
  );
  for (const request of requests) {
    assert(a.transport.send(N2, GROUP, request));
    assert(a.transport.send(N3, GROUP, request));
  }
  await until(
    "all have arrived",
    () =>
      b.inbox.received.length === requests.length && c.inbox.received.length === requests.length,
  );
  for (const { message } of b.inbox.received) {
    if (message.type === "append-request") { for (const { data } of message.entries) data.fill(0); }
    if (message.type === "snapshot-chunk") message.data.fill(0);
  }
  const arrived = c.inbox.received.map(({ message }) => message);
  assert(
    equal(arrived, requests),
    "one receiver's bytes were changed by another, or by a later read",
  );
  for (const request of requests.slice(-2)) {
    const data = request.type === "snapshot-chunk" ? request.data : request.entries[3].data;
    assert(data.some((byte) => byte !== 0), "the sender's bytes were changed by a receiver");
  }
};

const refusesUnknownPeers: Body = async (place) => {
  const log = new EventLog();
  const a = await open(place, N1, { onEvent: log.record });
  const b = await open(place, N2);
  await connect(place, a.transport, b.transport);
  const stranger = nodeId("stranger");
  for (let i = 0; i < 3; i++) assert(!a.transport.send(stranger, GROUP, ping(i)));
  assert(!a.transport.send(N1, GROUP, ping(1)));
  const stats = a.transport.stats();
  assertEquals([stats.get(stranger)?.dropped, stats.get(N1)?.dropped], [3, 1]);
  assertEquals(stats.get(stranger)?.connected, false);
  assertEquals(log.of("dropped").map(({ peer, reason }) => `${peer} ${reason}`), [
    "stranger unknown-peer",
    "n1 unknown-peer",
  ]);
};

const neverThrows: Body = async (place) => {
  const transport = place.create(N1);
  assert(!transport.send(N2, GROUP, ping(1)));
  const b = await open(place, N2);
  transport.setPeers(new Map([[N2, place.address(N2)]]));
  assert(!transport.send(N2, GROUP, ping(2)));
  await transport.start(() => {});
  await connect(place, transport, b.transport);
  await transport.close();
  assert(!transport.send(N2, GROUP, ping(3)));
  transport.setPeers(new Map());
  assert(!transport.send(N2, GROUP, ping(4)));
  await transport.close();
  assert((transport.stats().get(N2)?.dropped ?? 0) >= 3);
  assertEquals(b.inbox.received, []);
};

const refusesNotEncodable: Body = async (place) => {
  const log = new EventLog();
  const a = await open(place, N1, { onEvent: log.record });
  const b = await open(place, N2);
  await connect(place, a.transport, b.transport);
  assert(!a.transport.send(N2, GROUP, ping(-1)));
  assert(!a.transport.send(N2, groupId("no group"), ping(1)));
  assert(a.transport.send(N2, GROUP, ping(2)));
  await until("the good one has arrived", () => b.inbox.received.length > 0);
  assertEquals(b.inbox.ids, [2]);
  assertEquals(log.of("dropped").map(({ reason }) => reason), ["not-encodable"]);
};

const startsOnce: Body = async (place) => {
  const { transport } = await open(place, N1);
  await assertRejects(() => transport.start(() => {}), Error, "Cannot start");
  await transport.close();
  await assertRejects(() => transport.start(() => {}), Error, "Cannot start");
};

const countsByPeer: Body = async (place) => {
  const [a, b] = [await open(place, N1), await open(place, N2)];
  await connect(place, a.transport, b.transport);
  for (let i = 0; i < 10; i++) a.transport.send(N2, GROUP, ping(i));
  a.transport.send(N2, GROUP, append(2, 1000));
  await until("all have arrived", () => b.inbox.received.length === 11);
  await until("all are sent", () => a.transport.stats().get(N2)?.sentMessages === 11);
  const [sent, received] = [a.transport.stats().get(N2), b.transport.stats().get(N1)];
  assert(sent !== undefined && received !== undefined);
  assertEquals(received.receivedMessages, 11);
  assertEquals(sent.sentBytes, received.receivedBytes);
  assert(sent.sentBytes > 2000 && sent.sentBytes < 2500, `${sent.sentBytes} bytes`);
  assertEquals([sent.dropped, sent.queuedBytes, sent.receivedMessages], [0, 0, 0]);
};

const boundedMessages: Body = async (place) => {
  const log = new EventLog();
  const a = await open(place, N1, { limits: { queueMessagesMax: 5 }, onEvent: log.record });
  const b = await open(place, N2);
  await connect(place, a.transport, b.transport);
  const taken = Array.from({ length: 8 }, (_, i) => a.transport.send(N2, GROUP, ping(i)));
  assertEquals(taken, [true, true, true, true, true, false, false, false]);
  await until("what was taken has arrived", () => b.inbox.ids.length === 5);
  await until("the queue is empty", () => a.transport.stats().get(N2)?.queuedBytes === 0);
  assert(a.transport.send(N2, GROUP, ping(8)));
  await until("the next has arrived", () => b.inbox.ids.length === 6);
  assertEquals(b.inbox.ids, [0, 1, 2, 3, 4, 8]);
  assertEquals(a.transport.stats().get(N2)?.dropped, 3);
  assertEquals(log.of("dropped").map(({ reason }) => reason), ["queue-full"]);
};

const boundedBytes: Body = async (place) => {
  const a = await open(place, N1, { limits: { queueBytesMax: 10_000 } });
  const b = await open(place, N2);
  await connect(place, a.transport, b.transport);
  const request = append(1, 4000);
  assert(a.transport.send(N2, GROUP, request));
  assert(a.transport.send(N2, GROUP, request));
  assert(!a.transport.send(N2, GROUP, request));
  const queuedBytes = a.transport.stats().get(N2)?.queuedBytes ?? 0;
  assert(queuedBytes > 8000 && queuedBytes <= 10_000, `${queuedBytes} bytes`);
  assert(a.transport.send(N2, GROUP, ping(1)));
  await until("what was taken has arrived", () => b.inbox.received.length === 3);
  assertEquals(a.transport.stats().get(N2)?.dropped, 1);
};

const silentAfterClose: Body = async (place) => {
  const [a, b, c] = [await open(place, N1), await open(place, N2), await open(place, N3)];
  await connect(place, a.transport, b.transport, c.transport);
  for (let i = 0; i < 50; i++) {
    a.transport.send(N2, GROUP, ping(i));
    a.transport.send(N3, GROUP, ping(i));
  }
  const closing = b.transport.close();
  const heard = b.inbox.received.length;
  await closing;
  await until("n3 has heard all", () => c.inbox.ids.length === 50);
  assertEquals(b.inbox.received.length, heard);
};

const closesForAll: Body = async (place) => {
  const [a, b] = [await open(place, N1), await open(place, N2)];
  await connect(place, a.transport, b.transport);
  for (let i = 0; i < 50; i++) a.transport.send(N2, GROUP, ping(i));
  let ended = 0;
  for (let i = 0; i < 3; i++) void a.transport.close().then(() => ended++);
  await until("all three are told", () => ended === 3);
  await a.transport.close();
};

const survivesHandler: Body = async (place) => {
  const log = new EventLog();
  const seen: number[] = [];
  const a = await open(place, N1);
  const b = await open(place, N2, {
    onEvent: log.record,
    handler: (_from, _group, message) => {
      if (message.type !== "read-request") return;
      seen.push(message.id);
      if (message.id % 2 === 0) throw new Error(`handler ${message.id}`);
    },
  });
  await connect(place, a.transport, b.transport);
  for (let i = 0; i < 4; i++) a.transport.send(N2, GROUP, ping(i));
  await until("all have arrived", () => seen.length === 4);
  assertEquals(log.of("handler-failed").map(({ peer, error }) => `${peer} ${error}`), [
    "n1 Error: handler 0",
    "n1 Error: handler 2",
  ]);
};

const closesInside: Body = async (place) => {
  const a = await open(place, N1);
  const seen: number[] = [];
  let closed: Promise<void> | null = null;
  const transport = place.create(N2);
  await transport.start((from, group, message) => {
    if (message.type !== "read-request") return;
    seen.push(message.id);
    transport.send(from, group, ping(100 + message.id));
    if (message.id === 1) closed = transport.close();
  });
  await connect(place, a.transport, transport);
  a.transport.send(N2, GROUP, ping(0));
  await until("the answer has come", () => a.inbox.ids.includes(100));
  for (let i = 1; i < 5; i++) a.transport.send(N2, GROUP, ping(i));
  await until("it has closed itself", () => closed !== null);
  await closed;
  assertEquals(seen, [0, 1]);
};
