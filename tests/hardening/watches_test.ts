/** Watches on real connections: long, silent, left by their clients, or open when the server stops. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import type { Watch, WatchEvent } from "../../actors/service.ts";
import { HTTP_LIMITS } from "../../transport/http/limits.ts";
import { quietApp } from "../routes/answers.ts";
import { scripted } from "../routes/scripted.ts";
import { exchange, RawClient, statusOf } from "./raw_client.ts";
import { servedTest } from "./served.ts";

const WATCH = "GET /v1/watch?key=a HTTP/1.1\r\nHost: a\r\n\r\n";
const WATCHING = /event: watching\nid: [0-9a-f]{20}\n/;

function put(value: string): string {
  const head = `PUT /v1/kv/a HTTP/1.1\r\nHost: a\r\nConnection: close\r\n`;
  return `${head}Content-Length: ${value.length}\r\n\r\n${value}`;
}

servedTest("a watch on which nothing happens for long is not cut off", async (served) => {
  using client = await RawClient.connect(served.port);
  await client.send(WATCH);
  await client.until(WATCHING);
  served.clock.pass(10 * HTTP_LIMITS.idleMs);
  assertEquals(statusOf(await exchange(served.port, put("late"))), 200);
  assertMatch(await client.until(/event: change\n[^]*\n\n/), /"value":\{"bytes":"bGF0ZQ=="\}/);
});

servedTest(
  "a watch says now and then that it is there, and how far it has come",
  async (served) => {
    using client = await RawClient.connect(served.port);
    await client.send(WATCH);
    const [, id] = /id: (\w+)\n(?![^]*id:)/.exec(await client.until(WATCHING))!;
    const beat = await client.until(/\nid: [0-9a-f]{20}\n\n[^]*\nid: [0-9a-f]{20}\n\n/);
    assert(/\nid: ([0-9a-f]{20})\n\n[^]*$/.exec(beat)![1] >= id);
    assert(!beat.includes("event: change"), beat);
  },
);

/** Watches that tell what is put in, and say when they are closed. */
class Source {
  readonly closed = Promise.withResolvers<void>();
  #tell: (event: WatchEvent) => void = () => {};

  readonly handle = async (request: Request): Promise<Response> => await this.#app.fetch(request);

  readonly #app = quietApp(scripted({ watch: () => Promise.resolve(this.#watch()) }));

  tell(event: WatchEvent): void {
    this.#tell(event);
  }

  #watch(): Watch {
    return {
      take: () => null,
      next: () => new Promise((resolve) => this.#tell = resolve),
      close: () => this.closed.resolve(),
    };
  }
}

const left = new Source();
servedTest(
  "a watch whose client has gone is closed with its next word at the latest",
  async (served) => {
    const client = await RawClient.connect(served.port);
    await client.send(WATCH);
    await client.until(/retry: /);
    client[Symbol.dispose]();
    let isClosed = false;
    void left.closed.promise.then(() => isClosed = true);
    while (!isClosed) {
      left.tell({ type: "progress", position: { index: 1, order: 0 } });
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  },
  { handle: left.handle },
);

const ending = new Source();
servedTest("a server that stops waits for no watch that its node has ended", async (served) => {
  using client = await RawClient.connect(served.port);
  await client.send(WATCH);
  await client.until(/retry: /);
  const stopped = served.server.shutdown();
  ending.tell({ type: "ended" });
  await stopped;
  await ending.closed.promise;
  // The end of a chunked answer: its client knows that nothing is lacking.
  assertMatch(await client.rest(), /\r\n0\r\n\r\n$/);
}, { handle: ending.handle });
