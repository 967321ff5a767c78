/**
 * From samples to figures: medians over the rounds, and ratios within them. Pure.
 *
 * @module
 */
import type { Measured } from "../load_types.ts";
import { median, pairedRatios, type Spread, spreadOf } from "../statistics.ts";
import type { ContenderName } from "./workloads.ts";

/** One measurement: one contender under one workload in one round. */
export interface Sample extends Measured {
  readonly round: number;
  /** The workload's id. */
  readonly workload: string;
  readonly contender: ContenderName;
  /** Whether another node led at its end than at its beginning. */
  readonly leaderChanged: boolean;
}

export type Metric = "perSecond" | "p50Ms" | "p95Ms" | "p99Ms";

/** Medians over the rounds; sums of what went wrong in them. */
export interface Figures {
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p95Ms: number;
  readonly p99Ms: number;
  readonly rounds: number;
  readonly errors: number;
  readonly leaderChanges: number;
}

/** What there is on failovers; null where none were asked for. */
export interface Failovers {
  readonly samplesMs: readonly number[];
  /** Writes that the survivors answered with something else than success before that. */
  readonly refusals: number;
  /** Why there are no more samples, or null if all kills were made. */
  readonly failure: string | null;
}

/** Everything that one run has measured. */
export interface Results {
  readonly samples: readonly Sample[];
  readonly failovers: Failovers | null;
  readonly etcdFailovers: Failovers | null;
  /** Why it ended before its time, or null if it did not. */
  readonly failure: string | null;
}

function samplesOf(
  samples: readonly Sample[],
  workload: string,
  contender: ContenderName,
): Sample[] {
  return samples.filter((it) => it.workload === workload && it.contender === contender);
}

/** The figures of one contender under one workload, or null if it was not measured. */
export function figuresOf(
  samples: readonly Sample[],
  workload: string,
  contender: ContenderName,
): Figures | null {
  const its = samplesOf(samples, workload, contender);
  if (its.length === 0) return null;
  const middle = (metric: Metric) => median(its.map((sample) => sample[metric]));
  return {
    perSecond: middle("perSecond"),
    p50Ms: middle("p50Ms"),
    p95Ms: middle("p95Ms"),
    p99Ms: middle("p99Ms"),
    rounds: its.length,
    errors: its.reduce((sum, { errors }) => sum + errors, 0),
    leaderChanges: its.filter(({ leaderChanged }) => leaderChanged).length,
  };
}

/**
 * How Kvorum's three nodes stand to `base` under one workload: the ratio within each round, spread over
 * the rounds. Null if there is no round that measured both.
 */
export function ratioTo(
  base: ContenderName,
  samples: readonly Sample[],
  workload: string,
  metric: Metric,
): Spread | null {
  const rounds = new Set(samples.map(({ round }) => round));
  const inRounds = (contender: ContenderName) => {
    const its = new Map(samplesOf(samples, workload, contender).map((it) => [it.round, it]));
    return [...rounds].map((round) => its.get(round)?.[metric] ?? null);
  };
  return spreadOf(pairedRatios(inRounds("kvorum"), inRounds(base)));
}

/** All requests that failed, failed series of kills, and an early end. More than none: the run is not sound. */
export function errorsOf({ samples, failovers, etcdFailovers, failure }: Results): number {
  const failures = [failure, failovers?.failure, etcdFailovers?.failure];
  return samples.reduce((sum, { errors }) => sum + errors, 0) +
    failures.filter((it) => typeof it === "string").length;
}
