/** `POST /v1/atomic`: what it takes, refuses and does, to the limits and one over. */
import { assert, assertEquals } from "@std/assert";
import type { Hono } from "hono";
import {
  ATOMIC_BYTES_MAX,
  CHECKS_MAX,
  KEY_BYTES_MAX,
  MUTATIONS_MAX,
  VALUE_BYTES_MAX,
} from "../../kv/limits.ts";
import { BODY_BYTES_MAX } from "../../routes/limits.ts";
import type { ProblemCode } from "../../routes/problem.ts";
import { appTest, assertProblem, postAtomic, put, statusOf } from "./harness.ts";

async function committed(app: Hono, body: unknown): Promise<string> {
  const response = await postAtomic(app, body);
  const answer = await response.json();
  assertEquals(response.status, 200, JSON.stringify(answer));
  assertEquals(answer.ok, true);
  return answer.versionstamp;
}

/** What the store holds under `name`, as [encoding, value]. */
async function stored(app: Hono, name: string): Promise<[string, unknown] | null> {
  const response = await app.request(`/v1/kv/${name}`);
  if (response.status === 404) {
    await response.body?.cancel();
    return null;
  }
  const encoding = response.headers.get("x-kvorum-encoding") ?? "";
  return [encoding, encoding === "bytes" ? await response.bytes() : await response.json()];
}

appTest("POST /v1/atomic does all of its mutations at one versionstamp", async (app) => {
  await put(app, "/v1/kv/old", "1");
  const versionstamp = await committed(app, {
    checks: [{ key: ["new"], versionstamp: null }],
    mutations: [
      { type: "set", key: ["new"], value: { a: 1 } },
      { type: "set", key: ["bytes"], value: { bytes: "AQI=" }, encoding: "bytes" },
      { type: "set", key: ["object"], value: { bytes: "AQI=" } },
      { type: "set", key: ["big"], value: { bigint: "1" }, encoding: "v8" },
      { type: "set", key: ["u64"], value: "7", encoding: "le64" },
      { type: "set", key: ["late"], value: null, encoding: "json", expireIn: 60_000 },
      { type: "delete", key: ["old"] },
    ],
  });
  assertEquals(await stored(app, "new"), ["json", { a: 1 }]);
  assertEquals(await stored(app, "bytes"), ["bytes", new Uint8Array([1, 2])]);
  assertEquals(await stored(app, "object"), ["json", { bytes: "AQI=" }]);
  assertEquals(await stored(app, "big"), ["v8", { bigint: "1" }]);
  assertEquals(await stored(app, "u64"), ["le64", "7"]);
  assertEquals(await stored(app, "late"), ["json", null]);
  assertEquals(await stored(app, "old"), null);
  const response = await app.request("/v1/kv/new");
  assertEquals(response.headers.get("etag"), `"${versionstamp}"`);
  await response.body?.cancel();
});

appTest(
  "POST /v1/atomic answers 409 with the checks that failed, and changes nothing",
  async (app) => {
    const stamp = await put(app, "/v1/kv/a", "1");
    const response = await postAtomic(app, {
      checks: [
        { key: ["a"], versionstamp: null },
        { key: ["a"], versionstamp: stamp },
        { key: ["b"], versionstamp: stamp },
        { key: ["a"], versionstamp: "f".repeat(20) },
      ],
      mutations: [{ type: "set", key: ["b"], value: 1 }],
    });
    assertEquals(response.status, 409);
    assertEquals(response.headers.get("content-type"), "application/json");
    assertEquals(await response.json(), { ok: false, failedChecks: [0, 2, 3] });
    assertEquals(await stored(app, "b"), null);
  },
);

appTest("POST /v1/atomic takes checks alone", async (app) => {
  await committed(app, { checks: [{ key: ["a"], versionstamp: null }] });
});

appTest("POST /v1/atomic sums, and takes minima and maxima", async (app) => {
  const n = { bigint: "9007199254740993" };
  const cases: readonly (readonly [string, object, readonly [string, unknown]])[] = [
    ["u", { type: "sum", value: "5" }, ["le64", "5"]],
    ["u", { type: "sum", value: 3 }, ["le64", "8"]],
    ["u", { type: "min", value: 6 }, ["le64", "6"]],
    ["u", { type: "max", value: "18446744073709551615" }, ["le64", "18446744073709551615"]],
    ["u", { type: "sum", value: 2 }, ["le64", "1"]],
    ["b", { type: "sum", value: n }, ["v8", n]],
    ["b", { type: "sum", value: { bigint: "-1" } }, ["v8", { bigint: "9007199254740992" }]],
    ["f", { type: "sum", value: { number: 1.5 } }, ["json", 1.5]],
    ["f", { type: "sum", value: { number: -0.25 } }, ["json", 1.25]],
    ["f", { type: "sum", value: { number: 9 }, max: { number: 4 }, clamp: true }, ["json", 4]],
    ["f", { type: "sum", value: { number: -9 }, min: { number: 2 }, clamp: true }, ["json", 2]],
    ["f", { type: "sum", value: { number: 1 }, min: { number: 0 }, max: { number: 3 } }, [
      "json",
      3,
    ]],
  ];
  for (const [name, mutation, expected] of cases) {
    await committed(app, { mutations: [{ key: [name], ...mutation }] });
    assertEquals(await stored(app, name), [...expected], JSON.stringify(mutation));
  }
});

appTest("POST /v1/atomic says why a sum was refused, and changes nothing", async (app) => {
  await committed(app, { mutations: [{ type: "set", key: ["s"], value: "text" }] });
  await committed(app, { mutations: [{ type: "set", key: ["n"], value: 1 }] });
  const mismatch = await postAtomic(app, {
    mutations: [
      { type: "set", key: ["other"], value: 1 },
      { type: "sum", key: ["s"], value: "1" },
    ],
  });
  await assertProblem(mismatch, "sum-type-mismatch");
  const range = await postAtomic(app, {
    mutations: [
      { type: "set", key: ["other"], value: 1 },
      { type: "sum", key: ["n"], value: { number: 5 }, max: { number: 4 } },
    ],
  });
  await assertProblem(range, "sum-out-of-range");
  assertEquals(await stored(app, "other"), null);
  assertEquals(await stored(app, "n"), ["json", 1]);
});

appTest("POST /v1/atomic ends a key with the versionstamp", async (app) => {
  const type = "set-suffix-versionstamp";
  const versionstamp = await committed(app, { mutations: [{ type, key: ["log"], value: 1 }] });
  const { entries } = await (await app.request("/v1/kv?prefix=log")).json();
  assertEquals(entries, [{
    key: ["log", versionstamp],
    value: 1,
    encoding: "json",
    versionstamp,
  }]);
});

appTest("POST /v1/atomic under one Idempotency-Key happens once", async (app) => {
  const headers = { "idempotency-key": "order-1" };
  const body = { mutations: [{ type: "sum", key: ["count"], value: 1 }] };
  const first = await (await postAtomic(app, body, headers)).json();
  assertEquals(await (await postAtomic(app, body, headers)).json(), first);
  assertEquals(await stored(app, "count"), ["le64", "1"]);
  const other = { mutations: [{ type: "sum", key: ["count"], value: 2 }] };
  await assertProblem(await postAtomic(app, other, headers), "idempotency-key-reused");
});

appTest("POST /v1/atomic refuses what it does not understand, and says where", async (app) => {
  const key = ["k"];
  const set = { type: "set", key, value: 1 };
  const sum = { type: "sum", key, value: 1 };
  const mutation = (fields: object) => ({ mutations: [set, fields] });
  const cases: readonly (readonly [unknown, ProblemCode, string])[] = [
    [null, "bad-request", "the body"],
    [[], "bad-request", "the body"],
    [{}, "bad-request", "neither"],
    [{ checks: [], mutations: [] }, "bad-request", "neither"],
    [{ mutation: [set] }, "bad-request", '"mutation"'],
    [{ mutations: set }, "bad-request", "mutations"],
    [{ mutations: [null] }, "bad-request", "mutations[0]"],
    [{ checks: [{ key }] }, "bad-request", "checks[0]"],
    [{ checks: [{ key, versionstamp: 1 }] }, "bad-request", "checks[0]"],
    [{ checks: [{ key, versionstamp: "" }] }, "bad-request", "checks[0]"],
    [{ checks: [{ key, versionstamp: "F".repeat(20) }] }, "bad-request", "checks[0]"],
    [{ checks: [{ key, versionstamp: null, value: 1 }] }, "bad-request", '"value"'],
    [{ checks: [{ key: [], versionstamp: null }] }, "bad-key", "checks[0]"],
    [mutation({ key, value: 1 }), "bad-request", "mutations[1]"],
    [mutation({ type: "Set", key, value: 1 }), "bad-request", "type is one of"],
    [mutation({ type: "__proto__", key }), "bad-request", "type is one of"],
    [mutation({ type: "set", key }), "bad-request", "needs a value"],
    [mutation({ ...set, expirein: 5 }), "bad-request", '"expirein"'],
    [mutation({ ...set, expireIn: 0 }), "bad-request", "expireIn"],
    [mutation({ ...set, expireIn: 1.5 }), "bad-request", "expireIn"],
    [mutation({ ...set, expireIn: "5" }), "bad-request", "expireIn"],
    [mutation({ ...set, expireIn: null }), "bad-request", "expireIn"],
    [mutation({ ...set, encoding: "utf8" }), "bad-request", "encoding"],
    [mutation({ ...set, encoding: "bytes" }), "bad-value", "mutations[1]"],
    [mutation({ ...set, encoding: "le64", value: -1 }), "bad-value", "mutations[1]"],
    [mutation({ ...set, encoding: "v8", value: { date: 1 } }), "bad-value", "mutations[1]"],
    [mutation({ type: "delete", key, value: 1 }), "bad-request", '"value"'],
    [mutation({ ...sum, value: -1 }), "bad-value", "mutations[1]"],
    [mutation({ ...sum, value: 1.5 }), "bad-value", "mutations[1]"],
    [mutation({ ...sum, value: "1.5" }), "bad-value", "mutations[1]"],
    [mutation({ ...sum, value: { bigint: 1 } }), "bad-value", "mutations[1]"],
    [mutation({ ...sum, value: { number: "1" } }), "bad-value", "mutations[1]"],
    [mutation({ ...sum, value: { bigint: "1", number: 1 } }), "bad-value", "mutations[1]"],
    [mutation({ ...sum, max: "9" }), "bad-request", "bounds"],
    [mutation({ ...sum, value: { number: 1 }, max: { bigint: "9" } }), "bad-request", "bound"],
    [mutation({ ...sum, value: { number: 1 }, clamp: true }), "bad-request", "clamp"],
    [mutation({ ...sum, value: { number: 1 }, clamp: 1 }), "bad-request", "clamp"],
    [mutation({ ...sum, expireIn: 5 }), "bad-request", '"expireIn"'],
    [mutation({ type: "min", key, value: { number: 1 } }), "bad-value", "mutations[1]"],
    [mutation({ ...set, key: "k" }), "bad-key", "mutations[1]"],
    [mutation({ ...set, key: [] }), "bad-key", "mutations[1]"],
    [mutation({ ...set, key: [null] }), "bad-key", "mutations[1]"],
    [mutation({ ...set, key: ["\ud800"] }), "bad-key", "mutations[1]"],
    [mutation({ ...set, key: [{ bigint: "x" }] }), "bad-key", "mutations[1]"],
    [mutation({ ...set, key: [{ bytes: "!" }] }), "bad-key", "mutations[1]"],
    [mutation({ ...set, key: ["k".repeat(KEY_BYTES_MAX)] }), "bad-key", "mutations[1]"],
  ];
  for (const [body, code, where] of cases) {
    const detail = await assertProblem(await postAtomic(app, body), code);
    assert(detail.includes(where), `${detail} does not name ${where}`);
  }
  assertEquals(await stored(app, "k"), null);
});

appTest(
  "POST /v1/atomic refuses headers, queries and types that mean nothing to it",
  async (app) => {
    const body = JSON.stringify({ mutations: [{ type: "set", key: ["k"], value: 1 }] });
    const json = { "content-type": "application/json" };
    const cases: readonly (readonly [string, Record<string, string>, ProblemCode])[] = [
      ["", {}, "unsupported-media-type"],
      ["", { "content-type": "text/plain" }, "unsupported-media-type"],
      ["", { ...json, "content-encoding": "br" }, "unsupported-media-type"],
      ["", { ...json, "if-match": "*" }, "bad-header"],
      ["", { ...json, "if-none-match": "*" }, "bad-header"],
      ["", { ...json, "idempotency-key": "\t" }, "bad-header"],
      ["?dryRun=true", json, "bad-query"],
    ];
    for (const [query, headers, code] of cases) {
      const response = await app.request(`/v1/atomic${query}`, { method: "POST", body, headers });
      await assertProblem(response, code);
    }
    for (const broken of ["", "{", "\ufeff\ufeff{}"]) {
      const response = await app.request("/v1/atomic", {
        method: "POST",
        body: broken,
        headers: json,
      });
      await assertProblem(response, "bad-json");
    }
    assertEquals(await stored(app, "k"), null);
  },
);

appTest("POST /v1/atomic takes as much as the limits say, and refuses one more", async (app) => {
  const set = (i: number, value: unknown) => ({ type: "set", key: [i], value });
  const bytes = (i: number, count: number) => ({
    ...set(i, { bytes: new Uint8Array(count).toBase64() }),
    encoding: "bytes",
  });
  const check = { key: ["none"], versionstamp: null };
  // A string of so many bytes in all: key, header, tag, a length of three bytes, and the characters.
  const text = (i: number, count: number) => set(i, "x".repeat(count - 9 - 6));
  const full = Array.from({ length: 12 }, (_, i) => text(i, VALUE_BYTES_MAX));
  const left = ATOMIC_BYTES_MAX - 12 * VALUE_BYTES_MAX;
  const atLimit: readonly object[] = [
    { mutations: Array.from({ length: MUTATIONS_MAX }, (_, i) => set(i, null)) },
    { checks: new Array(CHECKS_MAX).fill(check) },
    { mutations: [bytes(0, VALUE_BYTES_MAX)] },
    { mutations: [...full, text(12, left)] },
  ];
  const over: readonly object[] = [
    { mutations: Array.from({ length: MUTATIONS_MAX + 1 }, (_, i) => set(i, null)) },
    { checks: new Array(CHECKS_MAX + 1).fill(check) },
    { mutations: [bytes(0, VALUE_BYTES_MAX + 1)] },
    { mutations: [set(0, "x".repeat(VALUE_BYTES_MAX))] },
    { mutations: [...full, text(12, left + 1)] },
    { mutations: [set(0, 1)], checks: [], padding: "x".repeat(BODY_BYTES_MAX) },
  ];
  for (const body of atLimit) await committed(app, body);
  for (const body of over) await assertProblem(await postAtomic(app, body), "too-large");
  const suffix = { type: "set-suffix-versionstamp", key: ["k".repeat(2040)], value: 1 };
  await assertProblem(await postAtomic(app, { mutations: [suffix] }), "bad-key");
});

appTest("POST /v1/atomic keeps the member __proto__ a member", async (app) => {
  const text = '{"mutations":[{"type":"set","key":["p"],"value":{"__proto__":{"x":1}}}]}';
  const headers = { "content-type": "application/json" };
  const response = await app.request("/v1/atomic", { method: "POST", body: text, headers });
  assertEquals(await statusOf(response), 200);
  assertEquals(await (await app.request("/v1/kv/p")).text(), '{"__proto__":{"x":1}}');
  const polluted = '{"__proto__":{"mutations":[]}}';
  const refused = await app.request("/v1/atomic", { method: "POST", body: polluted, headers });
  await assertProblem(refused, "bad-request");
});
