/** All doors together: the outcomes as problems, unknown addresses, request ids, health and cluster. */
import { assert, assertEquals, assertNotEquals } from "@std/assert";
import {
  AheadOfCluster,
  Draining,
  NoLeader,
  NotCaughtUp,
  NotServing,
  OutcomeUnknown,
  Overloaded,
  StorageExhausted,
  TooStale,
} from "../../actors/outcomes.ts";
import type { WriteResult } from "../../actors/service.ts";
import type { RefusalCode } from "../../kv/types.ts";
import { createApp } from "../../routes/app.ts";
import { type ProblemCode, PROBLEMS } from "../../routes/problem.ts";
import { appTest, assertProblem, postAtomic, quietApp, rawRequest, statusOf } from "./harness.ts";
import { APPLIED, scripted, scriptedCluster, STATUS } from "./scripted.ts";

/** One request of every kind that reaches the service. */
const REQUESTS: readonly (readonly [string, string])[] = [
  ["PUT", "/v1/kv/a"],
  ["DELETE", "/v1/kv/a"],
  ["GET", "/v1/kv/a"],
  ["GET", "/v1/kv?prefix=a"],
  ["POST", "/v1/atomic"],
];

function requestOf(method: string, path: string): Request {
  const body = '{"mutations":[{"type":"delete","key":["a"]}]}';
  return new Request(`http://localhost${path}`, {
    method,
    ...(method === "POST" && { body, headers: { "content-type": "application/json" } }),
  });
}

Deno.test("every door maps every outcome of a call to its problem", async () => {
  const outcomes: readonly (readonly [Error, ProblemCode, string | null])[] = [
    [new NoLeader(), "no-leader", "1"],
    [new Overloaded(), "overloaded", "1"],
    [new Draining(), "draining", "1"],
    [new NotServing(), "not-serving", "1"],
    [new TooStale(), "too-stale", "1"],
    [new NotCaughtUp(), "not-caught-up", "1"],
    [new AheadOfCluster(), "ahead-of-cluster", null],
    [new StorageExhausted(), "storage-full", "10"],
    [new OutcomeUnknown(), "outcome-unknown", null],
  ];
  for (const [outcome, code, retryAfter] of outcomes) {
    const app = quietApp(scripted({
      write: () => Promise.reject(outcome),
      read: () => Promise.reject(outcome),
    }));
    for (const [method, path] of REQUESTS) {
      const response = await app.request(requestOf(method, path));
      assertEquals(response.headers.get("retry-after"), retryAfter, `${method} ${path} ${code}`);
      await assertProblem(response, code);
    }
  }
});

Deno.test("a node that cannot serve says why, at every door", async () => {
  const refuse = () => Promise.reject(new NotServing("Cannot serve: this node was removed"));
  const app = quietApp(scripted({ write: refuse, read: refuse }));
  for (const [method, path] of REQUESTS) {
    const detail = await assertProblem(await app.request(requestOf(method, path)), "not-serving");
    assertEquals(detail, "Cannot serve: this node was removed; nothing was done.");
  }
});

Deno.test("problems: what was certainly not applied is 503, what may have been is 504", () => {
  const codes = [
    "no-leader",
    "overloaded",
    "draining",
    "not-serving",
    "storage-full",
    "too-stale",
    "not-caught-up",
  ] as const;
  for (const code of codes) assertEquals(PROBLEMS[code].status, 503);
  assertEquals(PROBLEMS["outcome-unknown"].status, 504);
});

Deno.test("every writing door maps every refusal of the state machine", async () => {
  const refusals: readonly (readonly [RefusalCode, ProblemCode, number])[] = [
    ["sum-type-mismatch", "sum-type-mismatch", 400],
    ["sum-out-of-range", "sum-out-of-range", 400],
    ["too-large", "too-large", 413],
    ["idempotency-key-reused", "idempotency-key-reused", 422],
    ["idempotency-full", "idempotency-full", 503],
  ];
  for (const [code, expected, status] of refusals) {
    const result: WriteResult = { status: "refused", code, message: `because of ${code}` };
    const app = quietApp(scripted({ write: () => Promise.resolve(result) }));
    for (const [method, path] of REQUESTS.filter(([method]) => method !== "GET")) {
      const response = await app.request(requestOf(method, path));
      assertEquals(response.status, status);
      assertEquals(response.headers.get("retry-after"), status === 503 ? "10" : null);
      assertEquals(await assertProblem(response, expected), `because of ${code}`);
    }
  }
});

Deno.test("an unknown error is 500, is logged under its request id, and shows nothing", async () => {
  const secret = "secret of /var/lib/kvorum";
  const malformed: WriteResult = { status: "refused", code: "malformed", message: secret };
  const failures = [
    () => Promise.reject(new TypeError(secret)),
    () => Promise.resolve(malformed),
    () => {
      throw new Error(secret);
    },
  ];
  for (const write of failures) {
    const lines: string[] = [];
    const app = createApp({
      service: scripted({ write }),
      cluster: scriptedCluster({}),
      log: (text) => lines.push(text),
    });
    const response = await app.request("/v1/kv/a", { method: "PUT", body: "x" });
    const id = response.headers.get("x-request-id");
    assert(id !== null);
    const detail = await assertProblem(response, "internal");
    assert(!detail.includes("secret"), detail);
    assertEquals(lines.length, 1);
    assert(lines[0].includes(id) && lines[0].includes(secret), lines[0]);
  }
});

Deno.test("the service is asked for exactly what the request says", async () => {
  const writes: unknown[] = [];
  const app = quietApp({
    ...scripted({}),
    write: (write) => {
      writes.push(write);
      return Promise.resolve(APPLIED);
    },
  });
  const response = await app.request("/v1/kv/a/b?expireIn=5000", {
    method: "PUT",
    body: "x",
    headers: { "if-match": '"00000000000000070001"', "idempotency-key": "k" },
  });
  assertEquals(await response.json(), { versionstamp: "00000000000000070001" });
  const key = "\x02a\0\x02b\0";
  assertEquals<unknown>(writes, [{
    checks: [{ key, versionstamp: { index: 7, order: 1 } }],
    mutations: [{
      type: "set",
      key,
      value: { encoding: 3, data: new Uint8Array([0x78]) },
      expiry: { type: "in", ms: 5000 },
    }],
    idempotencyKey: "k",
  }]);
});

appTest("an unknown address is 404 and shows no path", async (app) => {
  const targets = [
    "/",
    "/v1",
    "/v1/",
    "/v2/kv/a",
    "/v1/kvx",
    "/V1/kv/a",
    "/v1/cluster/",
    "/v1/cluster/members/",
    "/v1/cluster/members/n1/",
    "/v1/cluster/backup/x",
    "//v1/kv/a",
    "/livez/",
    "/x/../v1/kv/a",
  ];
  for (const target of targets) {
    const detail = await assertProblem(await app.request(rawRequest(target)), "no-such-route");
    assert(!detail.includes(target) || target === "/" || target === "/v1" || target === "/v1/");
  }
});

appTest("a method that an address does not take is 405 and says which it does", async (app) => {
  const cases: readonly (readonly [string, string, string])[] = [
    ["POST", "/v1/kv/a", "GET, PUT, DELETE, HEAD"],
    ["PATCH", "/v1/kv/a/b", "GET, PUT, DELETE, HEAD"],
    ["OPTIONS", "/v1/kv/a", "GET, PUT, DELETE, HEAD"],
    ["PUT", "/v1/kv", "GET, HEAD"],
    ["DELETE", "/v1/kv?prefix=a", "GET, HEAD"],
    ["GET", "/v1/atomic", "POST"],
    ["HEAD", "/v1/atomic", "POST"],
    ["POST", "/v1/cluster", "GET, HEAD"],
    ["GET", "/v1/cluster/members", "POST"],
    ["DELETE", "/v1/cluster/members", "POST"],
    ["GET", "/v1/cluster/members/n1", "DELETE"],
    ["POST", "/v1/cluster/members/n1", "DELETE"],
    ["GET", "/v1/cluster/transfer", "POST"],
    ["PUT", "/v1/cluster/snapshot", "POST"],
    ["POST", "/v1/cluster/backup", "GET"],
    ["HEAD", "/v1/cluster/backup", "GET"],
    ["POST", "/livez", "GET, HEAD"],
    ["DELETE", "/readyz", "GET, HEAD"],
  ];
  for (const [method, path, allow] of cases) {
    const response = await app.request(path, { method });
    assertEquals(response.headers.get("allow"), allow, `${method} ${path}`);
    if (method === "HEAD") assertEquals(await statusOf(response), 405);
    else await assertProblem(response, "method-not-allowed");
  }
});

appTest(
  "every answer carries a request id: the client's own if harmless, else a new one",
  async (app) => {
    const seen = new Set<string | null>();
    for (
      const [method, path] of [...REQUESTS, ["GET", "/livez"], ["GET", "/none"], ["POST", "/livez"]]
    ) {
      const response = await app.request(requestOf(method, path));
      await response.body?.cancel();
      const id = response.headers.get("x-request-id");
      assert(id?.startsWith("n1-"), String(id));
      assertEquals(response.headers.get("x-content-type-options"), "nosniff");
      seen.add(id);
    }
    assertEquals(seen.size, REQUESTS.length + 3);
    const cases: readonly (readonly [string, boolean])[] = [
      ["0b9f6f3e-8a5c-4a3e-9a5a-0c1f5e9b8a11", true],
      ["a".repeat(128), true],
      ["a".repeat(129), false],
      ["two words", false],
      ['"><script>', false],
    ];
    for (const [id, taken] of cases) {
      const response = await app.request("/livez", { headers: { "x-request-id": id } });
      await response.body?.cancel();
      assertEquals(response.headers.get("x-request-id") === id, taken, id);
    }
  },
);

Deno.test("request ids of two runs of one node do not meet", async () => {
  const idOf = async () => {
    const response = await quietApp(scripted({})).request("/livez");
    await response.body?.cancel();
    return response.headers.get("x-request-id");
  };
  assertNotEquals(await idOf(), await idOf());
});

Deno.test("GET /livez is 200 whatever the replica does; GET /readyz says why it is not ready", async () => {
  const app = quietApp(scripted({ notReady: "no leader is known" }));
  const live = await app.request("/livez?probe=1");
  assertEquals(live.status, 200);
  assertEquals(await live.text(), "ok\n");
  const unready = await app.request("/readyz");
  assertEquals(unready.headers.get("retry-after"), "1");
  assertEquals(await assertProblem(unready, "not-serving"), "no leader is known");
  const ready = await quietApp(scripted({})).request("/readyz");
  assertEquals([ready.status, await ready.text()], [200, "ok\n"]);
});

Deno.test("GET /v1/cluster is the node's status, field for field", async () => {
  const app = quietApp(scripted({}));
  const response = await app.request("/v1/cluster");
  assertEquals(response.status, 200);
  assertEquals(response.headers.get("content-type"), "application/json");
  assertEquals(await response.json(), STATUS);
  await assertProblem(await app.request("/v1/cluster?x=1"), "bad-query");
});

appTest("GET /v1/cluster answers on the service under test", async (app) => {
  const status = await (await app.request("/v1/cluster")).json();
  assertEquals(Object.keys(status), Object.keys(STATUS));
  assertEquals(await statusOf(app.request("/readyz")), 200);
});

appTest("POST /v1/atomic and PUT see one store", async (app) => {
  await statusOf(app.request("/v1/kv/a", { method: "PUT", body: "1" }));
  const response = await postAtomic(app, { checks: [{ key: ["a"], versionstamp: null }] });
  assertEquals(await statusOf(response), 409);
});
