/**
 * Tables and numbers as text. Pure.
 *
 * @module
 */
import type { Spread } from "../statistics.ts";

const COLUMN_GAP = "  ";

/** How a column stands. */
export type Alignment = "left" | "right";

/** Lays rows out in columns as wide as their widest cell. Rows may be of different lengths. */
export function layOut(
  rows: readonly (readonly string[])[],
  alignments: readonly Alignment[],
): string {
  const widths: number[] = [];
  for (const row of rows) {
    row.forEach((cell, i) => widths[i] = Math.max(widths[i] ?? 0, cell.length));
  }
  const lines = rows.map((row) =>
    row.map((cell, i) =>
      alignments[i] === "right" ? cell.padStart(widths[i]) : cell.padEnd(widths[i])
    ).join(COLUMN_GAP).trimEnd()
  );
  return lines.join("\n");
}

/** `12,345`: a whole number with its thousands set apart. */
export function whole(value: number): string {
  return value.toFixed(0).replace(/\B(?=(?:\d{3})+$)/g, ",");
}

/** `4.21 ms`: a time in ms with three digits or so. */
export function milliseconds(ms: number): string {
  return `${ms.toFixed(ms < 10 ? 2 : ms < 100 ? 1 : 0)} ms`;
}

/** `2.61 (2.40 to 2.80)`: the middle, and how far the rounds were apart. */
export function spreadText({ low, median, high }: Spread): string {
  return `${median.toFixed(2)} (${low.toFixed(2)} to ${high.toFixed(2)})`;
}
