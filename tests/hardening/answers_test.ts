/** What an error shows: a code and a request id, and nothing of the node's inside. */
import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { PROBLEMS } from "../../routes/problem.ts";
import { appTest, rawRequest } from "../routes/harness.ts";
import { exchange, statusOf } from "./raw_client.ts";
import { servedTest } from "./served.ts";

const REQUESTS = 4000;
const CODES = [
  "bad-key",
  "bad-query",
  "bad-header",
  "bad-json",
  "bad-request",
  "bad-value",
  "not-found",
  "no-such-route",
  "unknown-member",
  "method-not-allowed",
  "precondition-failed",
  "unsupported-media-type",
];

/** Traces of stacks, files, and Deno's own words. None of them may be in an answer that did not bring it. */
const INSIDE = [
  /\bat [\w.<>#]+ \(/,
  /file:\/\//,
  /\.ts\b/,
  /ext:/,
  /\/(?:root|home|usr|var|tmp|work)\//,
  /\b(?:Type|Range|Syntax|Reference|Invariant)Error\b/,
  /\bundefined is not\b|\bis not a function\b|Cannot read propert/,
  /\bDeno\b/,
];

const pieces = fc.constantFrom(
  ..."/?&=%#\\.:;,\"'[]{}<>\0\r\n\t",
  ..."ab01",
  "%ff",
  "%00",
  "%2e%2e",
  "%ED%A0%80",
  "..",
  "__proto__",
  "constructor",
  "toString",
  "prefix=",
  "limit=",
  "cursor=",
  "consistency=",
  "min=",
  "expireIn=",
  "9".repeat(40),
  "null",
  "é",
);

const DOORS = [
  "PUT /v1/kv/a",
  "PUT /v1/kv/b",
  "GET /v1/kv/a",
  "DELETE /v1/kv/a",
  "GET /v1/kv?",
  "POST /v1/atomic",
  "POST /v1/cluster/members",
  "DELETE /v1/cluster/members/x",
  "POST /v1/cluster/transfer",
  "GET /v1/cluster",
  "GET /livez",
];

/** A door by one of its methods or by another, and mostly something odd behind it. */
const line = fc.tuple(
  fc.constantFrom(...DOORS),
  fc.oneof(
    { weight: 3, arbitrary: fc.constant(null) },
    fc.constantFrom("GET", "PUT", "POST", "DELETE", "PATCH", "HEAD"),
  ),
  fc.oneof(fc.constant([]), fc.array(pieces, { maxLength: 6 })),
).map(([door, other, rest]) => {
  const [method, target] = door.split(" ");
  return { method: other ?? method, target: target + rest.join("") };
});

/** JSON that is nearly what a door takes. */
const nearly = fc.letrec((tie) => ({
  value: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    fc.constantFrom(
      null,
      true,
      "",
      "a",
      "__proto__",
      "\ud800",
      0,
      -1,
      1e300,
      2 ** 53,
      "9".repeat(30),
    ),
    fc.array(tie("value"), { maxLength: 4 }),
    fc.dictionary(
      fc.constantFrom(
        ..."checks mutations type key value expireIn versionstamp min max clamp encoding".split(
          " ",
        ),
        ..."bigint bytes number map set object v8 date id url peer role to __proto__".split(" "),
      ),
      tie("value"),
      { maxKeys: 5, noNullPrototype: false },
    ),
    fc.constantFrom("set", "sum", "delete", "min", "max", "bytes", "json", "le64"),
  ),
})).value;

const body = fc.oneof(
  nearly.map((value) => JSON.stringify(value)),
  fc.tuple(nearly, nearly).map(([checks, mutation]) =>
    JSON.stringify({ checks: [checks], mutations: [mutation] })
  ),
  fc.constantFrom("", "{", "[".repeat(5000), '{"a":'.repeat(200), "\ufeff{}", "1e999", "\0"),
  fc.uint8Array({ maxLength: 40 }),
);

const request = fc.record({
  line,
  isJson: fc.boolean(),
  body,
  headers: fc.dictionary(
    fc.constantFrom(
      "content-type",
      "if-match",
      "if-none-match",
      "idempotency-key",
      "x-kvorum-encoding",
      "x-request-id",
      "content-encoding",
      "content-length",
      "transfer-encoding",
    ),
    fc.constantFrom(
      "application/json",
      "application/json; charset=utf-16",
      "*",
      '"00000000000000010001"',
      'W/"x"',
      "v8",
      "le64",
      "json",
      "bytes",
      "-1",
      "1, 1",
      "gzip",
      "x".repeat(300),
      "/root/x.ts",
    ),
    { maxKeys: 3, noNullPrototype: false },
  ),
});

appTest("no answer to any request shows anything of the node's inside", async (app) => {
  const seen = new Map<string, number>();
  for (
    const { line: { method, target }, body, headers: others, isJson } of fc.sample(request, {
      numRuns: REQUESTS,
      seed: 5,
    })
  ) {
    const headers = { ...others, ...(isJson && { "content-type": "application/json" }) };
    const hasBody = method !== "GET" && method !== "HEAD";
    const bytes = typeof body === "string" ? new TextEncoder().encode(body) : body;
    const init = { method, headers, ...(hasBody && { body: bytes as BodyInit }) };
    const response = await app.request(rawRequest(target, init));
    const text = new TextDecoder().decode(await response.bytes());
    const { status } = response;
    const what = `${method} ${JSON.stringify(target)} ${JSON.stringify(headers)} ${body}: ${text}`;
    assert(status !== 500, what);
    assert(response.headers.get("x-request-id"), what);
    if (status < 400 || method === "HEAD") continue;
    const code = assertProblemText(text, response.headers.get("x-request-id"), status, what);
    for (const [name, value] of response.headers) {
      if (name !== "x-request-id") assertNothingInside(value, what);
    }
    seen.set(code, (seen.get(code) ?? 0) + 1);
  }
  // It reaches what it is meant to: errors of every kind that a request alone can bring about.
  for (const code of CODES) {
    assert(seen.has(code), `${code}: ${JSON.stringify([...seen])}`);
  }
});

/** Gives the code. A failed atomic write says which checks failed; all other errors are problems. */
function assertProblemText(text: string, id: string | null, status: number, what: string): string {
  const problem = JSON.parse(text);
  if (status === 409 && problem.ok === false) return "failed checks";
  assert(Object.hasOwn(PROBLEMS, problem.code), what);
  assertEquals(problem.requestId, id, what);
  assertEquals(problem.status, status, what);
  assertNothingInside(problem.detail, what);
  assertNothingInside(problem.title, what);
  return problem.code;
}

function assertNothingInside(text: string, what: string): void {
  // What the client itself sent may be quoted to it.
  const own = text.replaceAll("/root/x.ts", "").replaceAll("Transfer-Encoding", "");
  for (const pattern of INSIDE) assert(!pattern.test(own), `${pattern} in ${what}`);
}

servedTest("a server that cannot read a request says nothing but that", async ({ port, lines }) => {
  const garbage = [
    "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "GET\r\n\r\n",
    "GET / HTTP/9.9\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\nBad Header: x\r\n\r\n",
    "/root/x.ts HTTP/1.1\r\n\r\n",
    "\0".repeat(100) + "\r\n\r\n",
  ];
  for (const text of garbage) {
    const answer = await exchange(port, text);
    assert(answer === "" || statusOf(answer) === 400, answer);
    for (const pattern of INSIDE) assert(!pattern.test(answer), answer);
  }
  assertEquals(lines, []);
});
