/** The history of ratios, and the change from one line to the next. */
import { assertEquals, assertThrows } from "@std/assert";
import {
  changesOf,
  type HistoryLine,
  lastBefore,
  parseHistory,
  ratiosOf,
  withLine,
} from "../../bench/compare/history_lines.ts";
import { WORKLOADS } from "../../bench/compare/workloads.ts";
import { LoadError } from "../../bench/load_types.ts";
import type { Spread } from "../../bench/statistics.ts";
import { sample } from "./samples.ts";

function line(commit: string, ratios: Record<string, Spread> = {}): HistoryLine {
  return { commit, date: "2026-01-02T03:04:05.000Z", rounds: 5, seconds: 3, ratios };
}

const spread = (low: number, median: number, high: number): Spread => ({ low, median, high });

Deno.test("ratiosOf() keeps the throughputs against etcd, the ceiling and one node, and no figure", () => {
  const workload = "put-64";
  const ratios = ratiosOf([
    sample({ workload, contender: "kvorum", perSecond: 20_000 }),
    sample({ workload, contender: "etcd", perSecond: 6000 }),
    sample({ workload, contender: "ceiling", perSecond: 40_000 }),
    sample({ workload, contender: "single", perSecond: 25_000 }),
    sample({ workload, contender: "file", perSecond: 8000 }),
  ], WORKLOADS);
  assertEquals(ratios, {
    "put-64 kvorum/etcd": spread(3.333, 3.333, 3.333),
    "put-64 kvorum/ceiling": spread(0.5, 0.5, 0.5),
    "put-64 kvorum/single": spread(0.8, 0.8, 0.8),
  });
});

Deno.test("withLine() writes one object a line, and parseHistory() reads them back", () => {
  const lines = [line("a", { "put-64 kvorum/etcd": spread(1, 2, 3) }), line("b")];
  const text = withLine(lines.slice(0, 1), lines[1]);
  assertEquals(text.split("\n").map((it) => it === "" ? "" : JSON.parse(it).commit), [
    "a",
    "b",
    "",
  ]);
  assertEquals(parseHistory(text), lines);
});

Deno.test("withLine() replaces the line of a commit that measures again, and no other", () => {
  const before = [line("b"), line("a"), line("b")];
  const again = { ...line("b"), rounds: 9 };
  assertEquals(parseHistory(withLine(before, again)), [line("b"), line("a"), again]);
});

Deno.test("lastBefore() skips lines of the commit itself", () => {
  const history = [line("a"), line("b"), line("c")];
  assertEquals(lastBefore(history, "c")?.commit, "b");
  assertEquals(lastBefore(history, "d")?.commit, "c");
  assertEquals(lastBefore([line("a")], "a"), null);
});

Deno.test("parseHistory() takes no text for no history, and says which line is not one", () => {
  assertEquals(parseHistory(""), []);
  const good = JSON.stringify(line("a"));
  for (
    const bad of [
      "[]",
      "null",
      "{",
      "{}",
      good.replace('"rounds":5', '"rounds":"5"'),
      good.replace('"ratios":{}', '"ratios":{"put-64 kvorum/etcd":2}'),
    ]
  ) assertThrows(() => parseHistory(`${good}\n${bad}\n`), LoadError, "line 2");
});

Deno.test("changesOf() calls better or worse only what moved beyond the noise and the rounds' spread", () => {
  const before = spread(2.4, 2.5, 2.6);
  const cases: [Spread, string][] = [
    [spread(2.9, 3, 3.1), "better"],
    [spread(1.9, 2, 2.1), "worse"],
    // The median fell, but a round of the one is as a round of the other.
    [spread(1.9, 2, 2.5), "same"],
    [spread(2.5, 3, 3.5), "same"],
    // All rounds are below, but by less than the noise of the machine.
    [spread(2.3, 2.35, 2.39), "same"],
  ];
  for (const [after, verdict] of cases) {
    const [change] = changesOf(line("a", { x: before }), line("b", { x: after }));
    assertEquals(change.verdict, verdict, JSON.stringify(after));
  }
});

Deno.test("changesOf() gives the change of the median, of the ratios that both lines have", () => {
  const changes = changesOf(
    line("a", { x: spread(2, 2, 2), old: spread(1, 1, 1) }),
    line("b", { fresh: spread(1, 1, 1), x: spread(3, 3, 3) }),
  );
  assertEquals(changes.map(({ name, percent }) => [name, percent]), [["x", 50]]);
});
