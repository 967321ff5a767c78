/**
 * Makers of samples for the tests of the comparison.
 *
 * @module
 */
import type { Failovers, Results, Sample } from "../../bench/compare/results.ts";

/** A sample that is whole but for what is told; all of its latencies are derived from its p50. */
export function sample(
  part: Pick<Sample, "workload" | "contender" | "perSecond"> & Partial<Sample>,
): Sample {
  const p50Ms = part.p50Ms ?? 1;
  return {
    round: 0,
    requests: part.perSecond,
    errors: 0,
    leaderChanged: false,
    p50Ms,
    p95Ms: p50Ms * 2,
    p99Ms: p50Ms * 3,
    maxMs: p50Ms * 4,
    ...part,
  };
}

export function results(samples: Sample[], failovers: Failovers | null = null): Results {
  return { samples, failovers, etcdFailovers: null, failure: null };
}

export function failovers(samplesMs: number[], failure: string | null = null): Failovers {
  return { samplesMs, refusals: 0, failure };
}
