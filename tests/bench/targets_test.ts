/** The judgement of the targets. */
import { assert, assertEquals } from "@std/assert";
import type { Results } from "../../bench/compare/results.ts";
import { judge, quantitiesOf, type Target, TARGETS } from "../../bench/compare/targets.ts";
import { WORKLOADS } from "../../bench/compare/workloads.ts";
import { failovers, results, sample } from "./samples.ts";

function target(what: string): Target {
  const found = TARGETS.find((it) => it.what === what);
  assert(found !== undefined, what);
  return found;
}

const verdict = (what: string, it: Results) => judge(target(what), it).verdict;

function puts(workload: string, perSecond: number, etcdPerSecond: number, errors = 0) {
  return results([
    sample({ workload, contender: "kvorum", perSecond }),
    sample({ workload, contender: "etcd", perSecond: etcdPerSecond, errors }),
  ]);
}

Deno.test("judge() wants every bound of a target, the ratio and the figure", () => {
  const what = "PUT, 64 connections at the leader";
  assertEquals(verdict(what, puts("put-64", 35_000, 10_000)), "aim reached");
  assertEquals(verdict(what, puts("put-64", 25_000, 10_000)), "reached");
  assertEquals(verdict(what, puts("put-64", 25_000, 10_001)), "missed");
  assertEquals(verdict(what, puts("put-64", 24_999, 1000)), "missed");
});

Deno.test("judge() says what was measured, in the order of the bounds", () => {
  const { measured } = judge(
    target("PUT, 64 connections at the leader"),
    puts("put-64", 25_000, 10_000),
  );
  assertEquals(measured, [2.5, 25_000]);
});

Deno.test("judge() wants less than etcd's latency, in the same rounds", () => {
  const what = "PUT, one connection, p50";
  const at = (p50Ms: number, etcdP50Ms: number) =>
    results([
      sample({ workload: "put-1", contender: "kvorum", perSecond: 1, p50Ms }),
      sample({ workload: "put-1", contender: "etcd", perSecond: 1, p50Ms: etcdP50Ms }),
    ]);
  assertEquals(verdict(what, at(0.5, 0.6)), "aim reached");
  assertEquals(verdict(what, at(0.55, 0.6)), "reached");
  assertEquals(verdict(what, at(0.6, 0.6)), "missed");
});

Deno.test("judge() calls a target unsound that rests on errors of either side", () => {
  const what = "PUT, 256 connections at the leader";
  assertEquals(verdict(what, puts("put-256", 50_000, 10_000)), "aim reached");
  assertEquals(verdict(what, puts("put-256", 50_000, 10_000, 1)), "unsound");
  const failed = sample({ workload: "lease-1", contender: "kvorum", perSecond: 1, errors: 1 });
  assertEquals(verdict("lease GET, one connection, p50", results([failed])), "unsound");
});

Deno.test("judge() does not take what was not measured for reached", () => {
  const alone = results([sample({ workload: "put-64", contender: "kvorum", perSecond: 50_000 })]);
  const judgement = judge(target("PUT, 64 connections at the leader"), alone);
  assertEquals(judgement.verdict, "not measured");
  assertEquals(judgement.measured, [null, 50_000]);
  for (const each of TARGETS) assertEquals(judge(each, results([])).verdict, "not measured");
});

Deno.test("judge() takes the share of the ceiling", () => {
  const at = (perSecond: number) =>
    results([
      sample({ workload: "put-64", contender: "kvorum", perSecond }),
      sample({ workload: "put-64", contender: "ceiling", perSecond: 1000 }),
    ]);
  const verdicts = [850, 849, 650, 649].map((perSecond) =>
    verdict("share of the ceiling, PUT, 64 connections", at(perSecond))
  );
  assertEquals(verdicts, ["aim reached", "reached", "reached", "missed"]);
});

Deno.test("judge() takes median and worst of the kills, each for its own target", () => {
  const [median, worst] = [
    "leader killed to next write, median",
    "leader killed to next write, worst",
  ];
  const kills = results([], failovers([300, 2500, 380]));
  assertEquals(verdict(median, kills), "aim reached");
  assertEquals(verdict(worst, kills), "missed");
  assertEquals(verdict(worst, results([], failovers([300, 1500, 380]))), "reached");
  assertEquals(verdict(median, results([], failovers([300], "no leader"))), "unsound");
  assertEquals(verdict(median, results([], failovers([], "no leader"))), "unsound");
});

Deno.test("TARGETS speak only of workloads and contenders that are measured", () => {
  for (const { what, ...bounds } of TARGETS) {
    for (const quantity of quantitiesOf({ what, ...bounds })) {
      if (quantity.kind === "failover") continue;
      const workload = WORKLOADS.find(({ id }) => id === quantity.workload);
      assert(workload !== undefined && workload.contenders.includes("kvorum"), what);
      if (quantity.kind === "ratio") assert(workload.contenders.includes(quantity.base), what);
    }
  }
});
