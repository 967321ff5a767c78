/**
 * What `deno task bench:compare` prints at the end: a table a workload, the failovers, the targets, the
 * change since the last recorded commit. Pure: text from results.
 *
 * @module
 */
import { median } from "../statistics.ts";
import { type Change, changesOf, type HistoryLine } from "./history_lines.ts";
import { errorsOf, type Failovers, figuresOf, ratioTo, type Results } from "./results.ts";
import { type Alignment, layOut, milliseconds, spreadText, whole } from "./table.ts";
import {
  type Bound,
  type Judgement,
  quantitiesOf,
  type Quantity,
  type Target,
  type Verdict,
} from "./targets.ts";
import { CONTENDER_TITLES, type ContenderName, type Workload, workloadTitle } from "./workloads.ts";

/** What must be known in order to read the figures. */
export const READING_NOTES = [
  "Medians over the rounds. Ratios are Kvorum's three nodes to the other within one round, then their",
  "median over the rounds (and the smallest and largest): what was measured side by side compares, while",
  "the machine's speed drifts. All contenders stay up all the time: idle, etcd's three nodes take about",
  "10 % of a core, Kvorum's 4 %, all others together less than that.",
  "Durability: every contender syncs a write to disk (a majority of the disks where there are several)",
  "before it acknowledges it; the ceiling can lose it all the same, and keeps no store.",
  "64 connections over three nodes are 21 at each, one wrk thread a node; otherwise wrk has one thread.",
].join("\n");

function contenderRow(results: Results, workload: string, contender: ContenderName): string[] {
  const figures = figuresOf(results.samples, workload, contender);
  if (figures === null) return [];
  const row = [
    `  ${CONTENDER_TITLES[contender]}`,
    whole(figures.perSecond),
    milliseconds(figures.p50Ms),
    milliseconds(figures.p95Ms),
    milliseconds(figures.p99Ms),
    `${figures.errors}`,
  ];
  if (contender !== "kvorum") {
    for (const metric of ["perSecond", "p50Ms", "p99Ms"] as const) {
      const ratio = ratioTo(contender, results.samples, workload, metric);
      row.push(ratio === null ? "" : spreadText(ratio));
    }
  }
  if (figures.leaderChanges > 0) row.push(`the leader changed ${figures.leaderChanges} times`);
  return row;
}

/** One table of all workloads that were measured. */
export function workloadTable(results: Results, workloads: readonly Workload[]): string {
  const columns = ["/s", "p50", "p95", "p99", "failed", "/s ratio", "p50 ratio", "p99 ratio"];
  const rows: string[][] = [];
  for (const workload of workloads) {
    const its = workload.contenders.map((name) => contenderRow(results, workload.id, name))
      .filter((row) => row.length > 0);
    if (its.length === 0) continue;
    rows.push([""], [workloadTitle(workload), ...columns], ...its);
  }
  return layOut(rows, ["left", ...columns.map((): Alignment => "right")]);
}

/** One line on a series of kills. */
export function failoverText(who: string, failovers: Failovers): string {
  const { samplesMs, refusals, failure } = failovers;
  const parts: string[] = [];
  if (samplesMs.length > 0) {
    const list = samplesMs.map((ms) => ms.toFixed(0)).join(" ");
    const worst = Math.max(...samplesMs);
    parts.push(`median ${median(samplesMs).toFixed(0)} ms, worst ${worst.toFixed(0)} ms (${list})`);
  }
  if (refusals > 0) parts.push(`${refusals} writes refused meanwhile`);
  if (failure !== null) parts.push(`FAILED: ${failure}`);
  return `${who}, leader killed (kill -9) to next accepted write at a survivor, ` +
    `${samplesMs.length} kills: ${parts.join("; ")}`;
}

/** A value of a quantity, with its unit. */
function quantityText(quantity: Quantity, value: number | null): string {
  if (value === null) return "–";
  switch (quantity.kind) {
    case "failover":
      return `${(value / 1000).toFixed(2)} s`;
    case "figure":
      return quantity.metric === "perSecond" ? `${whole(value)}/s` : milliseconds(value);
    case "ratio":
      return quantity.base === "ceiling"
        ? `${(value * 100).toFixed(0)} %`
        : `${value.toFixed(2)}x ${quantity.base}${quantity.metric === "perSecond" ? "" : "'s"}`;
  }
}

const boundSigns: Readonly<Record<Bound["is"], string>> = {
  "at least": "≥",
  "at most": "≤",
  "below": "<",
};

function boundsText(bounds: readonly Bound[]): string {
  return bounds.map(({ quantity, is, value }) =>
    `${boundSigns[is]} ${quantityText(quantity, value)}`
  )
    .join(", ");
}

function measuredText(target: Target, measured: readonly (number | null)[]): string {
  return quantitiesOf(target).map((quantity, i) => quantityText(quantity, measured[i])).join(", ");
}

const verdictTexts: Readonly<Record<Verdict, string>> = {
  "aim reached": "aim reached",
  "reached": "reached",
  "missed": "MISSED",
  "unsound": "UNSOUND: errors",
  "not measured": "not measured",
};

/** The table of the targets. */
export function targetTable(judgements: readonly Judgement[]): string {
  const rows = judgements.map(({ target, measured, verdict }) => [
    `  ${target.what}`,
    measuredText(target, measured),
    boundsText(target.atLeast),
    boundsText(target.aim),
    verdictTexts[verdict],
  ]);
  return layOut([["targets", "measured", "at least", "aim", ""], ...rows], [
    "left",
    "right",
    "right",
    "right",
    "left",
  ]);
}

/** What went wrong, in a sentence; empty if nothing did. */
export function errorText(results: Results): string {
  const errors = errorsOf(results);
  if (errors === 0) return "";
  if (results.failure !== null) return `NOT SOUND: ended early: ${results.failure}`;
  return `NOT SOUND: ${whole(errors)} requests or failovers failed; see the column "failed"`;
}

function changeRow({ name, before, after, percent, verdict }: Change): string[] {
  const sign = percent < 0 ? "" : "+";
  return [
    `  ${name}`,
    spreadText(before),
    spreadText(after),
    `${sign}${percent.toFixed(1)} %`,
    verdict === "worse" ? "WORSE" : verdict === "better" ? "better" : "",
  ];
}

/** How the ratios have changed between two lines of the history. */
export function changeTable(before: HistoryLine, after: HistoryLine): string {
  const changes = changesOf(before, after);
  const head = [`ratios`, before.commit, after.commit, "change", ""];
  return layOut([head, ...changes.map(changeRow)], ["left", "right", "right", "right", "left"]);
}
