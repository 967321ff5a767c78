/** Medians, percentiles and paired ratios. */
import { assertEquals, assertThrows } from "@std/assert";
import { measuredOf, median, pairedRatios, percentile, spreadOf } from "../../bench/statistics.ts";

Deno.test("median() is the middle by size, not by place nor by text", () => {
  assertEquals(median([9, 100, 20]), 20);
  assertEquals(median([7]), 7);
});

Deno.test("median() of an even count is the mean of the two in the middle", () => {
  assertEquals(median([100, 1, 3, 2]), 2.5);
});

Deno.test("median() refuses no values, and leaves those it is given in their order", () => {
  assertThrows(() => median([]), RangeError);
  const values = [3, 1, 2];
  median(values);
  assertEquals(values, [3, 1, 2]);
});

Deno.test("percentile() counts from the smallest, and stays within the values", () => {
  const ascending = Array.from({ length: 100 }, (_, i) => i + 1);
  assertEquals([0, 0.5, 0.95, 0.99, 1].map((share) => percentile(ascending, share)), [
    1,
    51,
    96,
    100,
    100,
  ]);
  assertEquals(percentile([], 0.5), NaN);
});

Deno.test("spreadOf() has the ends and the middle, and nothing of nothing", () => {
  assertEquals(spreadOf([2, 8, 4]), { low: 2, median: 4, high: 8 });
  assertEquals(spreadOf([]), null);
});

Deno.test("pairedRatios() divides within a pair, so that a drift of both falls out", () => {
  // The second round ran at half the speed: the ratio of the medians would be 2.25 of 1.5.
  assertEquals(pairedRatios([3000, 1500], [1000, 500]), [3, 3]);
});

Deno.test("pairedRatios() leaves out a pair that lacks a side, and never shifts the others", () => {
  assertEquals(pairedRatios([10, null, 30, 40], [5, 5, null, 10]), [2, 4]);
  assertEquals(pairedRatios([10, 20], [0, 10]), [2]);
  assertEquals(pairedRatios([10, 20], [5]), [2]);
});

Deno.test("measuredOf() sorts latencies by number, and counts requests in all of the time", () => {
  assertEquals(measuredOf([10, 9, 100, 1], 2, 0.5), {
    requests: 4,
    errors: 2,
    perSecond: 8,
    p50Ms: 10,
    p95Ms: 100,
    p99Ms: 100,
    maxMs: 100,
  });
});
