/** `GET /v1/kv`: selectors, pages, cursors. */
import { assert, assertEquals } from "@std/assert";
import type { Hono } from "hono";
import { READ_ENTRIES_MAX, VALUE_BYTES_MAX } from "../../kv/limits.ts";
import { LIST_CHARS_MAX } from "../../routes/limits.ts";
import {
  appTest,
  assertProblem,
  postAtomic,
  put,
  putJson,
  rawRequest,
  statusOf,
} from "./harness.ts";

interface Page {
  readonly entries: readonly {
    readonly key: unknown;
    readonly value?: unknown;
    readonly encoding?: string;
    readonly versionstamp: string;
  }[];
  readonly cursor: string;
}

async function list(app: Hono, query: string): Promise<Page> {
  const response = await app.request(rawRequest(`/v1/kv${query}`));
  const page = await response.json();
  assertEquals(response.status, 200, JSON.stringify(page));
  assertEquals(Object.keys(page), ["entries", "cursor"]);
  return page;
}

async function names(app: Hono, query: string): Promise<string[]> {
  return (await list(app, query)).entries.map(({ key }) => (key as string[]).join("/"));
}

async function fill(app: Hono): Promise<void> {
  for (const path of ["a", "a/1", "a/2", "a/2/x", "a/3", "ab", "b/1", "c%2Fd/1", "100%25/1"]) {
    await put(app, `/v1/kv/${path}`, path);
  }
}

appTest("GET /v1/kv lists keys, values, encodings and versionstamps", async (app) => {
  const bytes = await put(app, "/v1/kv/t/bytes", new Uint8Array([1, 2]));
  const json = await putJson(app, "/v1/kv/t/json", { a: [1] });
  const response = await postAtomic(app, {
    mutations: [
      { type: "sum", key: ["t", "sum"], value: "18446744073709551615" },
      { type: "set", key: ["t", 1], value: { bigint: "5" }, encoding: "v8" },
      { type: "set", key: ["t", { bytes: "AA==" }, true, { bigint: "-1" }], value: null },
    ],
  });
  const { versionstamp } = await response.json();
  assertEquals(await list(app, "?prefix=t"), {
    entries: [
      {
        key: ["t", { bytes: "AA==" }, true, { bigint: "-1" }],
        value: null,
        encoding: "json",
        versionstamp,
      },
      { key: ["t", "bytes"], value: { bytes: "AQI=" }, encoding: "bytes", versionstamp: bytes },
      { key: ["t", "json"], value: { a: [1] }, encoding: "json", versionstamp: json },
      { key: ["t", "sum"], value: "18446744073709551615", encoding: "le64", versionstamp },
      { key: ["t", 1], value: { bigint: "5" }, encoding: "v8", versionstamp },
    ],
    cursor: "",
  });
});

appTest("GET /v1/kv?keysOnly=true leaves the values out", async (app) => {
  const versionstamp = await put(app, "/v1/kv/t/a", "1");
  const page = await list(app, "?prefix=t&keysOnly=true");
  assertEquals(page, { entries: [{ key: ["t", "a"], versionstamp }], cursor: "" });
});

appTest("GET /v1/kv selects as Deno KV's selectors do", async (app) => {
  await fill(app);
  const cases: readonly (readonly [string, readonly string[]])[] = [
    ["?prefix=a", ["a/1", "a/2", "a/2/x", "a/3"]],
    ["?prefix=a/2", ["a/2/x"]],
    ["?prefix=a%2F2", ["a/2/x"]],
    ["?prefix=a%2f2%2fx", []],
    ["?prefix=c%252Fd", ["c/d/1"]],
    ["?prefix=c/d", []],
    ["?prefix=100%2525", ["100%/1"]],
    ["?prefix=none", []],
    ["?prefix=a&start=a/2", ["a/2", "a/2/x", "a/3"]],
    ["?prefix=a&end=a/3", ["a/1", "a/2", "a/2/x"]],
    ["?prefix=a&start=a/2&end=a/2", []],
    ["?prefix=a&reverse=true", ["a/3", "a/2/x", "a/2", "a/1"]],
    ["?prefix=a&reverse=false&limit=2", ["a/1", "a/2"]],
    ["?prefix=a&reverse=true&limit=2", ["a/3", "a/2/x"]],
    ["?start=a/3&end=c", ["a/3", "ab", "b/1"]],
    ["?prefix=&start=&end=&cursor=", [
      "100%/1",
      "a",
      "a/1",
      "a/2",
      "a/2/x",
      "a/3",
      "ab",
      "b/1",
      "c/d/1",
    ]],
    ["?consistency=linearizable&prefix=b", ["b/1"]],
  ];
  for (const [query, expected] of cases) assertEquals(await names(app, query), expected, query);
});

appTest("GET /v1/kv decodes a query as a form does", async (app) => {
  await put(app, "/v1/kv/a%20b/1", "x");
  for (const prefix of ["a+b", "a%20b", "a%2520b"]) {
    assertEquals(await names(app, `?prefix=${prefix}`), ["a b/1"], prefix);
  }
  const query = new URLSearchParams({ prefix: "a%20b", limit: "1" });
  assertEquals(await names(app, `?${query}`), ["a b/1"]);
});

appTest("GET /v1/kv goes on behind a cursor, both ways", async (app) => {
  await fill(app);
  for (const reverse of [false, true]) {
    const whole = await names(app, `?prefix=a&reverse=${reverse}`);
    for (const limit of [1, 2, 3, 4, 5]) {
      const seen: string[] = [];
      let cursor = "";
      do {
        const page = await list(
          app,
          `?prefix=a&reverse=${reverse}&limit=${limit}&cursor=${cursor}`,
        );
        assert(page.entries.length <= limit);
        seen.push(...page.entries.map(({ key }) => (key as string[]).join("/")));
        cursor = page.cursor;
      } while (cursor !== "");
      assertEquals(seen, whole);
    }
  }
});

appTest("GET /v1/kv gives 100 entries unless told, and at most 1,000", async (app) => {
  const set = (i: number) => ({ type: "set", key: ["n", i], value: i });
  const mutations = Array.from({ length: 1000 }, (_, i) => set(i));
  assertEquals(await statusOf(postAtomic(app, { mutations })), 200);
  await statusOf(postAtomic(app, { mutations: [set(1000)] }));
  assertEquals((await list(app, "?prefix=n")).entries.length, 100);
  const page = await list(app, `?prefix=n&limit=${READ_ENTRIES_MAX}`);
  assertEquals(page.entries.length, READ_ENTRIES_MAX);
  const rest = await list(app, `?prefix=n&cursor=${page.cursor}`);
  assertEquals(rest.entries.map(({ value }) => value), [1000]);
});

appTest("GET /v1/kv ends a page that grows too large, and loses nothing", async (app) => {
  const value = new Uint8Array(VALUE_BYTES_MAX);
  const base64 = value.toBase64().length;
  const count = Math.ceil(LIST_CHARS_MAX / base64) + 3;
  for (let i = 0; i < count; i += 1) await put(app, `/v1/kv/big/${i + 100}`, value);
  const first = await list(app, "?prefix=big");
  assert(first.entries.length < count);
  assert(JSON.stringify(first).length < LIST_CHARS_MAX + 2 * base64);
  const second = await list(app, `?prefix=big&cursor=${first.cursor}`);
  assertEquals(second.cursor, "");
  const keys = [...first.entries, ...second.entries].map(({ key }) => (key as string[])[1]);
  assertEquals(keys, Array.from({ length: count }, (_, i) => String(i + 100)));
});

appTest("GET /v1/kv refuses a query that it does not understand", async (app) => {
  await fill(app);
  const { cursor } = await list(app, "?prefix=a&limit=1");
  const queries = [
    "?prefx=a",
    "?prefix=a&prefix=b",
    "?prefix=a/",
    "?prefix=/a",
    "?prefix=a//b",
    "?prefix=%ff",
    "?prefix=%zz",
    "?prefix=100%25",
    "?prefix=%25ff",
    "?prefix=a#b",
    "?prefix=a&start=b/1",
    "?prefix=a&start=a",
    "?prefix=a&end=ab",
    "?prefix=a&start=a/3&end=a/2",
    "?limit=0",
    "?limit=1001",
    "?limit=-1",
    "?limit=1e2",
    "?limit=",
    "?reverse=yes",
    "?reverse",
    "?keysOnly=1",
    "?cursor=%21",
    "?cursor=AA",
    `?prefix=b&cursor=${cursor}`,
    "?consistency=session&maxStalenessMs=5",
    "?maxStalenessMs=5",
  ];
  for (const query of queries) {
    const detail = await assertProblem(
      await app.request(rawRequest(`/v1/kv${query}`)),
      "bad-query",
    );
    assert(detail.length < 300, detail);
  }
});
