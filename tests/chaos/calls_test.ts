/** Operations of a history as requests to a node, and its answers as their outcomes. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import type { Check, Mutation, ReadAction, WriteAction } from "../history/mod.ts";
import { readAnswer, readCall, writeAnswer, writeCall } from "./calls.ts";
import type { Answer } from "./http_client.ts";

const VERSION = "00000000000000070001";

function answered(status: number, body: unknown, headers: Record<string, string> = {}): Answer {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  return { type: "answered", status, headers: new Map(Object.entries(headers)), body: text };
}

const read = (...keys: string[]): ReadAction => ({ op: "read", keys });
const write = (mutations: Mutation[], checks: Check[] = []): WriteAction => {
  return { op: "write", checks, mutations };
};
const set: Mutation = { type: "set", key: "r/1/2", value: "v" };

Deno.test("readCall() asks for one key, or for a list of those that share a prefix", () => {
  assertEquals(readCall(read("r/1/2"), "consistency=lease").path, "/v1/kv/r/1/2?consistency=lease");
  assertEquals(readCall(read("g/1/a", "g/1/b"), "").path, "/v1/kv?prefix=g/1");
  assertThrows(() => readCall(read("g/1/a", "h/1/a"), ""), Error, "no prefix");
});

Deno.test("readAnswer() tells texts, numbers and what is absent", () => {
  const etag = { etag: `"${VERSION}"` };
  const cases: [ReadAction, Answer, unknown][] = [
    [
      read("r/1"),
      answered(200, '"v"', { ...etag, "x-kvorum-encoding": "json" }),
      [{ value: "v", versionstamp: VERSION }],
    ],
    [
      read("c/1"),
      answered(200, '"41"', { ...etag, "x-kvorum-encoding": "le64" }),
      [{ value: 41, versionstamp: VERSION }],
    ],
    [read("r/1"), answered(404, { code: "not-found" }), [null]],
    [
      read("g/1/a", "g/1/n"),
      answered(200, {
        entries: [{ key: ["g", "1", "n"], value: "3", encoding: "le64", versionstamp: VERSION }],
        cursor: "",
      }),
      [null, { value: 3, versionstamp: VERSION }],
    ],
  ];
  for (const [action, answer, entries] of cases) {
    const said = readAnswer(action, answer);
    assert(said.type === "outcome", JSON.stringify(said));
    assertEquals<unknown>(said.outcome, { outcome: "ok", entries });
  }
});

Deno.test("writeCall() says the same through either door", () => {
  const match: Check = { key: "r/1/2", versionstamp: VERSION };
  const absent: Check = { key: "r/1/2", versionstamp: null };
  assertEquals(writeCall(write([set], [match]), "key", "k"), {
    method: "PUT",
    path: "/v1/kv/r/1/2",
    headers: {
      "idempotency-key": "k",
      "content-type": "application/json",
      "if-match": `"${VERSION}"`,
    },
    body: '"v"',
  });
  assertEquals(writeCall(write([set], [absent]), "key", null).headers?.["if-none-match"], "*");
  assertEquals(writeCall(write([{ type: "delete", key: "r/1/2" }], [match]), "key", null), {
    method: "DELETE",
    path: "/v1/kv/r/1/2",
    headers: { "if-match": `"${VERSION}"` },
  });
  const { path, body } = writeCall(
    write([set, { type: "sum", key: "c/1", value: 5 }], [absent]),
    "atomic",
    null,
  );
  assertEquals(path, "/v1/atomic");
  assertEquals(JSON.parse(body!), {
    checks: [{ key: ["r", "1", "2"], versionstamp: null }],
    mutations: [
      { type: "set", key: ["r", "1", "2"], value: "v" },
      { type: "sum", key: ["c", "1"], value: "5" },
    ],
  });
  assertThrows(() => writeCall(write([{ type: "sum", key: "c/1", value: 5 }]), "key", null));
  assertThrows(() => writeCall(write([{ type: "delete", key: "r/1/2" }], [absent]), "key", null));
});

Deno.test("writeCall() says through either door that a value expires", () => {
  assertEquals(writeCall(write([set]), "key", null, 250).path, "/v1/kv/r/1/2?expireIn=250");
  const { body } = writeCall(write([set]), "atomic", null, 250);
  assertEquals(JSON.parse(body!).mutations, [
    { type: "set", key: ["r", "1", "2"], value: "v", expireIn: 250 },
  ]);
  assertEquals(JSON.parse(writeCall(write([set]), "atomic", null).body!).mutations, [
    { type: "set", key: ["r", "1", "2"], value: "v" },
  ]);
});

Deno.test("writeAnswer() tells done, refuted, certainly not done, and unknown", () => {
  const cases: [Answer, string, unknown][] = [
    [answered(200, { versionstamp: VERSION }), "outcome", { outcome: "ok", versionstamp: VERSION }],
    [answered(412, { code: "precondition-failed" }), "outcome", {
      outcome: "check-failed",
      failedChecks: [0],
    }],
    [answered(409, { ok: false, failedChecks: [1] }), "outcome", {
      outcome: "check-failed",
      failedChecks: [1],
    }],
    [answered(503, { code: "no-leader" }), "refused", "no-leader"],
    [answered(504, { code: "outcome-unknown" }), "unknown", "outcome-unknown"],
    [{ type: "refused" }, "refused", "nobody listens"],
    [{ type: "broken", why: "reset" }, "unknown", "reset"],
    [answered(500, "x"), "wrong", "500 x"],
    [answered(409, { code: "member-exists" }), "wrong", '409 {"code":"member-exists"}'],
  ];
  for (const [answer, type, detail] of cases) {
    const said = writeAnswer(answer);
    assertEquals(said.type, type);
    assertEquals<unknown>(said.type === "outcome" ? said.outcome : said.why, detail);
  }
});
