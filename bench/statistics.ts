/**
 * Medians, percentiles and paired ratios of measurements. Pure: it measures nothing itself.
 *
 * Ratios are taken between what was measured side by side, and only then is their middle taken: the
 * machine's speed drifts, and a ratio of two medians would compare one minute with another.
 *
 * @module
 */
import type { Measured } from "./load_types.ts";

/** The middle of several values, and the ends. */
export interface Spread {
  readonly low: number;
  readonly median: number;
  readonly high: number;
}

/** The middle value; the mean of the two in the middle if their count is even. @throws {RangeError} for none. */
export function median(values: readonly number[]): number {
  if (values.length === 0) throw new RangeError("Cannot take the median of no values");
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** The value that `share` (0 to 1) of the ascending values do not exceed; NaN for none. */
export function percentile(ascending: ArrayLike<number>, share: number): number {
  if (ascending.length === 0) return NaN;
  return ascending[Math.min(ascending.length - 1, Math.floor(ascending.length * share))];
}

/** Median, smallest and largest, or null for no values. */
export function spreadOf(values: readonly number[]): Spread | null {
  if (values.length === 0) return null;
  return { low: Math.min(...values), median: median(values), high: Math.max(...values) };
}

/**
 * The ratio of each pair: the values at one index of both lists were measured side by side. A pair of
 * which a value is missing (null), or whose base is not positive, has no ratio and is left out.
 */
export function pairedRatios(
  values: readonly (number | null)[],
  bases: readonly (number | null)[],
): number[] {
  const ratios: number[] = [];
  values.forEach((value, i) => {
    const base = bases[i] ?? null;
    if (value !== null && base !== null && base > 0) ratios.push(value / base);
  });
  return ratios;
}

/** What closed-loop workers found: their latencies in any order, and how long all of it took. */
export function measuredOf(
  latenciesMs: readonly number[],
  errors: number,
  seconds: number,
): Measured {
  const ascending = Float64Array.from(latenciesMs).sort();
  return {
    requests: ascending.length,
    errors,
    perSecond: ascending.length / seconds,
    p50Ms: percentile(ascending, 0.5),
    p95Ms: percentile(ascending, 0.95),
    p99Ms: percentile(ascending, 0.99),
    maxMs: percentile(ascending, 1),
  };
}
