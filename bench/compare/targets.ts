/**
 * The figures that Kvorum is to reach, as data, and their judgement. Pure.
 *
 * A target has bounds that it must keep ("at least") and bounds that it aims at. One that rests on a
 * measurement with errors is not reached, whatever its figures say.
 *
 * @module
 */
import { median } from "../statistics.ts";
import { type Failovers, figuresOf, type Metric, ratioTo, type Results } from "./results.ts";
import type { ContenderName } from "./workloads.ts";

/** Something that was measured. */
export type Quantity =
  /** Kvorum's own figure: the median over the rounds. */
  | { readonly kind: "figure"; readonly workload: string; readonly metric: Metric }
  /** Kvorum's figure divided by another's in the same round: the median over the rounds. */
  | {
    readonly kind: "ratio";
    readonly workload: string;
    readonly metric: Metric;
    readonly base: ContenderName;
  }
  /** Of the kills, in ms. */
  | { readonly kind: "failover"; readonly of: "median" | "worst" };

/** What a quantity must be. */
export interface Bound {
  readonly quantity: Quantity;
  readonly is: "at least" | "at most" | "below";
  readonly value: number;
}

export interface Target {
  readonly what: string;
  /** All of them must hold. */
  readonly atLeast: readonly Bound[];
  /** Better than it must be; on its own no reason for a verdict worse than `reached`. */
  readonly aim: readonly Bound[];
}

export type Verdict = "aim reached" | "reached" | "missed" | "unsound" | "not measured";

/** A target, and what came out. */
export interface Judgement {
  readonly target: Target;
  /** In the order of {@linkcode quantitiesOf}; null for what was not measured. */
  readonly measured: readonly (number | null)[];
  readonly verdict: Verdict;
}

const figure = (workload: string, metric: Metric): Quantity => ({
  kind: "figure",
  workload,
  metric,
});
const ratio = (workload: string, metric: Metric, base: ContenderName): Quantity => ({
  kind: "ratio",
  workload,
  metric,
  base,
});
const toEtcd = (workload: string) => ratio(workload, "perSecond", "etcd");
const atLeast = (quantity: Quantity, value: number): Bound => ({ quantity, is: "at least", value });
const atMost = (quantity: Quantity, value: number): Bound => ({ quantity, is: "at most", value });
const belowEtcd = (workload: string, metric: Metric): Bound => ({
  quantity: ratio(workload, metric, "etcd"),
  is: "below",
  value: 1,
});
const failover = (of: "median" | "worst"): Quantity => ({ kind: "failover", of });

/** What is to be reached, from the issue on performance. */
export const TARGETS: readonly Target[] = [
  {
    what: "PUT, 64 connections at the leader",
    atLeast: [atLeast(toEtcd("put-64"), 2.5), atLeast(figure("put-64", "perSecond"), 25_000)],
    aim: [atLeast(toEtcd("put-64"), 3.5)],
  },
  {
    what: "PUT, 256 connections at the leader",
    atLeast: [atLeast(toEtcd("put-256"), 3)],
    aim: [atLeast(toEtcd("put-256"), 4.5)],
  },
  {
    what: "PUT, 64 connections over all nodes",
    atLeast: [atLeast(toEtcd("put-64-spread"), 2)],
    aim: [atLeast(toEtcd("put-64-spread"), 3)],
  },
  {
    what: "PUT, one connection, p50",
    atLeast: [belowEtcd("put-1", "p50Ms")],
    aim: [atMost(figure("put-1", "p50Ms"), 0.5)],
  },
  {
    what: "PUT, 64 connections, p50",
    atLeast: [atMost(figure("put-64", "p50Ms"), 5), belowEtcd("put-64", "p50Ms")],
    aim: [atMost(figure("put-64", "p50Ms"), 2)],
  },
  {
    what: "PUT, 64 connections, p99",
    atLeast: [atMost(figure("put-64", "p99Ms"), 10), belowEtcd("put-64", "p99Ms")],
    aim: [atMost(figure("put-64", "p99Ms"), 6)],
  },
  {
    what: "linearizable GET, 64 connections",
    atLeast: [atLeast(toEtcd("get-64"), 3)],
    aim: [atLeast(toEtcd("get-64"), 5)],
  },
  {
    what: "lease GET, one connection, p50",
    atLeast: [atMost(figure("lease-1", "p50Ms"), 1)],
    aim: [atMost(figure("lease-1", "p50Ms"), 0.5)],
  },
  {
    what: "lease GET, 64 connections, p50",
    atLeast: [atMost(figure("lease-64", "p50Ms"), 1)],
    aim: [atMost(figure("lease-64", "p50Ms"), 0.5)],
  },
  {
    what: "leader killed to next write, median",
    atLeast: [atMost(failover("median"), 800)],
    aim: [atMost(failover("median"), 400)],
  },
  {
    what: "leader killed to next write, worst",
    atLeast: [atMost(failover("worst"), 2000)],
    aim: [atMost(failover("worst"), 1000)],
  },
  {
    what: "share of the ceiling, PUT, 64 connections",
    atLeast: [atLeast(ratio("put-64", "perSecond", "ceiling"), 0.65)],
    aim: [atLeast(ratio("put-64", "perSecond", "ceiling"), 0.85)],
  },
];

/** What a target speaks of, each once, in the order of its bounds. */
export function quantitiesOf({ atLeast, aim }: Target): Quantity[] {
  const known = new Map<string, Quantity>();
  for (const { quantity } of [...atLeast, ...aim]) known.set(JSON.stringify(quantity), quantity);
  return [...known.values()];
}

/** Judges one target. */
export function judge(target: Target, results: Results): Judgement {
  const measured = quantitiesOf(target).map((quantity) => valueOf(quantity, results));
  return { target, measured, verdict: verdictOf(target, results) };
}

function verdictOf(target: Target, results: Results): Verdict {
  if (quantitiesOf(target).some((quantity) => isUnsound(quantity, results))) return "unsound";
  const values = target.atLeast.map(({ quantity }) => valueOf(quantity, results));
  if (values.includes(null)) return "not measured";
  const allHold = (bounds: readonly Bound[]) => bounds.every((bound) => holds(bound, results));
  if (!allHold(target.atLeast)) return "missed";
  return allHold(target.aim) ? "aim reached" : "reached";
}

function holds({ quantity, is, value }: Bound, results: Results): boolean {
  const measured = valueOf(quantity, results);
  if (measured === null) return false;
  if (is === "at least") return measured >= value;
  return is === "at most" ? measured <= value : measured < value;
}

function valueOf(quantity: Quantity, { samples, failovers }: Results): number | null {
  switch (quantity.kind) {
    case "figure":
      return figuresOf(samples, quantity.workload, "kvorum")?.[quantity.metric] ?? null;
    case "ratio":
      return ratioTo(quantity.base, samples, quantity.workload, quantity.metric)?.median ?? null;
    case "failover":
      return failoverOf(quantity.of, failovers);
  }
}

function failoverOf(of: "median" | "worst", failovers: Failovers | null): number | null {
  if (failovers === null || failovers.samplesMs.length === 0) return null;
  return of === "median" ? median(failovers.samplesMs) : Math.max(...failovers.samplesMs);
}

/** Whether something failed in what the quantity rests on. */
function isUnsound(quantity: Quantity, { samples, failovers }: Results): boolean {
  if (quantity.kind === "failover") return failovers !== null && failovers.failure !== null;
  const contenders: ContenderName[] = quantity.kind === "ratio"
    ? ["kvorum", quantity.base]
    : ["kvorum"];
  return contenders.some((contender) => {
    const figures = figuresOf(samples, quantity.workload, contender);
    return figures !== null && figures.errors > 0;
  });
}
