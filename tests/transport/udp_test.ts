/**
 * The UDP transport: the transport contract over real sockets, then what only UDP has.
 *
 * @module
 */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { UDP_LIMITS } from "../../transport/udp/limits.ts";
import { UdpNet } from "../../transport/udp/net.ts";
import { createUdpTransport, type UdpTransportOptions } from "../../transport/udp.ts";
import { transportContract } from "./contract.ts";
import { faultyPlace } from "./faulty_place.ts";
import { append, GROUP, ManualEnv, N1, N2, ping, until } from "./harness.ts";
import { ANY_PORT, streamNode, streamPlace } from "./stream_place.ts";
import { DatagramRelay } from "./udp_relay.ts";

/** As between machines. */
const SMALL = { loopbackDatagramBytesMax: 1200 };

transportContract("udp", () => streamPlace(createUdpTransport));
transportContract("faulty udp", () => faultyPlace(streamPlace(createUdpTransport)));
transportContract(
  "udp in small datagrams",
  () => streamPlace((options) => createUdpTransport({ ...options, udpLimits: SMALL })),
);

function node(self: typeof N1, options: Partial<UdpTransportOptions> = {}) {
  return streamNode(self, (base) => createUdpTransport({ ...base, ...options }));
}

type Node = ReturnType<typeof node>;

/** Runs a body with two nodes that reach each other through a relay only, on short deadlines. */
async function withRelay(body: (a: Node, b: Node, relay: DatagramRelay) => Promise<void>) {
  const limits = { probeMs: 20, silenceMs: 150, backoffMinMs: 5, backoffMaxMs: 20 };
  const [a, b] = [node(N1, { limits, udpLimits: SMALL }), node(N2, { limits, udpLimits: SMALL })];
  await a.transport.start(a.inbox.handler);
  await b.transport.start(b.inbox.handler);
  const relay = new DatagramRelay(a.transport.address!, b.transport.address!);
  try {
    a.transport.setPeers(new Map([[N2, relay.addressOfB]]));
    b.transport.setPeers(new Map([[N1, relay.addressOfA]]));
    await until("both are connected", () => isConnected(a, N2) && isConnected(b, N1));
    await body(a, b, relay);
  } finally {
    await Promise.all([a.transport.close(), b.transport.close()]);
    await relay.close();
  }
}

function isConnected({ transport }: Node, peer: typeof N1): boolean {
  return transport.stats().get(peer)?.connected === true;
}

Deno.test("udp start() rejects when the address is taken, and close() then has nothing to do", async () => {
  const socket = Deno.listenDatagram({ transport: "udp", ...ANY_PORT });
  const { hostname, port } = socket.addr as Deno.NetAddr;
  const { transport } = node(N1, { listen: { hostname, port } });
  await assertRejects(() => transport.start(() => {}), Deno.errors.AddrInUse);
  await transport.close();
  socket.close();
});

Deno.test("udp delivers in order over real sockets that lose every tenth datagram and double others", async () => {
  await withRelay(async (a, b, relay) => {
    relay.dropEvery = 10;
    relay.doubleEvery = 7;
    for (let id = 0; id < 200; id++) {
      assert(a.transport.send(N2, GROUP, id % 20 === 0 ? append(4, 3000) : ping(id)));
      assert(b.transport.send(N1, GROUP, ping(id)));
    }
    await until(
      "all have arrived",
      () => a.inbox.received.length === 200 && b.inbox.received.length === 200,
    );
    assertEquals(a.inbox.ids, Array.from({ length: 200 }, (_, id) => id));
    assertEquals(b.inbox.ids, a.inbox.ids.filter((id) => id % 20 !== 0));
    assertEquals([...a.log.of("malformed"), ...b.log.of("disconnected")], []);
  });
});

Deno.test("udp lets go of a peer that it reaches and does not hear, and so does that; then they meet again", async () => {
  await withRelay(async (a, b, relay) => {
    relay.isCutFromB = true;
    await until("both know it", () => !isConnected(a, N2) && !isConnected(b, N1));
    assertEquals(
      a.log.of("disconnected").find(({ direction }) => direction === "outgoing")?.reason,
      "silent",
    );
    relay.isCutFromB = false;
    await until("they are connected again", () => isConnected(a, N2) && isConnected(b, N1));
    assert(a.transport.send(N2, GROUP, ping(1)));
    assert(b.transport.send(N1, GROUP, ping(2)));
    await until("both have heard", () => a.inbox.ids.includes(2) && b.inbox.ids.includes(1));
  });
});

Deno.test("udp goes on through ten thousand datagrams of garbage, and tells nobody", async () => {
  const [a, b] = [node(N1), node(N2)];
  await a.transport.start(a.inbox.handler);
  await b.transport.start(b.inbox.handler);
  a.transport.setPeers(new Map([[N2, b.transport.address!]]));
  b.transport.setPeers(new Map([[N1, a.transport.address!]]));
  await until("both are connected", () => isConnected(a, N2) && isConnected(b, N1));
  const socket = Deno.listenDatagram({ transport: "udp", ...ANY_PORT });
  const to = { transport: "udp", ...a.transport.address! } as const;
  for (let i = 0; i < 10_000; i++) {
    await socket.send(new Uint8Array(1 + i % 100).fill(i), to);
    if (i % 1000 === 0) assert(b.transport.send(N1, GROUP, ping(i)));
  }
  socket.close();
  await until("what was sent meanwhile has arrived", () => a.inbox.ids.length === 10);
  assertEquals([...a.log.of("refused"), ...a.log.of("malformed")], []);
  await Promise.all([a.transport.close(), b.transport.close()]);
});

Deno.test("udp tells that a peer is out of reach: none listens, or this process may not send there", async () => {
  const env = new ManualEnv();
  const { transport, log, inbox } = node(N1, {
    env,
    peers: new Map([[N2, { hostname: "127.0.0.1", port: 9 }], [N1, ANY_PORT]]),
    limits: { handshakeMs: 500 },
  });
  await transport.start(inbox.handler);
  try {
    await until("the opening is sent", () => env.delaysMs.length > 2);
    env.advance(500);
    await until("it is given up", () => log.of("unreachable").length === 1);
    // No address that the tests may send to.
    transport.setPeers(new Map([[N2, { hostname: "192.0.2.1", port: 9 }]]));
    await until("the refusal is told", () => {
      env.advance(500);
      return log.of("unreachable").length >= 2;
    });
    assert(!transport.send(N2, GROUP, ping(1)));
  } finally {
    await transport.close();
    assertEquals(env.pendingTimers, 0, "timers were left");
  }
});

Deno.test("udp close() tells its peers, ends dials, and leaves no timer", async () => {
  const envs = [new ManualEnv(), new ManualEnv()];
  const [a, b] = [node(N1, { env: envs[0] }), node(N2, { env: envs[1] })];
  await a.transport.start(a.inbox.handler);
  await b.transport.start(b.inbox.handler);
  a.transport.setPeers(new Map([[N2, b.transport.address!]]));
  b.transport.setPeers(new Map([[N1, a.transport.address!]]));
  await until("both are connected", () => isConnected(a, N2) && isConnected(b, N1));
  await b.transport.close();
  await until("the other knows it, though no time has passed", () => !isConnected(a, N2));
  assertEquals(a.log.of("disconnected").map(({ reason }) => reason), [
    "closed-by-peer",
    "closed-by-peer",
  ]);
  await a.transport.close();
  await a.transport.close();
  assertEquals(envs.map(({ pendingTimers }) => pendingTimers), [0, 0]);
});

Deno.test("udp listener accepts nothing once closed, whoever asks only then", async () => {
  const net = new UdpNet(new ManualEnv(), UDP_LIMITS);
  const listener = net.listen(ANY_PORT);
  listener.close();
  let error: unknown = null;
  void listener.accept().catch((it) => error = it);
  try {
    await until("it is refused", () => error !== null);
    assert(error instanceof Deno.errors.BadResource);
  } finally {
    await net.close();
  }
});
