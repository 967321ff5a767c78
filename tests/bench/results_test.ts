/** Figures and ratios of samples. */
import { assertEquals } from "@std/assert";
import { errorsOf, figuresOf, ratioTo } from "../../bench/compare/results.ts";
import { failovers, results, sample } from "./samples.ts";

const put = (contender: "kvorum" | "etcd", round: number, perSecond: number, errors = 0) =>
  sample({ workload: "put-64", contender, round, perSecond, errors });

Deno.test("figuresOf() takes medians over the rounds, and sums what went wrong", () => {
  const figures = figuresOf(
    [
      sample({ workload: "put-64", contender: "kvorum", perSecond: 300, p50Ms: 3, errors: 1 }),
      sample({ workload: "put-64", contender: "kvorum", perSecond: 100, p50Ms: 9, errors: 2 }),
      sample({
        workload: "put-64",
        contender: "kvorum",
        perSecond: 200,
        p50Ms: 5,
        leaderChanged: true,
      }),
      sample({ workload: "put-1", contender: "kvorum", perSecond: 1 }),
      sample({ workload: "put-64", contender: "etcd", perSecond: 2 }),
    ],
    "put-64",
    "kvorum",
  );
  assertEquals(figures, {
    perSecond: 200,
    p50Ms: 5,
    p95Ms: 10,
    p99Ms: 15,
    rounds: 3,
    errors: 3,
    leaderChanges: 1,
  });
});

Deno.test("figuresOf() has none for what was not measured", () => {
  assertEquals(figuresOf([put("kvorum", 0, 100)], "put-64", "etcd"), null);
});

Deno.test("ratioTo() pairs by round, whatever the order of the samples", () => {
  const samples = [
    put("etcd", 0, 100),
    put("kvorum", 0, 300),
    put("kvorum", 1, 100),
    put("etcd", 1, 50),
    put("etcd", 2, 10),
    put("kvorum", 2, 50),
  ];
  assertEquals(ratioTo("etcd", samples, "put-64", "perSecond"), { low: 2, median: 3, high: 5 });
});

Deno.test("ratioTo() leaves out rounds that one of both missed, and gives null for no round", () => {
  const samples = [put("etcd", 0, 100), put("kvorum", 1, 400), put("etcd", 1, 100)];
  assertEquals(ratioTo("etcd", samples, "put-64", "perSecond")?.median, 4);
  assertEquals(ratioTo("ceiling", samples, "put-64", "perSecond"), null);
  assertEquals(ratioTo("etcd", samples, "put-1", "perSecond"), null);
});

Deno.test("errorsOf() counts failed requests of every contender, failed series of kills and an early end", () => {
  const samples = [put("etcd", 0, 100, 2), put("kvorum", 0, 100, 3)];
  assertEquals(errorsOf(results(samples)), 5);
  assertEquals(errorsOf(results(samples, failovers([400], "no leader"))), 6);
  assertEquals(errorsOf({ ...results(samples), etcdFailovers: failovers([], "x") }), 6);
  assertEquals(errorsOf({ ...results(samples), failure: "wrk gave no result" }), 6);
  assertEquals(errorsOf(results([put("etcd", 0, 100)], failovers([400]))), 0);
});
