/** Clients that are slow, silent or many: none holds a connection, a request or memory for ever. */
import { assert, assertEquals, assertMatch, assertThrows } from "@std/assert";
import { ACCEPT_RETRY_MS, HTTP_LIMITS } from "../../transport/http/limits.ts";
import { BODY_MS } from "../../routes/limits.ts";
import { RawClient, statusOf } from "./raw_client.ts";
import { HandClock, type Served, servedTest } from "./served.ts";

const { firstRequestMs, idleMs, lingerMs, sweepMs } = HTTP_LIMITS;
const GET = "GET /livez HTTP/1.1\r\nHost: a\r\n\r\n";
const ANSWER = /\r\n\r\nok\n$/;
/** The head of a request for 10 bytes, and half of them. */
const HALF_BODY = "PUT /v1/kv/slow HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhalf";

/** Resolves once the server has as many connections, as it learns of them by and by. */
async function connections({ server }: Served, count: number): Promise<void> {
  while (server.connections !== count) await new Promise((resolve) => setTimeout(resolve, 1));
}

/** What a client may have sent when it stops, before it was ever answered. */
const BEGINNINGS: readonly (readonly [string, string])[] = [
  ["nothing", ""],
  ["a part of the method", "GE"],
  ["a part of the headers", "GET /livez HTTP/1.1\r\nHost: a\r\nX-Slow: "],
  ["headers without their end", "PUT /v1/kv/a HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n"],
  ["the greeting of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0"],
];

for (const [what, beginning] of BEGINNINGS) {
  servedTest(`a connection that sends ${what} and stops is closed in time`, async (served) => {
    using client = await RawClient.connect(served.port);
    await client.send(beginning);
    await connections(served, 1);
    served.clock.pass(firstRequestMs - sweepMs);
    assertEquals(served.server.connections, 1);
    served.clock.pass(3 * sweepMs);
    await client.rest();
    await connections(served, 0);
  });
}

servedTest(
  "a request that is finished in time is answered, however its parts came",
  async (served) => {
    using client = await RawClient.connect(served.port);
    await connections(served, 1);
    for (const part of [GET.slice(0, 3), GET.slice(3, 20), GET.slice(20)]) {
      await client.send(part);
      served.clock.pass(firstRequestMs / 4);
    }
    assertEquals(statusOf(await client.until(ANSWER)), 200);
  },
);

servedTest(
  "a kept connection is closed after its time, also with half of another request",
  async (served) => {
    using silent = await RawClient.connect(served.port);
    using half = await RawClient.connect(served.port);
    for (const client of [silent, half]) {
      await client.send(GET);
      await client.until(ANSWER);
    }
    await half.send(GET.slice(0, 20));
    // Longer than a new connection may be silent: this one has shown what it is for.
    served.clock.pass(idleMs - sweepMs);
    assertEquals(served.server.connections, 2);
    served.clock.pass(3 * sweepMs);
    await silent.rest();
    await half.rest();
    await connections(served, 0);
  },
);

servedTest("a kept connection that is used begins its time anew", async (served) => {
  using client = await RawClient.connect(served.port);
  for (let i = 0; i < 4; i++) {
    await client.send(GET);
    await client.until(ANSWER);
    client.forget();
    served.clock.pass(idleMs - 2 * sweepMs);
  }
  assertEquals(served.server.connections, 1);
});

const SLOW_BODIES: readonly (readonly [string, string])[] = [
  ["announced", HALF_BODY],
  [
    "chunked",
    "PUT /v1/kv/slow HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
  ],
];

for (const [what, request] of SLOW_BODIES) {
  servedTest(
    `a slow body of ${what} length is 408, and its connection is closed`,
    async (served) => {
      using client = await RawClient.connect(served.port);
      await client.send(request);
      await reading(served);
      served.clock.pass(BODY_MS - sweepMs);
      assert(served.bodies.bytes > 0);
      served.clock.pass(3 * sweepMs);
      const answer = await client.until(/\}$/);
      assertEquals(statusOf(answer), 408);
      assertMatch(answer, /\r\nconnection: close\r\n/i);
      assertEquals(JSON.parse(answer.slice(answer.indexOf("{"))).code, "request-timeout");
      served.clock.pass(lingerMs + 3 * sweepMs);
      await client.rest();
      await connections(served, 0);
      // What waited for the rest of the body has ended with the connection.
      while (served.bodies.bytes > 0) await new Promise((resolve) => setTimeout(resolve, 1));
      const response = await fetch(`http://127.0.0.1:${served.port}/v1/kv/slow`);
      await response.body?.cancel();
      assertEquals(response.status, 404);
    },
  );
}

servedTest(
  "a slow body holds its room no longer for a watch beside it on its connection (HTTP/2)",
  async (served) => {
    const url = `http://127.0.0.1:${served.port}`;
    using client = Deno.createHttpClient({ http1: false, http2: true });
    const watch = await fetch(`${url}/v1/watch?key=a`, { client });
    const { readable: body, writable } = new TransformStream<Uint8Array>();
    const writer = writable.getWriter();
    void writer.write(new TextEncoder().encode("half")).catch(() => {});
    const asked = fetch(`${url}/v1/kv/slow`, { method: "PUT", body, client });
    await reading(served);
    assertEquals(served.server.connections, 1);
    served.clock.pass(BODY_MS + 3 * sweepMs);
    const answer = await asked;
    assertEquals(answer.status, 408);
    served.clock.pass(lingerMs + 3 * sweepMs);
    await connections(served, 0);
    while (served.bodies.bytes > 0) await new Promise((resolve) => setTimeout(resolve, 1));
    await watch.text().catch(() => {});
    await answer.body?.cancel().catch(() => {});
    await writer.abort().catch(() => {});
  },
);

servedTest("a body that trickles in is given up as one that stops", async (served) => {
  using client = await RawClient.connect(served.port);
  await client.send(HALF_BODY);
  await reading(served);
  for (let i = 0; i < 5; i++) {
    await client.send("x");
    served.clock.pass(BODY_MS / 5);
  }
  served.clock.pass(2 * sweepMs);
  assertEquals(statusOf(await client.until(/\}$/)), 408);
});

servedTest(
  "bodies that are being read have a maximum together, and one more is 503",
  async (served) => {
    const put = (length: number) =>
      `PUT /v1/kv/a HTTP/1.1\r\nHost: a\r\nContent-Length: ${length}\r\n\r\n`;
    using first = await RawClient.connect(served.port);
    await first.send(put(800));
    await reading(served);
    using second = await RawClient.connect(served.port);
    await second.send(put(201));
    const answer = await second.until(/\}$/);
    assertEquals(statusOf(answer), 503);
    assertMatch(answer, /"code":"overloaded"/);
    assertMatch(answer, /\r\nretry-after: 1\r\n/i);
    assertEquals(served.bodies.bytes, 800);
    using third = await RawClient.connect(served.port);
    await third.send(`${put(200)}${"x".repeat(200)}`);
    assertEquals(statusOf(await third.until(/\}$/)), 200);
    await first.send("x".repeat(800));
    assertEquals(statusOf(await first.until(/\}$/)), 200);
    assertEquals(served.bodies.bytes, 0);
  },
  { bodyLimits: { bytesMax: 1000 } },
);

servedTest("connections have a maximum, and one more is closed unheard", async (served) => {
  const kept = [await RawClient.connect(served.port), await RawClient.connect(served.port)];
  try {
    await connections(served, 2);
    using refused = await RawClient.connect(served.port);
    await refused.send(GET);
    assertEquals(await refused.rest(), "");
    kept.pop()![Symbol.dispose]();
    await connections(served, 1);
    using taken = await RawClient.connect(served.port);
    await taken.send(GET);
    assertEquals(statusOf(await taken.until(ANSWER)), 200);
  } finally {
    for (const client of kept) client[Symbol.dispose]();
  }
}, { limits: { connectionsMax: 2 } });

servedTest("an answer that nobody takes is dropped with its connection", async (served) => {
  using client = await RawClient.connect(served.port);
  await client.send(GET);
  await client.until(/^HTTP\/1.1 200/);
  await connections(served, 1);
  served.clock.pass(idleMs + 2 * sweepMs);
  await connections(served, 0);
}, { handle: () => Promise.resolve(new Response("x".repeat(32 * 1024 * 1024))) });

const streamed = new ReadableStream<Uint8Array>({
  pull: (controller) => controller.enqueue(new Uint8Array(65_536)),
});

servedTest(
  "an answer that is made as it is read may take its time, but not its client",
  async (served) => {
    using client = await RawClient.connect(served.port);
    await client.send(GET);
    await client.until(/^HTTP\/1.1 200/);
    served.clock.pass(10 * idleMs);
    assertEquals(served.server.connections, 1);
    client[Symbol.dispose]();
    await connections(served, 0);
  },
  { handle: () => Promise.resolve(new Response(streamed)), isStreamed: () => true },
);

/** Resolves once a body is being read. */
async function reading({ bodies }: Served): Promise<void> {
  while (bodies.bytes === 0) await new Promise((resolve) => setTimeout(resolve, 1));
}

Deno.test("a server that is out of descriptors accepts again once it has some", async () => {
  const { listen } = Deno;
  let failures = 0;
  Deno.listen = ((options: Deno.TcpListenOptions) => {
    const listener = listen(options);
    const accept = listener.accept.bind(listener);
    listener.accept = () => {
      if (failures++ < 3) return Promise.reject(new Error("Too many open files (os error 24)"));
      return accept();
    };
    return listener;
  }) as typeof Deno.listen;
  const { HttpServer } = await import("../../transport/http/server.ts");
  const lines: string[] = [];
  const server = new HttpServer({
    hostname: "127.0.0.1",
    port: 0,
    handle: () => Promise.resolve(new Response("ok\n")),
    log: (text) => lines.push(text),
    clock: {
      now: () => 0,
      setTimer: (callback, delayMs) => {
        const id = setTimeout(callback, delayMs);
        return { cancel: () => clearTimeout(id) };
      },
    },
  });
  try {
    using client = await RawClient.connect(server.addr.port);
    await client.send(GET);
    assertEquals(statusOf(await client.until(ANSWER)), 200);
    assertEquals(failures, 5);
    assertEquals(lines, ["cannot accept connections: Error: Too many open files (os error 24)"]);
  } finally {
    Deno.listen = listen;
    await server.shutdown();
  }
});

Deno.test("a server that is out of descriptors stops when it is told to", async () => {
  const { listen } = Deno;
  Deno.listen = ((options: Deno.TcpListenOptions) => {
    const listener = listen(options);
    listener.accept = () => Promise.reject(new Error("Too many open files (os error 24)"));
    return listener;
  }) as typeof Deno.listen;
  const failed = Promise.withResolvers<void>();
  const clock = new HandClock();
  const { HttpServer } = await import("../../transport/http/server.ts");
  const server = new HttpServer({
    hostname: "127.0.0.1",
    port: 0,
    handle: () => Promise.resolve(new Response()),
    log: () => failed.resolve(),
    clock,
  });
  Deno.listen = listen;
  await failed.promise;
  const stopped = server.shutdown();
  clock.pass(ACCEPT_RETRY_MS);
  await stopped;
});

Deno.test("a server on a Deno that serves no single connections says so at the start, and listens nowhere", async () => {
  const { HttpServer } = await import("../../transport/http/server.ts");
  const { internal } = Deno as unknown as { internal: symbol };
  const internals = Reflect.get(Deno, internal) as Record<string, unknown>;
  const property = Object.getOwnPropertyDescriptor(internals, "serveHttpOnConnection")!;
  Object.defineProperty(internals, "serveHttpOnConnection", {
    value: undefined,
    configurable: true,
  });
  // A listener that was left open would be found by the sanitizer of resources.
  try {
    assertThrows(
      () =>
        new HttpServer({
          hostname: "127.0.0.1",
          port: 0,
          handle: () => Promise.resolve(new Response()),
          log: () => {},
          clock: { now: () => 0, setTimer: () => ({ cancel: () => {} }) },
        }),
      Error,
      "does not serve single connections; use 2.9.6",
    );
  } finally {
    Object.defineProperty(internals, "serveHttpOnConnection", property);
  }
});
