import { assert, assertEquals, assertLess, assertLessOrEqual } from "@std/assert";
import { crc32c } from "../../kv/crc32c.ts";
import { Cookies } from "../../transport/udp/cookies.ts";
import { UDP_LIMITS } from "../../transport/udp/limits.ts";
import {
  decodePacket,
  encodeClose,
  encodeData,
  encodeOpen,
  encodeReset,
  OPEN_BYTES,
} from "../../transport/udp/packet.ts";
import { seeded } from "./harness.ts";
import { bytesFrom, DatagramNetwork, pair, type VirtualNode } from "./udp_network.ts";

const STRANGER = { hostname: "10.0.0.66", port: 666 };

/** What a node answered to a stranger since the network had sent so many. */
function answersTo(network: DatagramNetwork, hostname: string, since: number) {
  return network.sent.slice(since).filter(({ to }) => to.hostname === hostname);
}

Deno.test("udp endpoint holds nothing for whoever has not shown its address, and answers with less", () => {
  const network = new DatagramNetwork(1);
  const node = network.node("10.0.0.1");
  let sent = 0;
  for (let from = 1; from <= 2000; from++) {
    node.receive(encodeOpen(from, null), STRANGER);
    sent += OPEN_BYTES;
  }
  const answers = answersTo(network, STRANGER.hostname, 0);
  assertEquals([node.endpoint.sessions, node.accepts.length], [0, 0]);
  for (const { datagram } of answers) assertLess(datagram.length, OPEN_BYTES);
  // And with fewer, once there are many.
  assertEquals(answers.length, UDP_LIMITS.repliesPerSecondMax);
  network.nowMs += 1000;
  node.receive(encodeOpen(1, null), STRANGER);
  assertEquals(answersTo(network, STRANGER.hostname, 0).length, answers.length + 1);
});

Deno.test("udp endpoint takes a cookie from the address and for the session that it was made for, for a while", () => {
  const key = bytesFrom(1, 32);
  const cookies = new Cookies(key, 5000);
  const cookie = cookies.make("10.0.0.1:9000", 7, 1000.5);
  assert(cookies.isValid(cookie, "10.0.0.1:9000", 7, 1000.5));
  assert(cookies.isValid(cookie, "10.0.0.1:9000", 7, 6000));
  assert(!cookies.isValid(cookie, "10.0.0.1:9001", 7, 2000));
  assert(!cookies.isValid(cookie, "10.0.0.1:9000", 8, 2000));
  assert(!cookies.isValid(cookie, "10.0.0.1:9000", 7, 6001));
  assert(!cookies.isValid(cookie, "10.0.0.1:9000", 7, 999));
  assert(!new Cookies(bytesFrom(2, 32), 5000).isValid(cookie, "10.0.0.1:9000", 7, 2000));
  for (let at = 0; at < cookie.length; at++) {
    const forged = cookie.slice();
    forged[at] ^= 1;
    assert(!cookies.isValid(forged, "10.0.0.1:9000", 7, 2000), `byte ${at}`);
  }
});

Deno.test("udp endpoint takes so many sessions, one more once one has ended, and dials all the same", () => {
  const network = new DatagramNetwork(2);
  const [a, b] = [network.node("10.0.0.1"), network.node("10.0.0.2", { acceptedMax: 3 })];
  const dialled = Array.from({ length: 4 }, () => a.dial(b));
  const open = () => dialled.filter(({ session }) => session.state === "open").length;
  network.run(1000);
  assertEquals([open(), b.endpoint.sessions], [3, 3]);
  const own = b.dial(a);
  assert(network.run(1000, () => own.session.state === "open"));
  own.session.abort();
  network.run(100);
  dialled.find(({ session }) => session.state === "open")!.session.abort();
  assert(network.run(2000, () => open() === 3), "the fourth was not opened");
  assertEquals(b.endpoint.sessions, 3);
});

Deno.test("udp endpoint is moved by no replay and by no forgery", () => {
  const network = new DatagramNetwork(3, { jitterMs: 3 });
  const { a, b, dialled, accepted } = pair(network, { lingerMs: 100 });
  const data = bytesFrom(1, 50_000);
  dialled.write(data);
  assert(network.run(60_000, () => accepted.received.length === data.length));
  network.run(100);
  const record = network.sent.slice();
  const toB = record.filter(({ to }) => to.hostname === b.remote.hostname);
  const quiet = network.datagrams;
  const old = toB.filter(({ datagram }) => decodePacket(datagram)?.type === "data");
  replay(network, b, old.map(({ datagram }) => datagram), a.remote);
  assertEquals(network.datagrams, quiet, "a replay was answered");
  replay(network, b, toB.map(({ datagram }) => datagram), a.remote);
  assertEquals(accepted.received.length, data.length);
  assertEquals(accepted.session.state, "open");
  // The same and what closes it from elsewhere, as somebody who guessed the session would send it.
  replay(network, b, toB.map(({ datagram }) => datagram), STRANGER);
  const { id: aId } = dialled.session;
  const { id: bId } = accepted.session;
  b.receive(encodeClose(bId, aId), STRANGER);
  b.receive(encodeClose(bId, aId + 1), a.remote);
  b.receive(encodeReset(aId), STRANGER);
  b.receive(encodeReset(aId + 1), a.remote);
  const forged = { to: bId, number: 1000, ack: null, ping: false } as const;
  const segment = { offset: data.length, length: 10, fin: true };
  b.receive(encodeData({ ...forged, segment }, () => {}), STRANGER);
  network.run(50);
  assertEquals(accepted.received.length, data.length);
  assertEquals([b.accepts.length, b.endpoint.sessions], [1, 1]);
  assertEquals(accepted.session.state, "open");
  const more = bytesFrom(2, 1000);
  dialled.write(more);
  assert(network.run(1000, () => accepted.received.length === data.length + more.length));
  assertEquals(accepted.received.slice(data.length), [...more]);
  // Once it has ended, its opening does not come to life again, though its cookie is still good.
  dialled.session.abort();
  network.run(UDP_LIMITS.cookieMs / 10);
  assertEquals(b.endpoint.sessions, 0);
  replay(network, b, toB.map(({ datagram }) => datagram), a.remote);
  assertEquals([b.endpoint.sessions, b.accepts.length], [0, 1]);
});

/** Sends recorded datagrams once more, in another order. */
function replay(
  network: DatagramNetwork,
  node: VirtualNode,
  datagrams: readonly Uint8Array[],
  from: { hostname: string; port: number },
): void {
  const order = datagrams.map((datagram) => ({ datagram, at: network.random() }))
    .sort((a, b) => a.at - b.at);
  for (const { datagram } of order) node.receive(datagram, from);
  network.run(50);
}

Deno.test("udp endpoint does not answer resets, so that two cannot go on for ever", () => {
  const network = new DatagramNetwork(4);
  const { a, b, dialled } = pair(network);
  const restarted = network.node(b.remote.hostname);
  dialled.write(bytesFrom(1, 100));
  network.run(5000);
  assertEquals(dialled.session.state, "closed");
  const quiet = network.datagrams;
  for (const { datagram, to } of network.sent.slice()) {
    if (to.hostname !== a.remote.hostname) continue;
    if (decodePacket(datagram)?.type === "reset") a.receive(datagram, restarted.remote);
  }
  network.run(5000);
  assertEquals(network.datagrams, quiet);
});

/** Gives changed bytes their checksum back: what somebody who means it would send. */
function reseal(datagram: Uint8Array): void {
  const seed = crc32c(new TextEncoder().encode("kvorum udp"));
  new DataView(datagram.buffer).setUint32(0, crc32c(datagram.subarray(4), seed));
}

Deno.test("udp endpoint takes 200,000 random and changed datagrams, and neither throws nor grows", () => {
  const network = new DatagramNetwork(5);
  const { a, b, dialled, accepted } = pair(network);
  const data = bytesFrom(1, 40_000);
  dialled.write(data);
  assert(network.run(60_000, () => accepted.received.length === data.length));
  network.run(100);
  const seeds = network.sent.map(({ datagram }) => datagram);
  const random = seeded(99);
  network.sent.length = 0;
  for (let i = 0; i < 200_000; i++) {
    let datagram: Uint8Array;
    if (i % 4 === 0) {
      datagram = new Uint8Array(random() % 200).map(() => random());
      if (datagram.length > 4 && i % 8 === 0) {
        // Past the checksum and the version, whatever the rest says.
        datagram[4] = 1;
        if (datagram.length > 5) datagram[5] = 1 + random() % 7;
        reseal(datagram);
      }
    } else {
      datagram = seeds[random() % seeds.length].slice(0, 1 + random() % 1300);
      for (let n = random() % 4; n >= 0; n--) datagram[random() % datagram.length] = random();
    }
    b.receive(datagram, i % 3 === 0 ? STRANGER : a.remote);
    if (network.sent.length > 10_000) network.sent.length = 0;
  }
  network.run(100);
  assertLessOrEqual(b.endpoint.sessions, 2);
  assertLessOrEqual(b.endpoint.buried, UDP_LIMITS.buriedMax);
  // Nothing that lacked the checksum has changed what is delivered.
  dialled.write(data);
  assert(network.run(60_000, () => accepted.received.length === 2 * data.length));
  assertEquals(accepted.received.slice(data.length).findIndex((it, at) => it !== data[at]), -1);
});

Deno.test("udp session takes 100,000 changed packets of its own peer, and neither throws nor grows", () => {
  const random = seeded(7);
  for (let round = 0; round < 20; round++) {
    const network = new DatagramNetwork(100 + round, { drop: 0.2, jitterMs: 5 });
    const { a, b, dialled, accepted } = pair(network);
    dialled.write(bytesFrom(1, 40_000));
    accepted.write(bytesFrom(2, 40_000));
    network.run(2000);
    const seeds = network.sent.filter(({ to }) => to.hostname === b.remote.hostname)
      .map(({ datagram }) => datagram);
    for (let i = 0; i < 5000; i++) {
      const datagram = seeds[random() % seeds.length].slice();
      // Behind the address of the session, so that it gets there.
      for (let n = random() % 4; n >= 0; n--) {
        const at = 12 + random() % (datagram.length - 12 || 1);
        if (at < datagram.length) datagram[at] = random() % 3 === 0 ? 0xff : random();
      }
      reseal(datagram);
      b.receive(datagram, a.remote);
      assertLessOrEqual(accepted.session.readable, UDP_LIMITS.receiveWindowBytes);
      assertLessOrEqual(accepted.session.packetsUnderWay, UDP_LIMITS.sentPacketsMax);
    }
    network.run(UDP_LIMITS.idleMs);
    assertLessOrEqual(b.endpoint.sessions, 1);
  }
});
