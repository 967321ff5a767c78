/** `GET /v1/watch`: what it takes, and what it streams. */
import { assert, assertEquals } from "@std/assert";
import type { Hono } from "hono";
import { Draining, NotCaughtUp, Overloaded } from "../../actors/outcomes.ts";
import type { Watch, WatchEvent, WatchRequest } from "../../actors/service.ts";
import { EventParser, type ServerEvent } from "../../cli/kvctl/event_parser.ts";
import { encodeKey } from "../../kv/key_codec.ts";
import { WATCH_KEYS_MAX } from "../../kv/limits.ts";
import type { EncodedKey, KeyPart, Value, Versionstamp } from "../../kv/types.ts";
import { bytesValue, u64Value } from "../../kv/value_codec.ts";
import { parseVersionstamp } from "../../kv/versionstamp.ts";
import { eventStream } from "../../routes/event_stream.ts";
import { assertProblem, quietApp, rawRequest } from "./answers.ts";
import { appTest, postAtomic, put, putJson } from "./harness.ts";
import { scripted } from "./scripted.ts";

const AT = "00000000000000070001";
const LATER = "00000000000000090001";

function key(...parts: KeyPart[]): EncodedKey {
  return encodeKey(parts);
}

/** The request that the service is given for a target. */
async function requested(
  target: string,
  headers: Record<string, string> = {},
): Promise<WatchRequest> {
  let request: WatchRequest | null = null;
  const app = quietApp(scripted({
    watch: (given) => {
      request = given;
      return Promise.resolve(watchOf([]));
    },
  }));
  const response = await app.request(rawRequest(target, { headers }));
  assertEquals(response.status, 200, await response.text());
  return request!;
}

/** A watch that tells what is given here, and ends; it notes when it is closed. */
function watchOf(events: readonly WatchEvent[], onClose = () => {}): Watch {
  const left = [...events];
  const take = (): WatchEvent => left.shift() ?? { type: "ended" };
  return { take, next: () => Promise.resolve(take()), close: onClose };
}

async function streamed(events: readonly WatchEvent[]): Promise<string> {
  return await new Response(eventStream(watchOf(events))).text();
}

Deno.test("GET /v1/watch watches the keys and prefixes that it is given, from where it is told", async () => {
  const since = parseVersionstamp(AT);
  const cases: [string, Record<string, string>, WatchRequest][] = [
    ["?key=a/b", {}, { selection: { keys: [key("a", "b")], prefixes: [] }, since: null }],
    ["?prefix=c", {}, { selection: { keys: [], prefixes: [key("c")] }, since: null }],
    [
      `?key=a/b&prefix=c&since=${AT}&key=a%252Fb&prefix=d/e`,
      {},
      {
        selection: { keys: [key("a", "b"), key("a/b")], prefixes: [key("c"), key("d", "e")] },
        since,
      },
    ],
    ["", {}, { selection: { keys: [], prefixes: [key()] }, since: null }],
    ["?prefix=", {}, { selection: { keys: [], prefixes: [key()] }, since: null }],
    ["?key=a", { "last-event-id": AT }, { selection: { keys: [key("a")], prefixes: [] }, since }],
    // A browser sends both when it comes back: its id is the later one.
    [
      `?key=a&since=${AT}`,
      { "last-event-id": LATER },
      { selection: { keys: [key("a")], prefixes: [] }, since: parseVersionstamp(LATER) },
    ],
    [`?key=a&since=${AT}`, { "last-event-id": "" }, {
      selection: { keys: [key("a")], prefixes: [] },
      since,
    }],
  ];
  for (const [query, headers, wanted] of cases) {
    assertEquals(await requested(`/v1/watch${query}`, headers), wanted, query);
  }
});

Deno.test("GET /v1/watch refuses what it does not understand, before the service hears of it", async () => {
  const app = quietApp(scripted({
    watch: () => {
      throw new Error("the service was asked");
    },
  }));
  const many = (count: number) => Array.from({ length: count }, (_, i) => `key=${i}`).join("&");
  const cases: [string, Record<string, string>, "bad-query" | "bad-key" | "bad-header"][] = [
    ["?keys=a", {}, "bad-query"],
    ["?key=", {}, "bad-query"],
    ["?key=a//b", {}, "bad-query"],
    ["?key=%25ff", {}, "bad-query"],
    ["?prefix=a/", {}, "bad-query"],
    [`?key=${"k".repeat(2048)}`, {}, "bad-key"],
    ["?since=7", {}, "bad-query"],
    ["?since=", {}, "bad-query"],
    [`?since=${AT}&since=${AT}`, {}, "bad-query"],
    [`?${many(WATCH_KEYS_MAX)}&prefix=p`, {}, "bad-query"],
    ["?key=a", { "last-event-id": "0" }, "bad-header"],
  ];
  for (const [query, headers, code] of cases) {
    await assertProblem(await app.request(rawRequest(`/v1/watch${query}`, { headers })), code);
  }
  assertEquals((await requested(`/v1/watch?${many(WATCH_KEYS_MAX)}`)).selection.keys.length, 10);
});

Deno.test("GET /v1/watch says of each refusal what it is", async () => {
  const cases = [
    [new Overloaded("too many"), "overloaded"],
    [new Draining("stopping"), "draining"],
    [new NotCaughtUp("behind"), "not-caught-up"],
  ] as const;
  for (const [error, code] of cases) {
    const app = quietApp(scripted({ watch: () => Promise.reject(error) }));
    const response = await app.request("/v1/watch?key=a");
    assertEquals(response.headers.get("retry-after"), "1");
    await assertProblem(response, code);
  }
});

Deno.test("GET /v1/watch is the only method of its address", async () => {
  const app = quietApp(scripted({}));
  for (const method of ["HEAD", "PUT", "POST", "DELETE"]) {
    const response = await app.request("/v1/watch", { method });
    assertEquals([response.status, response.headers.get("allow")], [405, "GET"], method);
    await response.body?.cancel();
  }
});

Deno.test("GET /v1/watch answers as what must be neither kept, nor gathered, nor compressed on its way", async () => {
  const app = quietApp(scripted({}));
  const response = await app.request("/v1/watch");
  const expected: readonly (readonly [string, string])[] = [
    ["content-type", "text/event-stream"],
    ["cache-control", "no-store, no-transform"],
    ["x-accel-buffering", "no"],
    ["x-content-type-options", "nosniff"],
  ];
  for (const [name, value] of expected) assertEquals(response.headers.get(name), value, name);
  assert(response.headers.get("x-request-id")?.startsWith("n1-"));
  assertEquals(await response.text(), "retry: 1000\n\n");
});

function set(name: KeyPart, value: Value, versionstamp: Versionstamp) {
  return { key: key(name), value, versionstamp };
}

Deno.test("eventStream() has one event a write, whose id is its versionstamp", async () => {
  const versionstamp = parseVersionstamp(AT);
  const position = parseVersionstamp(LATER);
  const text = await streamed([
    { type: "watching", position: { index: 6, order: 0xffff } },
    {
      type: "changes",
      versionstamp,
      changes: [
        set("text", bytesValue(new TextEncoder().encode("a\nb")), versionstamp),
        set(7n, u64Value(7n), versionstamp),
        { key: key("gone", true), value: null, versionstamp },
      ],
    },
    { type: "compacted", since: versionstamp, position },
    { type: "progress", position },
  ]);
  assertEquals(text.split("\n\n"), [
    "retry: 1000",
    `event: watching\nid: 0000000000000006ffff\ndata: {"versionstamp":"0000000000000006ffff"}`,
    `event: change\nid: ${AT}\ndata: {"versionstamp":"${AT}","changes":[` +
    `{"type":"set","key":["text"],"value":{"bytes":"YQpi"},"encoding":"bytes"},` +
    `{"type":"set","key":[{"bigint":"7"}],"value":"7","encoding":"le64"},` +
    `{"type":"delete","key":["gone",true]}]}`,
    `event: compacted\nid: ${LATER}\ndata: {"since":"${AT}","versionstamp":"${LATER}"}`,
    `id: ${LATER}`,
    "",
  ]);
});

Deno.test("eventStream() closes its watch when it ends, is cancelled, fails, or is not read any more", async () => {
  const closed: string[] = [];
  const ended = eventStream(watchOf([], () => closed.push("ended")));
  await new Response(ended).text();
  const left = eventStream({
    ...watchOf([]),
    next: () => new Promise(() => {}),
    close: () => closed.push("cancelled"),
  });
  const reader = left.getReader();
  await reader.read();
  const pending = reader.read();
  await reader.cancel();
  assertEquals((await pending).done, true);
  const failing = eventStream({
    ...watchOf([], () => closed.push("failed")),
    next: () => Promise.reject(new Error("a defect")),
  });
  assertEquals(await new Response(failing).text().catch((error) => error.message), "a defect");
  const stalled = Promise.withResolvers<void>();
  const progress: WatchEvent = { type: "progress", position: parseVersionstamp(AT) };
  const slow = eventStream({
    take: () => null,
    next: () => Promise.resolve(progress),
    close: stalled.resolve,
  }, 1).getReader();
  await slow.read();
  await slow.read();
  await stalled.promise;
  assertEquals(await slow.read().catch((error) => error.message.includes("too long")), true);
  assertEquals(closed, ["ended", "cancelled", "failed"]);
});

Deno.test("eventStream() closes its watch if nobody reads it at all: its client had gone before the answer", async () => {
  const closed = Promise.withResolvers<void>();
  const unread = eventStream(watchOf([], closed.resolve), 1);
  await closed.promise;
  assertEquals(
    await new Response(unread).text().catch(({ message }) => /too long/.test(message)),
    true,
  );
});

/** Reads a stream of events, in its own time. */
class Reader {
  readonly parser = new EventParser();
  readonly #reader: ReadableStreamDefaultReader<string>;
  readonly #events: ServerEvent[] = [];

  constructor(response: Response) {
    assertEquals(response.status, 200);
    this.#reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  }

  async next(): Promise<{ name: string; data: Record<string, unknown> }> {
    while (this.#events.length === 0) {
      const { done, value } = await this.#reader.read();
      if (done) return { name: "end", data: {} };
      this.#events.push(...this.parser.push(value));
    }
    const { name, data } = this.#events.shift()!;
    return { name, data: JSON.parse(data) };
  }

  /** The changes of the next event, which must be of one. */
  async changes(): Promise<unknown> {
    const { name, data } = await this.next();
    assertEquals(name, "change");
    return data.changes;
  }

  close(): Promise<void> {
    return this.#reader.cancel();
  }
}

async function watch(
  app: Hono,
  query: string,
  headers: Record<string, string> = {},
): Promise<Reader> {
  const reader = new Reader(await app.request(rawRequest(`/v1/watch${query}`, { headers })));
  assertEquals((await reader.next()).name, "watching");
  return reader;
}

appTest(
  "GET /v1/watch tells of sets, deletes and atomic writes, and of nothing else",
  async (app) => {
    const before = await putJson(app, "/v1/kv/app/config", 1);
    const reader = await watch(app, "?key=app/config&prefix=app/flags");
    await putJson(app, "/v1/kv/app/other", 1);
    await putJson(app, "/v1/kv/app/flags", "the prefix itself");
    await putJson(app, "/v1/kv/app/config", { n: 2 });
    assertEquals(await reader.changes(), [
      { type: "set", key: ["app", "config"], value: { n: 2 }, encoding: "json" },
    ]);
    await postAtomic(app, {
      mutations: [
        { type: "set", key: ["app", "flags", 1], value: true },
        { type: "sum", key: ["app", "count"], value: "1" },
        { type: "delete", key: ["app", "config"] },
        { type: "delete", key: ["app", "flags", "that is not there"] },
      ],
    });
    assertEquals(await reader.changes(), [
      { type: "set", key: ["app", "flags", 1], value: true, encoding: "json" },
      { type: "delete", key: ["app", "config"] },
    ]);
    // A check that fails changes nothing, and is not heard of.
    const checks = [{ key: ["app", "config"], versionstamp: before }];
    const failed = await postAtomic(app, {
      checks,
      mutations: [{ type: "delete", key: ["app", "flags", 1] }],
    });
    assertEquals(failed.status, 409);
    await failed.body?.cancel();
    const last = await put(app, "/v1/kv/app/config", "bytes");
    const { data } = await reader.next();
    assertEquals([data.versionstamp, reader.parser.lastId], [last, last]);
    await reader.close();
  },
);

appTest(
  "GET /v1/watch goes on behind the last event, and from a versionstamp of a write",
  async (app) => {
    const stamps = [];
    for (let i = 0; i < 4; i++) stamps.push(await putJson(app, "/v1/kv/k", i));
    const numbers = async (query: string, headers = {}) => {
      const reader = await watch(app, query, headers);
      const last = await putJson(app, "/v1/kv/k", "last");
      const found: unknown[] = [];
      for (;;) {
        const { name, data } = await reader.next();
        assertEquals(name, "change");
        const [{ value }] = data.changes as { value: unknown }[];
        if (data.versionstamp === last) break;
        if (value !== "last") found.push(value);
      }
      await reader.close();
      return found;
    };
    assertEquals(await numbers(`?key=k&since=${"0".repeat(20)}`), [0, 1, 2, 3]);
    assertEquals(await numbers(`?key=k&since=${stamps[1]}`), [2, 3]);
    assertEquals(await numbers(`?key=k&since=${stamps[0]}`, { "last-event-id": stamps[2] }), [3]);
    assertEquals(await numbers("?key=k"), []);
  },
);

appTest(
  "GET /v1/watch refuses for good a versionstamp that the cluster has never come to",
  async (app) => {
    for (const since of ["00000000000fffff0001", "f".repeat(20)]) {
      const response = await app.request(`/v1/watch?since=${since}`);
      assertEquals([response.status, response.headers.get("retry-after")], [409, null]);
      await assertProblem(response, "ahead-of-cluster");
    }
    const headers = { "last-event-id": "00000000000fffff0001" };
    await assertProblem(await app.request("/v1/watch", { headers }), "ahead-of-cluster");
  },
);
