/** The verdicts of a chaos run, on runs known good and bad. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import type { Operation, WriteAction } from "../history/mod.ts";
import { type JournalWrite, Record } from "./record.ts";
import { isGood, reportOf } from "./report.ts";
import { judgeFinal, judgeHistory, judgeJournal } from "./verdict.ts";

type Told = [id: string, outcome: JournalWrite["outcome"], versionstamp: string | null];

function journal(
  told: readonly Told[],
  found: readonly (readonly [string, readonly string[]])[],
  sum: number,
): string[] {
  const writes = told.map(([id, outcome, versionstamp]) =>
    [id, { id, outcome, versionstamp }] as const
  );
  return judgeJournal(new Map(writes), new Map(found), sum)
    .filter((finding) => !finding.isGood)
    .map(({ what }) => what);
}

Deno.test("judgeJournal() finds what was lost, doubled, moved, refused and done, and halved", () => {
  const told: Told[] = [["a", "ok", "01"], ["b", "unknown", null], ["c", "failed", null]];
  const good: [string, string[]][] = [["a", ["01"]], ["b", ["02"]]];
  assertEquals(journal(told, good, 2), []);
  assertEquals(journal(told, good.slice(0, 1), 1), [], "what is unknown need not have happened");
  const cases: [string, [string, string[]][], number][] = [
    ["acknowledged writes lost", [["b", ["02"]]], 1],
    ["writes doubled", [["a", ["01", "03"]]], 2],
    ["writes doubled", [["a", ["01"]], ["b", ["02", "03"]]], 3],
    ["writes under another version than was answered", [["a", ["04"]]], 1],
    ["writes that were refused and happened", [["a", ["01"]], ["c", ["05"]]], 2],
    ["writes that nobody asked for", [["a", ["01"]], ["d", ["05"]]], 2],
    ["halves of atomic writes", good, 3],
  ];
  for (const [what, found, sum] of cases) assertEquals(journal(told, found, sum), [what]);
});

Deno.test("judgeHistory() shows where a history stops being linearizable", () => {
  const at = (client: string, from: number, to: number) => {
    return { client, invokedAt: from, completedAt: to };
  };
  const set = (value: string, from: number, to: number): Operation => ({
    ...at("w", from, to),
    op: "write",
    checks: [],
    mutations: [{ type: "set", key: "k", value }],
    outcome: "ok",
  });
  const read = (value: string, from: number, to: number): Operation => {
    return { ...at("r", from, to), op: "read", keys: ["k"], outcome: "ok", entries: [{ value }] };
  };
  const history = [set("1", 0, 1), set("2", 2, 3), read("2", 4, 5)];
  assert(judgeHistory(history).isGood);
  const stale = judgeHistory([...history, read("1", 6, 7)]);
  assertEquals(stale.isGood, false);
  assertMatch(stale.detail, /r reads k/);
});

Deno.test("judgeFinal() finds a value that nobody read and that is lost", () => {
  const set: Operation = {
    client: "w",
    invokedAt: 0,
    completedAt: 1,
    op: "write",
    checks: [],
    mutations: [{ type: "set", key: "k", value: "1" }],
    outcome: "ok",
    versionstamp: "01",
  };
  const held = [{ key: "k", value: "1", versionstamp: "01" }];
  assert(judgeFinal([set], held).isGood);
  const lost = judgeFinal([set], []);
  assertEquals(lost.isGood, false);
  assertMatch(lost.detail, /^0 keys, 1 of them wrong\n {2}lost: /);
});

Deno.test("judgeHistory() finds a sum that was lost and that nobody read, from what is read in the end", () => {
  let nowMs = 0;
  const record = new Record(() => ++nowMs, null);
  const add = (type: "sum" | "max", value: number, versionstamp: string) => {
    const action: WriteAction = {
      op: "write",
      checks: [],
      mutations: [{ type, key: "c/1", value }],
    };
    record.wrote("sum", record.invoke("c1", action), { outcome: "ok", versionstamp });
  };
  add("sum", 5, "01");
  add("sum", 3, "02");
  add("max", 1, "03");
  const judge = (value: number | null) => {
    const { length } = record.finish();
    const final = value === null ? [] : [{ key: "c/1", value, versionstamp: "03" }];
    record.beginReadingAll("end at n1", ["c"])(final);
    return judgeHistory(record.finish().slice(0, 3).concat(record.finish().slice(length)));
  };
  // The accounting knows no more than that a number stands there, under the version that was told last.
  assert(judgeFinal(record.finish(), [{ key: "c/1", value: 5, versionstamp: "03" }]).isGood);
  assertEquals([8, 5, 13, null].map((value) => judge(value).isGood), [true, false, false, false]);
  assertMatch(judge(5).detail, /end at n1 reads c\/1/);
});

/** A write that is to expire. */
const PASSING: WriteAction = {
  op: "write",
  checks: [],
  mutations: [{ type: "set", key: "e/1", value: "a" }],
};

Deno.test("Record lets a key expire once at most, at any time, and not come back", () => {
  let nowMs = 0;
  const record = new Record(() => ++nowMs, null);
  const ticket = record.invoke("c1", PASSING);
  const expired = record.invokeExpiry(PASSING);
  record.wrote("expiring write", ticket, { outcome: "ok", versionstamp: "01" });
  expired({ outcome: "ok", versionstamp: "01" });
  const written = record.finish().slice();
  const read = (isThere: boolean): Operation => ({
    client: "c2",
    invokedAt: ++nowMs,
    completedAt: ++nowMs,
    op: "read",
    keys: ["e/1"],
    outcome: "ok",
    entries: [isThere ? { value: "a", versionstamp: "01" } : null],
  });
  const judge = (...reads: boolean[]) => judgeHistory([...written, ...reads.map(read)]).isGood;
  assertEquals([judge(true, true), judge(true, false), judge(false, false)], [true, true, true]);
  assertEquals(judge(true, false, true), false);
});

Deno.test("Record lets nothing expire that was not written", () => {
  let nowMs = 0;
  const record = new Record(() => ++nowMs, null);
  const expired = record.invokeExpiry(PASSING);
  expired({ outcome: "failed" });
  assertEquals(record.finish().map(({ client, outcome }) => [client, outcome]), [[
    "time",
    "failed",
  ]]);
});

Deno.test("Record knows which version was acknowledged before a moment, and the longest gap", () => {
  let nowMs = 100;
  const record = new Record(() => nowMs, null);
  record.begin();
  for (const [atMs, versionstamp] of [[110, "03"], [150, "02"], [160, "07"]] as const) {
    nowMs = atMs;
    record.acknowledged(versionstamp);
  }
  assertEquals(record.acknowledgedBefore(110), null);
  assertEquals(record.acknowledgedBefore(111), "03");
  assertEquals(record.acknowledgedBefore(160), "03");
  assertEquals(record.acknowledgedBefore(1000), "07");
  assertEquals(record.longestGap, { ms: 40, atMs: 150 });
});

Deno.test("Record leaves open what is unknown or still under way, and counts by kind", () => {
  let nowMs = 0;
  const record = new Record(() => ++nowMs, null);
  const action: WriteAction = { op: "write", checks: [], mutations: [] };
  const [unknown, known] = [record.invoke("c1", action), record.invoke("c2", action)];
  record.wrote("write", unknown, { outcome: "unknown" });
  record.wrote("write", known, { outcome: "ok", versionstamp: "01" });
  record.invoke("c3", action);
  assertEquals(record.finish().map(({ client, completedAt }) => [client, completedAt]), [
    ["c1", null],
    ["c2", 3],
    ["c3", null],
  ]);
  assertEquals([...record.counts.get("write")!], [["unknown", 1], ["ok", 1]]);
});

Deno.test("reportOf() ends with a verdict that a single bad finding turns", () => {
  const summary = {
    seed: 7,
    size: 3,
    transport: "tcp",
    seconds: 60,
    operations: new Map([["read", new Map([["ok", 5], ["unknown", 1]])]]),
    retries: 2,
    faults: new Map([["pauses", 3]]),
    longestGap: { ms: 1234.5, atMs: 30_000 },
    findings: [{ what: "linearizable", isGood: true, detail: "6 operations" }],
  };
  const text = reportOf(summary);
  assertMatch(text, /^seed 7, 3 nodes over tcp, 60 s$/m);
  assertMatch(text, /^read +5 +0 +0 +1$/m);
  assertMatch(text, /^pauses +3$/m);
  assertMatch(text, /1235 ms, until 30.0 s/);
  assertMatch(text, /no violation$/);
  const bad = { what: "writes doubled", isGood: false, detail: "1: a" };
  const worse = { ...summary, findings: [...summary.findings, bad] };
  assertEquals([isGood(summary), isGood(worse)], [true, false]);
  assertMatch(reportOf(worse), /FAIL writes doubled: 1: a\n\nVIOLATIONS: see above$/);
});
