/**
 * What a node takes over HTTP and what it refuses: requests one by one, in the test's hand, with a clock
 * that only the test moves.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { Hono } from "hono";
import { nodeId } from "../../raft/types.ts";
import { createHttpTransport, type HttpTransportOptions } from "../../transport/http.ts";
import { PeerDoor } from "../../transport/http/door.ts";
import { HTTP_LIMITS, HTTP_PEER_LIMITS } from "../../transport/http/limits.ts";
import { WATCH_PATH } from "../../transport/http/wire.ts";
import type { StreamTransport } from "../../transport/streams.ts";
import { EventLog, ManualEnv, N1, N2, N3, until } from "./harness.ts";
import { type Held, NOWHERE, withHeld } from "./held_node.ts";
import { answered, pieceHeaders, rawRequest, RawSession, urlOf } from "./http_peer.ts";
import { ADDRESS, CLUSTER, frame, hello, INCARNATION, RawPeer, welcomeText } from "./raw_peer.ts";
import { ANY_PORT } from "./stream_place.ts";

type Node = Held<StreamTransport>;

/** Runs a body with n1, whose peer is n2, which the test plays. */
function withNode(
  body: (node: Node) => Promise<void>,
  change: Partial<HttpTransportOptions> = {},
): Promise<void> {
  const open = (env: ManualEnv, log: EventLog) =>
    createHttpTransport({
      self: N1,
      clusterId: CLUSTER,
      boot: 1,
      incarnation: INCARNATION,
      ownAddress: () => ADDRESS,
      listen: ANY_PORT,
      peers: new Map([[N2, NOWHERE]]),
      env,
      onEvent: (event) => {
        // That nobody is where n2 should be is not what is tested.
        if (event.type !== "unreachable") log.record(event);
      },
      ...change,
    });
  return withHeld(open, body);
}

const statusOf = (it: { status: number; code: string | null }) => [it.status, it.code];

Deno.test("http takes each piece once and in order, however often and late it comes", async () => {
  await withNode(async ({ transport, log, inbox }) => {
    const session = new RawSession(transport);
    for (let time = 0; time < 2; time++) {
      const { status, bytes } = await session.post(0, hello());
      assertEquals([status, [...bytes]], [200, [...welcomeText(N1, N2)]]);
    }
    assertEquals(statusOf(await session.post(2, frame(2))), [409, "out-of-order"]);
    assertEquals((await session.post(1, frame(1))).status, 204);
    assertEquals((await session.post(1, frame(1))).status, 204);
    const both = await Promise.all([session.post(2, frame(2)), session.post(2, frame(2))]);
    assertEquals(both.map(({ status }) => status), [204, 204]);
    assertEquals((await session.post(1, frame(1))).status, 204);
    assertEquals((await session.post(3, frame(3))).status, 204);
    assertEquals(inbox.ids, [1, 2, 3]);
    assertEquals(log.events.map(({ type }) => type), ["connected"]);
    assertEquals(transport.stats().get(N2)?.receivedMessages, 3);
  });
});

Deno.test("http repeats the answer to a probe with the piece that it came with", async () => {
  await withNode(async ({ transport }) => {
    const session = new RawSession(transport);
    await session.post(0, hello());
    for (let time = 0; time < 2; time++) {
      const { status, bytes } = await session.post(1, new Uint8Array(4));
      assertEquals([status, [...bytes]], [200, [0, 0, 0, 0]]);
    }
    assertEquals((await session.post(2, frame(1))).status, 204);
  });
});

Deno.test("http reads frames across pieces, and many of one piece", async () => {
  await withNode(async ({ transport, inbox }) => {
    const session = new RawSession(transport);
    const text = new Uint8Array([...hello(), ...frame(1), ...frame(2)]);
    await session.post(0, text);
    const [first, rest] = [frame(3).subarray(0, 5), frame(3).subarray(5)];
    await session.post(1, first);
    await session.post(2, new Uint8Array([...rest, ...frame(4)]));
    await until("all have come", () => inbox.ids.length === 4);
    assertEquals(inbox.ids, [1, 2, 3, 4]);
  });
});

const REFUSED: [what: string, text: Uint8Array, status: number, reason: string][] = [
  ["another version", hello().fill(9, 5, 6), 426, "wrong-version"],
  ["another cluster", hello({ clusterId: "other" }), 421, "wrong-cluster"],
  ["another recipient", hello({ to: N3 }), 421, "wrong-recipient"],
  ["an unknown sender", hello({ from: N3 }), 403, "unknown-sender"],
  ["other data", hello({ incarnation: 7 }), 409, "other-data"],
  ["an earlier boot", hello({ boot: 4 }), 409, "old-boot"],
  // Nothing that could be answered in these terms: the session ends.
  ["another protocol", new TextEncoder().encode("GET / HTTP/1.1\r\n\r\n"), 410, "session-ended"],
  ["a name that is none", hello({ from: nodeId("n 2") }), 410, "session-ended"],
];

for (const [what, text, status, reason] of REFUSED) {
  Deno.test(`http refuses ${what}, says so, and takes nothing of the session`, async () => {
    const known = new Map([[N2, {
      incarnation: INCARNATION,
      boot: 5,
      since: 0,
      heldTerm: 0,
      heldIndex: 0,
    }]]);
    await withNode(async ({ transport, log, inbox }) => {
      const session = new RawSession(transport);
      const answer = await session.post(0, new Uint8Array([...text, ...frame(1)]));
      assertEquals(statusOf(answer), [status, reason]);
      await until("it is told", () => log.of("refused").length === 1);
      const [refused] = log.of("refused");
      assertEquals([refused.direction, refused.byPeer], ["incoming", false]);
      assertEquals(refused.reason, status === 410 ? "malformed" : reason);
      await until(
        "the session has ended",
        async () => (await session.post(1, frame(2))).status === 410,
      );
      assertEquals([inbox.received, log.of("connected")], [[], []]);
    }, { known, peers: new Map([[N2, { ...NOWHERE, since: 0 }]]) });
  });
}

Deno.test("http opens no session again that has ended, and none with another than the first piece", async () => {
  await withNode(async ({ transport, log, inbox }) => {
    const first = new RawSession(transport);
    await first.post(0, hello());
    const second = new RawSession(transport);
    await second.post(0, hello());
    assertEquals(log.of("disconnected").map(({ reason }) => reason), ["replaced"]);
    assertEquals(statusOf(await first.post(0, hello())), [410, "session-ended"]);
    assertEquals(statusOf(await first.post(1, frame(1))), [410, "session-ended"]);
    assertEquals(statusOf(await new RawSession(transport).post(1, frame(1))), [
      410,
      "session-ended",
    ]);
    assertEquals((await second.post(1, frame(2))).status, 204);
    assertEquals(inbox.ids, [2]);
  });
});

/** Requests that are refused for their form, whoever sends them. */
const MALFORMED: [what: string, change: Record<string, string | null>, status: number][] = [
  ["another type", { "content-type": "application/octet-stream" }, 415],
  ["a type with parameters", { "content-type": "application/vnd.kvorum.peer; x=1" }, 415],
  ["no type", { "content-type": null }, 415],
  ["a compressed body", { "content-encoding": "gzip" }, 415],
  ["a body that is said to be as it is", { "content-encoding": "identity" }, 415],
  ["no session", { "kvorum-session": null }, 400],
  ["a session that is none", { "kvorum-session": "1" }, 400],
  ["no number", { "kvorum-sequence": null }, 400],
  ["a negative number", { "kvorum-sequence": "-1" }, 400],
  ["a number with zeros before it", { "kvorum-sequence": "00" }, 400],
  ["a number beyond all numbers", { "kvorum-sequence": "1".repeat(16) }, 400],
];

Deno.test("http refuses requests that are not of its form, and opens nothing for them", async () => {
  await withNode(async ({ transport, log }) => {
    for (const [what, change, status] of MALFORMED) {
      const headers = pieceHeaders(crypto.randomUUID(), 0, change);
      const body = hello() as Uint8Array<ArrayBuffer>;
      const answer = await answered(
        await fetch(urlOf(transport), { method: "POST", headers, body }),
      );
      assertEquals(answer.status, status, what);
      assert(!new TextDecoder().decode(answer.bytes).includes("transport/"), "no path is shown");
    }
    const empty = await new RawSession(transport).post(0, new Uint8Array(0));
    assertEquals(empty.status, 400);
    for (const path of ["/", "/v1/peer/messages/", "/v1/kv/a"]) {
      const answer = await answered(await fetch(urlOf(transport, path), { method: "POST" }));
      assertEquals(statusOf(answer), [404, "no-such-route"]);
    }
    assertEquals((await answered(await fetch(urlOf(transport)))).status, 404);
    assertEquals(log.events, []);
  });
});

Deno.test("http refuses bodies beyond a piece: by their length unread, without one as they come", async () => {
  const { pieceBytesMax } = HTTP_PEER_LIMITS;
  await withNode(async ({ transport, inbox }) => {
    const session = new RawSession(transport);
    await session.post(0, hello());
    const raw = await RawPeer.dial(transport.address);
    // Not a byte of the body comes: the answer is to its length.
    await raw.send(rawRequest(session.id, 1, pieceBytesMax + 1));
    await until("it is refused", () => raw.received.length > 12);
    assertEquals(String.fromCharCode(...raw.received.slice(0, 12)), "HTTP/1.1 413");
    await raw.close();
    let pulled = 0;
    const endless = new ReadableStream<Uint8Array>({
      pull(controller) {
        pulled += 65_536;
        controller.enqueue(new Uint8Array(65_536));
        if (pulled > 64 * pieceBytesMax) controller.close();
      },
    });
    const headers = pieceHeaders(session.id, 1);
    const chunked = await fetch(urlOf(transport), { method: "POST", headers, body: endless })
      .then(answered, () => null);
    // The answer may be lost on a connection that is closed while the sender still sends.
    if (chunked !== null) assertEquals(statusOf(chunked), [413, "too-large"]);
    assert(pulled < 32 * pieceBytesMax, `${pulled} bytes were pulled`);
    assertEquals((await session.post(1, frame(1))).status, 204);
    assertEquals(inbox.ids, [1]);
  });
});

Deno.test("http takes nothing of a half-sent body, and the whole one afterwards", async () => {
  await withNode(async ({ transport, inbox, log }) => {
    const session = new RawSession(transport);
    await session.post(0, hello());
    const raw = await RawPeer.dial(transport.address);
    const body = frame(1);
    await raw.send(rawRequest(session.id, 1, body.length), body.subarray(0, body.length - 1));
    assertEquals((await session.post(1, body)).status, 204);
    await raw.close();
    assertEquals((await session.post(2, frame(2))).status, 204);
    assertEquals(inbox.ids, [1, 2]);
    assertEquals(log.of("disconnected"), []);
  });
});

Deno.test("http cuts off half-sent headers and slow bodies, of a hello and of a piece", async () => {
  const { bodyMs } = HTTP_PEER_LIMITS;
  const { firstRequestMs, sweepMs } = HTTP_LIMITS;
  await withNode(async ({ transport, env, inbox }) => {
    const session = new RawSession(transport);
    await session.post(0, hello());
    const [slowHello, slowPiece, half] = [
      await RawPeer.dial(transport.address),
      await RawPeer.dial(transport.address),
      await RawPeer.dial(transport.address),
    ];
    await slowHello.send(rawRequest(crypto.randomUUID(), 0, 100), new Uint8Array(50));
    await slowPiece.send(rawRequest(session.id, 1, 100), new Uint8Array(50));
    await half.send(rawRequest(session.id, 1, 100).subarray(0, 40));
    // A request that is answered behind them shows that all are being read.
    assertEquals((await session.post(1, frame(1))).status, 204);
    const cut = async (raw: RawPeer, what: string) => {
      await until(what, () => {
        env.advance(sweepMs);
        return raw.ended;
      });
      await raw.close();
      return String.fromCharCode(...raw.received.slice(0, 12));
    };
    assertEquals(await cut(slowHello, "the hello is cut off"), "HTTP/1.1 408");
    assertEquals(await cut(slowPiece, "the piece is cut off"), "HTTP/1.1 408");
    await cut(half, "the headers are cut off");
    assert(env.now() >= Math.min(bodyMs, firstRequestMs));
    assertEquals(inbox.ids, [1]);
  }, { limits: { silenceMs: 10_000_000 } });
});

Deno.test("http bounds the requests of a session and the sessions of a node", async () => {
  const httpLimits = { requestsMax: 2, sessionsMax: 2 };
  await withNode(async ({ transport, inbox }) => {
    const session = new RawSession(transport);
    await session.post(0, hello());
    const held = [await RawPeer.dial(transport.address), await RawPeer.dial(transport.address)];
    for (const raw of held) await raw.send(rawRequest(session.id, 1, 100), new Uint8Array(1));
    await until(
      "the third request is refused",
      async () => (await session.post(1, frame(1))).code === "busy",
    );
    for (const raw of held) await raw.close();
    // Room comes back with what held it; what it was meant to bring was not taken meanwhile.
    await until(
      "a request is taken again",
      async () => (await session.post(1, frame(1))).status === 204,
    );
    const slow = await RawPeer.dial(transport.address);
    await slow.send(rawRequest(crypto.randomUUID(), 0, 100), new Uint8Array(1));
    await until(
      "a third session is refused",
      async () => (await new RawSession(transport).post(0, hello())).code === "busy",
    );
    await slow.close();
    assertEquals(inbox.ids, [1]);
  }, { httpLimits });
});

Deno.test("http tells that a dialler has gone when its watch is cut off, unless it goes on asking", async () => {
  await withNode(async ({ transport, env, log, inbox }) => {
    const session = new RawSession(transport);
    await session.post(0, hello());
    const watch = async () => {
      const abort = new AbortController();
      const headers = { "kvorum-session": session.id };
      const url = urlOf(transport, WATCH_PATH);
      const response = await fetch(url, { method: "POST", headers, signal: abort.signal });
      const cut = response.bytes().catch(() => {});
      return async () => {
        const timers = env.delaysMs.length;
        abort.abort();
        await cut;
        await until("it is noticed", () => env.delaysMs.slice(timers).includes(100));
      };
    };
    const cutFirst = await watch();
    await cutFirst();
    await session.post(1, frame(1));
    env.advance(100);
    assertEquals(log.of("disconnected"), []);
    const cutSecond = await watch();
    await cutSecond();
    env.advance(100);
    await until("it is told", () => log.of("disconnected").length === 1);
    assertEquals(log.of("disconnected")[0].reason, "closed-by-peer");
    assertEquals(inbox.ids, [1]);
    const late = await answered(
      await fetch(urlOf(transport, WATCH_PATH), {
        method: "POST",
        headers: { "kvorum-session": session.id },
      }),
    );
    assertEquals(statusOf(late), [410, "session-ended"]);
  });
});

Deno.test("PeerDoor's app can be mounted beside other routes, on any server", async () => {
  const env = new ManualEnv();
  const door = new PeerDoor(env, HTTP_PEER_LIMITS);
  const app = new Hono().get("/v1/kv/a", (c) => c.text("value")).route("/", door.app);
  const accepted = door.accept();
  const id = crypto.randomUUID();
  const posted = app.request("/v1/peer/messages", {
    method: "POST",
    headers: pieceHeaders(id, 0),
    body: new Uint8Array([1, 2, 3]),
  }, { remote: () => "somewhere:1" });
  const stream = await accepted;
  assertEquals(stream.remote, "somewhere:1");
  const into = new Uint8Array(2);
  assertEquals([await stream.read(into), [...into]], [2, [1, 2]]);
  const writing = stream.write(new Uint8Array([9]));
  assertEquals([await stream.read(into), into[0]], [1, 3]);
  const next = stream.read(into).catch(() => null);
  assertEquals([...(await answered(await posted)).bytes], [9]);
  assertEquals(await writing, 1);
  assertEquals(await (await app.request("/v1/kv/a")).text(), "value");
  door.close();
  assertEquals(await next, null);
});
