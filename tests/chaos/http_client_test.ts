/** The client that counts: each request once, and what is known when a connection breaks. */
import { assert, assertEquals } from "@std/assert";
import { type Answer, Connection } from "./http_client.ts";

const LONG_MS = 5000;

/** Serves raw bytes: gives the text of each request, and does with its connection as told. */
class RawServer implements AsyncDisposable {
  readonly requests: string[] = [];
  connections = 0;
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly #open = new Set<Deno.Conn>();
  readonly #over: Promise<void>;

  constructor(answer: (request: string, connection: Deno.Conn) => Promise<void>) {
    this.#over = this.#accept(answer);
  }

  get port(): number {
    return this.#listener.addr.port;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    for (const connection of this.#open) connection.close();
    await this.#over;
  }

  async #accept(answer: (request: string, connection: Deno.Conn) => Promise<void>): Promise<void> {
    const serving: Promise<void>[] = [];
    try {
      for (;;) {
        const connection = await this.#listener.accept();
        this.connections += 1;
        this.#open.add(connection);
        serving.push(this.#serve(connection, answer));
      }
    } catch {
      await Promise.all(serving);
    }
  }

  async #serve(
    connection: Deno.Conn,
    answer: (request: string, connection: Deno.Conn) => Promise<void>,
  ): Promise<void> {
    const buffer = new Uint8Array(4096);
    try {
      for (;;) {
        const read = await connection.read(buffer);
        if (read === null) break;
        const request = new TextDecoder().decode(buffer.subarray(0, read));
        this.requests.push(request);
        await answer(request, connection);
      }
    } catch {
      // The test has ended, or the client has gone.
    }
    this.#open.delete(connection);
    try {
      connection.close();
    } catch {
      // It was closed as part of the answer.
    }
  }
}

async function send(connection: Deno.Conn, text: string): Promise<void> {
  await connection.write(new TextEncoder().encode(text));
}

/** Calls once, or several times, over one connection. */
async function callAll(port: number, count: number, withinMs = LONG_MS): Promise<Answer[]> {
  const connection = new Connection("127.0.0.1", port);
  const answers: Answer[] = [];
  try {
    for (let i = 0; i < count; i++) {
      answers.push(await connection.call({ method: "POST", path: "/x", body: "é" }, withinMs));
    }
  } finally {
    connection.close();
  }
  return answers;
}

Deno.test("Connection reads answers of known length and in chunks, cut anywhere, over one connection", async () => {
  const known = 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nETag: "7"\r\n\r\nhello';
  const chunked =
    "HTTP/1.1 503 No\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n";
  const texts = [known, chunked];
  let next = 0;
  await using server = new RawServer(async (_request, connection) => {
    const text = texts[next++ % texts.length];
    for (let at = 0; at < text.length; at += 7) await send(connection, text.slice(at, at + 7));
  });
  const answers = await callAll(server.port, 4);
  const bodies = answers.map((it) => it.type === "answered" ? `${it.status} ${it.body}` : it.type);
  assertEquals(bodies, ["200 hello", "503 hello", "200 hello", "503 hello"]);
  assert(answers[0].type === "answered");
  assertEquals(answers[0].headers.get("etag"), '"7"');
  assertEquals(server.connections, 1);
  assert(server.requests[0].includes("content-length: 2\r\n\r\né"), server.requests[0]);
});

Deno.test("Connection never sends a request again: a connection that breaks leaves its outcome unknown", async () => {
  await using server = new RawServer((_request, connection) => {
    connection.close();
    return Promise.resolve();
  });
  const answers = await callAll(server.port, 2);
  assertEquals(answers.map(({ type }) => type), ["broken", "broken"]);
  assertEquals(server.requests.length, 2);
});

Deno.test("Connection tells a node that does not listen from one that does not answer", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  const [late] = await callAll(port, 1, 30);
  assertEquals(late, { type: "broken", why: "no answer in 30 ms" });
  listener.close();
  const [refused] = await callAll(port, 1);
  assertEquals(refused, { type: "refused" });
});

Deno.test("Connection takes for broken what is no answer of HTTP/1.1, and begins anew", async () => {
  const wrong = [
    "HTTP/2 200\r\n\r\n",
    "HTTP/1.1 200 OK\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    `HTTP/1.1 200 OK\r\n${"x".repeat(20_000)}`,
  ];
  for (const text of wrong) {
    await using server = new RawServer((_request, connection) => send(connection, text));
    const answers = await callAll(server.port, 2);
    assertEquals(answers.map(({ type }) => type), ["broken", "broken"], text.slice(0, 60));
    assertEquals(server.connections, 2);
  }
});
