/** The kinds of reads: what is asked of the service, what the answer says of it, what is refused. */
import { assert, assertEquals } from "@std/assert";
import { type Consistency, LINEARIZABLE, type ServedRead } from "../../actors/service.ts";
import { encodeKey } from "../../kv/key_codec.ts";
import type { StoredEntry } from "../../kv/types.ts";
import { bytesValue } from "../../kv/value_codec.ts";
import { assertProblem, quietApp } from "./answers.ts";
import { EMPTY, scripted } from "./scripted.ts";

const HEADERS = ["x-kvorum-consistency", "x-kvorum-versionstamp", "x-kvorum-staleness-ms"];
/** One that finds a key, one that does not, and a list. */
const TARGETS = ["/v1/kv/here", "/v1/kv/nothing", "/v1/kv"];

const entry: StoredEntry = {
  key: encodeKey(["here"]),
  value: bytesValue(new Uint8Array([0x78])),
  versionstamp: { index: 7, order: 1 },
};

/** An app whose reads are all served as told, and what they asked for. */
function readingApp(answer: Partial<ServedRead>) {
  const asked: Consistency[] = [];
  const app = quietApp(scripted({
    read: (query, consistency) => {
      asked.push(consistency);
      const isHere = query.type === "get" && query.keys[0] === entry.key;
      const results = query.type === "ranges" ? [[entry]] : [[isHere ? entry : null]];
      return Promise.resolve({ ...EMPTY, ...answer, results });
    },
  }));
  return { app, asked };
}

function headersOf(response: Response): (string | null)[] {
  return HEADERS.map((name) => response.headers.get(name));
}

Deno.test("a read is linearizable unless told, and its answer has no further header", async () => {
  const { app, asked } = readingApp({ index: 9 });
  for (const target of TARGETS) {
    for (const query of ["", "?consistency=linearizable"]) {
      const response = await app.request(target + query);
      await response.body?.cancel();
      assertEquals(headersOf(response), [null, null, null], target);
    }
  }
  assert(asked.every((consistency) => consistency === LINEARIZABLE), "one object serves them all");
});

Deno.test("a read in another mode asks for it, and its answer says what was done", async () => {
  const cases: readonly {
    readonly query: string;
    readonly asks: Consistency;
    readonly answer: Partial<ServedRead>;
    readonly says: readonly (string | null)[];
  }[] = [
    {
      query: "consistency=lease",
      asks: { mode: "lease" },
      answer: { served: "lease", index: 9 },
      says: ["lease", "0000000000000009ffff", null],
    },
    {
      query: "consistency=lease",
      asks: { mode: "lease" },
      answer: { served: "linearizable", index: 0xabcdef012345 },
      says: ["linearizable", "0000abcdef012345ffff", null],
    },
    {
      query: "consistency=session",
      asks: { mode: "session", minIndex: 0 },
      answer: { served: "session", index: 0 },
      says: ["session", "0000000000000000ffff", null],
    },
    {
      query: "min=0000000000000007ffff&consistency=session",
      asks: { mode: "session", minIndex: 7 },
      answer: { served: "session", index: 8 },
      says: ["session", "0000000000000008ffff", null],
    },
    {
      query: "consistency=session&min=ffffffffffffffffffff",
      asks: { mode: "session", minIndex: 2 ** 48 - 1 },
      answer: { served: "session" },
      says: ["session", "0000000000000001ffff", null],
    },
    {
      query: "consistency=eventual",
      asks: { mode: "eventual", maxStalenessMs: null },
      answer: { served: "eventual", stalenessMs: null },
      says: ["eventual", "0000000000000001ffff", null],
    },
    {
      query: "consistency=eventual&maxStalenessMs=0",
      asks: { mode: "eventual", maxStalenessMs: 0 },
      answer: { served: "eventual", stalenessMs: 0 },
      says: ["eventual", "0000000000000001ffff", "0"],
    },
    {
      query: "consistency=eventual&maxStalenessMs=1500",
      asks: { mode: "eventual", maxStalenessMs: 1500 },
      answer: { served: "eventual", stalenessMs: 41.2 },
      says: ["eventual", "0000000000000001ffff", "42"],
    },
  ];
  for (const { query, asks, answer, says } of cases) {
    for (const target of TARGETS) {
      const { app, asked } = readingApp(answer);
      const response = await app.request(`${target}?${query}`);
      assertEquals(response.status, target === "/v1/kv/nothing" ? 404 : 200);
      await response.body?.cancel();
      assertEquals(asked, [asks], query);
      assertEquals(headersOf(response), says, `${target}?${query}`);
    }
  }
});

Deno.test("304 and HEAD say what was done for the read, too", async () => {
  const { app } = readingApp({ served: "session", index: 9 });
  const target = "/v1/kv/here?consistency=session";
  const says = ["session", "0000000000000009ffff", null];
  const unmodified = await app.request(target, {
    headers: { "if-none-match": '"00000000000000070001"' },
  });
  assertEquals([unmodified.status, ...headersOf(unmodified)], [304, ...says]);
  const head = await app.request(target, { method: "HEAD" });
  assertEquals([head.status, ...headersOf(head)], [200, ...says]);
});

Deno.test("a versionstamp that an answer gave is taken as the next read's min", async () => {
  const { app, asked } = readingApp({ served: "session", index: 41 });
  const first = await app.request("/v1/kv/here?consistency=session");
  await first.body?.cancel();
  for (const stamp of [first.headers.get("x-kvorum-versionstamp"), "00000000000000290001"]) {
    const next = await app.request(`/v1/kv/here?consistency=session&min=${stamp}`);
    await next.body?.cancel();
    assertEquals(asked.at(-1), { mode: "session", minIndex: 41 });
  }
});

Deno.test("reads refuse unknown modes, and parameters of another mode", async () => {
  const { app, asked } = readingApp({});
  const stamp = "00000000000000070001";
  const cases: readonly (readonly [string, string])[] = [
    ["consistency=strong", "consistency is linearizable"],
    ["consistency=", "consistency is linearizable"],
    ["consistency=Session", "consistency is linearizable"],
    ["consistency=session&consistency=session", "twice"],
    [`min=${stamp}`, "min is taken with consistency=session only"],
    [`consistency=linearizable&min=${stamp}`, "min is taken with"],
    [`consistency=lease&min=${stamp}`, "min is taken with"],
    [`consistency=eventual&min=${stamp}`, "min is taken with"],
    ["consistency=eventual&min=", "min is taken with"],
    ["maxStalenessMs=5", "maxStalenessMs is taken with consistency=eventual only"],
    ["consistency=lease&maxStalenessMs=5", "maxStalenessMs is taken with"],
    ["consistency=session&maxStalenessMs=5", "maxStalenessMs is taken with"],
    ["consistency=session&min=", "min is a versionstamp"],
    ["consistency=session&min=7", "min is a versionstamp"],
    [`consistency=session&min=${stamp}0`, "min is a versionstamp"],
    ["consistency=session&min=0000000000000007000A", "min is a versionstamp"],
    [`consistency=session&min="${stamp}"`, "min is a versionstamp"],
    ["consistency=eventual&maxStalenessMs=", "whole number"],
    ["consistency=eventual&maxStalenessMs=-1", "whole number"],
    ["consistency=eventual&maxStalenessMs=0.5", "whole number"],
    ["consistency=eventual&maxStalenessMs=1e3", "whole number"],
    ["consistency=eventual&maxStalenessMs=140737488355329", "whole number"],
    ["consistency=eventual&maxstalenessms=5", "Unknown parameter"],
  ];
  for (const [query, why] of cases) {
    for (const target of TARGETS) {
      const detail = await assertProblem(await app.request(`${target}?${query}`), "bad-query");
      assert(detail.includes(why), `${query}: ${detail}`);
    }
  }
  assertEquals(asked, []);
});

Deno.test("writes take none of the reads' parameters", async () => {
  const { app } = readingApp({});
  for (const method of ["PUT", "DELETE"]) {
    const response = await app.request("/v1/kv/a?consistency=lease", { method });
    await assertProblem(response, "bad-query");
  }
});
