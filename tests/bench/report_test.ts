/** How results are told. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import {
  changeTable,
  errorText,
  failoverText,
  targetTable,
  workloadTable,
} from "../../bench/compare/report.ts";
import { layOut, milliseconds, spreadText, whole } from "../../bench/compare/table.ts";
import { judge, TARGETS } from "../../bench/compare/targets.ts";
import { WORKLOADS } from "../../bench/compare/workloads.ts";
import { failovers, results, sample } from "./samples.ts";

const both = results([
  sample({ workload: "put-64", contender: "kvorum", perSecond: 25_000, p50Ms: 2, errors: 7 }),
  sample({ workload: "put-64", contender: "etcd", perSecond: 10_000, p50Ms: 5 }),
]);

/** The cells of the line that holds `text`. */
function cells(table: string, text: string): string[] {
  const line = table.split("\n").find((it) => it.includes(text));
  assert(line !== undefined, text);
  return line.trim().split(/ {2,}/);
}

Deno.test("layOut() makes columns as wide as their widest cell, each on its side", () => {
  const rows = [["a", "1", "x"], ["long", "1000"], ["", ""]];
  assertEquals(layOut(rows, ["left", "right", "left"]), "a        1  x\nlong  1000\n");
});

Deno.test("whole() sets thousands apart", () => {
  assertEquals([0, 999, 1000, 25_131.4, 1_234_567].map(whole), [
    "0",
    "999",
    "1,000",
    "25,131",
    "1,234,567",
  ]);
});

Deno.test("milliseconds() and spreadText() keep about three digits", () => {
  assertEquals([0.456, 12.34, 123.4].map(milliseconds), ["0.46 ms", "12.3 ms", "123 ms"]);
  assertEquals(spreadText({ low: 1, median: 2.345, high: 3 }), "2.35 (1.00 to 3.00)");
});

Deno.test("workloadTable() has figures, errors and ratios, and only what was measured", () => {
  const table = workloadTable(both, WORKLOADS);
  assertEquals(cells(table, "Kvorum, three"), [
    "Kvorum, three nodes",
    "25,000",
    "2.00 ms",
    "4.00 ms",
    "6.00 ms",
    "7",
  ]);
  assertEquals(cells(table, "etcd, three").slice(5), [
    "0",
    "2.50 (2.50 to 2.50)",
    "0.40 (0.40 to 0.40)",
    "0.40 (0.40 to 0.40)",
  ]);
  assertEquals(table.includes("ceiling"), false);
  assertEquals(table.includes("GET"), false);
});

Deno.test("workloadTable() says that a leader changed", () => {
  const changed = sample({
    workload: "put-64",
    contender: "kvorum",
    perSecond: 1,
    leaderChanged: true,
  });
  assertStringIncludes(workloadTable(results([changed]), WORKLOADS), "the leader changed 1 times");
});

Deno.test("errorText() is silent about a sound run only", () => {
  assertStringIncludes(errorText(both), "7 requests");
  assertStringIncludes(errorText({ ...both, failure: "no leader" }), "ended early: no leader");
  assertEquals(errorText(results([])), "");
});

Deno.test("failoverText() has list, median and worst, and says what failed", () => {
  const text = failoverText("Kvorum", failovers([400, 300, 900]));
  assertStringIncludes(text, "3 kills: median 400 ms, worst 900 ms (400 300 900)");
  const failed = failoverText("etcd", failovers([], "no leader"));
  assertStringIncludes(failed, "0 kills: FAILED: no leader");
});

Deno.test("targetTable() has the measured value beside both bounds, and the verdict", () => {
  const sound = results(both.samples.map((it) => ({ ...it, errors: 0 })), failovers([350, 900]));
  const table = targetTable(TARGETS.map((target) => judge(target, sound)));
  assertEquals(cells(table, "PUT, 64 connections at the leader"), [
    "PUT, 64 connections at the leader",
    "2.50x etcd, 25,000/s",
    "≥ 2.50x etcd, ≥ 25,000/s",
    "≥ 3.50x etcd",
    "reached",
  ]);
  assertEquals(cells(table, "share of the ceiling").slice(1), [
    "–",
    "≥ 65 %",
    "≥ 85 %",
    "not measured",
  ]);
  assertEquals(cells(table, "worst").slice(1), ["0.90 s", "≤ 2.00 s", "≤ 1.00 s", "aim reached"]);
  const unsound = targetTable(TARGETS.map((target) => judge(target, both)));
  assertEquals(cells(unsound, "PUT, 64 connections at the leader").at(-1), "UNSOUND: errors");
});

Deno.test("changeTable() points out what got worse", () => {
  const at = (commit: string, median: number) => ({
    commit,
    date: "2026-01-02T03:04:05.000Z",
    rounds: 5,
    seconds: 3,
    ratios: { "put-64 kvorum/etcd": { low: median, median, high: median } },
  });
  const table = changeTable(at("a", 2), at("b", 1.5));
  assertEquals(cells(table, "put-64").slice(3), ["-25.0 %", "WORSE"]);
  assertEquals(cells(changeTable(at("a", 2), at("b", 2.1)), "put-64").at(-1), "+5.0 %");
});
