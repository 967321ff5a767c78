/**
 * The summary of a chaos run as text.
 *
 * @module
 */
import type { Finding } from "./verdict.ts";

export interface Summary {
  readonly seed: number;
  readonly size: number;
  readonly transport: string;
  readonly seconds: number;
  /** By kind, then by outcome. */
  readonly operations: ReadonlyMap<string, ReadonlyMap<string, number>>;
  readonly retries: number;
  readonly faults: ReadonlyMap<string, number>;
  readonly longestGap: { readonly ms: number; readonly atMs: number };
  readonly findings: readonly Finding[];
}

const OUTCOMES = ["ok", "check-failed", "failed", "unknown"];

export function isGood({ findings }: Summary): boolean {
  return findings.every((finding) => finding.isGood);
}

/** Three tables and a last line. */
export function reportOf(summary: Summary): string {
  const { seed, size, transport, seconds, operations, retries, faults, longestGap } = summary;
  const rows = [...operations].sort(([a], [b]) => a.localeCompare(b, "en")).map(
    ([kind, counts]) => {
      return [kind, ...OUTCOMES.map((outcome) => String(counts.get(outcome) ?? 0))];
    },
  );
  const sums = OUTCOMES.map((outcome) =>
    String([...operations.values()].reduce((sum, counts) => sum + (counts.get(outcome) ?? 0), 0))
  );
  const faultRows = [...faults].sort(([a], [b]) => a.localeCompare(b, "en"))
    .map(([name, count]) => [name, String(count)]);
  const gap = `${Math.round(longestGap.ms)} ms, until ${(longestGap.atMs / 1000).toFixed(1)} s`;
  const findings = summary.findings.map(({ what, isGood, detail }) =>
    `${isGood ? "ok  " : "FAIL"} ${what}: ${detail}`
  );
  return [
    `seed ${seed}, ${size} nodes over ${transport}, ${Math.round(seconds)} s`,
    "",
    ...table([["operation", ...OUTCOMES], ...rows, ["all", ...sums]]),
    `attempts again under an idempotency key: ${retries}`,
    "",
    ...table([["fault", "times"], ...faultRows]),
    "",
    `longest time without an acknowledged write: ${gap}`,
    "",
    ...findings,
    "",
    isGood(summary) ? "no violation" : "VIOLATIONS: see above",
  ].join("\n");
}

function table(rows: readonly (readonly string[])[]): string[] {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  return rows.map((row) =>
    row.map((cell, i) => i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i])).join("  ")
  );
}
