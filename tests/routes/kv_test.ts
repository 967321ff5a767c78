/** `PUT`, `GET` and `DELETE` of one key: values, keys in paths, conditions, limits. */
import { assert, assertEquals } from "@std/assert";
import { VALUE_BYTES_MAX } from "../../kv/limits.ts";
import { EXPIRE_IN_MS_MAX } from "../../routes/limits.ts";
import type { ProblemCode } from "../../routes/problem.ts";
import { appTest, assertProblem, put, putJson, rawRequest, statusOf } from "./harness.ts";

const JSON_TYPE = { "content-type": "application/json" };
const STAMP = /^[0-9a-f]{20}$/;

appTest("PUT stores bytes and GET gives the very bytes back", async (app) => {
  const body = Uint8Array.from({ length: 256 }, (_, i) => i);
  const response = await app.request("/v1/kv/users/ada", { method: "PUT", body });
  assertEquals(response.status, 200);
  const { versionstamp } = await response.json();
  assert(STAMP.test(versionstamp), versionstamp);
  assertEquals(response.headers.get("etag"), `"${versionstamp}"`);

  const read = await app.request("/v1/kv/users/ada");
  assertEquals(read.status, 200);
  assertEquals(read.headers.get("content-type"), "application/octet-stream");
  assertEquals(read.headers.get("x-kvorum-encoding"), "bytes");
  assertEquals(read.headers.get("x-content-type-options"), "nosniff");
  assertEquals(read.headers.get("etag"), `"${versionstamp}"`);
  assertEquals(await read.bytes(), body);
});

appTest("PUT stores an empty body as a value of no bytes", async (app) => {
  await statusOf(app.request("/v1/kv/empty", { method: "PUT" }));
  const read = await app.request("/v1/kv/empty");
  assertEquals(read.status, 200);
  assertEquals((await read.bytes()).length, 0);
});

appTest("PUT stores JSON as a JavaScript value and GET gives it back", async (app) => {
  const texts = [
    "null",
    "true",
    "0",
    "-1.5e-7",
    '"text"',
    '"\\ud800"',
    '"漢"',
    "[]",
    "{}",
    '{"a":[1,{"b":null}]}',
    '{"__proto__":{"polluted":true}}',
    '{"bigint":"1"}',
    `[${'["x",'.repeat(30)}1${"]".repeat(30)}]`,
  ];
  for (const text of texts) {
    await put(app, "/v1/kv/json", text, JSON_TYPE);
    const read = await app.request("/v1/kv/json");
    assertEquals(read.headers.get("content-type"), "application/json");
    assertEquals(read.headers.get("x-kvorum-encoding"), "json");
    assertEquals(await read.text(), text);
  }
  assertEquals(({} as Record<string, unknown>).polluted, undefined);
});

appTest("PUT takes JSON by its media type", async (app) => {
  const cases: readonly (readonly [string | null, string | ProblemCode])[] = [
    ["application/json", "json"],
    ["Application/JSON ; charset=UTF-8", "json"],
    ['application/json;charset="utf-8"', "json"],
    ["application/vnd.api+json", "json"],
    ["application/json;charset=latin1", "unsupported-media-type"],
    ["application/jsonl", "bytes"],
    ["text/json", "bytes"],
    ["application/x-www-form-urlencoded", "bytes"],
    ["", "bytes"],
  ];
  for (const [type, expected] of cases) {
    const headers: Record<string, string> = type === null ? {} : { "content-type": type };
    const response = await app.request("/v1/kv/type", { method: "PUT", body: "[1]", headers });
    if (expected === "unsupported-media-type") {
      await assertProblem(response, expected);
      continue;
    }
    assertEquals(await statusOf(response), 200, String(type));
    const read = await app.request("/v1/kv/type");
    assertEquals(read.headers.get("x-kvorum-encoding"), expected, String(type));
    await read.body?.cancel();
  }
});

appTest("PUT takes over every value as GET shows it, under its encoding", async (app) => {
  const cases: readonly (readonly [string, string])[] = [
    ["json", '{"number":"NaN"}'],
    ["v8", '{"number":"NaN"}'],
    ["v8", '[{"bigint":"-18446744073709551616"},{"date":"2026-01-31T00:00:00.000Z"}]'],
    ["v8", '{"map":[[{"set":[{"bytes":"AQI="}]},{"undefined":true}]]}'],
    ["v8", '{"object":{"bigint":{"bigint":"1"}}}'],
    ["v8", '{"v8":"AAAA"}'],
    ["le64", '"18446744073709551615"'],
    ["bytes", "\0\x01"],
  ];
  for (const [encoding, body] of cases) {
    await put(app, "/v1/kv/copied", body, { "x-kvorum-encoding": encoding });
    const read = await app.request("/v1/kv/copied");
    assertEquals(read.headers.get("x-kvorum-encoding"), encoding);
    assertEquals(await read.text(), body);
  }
});

appTest("PUT refuses values that it cannot store, and changes nothing", async (app) => {
  const deep = (levels: number) => "[".repeat(levels) + "]".repeat(levels);
  const cases: readonly (readonly [Record<string, string>, BodyInit, ProblemCode])[] = [
    [JSON_TYPE, "", "bad-json"],
    [JSON_TYPE, "{", "bad-json"],
    [JSON_TYPE, "{'a':1}", "bad-json"],
    [JSON_TYPE, "[1,]", "bad-json"],
    [JSON_TYPE, "NaN", "bad-json"],
    [JSON_TYPE, "01", "bad-json"],
    [JSON_TYPE, "1e999", "bad-json"],
    [JSON_TYPE, '[{"a":-1e999}]', "bad-json"],
    [JSON_TYPE, new Uint8Array([0x22, 0xff, 0x22]), "bad-json"],
    [JSON_TYPE, new Uint8Array([0x22, 0xed, 0xa0, 0x80, 0x22]), "bad-json"],
    [JSON_TYPE, deep(33), "bad-json"],
    [JSON_TYPE, deep(400_000), "bad-json"],
    [{ "x-kvorum-encoding": "v8" }, '{"bigint":1}', "bad-value"],
    [{ "x-kvorum-encoding": "v8" }, '{"date":"yesterday"}', "bad-value"],
    [{ "x-kvorum-encoding": "v8" }, '{"date":"2026-02-30T00:00:00.000Z"}', "bad-value"],
    [{ "x-kvorum-encoding": "v8" }, '{"map":[[1]]}', "bad-value"],
    [{ "x-kvorum-encoding": "v8" }, '{"bytes":"AQ"}', "bad-value"],
    [{ "x-kvorum-encoding": "v8" }, '[{"v8":"AAAA"}]', "bad-value"],
    [{ "x-kvorum-encoding": "le64" }, '"18446744073709551616"', "bad-value"],
    [{ "x-kvorum-encoding": "le64" }, '"-1"', "bad-value"],
    [{ "x-kvorum-encoding": "le64" }, "1.5", "bad-value"],
    [{ "x-kvorum-encoding": "le64" }, "9007199254740992", "bad-value"],
    [{ "x-kvorum-encoding": "utf8" }, "x", "bad-header"],
    [{ "content-encoding": "gzip" }, "x", "unsupported-media-type"],
    [{ "content-encoding": "identity" }, "x", "unsupported-media-type"],
  ];
  for (const [headers, body, code] of cases) {
    const response = await app.request("/v1/kv/refused", { method: "PUT", body, headers });
    await assertProblem(response, code);
  }
  assertEquals(await statusOf(app.request("/v1/kv/refused")), 404);
});

appTest("PUT takes values of 65,536 bytes and refuses one more", async (app) => {
  const path = "/v1/kv/large";
  await put(app, path, new Uint8Array(VALUE_BYTES_MAX));
  const bytes = { method: "PUT", body: new Uint8Array(VALUE_BYTES_MAX + 1) };
  await assertProblem(await app.request(path, bytes), "too-large");
  // The header, a tag and a length of three bytes stand before the characters.
  const chars = VALUE_BYTES_MAX - 6;
  await putJson(app, path, "x".repeat(chars));
  const json = { method: "PUT", headers: JSON_TYPE, body: `"${"x".repeat(chars + 1)}"` };
  await assertProblem(await app.request(path, json), "too-large");
  assertEquals((await (await app.request(path)).json()).length, chars);
});

appTest("PUT and DELETE read a key from its path, each segment one part", async (app) => {
  const cases: readonly (readonly [string, readonly string[]])[] = [
    ["/v1/kv/a", ["a"]],
    ["/v1/kv/a/b/c", ["a", "b", "c"]],
    ["/v1/kv/a%2Fb", ["a/b"]],
    ["/v1/kv/a%2fb/c%25", ["a/b", "c%"]],
    ["/v1/kv/caf%C3%A9", ["café"]],
    ["/v1/kv/%F0%9F%A6%95", ["🦕"]],
    ["/v1/kv/..", [".."]],
    ["/v1/kv/../../etc/passwd", ["..", "..", "etc", "passwd"]],
    ["/v1/kv/./%2e/%2E%2e", [".", ".", ".."]],
    ["/v1/kv/%00", ["\0"]],
    ["/v1/kv/a%00b", ["a\0b"]],
    ["/v1/kv/__proto__/constructor", ["__proto__", "constructor"]],
    ["/v1/kv/a+b", ["a+b"]],
    ["/v1/kv/a%20b", ["a b"]],
    ["/v1/kv/a\\b", ["a\\b"]],
    ["/v1/kv/a;b=c,d:@!$&'()*~", ["a;b=c,d:@!$&'()*~"]],
    ["/v1/kv/%3F%23", ["?#"]],
    ["/v1/kv/v1/kv/a", ["v1", "kv", "a"]],
    [`/v1/kv/${"k".repeat(2046)}`, ["k".repeat(2046)]],
  ];
  for (const [path, key] of cases) {
    await put(app, path, "x");
    const { entries } = await (await app.request("/v1/kv")).json();
    assertEquals(entries.map((entry: { key: unknown }) => entry.key), [key], path);
    assertEquals(await statusOf(app.request(rawRequest(path))), 200, path);
    assertEquals(await statusOf(app.request(rawRequest(path, { method: "DELETE" }))), 200);
  }
});

appTest("PUT, GET and DELETE refuse a malformed key", async (app) => {
  const paths = [
    "/v1/kv/",
    "/v1/kv//",
    "/v1/kv//a",
    "/v1/kv/a/",
    "/v1/kv/a//b",
    "/v1/kv/%",
    "/v1/kv/%2",
    "/v1/kv/%zz",
    "/v1/kv/%u0041",
    "/v1/kv/%ff",
    "/v1/kv/%C0%AF",
    "/v1/kv/%ED%A0%80",
    "/v1/kv/%F4%90%80%80",
    "/v1/kv/a%C3/b",
    "/v1/kv/a#b",
    `/v1/kv/${"k".repeat(2047)}`,
    `/v1/kv/${"%00".repeat(1024)}`,
  ];
  for (const path of paths) {
    for (const method of ["PUT", "GET", "DELETE"]) {
      await assertProblem(await app.request(rawRequest(path, { method })), "bad-key");
    }
  }
});

appTest("PUT, GET and DELETE refuse a query that they do not understand", async (app) => {
  const cases: readonly (readonly [string, string])[] = [
    ["PUT", "expirein=1000"],
    ["PUT", "expireIn=0"],
    ["PUT", "expireIn=-1"],
    ["PUT", "expireIn=1.5"],
    ["PUT", "expireIn=1e3"],
    ["PUT", "expireIn="],
    ["PUT", "expireIn=1000&expireIn=1000"],
    ["PUT", `expireIn=${EXPIRE_IN_MS_MAX + 1}`],
    ["PUT", "%ff=1"],
    ["PUT", "expireIn=1000#"],
    ["GET", "consistency=strong"],
    ["GET", "min=00000000000000070001"],
    ["GET", "min=00000000000000010001"],
    ["GET", "expireIn=1000"],
    ["DELETE", "expireIn=1000"],
  ];
  for (const [method, query] of cases) {
    const response = await app.request(rawRequest(`/v1/kv/a?${query}`, { method }));
    await assertProblem(response, "bad-query");
  }
});

appTest("PUT with expireIn stores a value that goes away", async (app) => {
  await put(app, `/v1/kv/late?expireIn=${EXPIRE_IN_MS_MAX}`, "x");
  await put(app, "/v1/kv/soon?expireIn=1", "x");
  const deadline = performance.now() + 5000;
  // Replicated time moves with the entries, so each write lets it pass.
  while (await statusOf(app.request("/v1/kv/soon")) === 200) {
    assert(performance.now() < deadline, "the value did not expire");
    await put(app, "/v1/kv/clock", "x");
  }
  assertEquals(await statusOf(app.request("/v1/kv/late")), 200);
});

appTest("PUT with If-None-Match: * writes a new key only", async (app) => {
  const request = { method: "PUT", body: "1", headers: { "if-none-match": "*" } };
  assertEquals(await statusOf(app.request("/v1/kv/new", request)), 200);
  await assertProblem(await app.request("/v1/kv/new", request), "precondition-failed");
});

appTest("PUT and DELETE with If-Match change the version that they name", async (app) => {
  const first = await put(app, "/v1/kv/cas", "1");
  const second = await put(app, "/v1/kv/cas", "2", { "if-match": `"${first}"` });
  assert(second > first);
  for (const method of ["PUT", "DELETE"]) {
    const stale = await app.request("/v1/kv/cas", {
      method,
      headers: { "if-match": `"${first}"` },
    });
    await assertProblem(stale, "precondition-failed");
  }
  assertEquals(await (await app.request("/v1/kv/cas")).text(), "2");
  const headers = { "if-match": `"${second}"` };
  assertEquals(await statusOf(app.request("/v1/kv/cas", { method: "DELETE", headers })), 200);
  const gone = await app.request("/v1/kv/cas", { method: "PUT", headers });
  await assertProblem(gone, "precondition-failed");
});

appTest("PUT, GET and DELETE refuse a condition that they cannot keep", async (app) => {
  const stamp = await put(app, "/v1/kv/cond", "1");
  const cases: readonly (readonly [string, Record<string, string>])[] = [
    ["PUT", { "if-match": "*" }],
    ["PUT", { "if-match": stamp }],
    ["PUT", { "if-match": `W/"${stamp}"` }],
    ["PUT", { "if-match": `"${stamp}", "${stamp}"` }],
    ["PUT", { "if-match": `"${stamp.toUpperCase()}x"` }],
    ["PUT", { "if-match": '""' }],
    ["PUT", { "if-none-match": `"${stamp}"` }],
    ["PUT", { "if-none-match": "*", "if-match": `"${stamp}"` }],
    ["DELETE", { "if-none-match": "*" }],
    ["DELETE", { "if-match": "*" }],
    ["GET", { "if-match": `"${stamp}"` }],
    ["GET", { "if-none-match": stamp }],
    ["PUT", { "idempotency-key": "" }],
    ["PUT", { "idempotency-key": "k".repeat(257) }],
    ["PUT", { "idempotency-key": "é" }],
  ];
  for (const [method, headers] of cases) {
    const response = await app.request("/v1/kv/cond", { method, headers });
    await assertProblem(response, "bad-header");
  }
  assertEquals((await app.request("/v1/kv/cond")).headers.get("etag"), `"${stamp}"`);
});

appTest("PUT and DELETE under one Idempotency-Key happen once", async (app) => {
  const key = { "idempotency-key": "k".repeat(256) };
  const first = await put(app, "/v1/kv/once", "1", key);
  const between = await put(app, "/v1/kv/once", "2");
  assertEquals(await put(app, "/v1/kv/once", "1", key), first);
  assertEquals((await app.request("/v1/kv/once")).headers.get("etag"), `"${between}"`);
  const other = await app.request("/v1/kv/once", { method: "PUT", body: "3", headers: key });
  await assertProblem(other, "idempotency-key-reused");
  const headers = { "idempotency-key": "delete" };
  const removed = await (await app.request("/v1/kv/once", { method: "DELETE", headers })).json();
  await put(app, "/v1/kv/once", "4");
  const again = await (await app.request("/v1/kv/once", { method: "DELETE", headers })).json();
  assertEquals(again, removed);
  assertEquals(await (await app.request("/v1/kv/once")).text(), "4");
});

appTest("GET answers 304 to a client that holds the version", async (app) => {
  const stamp = await put(app, "/v1/kv/cached", "1");
  const cases: readonly (readonly [string, number])[] = [
    [`"${stamp}"`, 304],
    [`W/"${stamp}"`, 304],
    [`"other" , "${stamp}"`, 304],
    ["*", 304],
    [`"00000000000000990001"`, 200],
  ];
  for (const [list, status] of cases) {
    const response = await app.request("/v1/kv/cached", { headers: { "if-none-match": list } });
    assertEquals(response.status, status, list);
    assertEquals(response.headers.get("etag"), `"${stamp}"`);
    assertEquals(await response.text(), status === 304 ? "" : "1");
  }
  const gone = await app.request("/v1/kv/none", { headers: { "if-none-match": "*" } });
  await assertProblem(gone, "not-found");
});

appTest("HEAD answers as GET without the body", async (app) => {
  const stamp = await put(app, "/v1/kv/head", "1");
  const response = await app.request("/v1/kv/head", { method: "HEAD" });
  assertEquals(response.status, 200);
  assertEquals(response.headers.get("etag"), `"${stamp}"`);
  assertEquals(response.headers.get("content-type"), "application/octet-stream");
  assertEquals(await response.text(), "");
  assertEquals(await statusOf(app.request("/v1/kv/none", { method: "HEAD" })), 404);
});

appTest("DELETE removes a key, and is fine with one that is not there", async (app) => {
  await put(app, "/v1/kv/gone", "1");
  const response = await app.request("/v1/kv/gone", { method: "DELETE" });
  assertEquals(response.status, 200);
  assertEquals(response.headers.get("etag"), null);
  assert(STAMP.test((await response.json()).versionstamp));
  await assertProblem(await app.request("/v1/kv/gone"), "not-found");
  assertEquals(await statusOf(app.request("/v1/kv/gone", { method: "DELETE" })), 200);
});
