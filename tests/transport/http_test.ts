/**
 * The HTTP transport: the transport contract over real requests, then what a dialler meets that is no
 * healthy node: garbage, cut connections, peers of another transport.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { createHttpTransport, type HttpTransportOptions } from "../../transport/http.ts";
import { sentenceOf } from "../../transport/sentences.ts";
import type { StreamTransport } from "../../transport/streams.ts";
import { createTcpTransport } from "../../transport/tcp.ts";
import type { PeerAddress } from "../../transport/types.ts";
import { transportContract } from "./contract.ts";
import { faultyPlace } from "./faulty_place.ts";
import { append, EventLog, GROUP, ManualEnv, N1, N2, ping, until } from "./harness.ts";
import { HttpRelay, HttpStub, PIECE } from "./http_peer.ts";
import { RawServer, welcomeText } from "./raw_peer.ts";
import { streamNode, streamPlace } from "./stream_place.ts";

transportContract("http", () => streamPlace(createHttpTransport));
transportContract("faulty http", () => faultyPlace(streamPlace(createHttpTransport)));

function node(self: typeof N1, change: Partial<HttpTransportOptions> = {}) {
  const limits = { backoffMinMs: 5, backoffMaxMs: 20 };
  return streamNode(self, (base) => createHttpTransport({ ...base, limits, ...change }));
}

/** Runs a body with n1, on a clock that only the test moves, whose one peer is n2 at the address. */
async function withDialler(
  peer: PeerAddress,
  body: (it: ReturnType<typeof node> & { env: ManualEnv }) => Promise<void>,
  change: Partial<HttpTransportOptions> = {},
): Promise<void> {
  const env = new ManualEnv();
  const it = node(N1, { env, peers: new Map([[N2, peer]]), ...change });
  await it.transport.start(it.inbox.handler);
  try {
    await body({ ...it, env });
  } finally {
    await it.transport.close();
    assertEquals(env.pendingTimers, 0, "timers were left");
  }
}

function isConnected(transport: StreamTransport): boolean {
  return transport.stats().get(N2)?.connected === true;
}

/** n2's welcome, as the answer to n1's hello. */
function welcome(headers: Record<string, string> = {}): Response {
  const text = welcomeText(N2, N1) as Uint8Array<ArrayBuffer>;
  return new Response(text, { headers: { "content-type": PIECE, ...headers } });
}

/** 10 MB of zeros in 10 kB. */
async function bomb(): Promise<Uint8Array<ArrayBuffer>> {
  const zeros = new Blob([new Uint8Array(10_000_000)]).stream();
  return new Uint8Array(
    await new Response(zeros.pipeThrough(new CompressionStream("gzip"))).arrayBuffer(),
  );
}

const html = { "content-type": "text/html" };
const GARBAGE: [what: string, answer: () => Response | Promise<Response>, reason: string][] = [
  ["a page", () => new Response("<h1>Welcome</h1>", { headers: html }), "malformed"],
  ["a welcome of another type", () => welcome(html), "malformed"],
  ["an error", () => new Response("no", { status: 500 }), "malformed"],
  [
    "a redirection",
    () => Response.redirect("http://127.0.0.1:1/v1/peer/messages", 307),
    "malformed",
  ],
  [
    "bytes without end",
    () => new Response(new Uint8Array(1_000_000), { headers: { "content-type": PIECE } }),
    "malformed",
  ],
  [
    "compressed bytes without end",
    async () =>
      new Response(await bomb(), {
        headers: { "content-type": PIECE, "content-encoding": "gzip" },
      }),
    "malformed",
  ],
  [
    "bytes that are no welcome",
    () => new Response("SSH-2.0-x", { headers: { "content-type": PIECE } }),
    "malformed",
  ],
  ["a reason that it does not know", () => problem("no-such-reason"), "malformed"],
  ["its refusal", () => problem("old-boot"), "old-boot"],
];

function problem(code: string): Response {
  return new Response(JSON.stringify({ code }), {
    status: 409,
    headers: { "content-type": "application/problem+json" },
  });
}

for (const [what, answer, reason] of GARBAGE) {
  Deno.test(`http dialler does not take ${what} for a connection, and tries again`, async () => {
    const stub = new HttpStub(answer);
    try {
      await withDialler(stub.address, async ({ transport, log, env }) => {
        await until("it is told", () => log.of("refused").length === 1);
        const [refused] = log.of("refused");
        assertEquals([refused.reason, refused.byPeer, refused.direction, refused.peer], [
          reason,
          reason !== "malformed",
          "outgoing",
          N2,
        ]);
        assert(!isConnected(transport));
        const dials = () => stub.paths.filter((path) => path.endsWith("messages")).length;
        assertEquals(dials(), 1);
        await until("it tries again", () => {
          env.advance(50);
          return dials() > 1;
        });
      });
    } finally {
      await stub.close();
    }
  });
}

Deno.test("http dialler asks a proxy that says to come again once more, and then waits", async () => {
  const stub = new HttpStub(() => new Response(null, { status: 503 }));
  try {
    await withDialler(stub.address, async ({ log }) => {
      await until("it is told", () => log.of("unreachable").length === 1);
      assertEquals(stub.paths.length, 2);
      assertEquals(log.of("refused"), []);
    });
  } finally {
    await stub.close();
  }
});

Deno.test("http dialler does without a watch where there is none, and storms nobody who ends it at once", async () => {
  for (const watch of [() => new Response(null, { status: 404 }), () => new Response("")]) {
    const stub = new HttpStub((path, request) =>
      path.endsWith("watch")
        ? watch()
        : request.headers.get("kvorum-sequence") === "0"
        ? welcome()
        : new Response(null, { status: 204 })
    );
    try {
      await withDialler(stub.address, async ({ transport, log }) => {
        await until("n2 is reached", () => isConnected(transport));
        for (let i = 0; i < 20; i++) {
          transport.send(N2, GROUP, ping(i));
          await until("it is sent", () => transport.stats().get(N2)?.sentMessages === i + 1);
        }
        assertEquals(log.of("disconnected"), []);
        const watches = stub.paths.filter((path) => path.endsWith("watch")).length;
        assert(watches <= 2, `${watches} watches`);
      });
    } finally {
      await stub.close();
    }
  }
});

Deno.test("http drops a peer whose node stands still with a piece, and keeps no more than its limit meanwhile", async () => {
  const { promise: stuck, resolve } = Promise.withResolvers<Response>();
  const stub = new HttpStub((path, request) =>
    path.endsWith("watch")
      ? new Response(null, { status: 404 })
      : request.headers.get("kvorum-sequence") === "0"
      ? welcome()
      : stuck
  );
  const queueBytesMax = 1024 * 1024;
  try {
    await withDialler(stub.address, async ({ transport, log, env }) => {
      await until("n2 is reached", () => isConnected(transport));
      while (transport.send(N2, GROUP, append(1, 100_000)));
      await until("a piece is under way", () => stub.paths.at(-1)?.endsWith("messages") === true);
      const { queuedBytes = 0 } = transport.stats().get(N2) ?? {};
      assert(queuedBytes > 900_000 && queuedBytes <= queueBytesMax, `${queuedBytes} bytes`);
      env.advance(3500);
      assertEquals(log.of("disconnected"), []);
      env.advance(2500);
      assertEquals(log.of("disconnected").map(({ reason }) => reason), ["write-stalled"]);
      assertEquals(transport.stats().get(N2)?.queuedBytes, 0);
    }, { limits: { queueBytesMax } });
  } finally {
    resolve(new Response(null));
    await stub.close();
  }
});

Deno.test("http close() ends what is under way: a dial that nobody answers, a send, a watch", async () => {
  const silent = new RawServer(() => {}, { reads: false });
  try {
    await withDialler(silent.address, async ({ transport, log }) => {
      await until("n2 has been dialled", () => silent.peers.length > 0);
      await transport.close();
      await transport.close();
      assertEquals(log.events, []);
    });
  } finally {
    await silent.close();
  }
  const [a, b] = [node(N1), node(N2)];
  for (const it of [a, b]) await it.transport.start(it.inbox.handler);
  a.transport.setPeers(new Map([[N2, b.transport.address!]]));
  b.transport.setPeers(new Map([[N1, a.transport.address!]]));
  await until("n2 is reached", () => isConnected(a.transport));
  for (let i = 0; i < 20; i++) a.transport.send(N2, GROUP, append(1, 1024 * 1024));
  await Promise.resolve();
  await a.transport.close();
  assert(!a.transport.send(N2, GROUP, ping(1)));
  await until(
    "n2 has seen it go",
    () => b.log.of("disconnected").some(({ direction }) => direction === "incoming"),
  );
  await b.transport.close();
});

/** Runs a body with n1, which reaches n2 through a relay only. */
async function withRelay(
  body: (a: ReturnType<typeof node>, b: ReturnType<typeof node>, relay: HttpRelay) => Promise<void>,
): Promise<void> {
  const [a, b] = [node(N1), node(N2)];
  for (const it of [a, b]) await it.transport.start(it.inbox.handler);
  const relay = new HttpRelay(b.transport.address!);
  try {
    a.transport.setPeers(new Map([[N2, relay.address]]));
    b.transport.setPeers(new Map([[N1, a.transport.address!]]));
    await until("n2 is reached", () => isConnected(a.transport));
    await body(a, b, relay);
  } finally {
    await Promise.all([a.transport.close(), b.transport.close()]);
    await relay.close();
  }
}

for (const where of ["answer", "request"] as const) {
  Deno.test(`http delivers once and in order when a proxy cuts connections in the ${where}`, async () => {
    await withRelay(async (a, b, relay) => {
      let pieces = 0;
      // Every second one, so that what repeats a piece passes.
      relay.onPiece = () => ++pieces % 2 === 1 ? where : null;
      for (let id = 0; id < 40; id++) {
        assert(a.transport.send(N2, GROUP, ping(id)));
        await until("it has arrived", () => b.inbox.ids.length > id);
        await until("it is answered", () => a.transport.stats().get(N2)?.queuedBytes === 0);
      }
      assert(relay.cuts >= 20, `${relay.cuts} cuts`);
      assertEquals(b.inbox.ids, Array.from({ length: 40 }, (_, id) => id));
      assertEquals(a.log.of("disconnected"), []);
      assertEquals(b.log.of("connected").filter((it) => it.direction === "incoming").length, 1);
      assertEquals(a.transport.stats().get(N2)?.dropped, 0);
    });
  });
}

Deno.test("http keeps its session when a proxy cuts the watch, and ends it when it cuts everything", async () => {
  await withRelay(async (a, b, relay) => {
    relay.cutAll();
    a.transport.send(N2, GROUP, ping(1));
    await until("it has arrived", () => b.inbox.ids.length === 1);
    assertEquals(a.log.of("disconnected"), []);
    relay.onPiece = () => "request";
    a.transport.send(N2, GROUP, ping(2));
    await until("the session is given up", () => a.log.of("disconnected").length > 0);
    assert(a.log.of("dropped").some(({ reason }) => reason === "connection-lost"));
    relay.onPiece = () => null;
    await until("n2 is reached again", () => a.transport.send(N2, GROUP, ping(3)));
    await until("it has arrived", () => b.inbox.ids.length === 2);
    assertEquals(b.inbox.ids, [1, 3]);
  });
});

Deno.test("http and tcp nodes tell each other, in both logs, that their transports differ", async () => {
  const a = node(N1);
  const limits = { backoffMinMs: 5, backoffMaxMs: 20 };
  const { transport: b, log } = streamNode(N2, (base) => createTcpTransport({ ...base, limits }));
  await a.transport.start(a.inbox.handler);
  await b.start(() => {});
  try {
    a.transport.setPeers(new Map([[N2, b.address!]]));
    b.setPeers(new Map([[N1, a.transport.address!]]));
    const said = (events: EventLog) =>
      events.of("refused").map((it) => sentenceOf(it)!).filter(({ level }) => level === "error")
        .map(({ text }) => text.slice(0, text.indexOf(": one of the two")));
    await until("both logs have it", () => said(a.log).length > 0 && said(log).length > 1);
    assertEquals(said(a.log)[0], "n2 refused this node: wrong-transport");
    assert(said(log).includes("refused a connection of n1: wrong-transport"));
    assertEquals([...a.log.of("connected"), ...log.of("connected")], []);
  } finally {
    await a.transport.close();
    await b.close();
  }
});
