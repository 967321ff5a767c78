/**
 * The regression guard's memory, bench/history.json: one JSON object a line, one line a commit that
 * measured, ratios only, since figures of different hours and machines do not compare. Pure: text in,
 * text out.
 *
 * @module
 */
import { LoadError } from "../load_types.ts";
import type { Spread } from "../statistics.ts";
import { ratioTo, type Sample } from "./results.ts";
import type { ContenderName, Workload } from "./workloads.ts";

/** A median that moved by no more than this share is the noise of a shared machine. */
const NOISE_SHARE = 0.1;
const RATIO_DIGITS = 3;
/** Whose ratios are kept: against etcd, against the ceiling, and three nodes against one. */
const bases: readonly ContenderName[] = ["etcd", "ceiling", "single"];

export interface HistoryLine {
  /** A hash, with `-dirty` behind it if the checkout differed from that commit. */
  readonly commit: string;
  /** ISO 8601, in UTC. */
  readonly date: string;
  readonly rounds: number;
  /** Of each measurement. */
  readonly seconds: number;
  /** Requests a second of Kvorum's three nodes to those of another, such as `put-64 kvorum/etcd`. */
  readonly ratios: Readonly<Record<string, Spread>>;
}

/** How one ratio changed from one line to the next. More is better. */
export interface Change {
  readonly name: string;
  readonly before: Spread;
  readonly after: Spread;
  /** Of the medians. */
  readonly percent: number;
  /** `same` if it lies within the noise, or within what the rounds of both runs have in common. */
  readonly verdict: "better" | "worse" | "same";
}

/** The ratios of a run, by the names that the history has for them. */
export function ratiosOf(
  samples: readonly Sample[],
  workloads: readonly Workload[],
): Record<string, Spread> {
  const ratios: Record<string, Spread> = {};
  for (const { id } of workloads) {
    for (const base of bases) {
      const spread = ratioTo(base, samples, id, "perSecond");
      if (spread !== null) ratios[`${id} kvorum/${base}`] = rounded(spread);
    }
  }
  return ratios;
}

function rounded({ low, median, high }: Spread): Spread {
  const round = (ratio: number) => Number(ratio.toFixed(RATIO_DIGITS));
  return { low: round(low), median: round(median), high: round(high) };
}

/** Reads a history. @throws {LoadError} naming the first line that is not one. */
export function parseHistory(text: string): HistoryLine[] {
  const lines: HistoryLine[] = [];
  for (const [i, line] of text.split("\n").entries()) {
    if (line.trim() === "") continue;
    const value = parseJson(line);
    if (!isHistoryLine(value)) {
      throw new LoadError(`Cannot read the history: line ${i + 1} is no measurement: ${line}`);
    }
    lines.push(value);
  }
  return lines;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isSpread(value: unknown): value is Spread {
  return isRecord(value) &&
    [value.low, value.median, value.high].every((it) => typeof it === "number");
}

function isHistoryLine(value: unknown): value is HistoryLine {
  return isRecord(value) && typeof value.commit === "string" && typeof value.date === "string" &&
    typeof value.rounds === "number" && typeof value.seconds === "number" &&
    isRecord(value.ratios) && Object.values(value.ratios).every(isSpread);
}

/** The history with one more line. A commit that measured last and measures again replaces its line. */
export function withLine(history: readonly HistoryLine[], line: HistoryLine): string {
  const kept = history.at(-1)?.commit === line.commit ? history.slice(0, -1) : history;
  return [...kept, line].map((it) => `${JSON.stringify(it)}\n`).join("");
}

/** The last line of another commit: what a run of `commit` is held against. */
export function lastBefore(history: readonly HistoryLine[], commit: string): HistoryLine | null {
  return history.findLast((line) => line.commit !== commit) ?? null;
}

/** How the ratios that both lines have differ, in the later one's order. */
export function changesOf(before: HistoryLine, after: HistoryLine): Change[] {
  return Object.entries(after.ratios).flatMap(([name, ratio]) => {
    const former = before.ratios[name];
    return former === undefined ? [] : [changeOf(name, former, ratio)];
  });
}

function changeOf(name: string, before: Spread, after: Spread): Change {
  const share = after.median / before.median - 1;
  const verdict = share < -NOISE_SHARE && after.high < before.low
    ? "worse"
    : share > NOISE_SHARE && after.low > before.high
    ? "better"
    : "same";
  return { name, before, after, percent: share * 100, verdict };
}
