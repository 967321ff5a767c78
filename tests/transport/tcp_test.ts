/**
 * The TCP transport: the transport contract over real sockets, then what only TCP has: backoff,
 * probes, stalls, prompt notice of a loss. Nothing waits for real time to pass.
 *
 * @module
 */
import { assert, assertEquals, assertNotEquals, assertRejects, assertThrows } from "@std/assert";
import { nodeId } from "../../raft/types.ts";
import type { TcpLimits } from "../../transport/limits.ts";
import { createTcpTransport, type TcpTransport } from "../../transport/tcp.ts";
import { freePorts } from "../cluster/ports.ts";
import { transportContract } from "./contract.ts";
import { faultyPlace } from "./faulty_place.ts";
import { append, GROUP, N1, N2, N3, ping, realEnv, until } from "./harness.ts";
import { type TcpNode, withNode } from "./held_node.ts";
import { CLUSTER, RawPeer, RawServer, welcomeText } from "./raw_peer.ts";
import { ANY_PORT, streamPlace } from "./stream_place.ts";

/** So long that no test comes near it by waiting. */
const SILENCE_MS = 10_000_000;

transportContract("tcp", () => streamPlace(createTcpTransport));
transportContract("faulty tcp", () => faultyPlace(streamPlace(createTcpTransport)));

/** Runs a body with n1, whose peer n2 is at the address. */
function withPeerAt(
  peer: { hostname: string; port: number },
  body: (node: TcpNode) => Promise<void>,
  limits: Partial<TcpLimits> = {},
): Promise<void> {
  return withNode(body, { peer, limits });
}

/** Runs a body with n1 connected to a raw n2 that welcomes it, then does as the test says. */
async function withWelcome(
  body: (node: TcpNode & { server: RawServer }) => Promise<void>,
  options: { reads?: boolean; limits?: Partial<TcpLimits> } = {},
): Promise<void> {
  const server = new RawServer(
    (peer) => void peer.send(welcomeText(N2, N1)),
    { reads: options.reads ?? true },
  );
  try {
    await withPeerAt(server.address, async (node) => {
      await until("n2 is reached", () => isConnected(node.transport));
      await body({ ...node, server });
    }, options.limits);
  } finally {
    await server.close();
  }
}

/** An address on which nothing listens. */
function deadAddress() {
  return { hostname: "127.0.0.1", port: freePorts(1)[0] };
}

function isConnected(transport: TcpTransport): boolean {
  return transport.stats().get(N2)?.connected === true;
}

Deno.test("createTcpTransport() refuses names and boots that cannot be sent", () => {
  const good = {
    self: N1,
    clusterId: CLUSTER,
    boot: 1,
    incarnation: 1,
    listen: ANY_PORT,
    env: realEnv(),
  };
  for (
    const bad of [{ self: nodeId("") }, { clusterId: "a b" }, { boot: -1 }, { boot: 0.5 }, {
      incarnation: -1,
    }]
  ) {
    assertThrows(() => createTcpTransport({ ...good, ...bad }), RangeError, "Cannot");
  }
});

Deno.test("tcp start() rejects when the address is taken, and close() then has nothing to do", async () => {
  const listener = Deno.listen(ANY_PORT);
  const transport = createTcpTransport({
    self: N1,
    clusterId: CLUSTER,
    boot: 1,
    incarnation: 1,
    listen: { hostname: "127.0.0.1", port: listener.addr.port },
    env: realEnv(),
  });
  await assertRejects(() => transport.start(() => {}), Deno.errors.AddrInUse);
  await transport.close();
  listener.close();
});

Deno.test("tcp tries an unreachable peer again with doubled waits", async () => {
  await withPeerAt(deadAddress(), async ({ log, env }) => {
    const waits: number[] = [];
    for (let attempt = 1; attempt <= 7; attempt++) {
      await until(
        `attempt ${attempt} has failed and the next is set`,
        () =>
          log.of("unreachable").length === attempt &&
          (env.delaysMs.at(-1) ?? Infinity) <= 100,
      );
      const waitMs = env.delaysMs.at(-1) ?? 0;
      waits.push(waitMs);
      env.advance(waitMs);
    }
    // Half of the doubled minimum of 8 ms, since the randomness is 0; at most half of 100.
    assertEquals(waits, [4, 8, 16, 32, 50, 50, 50]);
  }, { backoffMinMs: 8, backoffMaxMs: 100 });
});

Deno.test("tcp begins its waits anew after a connection", async () => {
  let attempts = 0;
  const server: RawServer = new RawServer((peer) => {
    if (++attempts <= 3) void peer.close();
    else void peer.send(welcomeText(N2, N1));
  });
  try {
    await withPeerAt(server.address, async ({ env, transport, log }) => {
      for (const [attempt, waitMs] of [[1, 4], [2, 8], [3, 16]]) {
        await until(`attempt ${attempt} has failed`, () => env.delaysMs.at(-1) === waitMs);
        env.advance(waitMs);
      }
      await until("n2 is reached", () => isConnected(transport));
      await server.peers[3].close();
      await until("the loss is seen", () => log.of("disconnected").length === 1);
      await until("the shortest wait is set", () => env.delaysMs.at(-1) === 4);
      env.advance(4);
      await until("n2 is reached again", () => isConnected(transport));
    }, { backoffMinMs: 8 });
  } finally {
    await server.close();
  }
});

Deno.test("tcp dials at once a peer that it hears from, whatever wait is left", async () => {
  const address = deadAddress();
  await withPeerAt(address, async ({ transport, log }) => {
    await until("the first attempt has failed", () => log.of("unreachable").length === 1);
    const raw = await RawPeer.dial(transport.address);
    await raw.greet();
    // The clock stands still: only having been heard can be the reason for a second attempt.
    await until("a second attempt was made", () => log.of("unreachable").length === 2);
    await raw.close();
  });
});

Deno.test("tcp tells at once that a peer's process has gone, in both directions", async () => {
  await withWelcome(async ({ transport, log, server }) => {
    const raw = await RawPeer.dial(transport.address);
    await raw.greet();
    await raw.close();
    await until("the incoming loss is told", () => log.of("disconnected").length === 1);
    await server.peers[0].close();
    await until("the outgoing loss is told", () => log.of("disconnected").length === 2);
    assertEquals(log.of("disconnected").map(({ direction, reason }) => `${direction} ${reason}`), [
      "incoming closed-by-peer",
      "outgoing closed-by-peer",
    ]);
    assert(!transport.send(N2, GROUP, ping(1)));
  });
});

Deno.test("tcp drops a peer that answers no probe, and keeps one that does", async () => {
  await withWelcome(async ({ env, log, server, transport }) => {
    const [raw] = server.peers;
    await until("the hello has come", () => raw.received.length > 0);
    raw.received.length = 0;
    // A probe leaves only once the one before was answered.
    for (let round = 0; round < 10; round++) {
      await until("a probe has come", () => {
        env.advance(500);
        return raw.received.length > 0;
      });
      assertEquals(raw.received.splice(0), [0, 0, 0, 0]);
      if (round < 9) await raw.send(new Uint8Array(4));
    }
    assertEquals(log.of("disconnected"), []);
    env.advance(SILENCE_MS + 500);
    assertEquals(log.of("disconnected").map(({ reason }) => reason), ["silent"]);
    assert(!isConnected(transport));
  }, { limits: { silenceMs: SILENCE_MS } });
});

Deno.test("tcp drops an accepted connection that is silent, and keeps one that probes", async () => {
  await withPeerAt(deadAddress(), async ({ transport, env, log }) => {
    const raw = await RawPeer.dial(transport.address);
    await raw.greet();
    for (let round = 0; round < 12; round++) {
      await raw.send(new Uint8Array(4));
      await until("the probe is answered", () => raw.received.length === 4);
      raw.received.length = 0;
      env.advance(500);
    }
    assertEquals(log.of("disconnected"), []);
    for (let round = 0; round < 10; round++) env.advance(500);
    await raw.closed();
    const [{ direction, reason }] = log.of("disconnected");
    assertEquals([direction, reason], ["incoming", "silent"]);
    await raw.close();
  });
});

Deno.test("tcp does not blame its peers for having been stopped itself", async () => {
  await withWelcome(async ({ transport, env, log, server }) => {
    const raw = await RawPeer.dial(transport.address);
    await raw.greet();
    env.advance(500);
    await until("a probe is under way", () => server.peers[0].received.length > 0);
    env.jump(60_000);
    assertEquals(log.of("disconnected"), []);
    assert(isConnected(transport));
    await raw.close();
  });
});

Deno.test("tcp holds no more for a peer that stops reading than its limit, and lets go of it", async () => {
  const queueBytesMax = 4 * 1024 * 1024;
  await withWelcome(async ({ transport, env, log }) => {
    const request = append(1, 256 * 1024);
    // The operating system's buffers fill first, however large they are: the queue is full for good
    // when it stays so while time is given to the writes.
    let fullRounds = 0;
    await until("the queue stays full", () => {
      fullRounds = transport.send(N2, GROUP, request) ? 0 : fullRounds + 1;
      while (transport.send(N2, GROUP, request));
      return fullRounds > 20;
    });
    const { queuedBytes = 0, dropped = 0 } = transport.stats().get(N2) ?? {};
    assert(queuedBytes <= queueBytesMax, `${queuedBytes} bytes are held`);
    assert(dropped > 0);
    await until("the stalled write ends the connection", () => {
      env.advance(500);
      return log.of("disconnected").length > 0;
    });
    assertEquals(log.of("disconnected")[0].reason, "write-stalled");
    assertEquals(transport.stats().get(N2)?.queuedBytes, 0);
    assert(log.of("dropped").some(({ reason }) => reason === "connection-lost"));
    await until("n2 is dialled again", () => {
      env.advance(100);
      return log.of("connected").length === 2;
    });
  }, { reads: false, limits: { queueBytesMax } });
});

Deno.test("tcp refuses a message larger than a frame may be", async () => {
  await withWelcome(async ({ transport, log }) => {
    assert(!transport.send(N2, GROUP, append(1, 1000)));
    assert(transport.send(N2, GROUP, append(1, 900)));
    await Promise.resolve();
    assertEquals(log.of("dropped").map(({ reason }) => reason), ["too-large"]);
  }, { limits: { frameBytesMax: 1000 } });
});

Deno.test("tcp ends a connection on which a peer answers with more than probes", async () => {
  await withWelcome(async ({ server, log, inbox }) => {
    await server.peers[0].send(new Uint8Array([0, 0, 0, 1, 9]));
    await until("the connection is ended", () => log.of("disconnected").length > 0);
    assertEquals(log.of("disconnected")[0].reason, "malformed");
    assertEquals(inbox.received, []);
  });
});

Deno.test("tcp moves to a peer's new address", async () => {
  const [first, second] = [0, 1].map(() =>
    new RawServer((peer) => void peer.send(welcomeText(N2, N1)))
  );
  try {
    await withPeerAt(first.address, async ({ transport, log }) => {
      await until("the first is reached", () => isConnected(transport));
      transport.setPeers(new Map([[N2, second.address]]));
      assert(!isConnected(transport));
      await until("the second is reached", () => isConnected(transport));
      assertEquals(log.of("disconnected").map(({ reason }) => reason), ["removed"]);
      await first.peers[0].closed();
      transport.setPeers(new Map([[N2, second.address], [N3, deadAddress()]]));
      assert(isConnected(transport), "an unchanged peer keeps its connection");
    });
  } finally {
    await first.close();
    await second.close();
  }
});

Deno.test("tcp close() ends what is under way: a dial, a handshake, a write", async () => {
  const silent = new RawServer(() => {}, { reads: false });
  try {
    await withPeerAt(silent.address, async ({ transport, log }) => {
      await until("n2 has been dialled", () => silent.peers.length === 1);
      const raw = await RawPeer.dial(transport.address);
      await raw.send(new Uint8Array([0x4b]));
      await transport.close();
      await raw.closed();
      await raw.close();
      assertEquals(log.events, []);
    });
  } finally {
    await silent.close();
  }
  await withWelcome(async ({ transport }) => {
    for (let i = 0; i < 20; i++) transport.send(N2, GROUP, append(1, 1024 * 1024));
    await Promise.resolve();
    await transport.close();
  }, { reads: false });
});

Deno.test("tcp listens on the port that it was given", async () => {
  await withPeerAt(deadAddress(), async ({ transport }) => {
    assertNotEquals(transport.address?.port, 0);
    const raw = await RawPeer.dial(transport.address);
    await raw.close();
  });
});
