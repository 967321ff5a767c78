/**
 * What the watchers of a chaos run were told, held against what was written: of the parts of the log that
 * they were told everything of, everything; the same to all; and nothing else.
 *
 * @module
 */
import { compareVersionstamps, type Operation, type Versionstamp } from "../history/mod.ts";
import type { Finding } from "./verdict.ts";
import type { WatchLog } from "./watch_log.ts";

/** Fewer visits say nothing of how often a gap is said. */
const GAP_VISITS_MIN = 8;

/** A write that is known to have happened, with what it must have been told as: keys with values; null: deleted. */
export interface Written {
  readonly versionstamp: Versionstamp;
  readonly sets: ReadonlyMap<string, unknown>;
}

/** Those of a history that were acknowledged and changed something. A delete without a check may have found nothing. */
export function writtenOf(operations: readonly Operation[]): Written[] {
  return operations.flatMap((operation) => {
    if (operation.op !== "write" || operation.outcome !== "ok") return [];
    // Sums are told, too; what they come to stands in no request.
    const sets = new Map<string, unknown>();
    const wasThere = (key: string) =>
      operation.checks.some((check) =>
        check.key === key && "versionstamp" in check && check.versionstamp !== null
      );
    for (const mutation of operation.mutations) {
      if (mutation.type === "set") sets.set(mutation.key, mutation.value);
      else if (mutation.type === "delete" && wasThere(mutation.key)) sets.set(mutation.key, null);
      else sets.delete(mutation.key);
    }
    const isTold = sets.size > 0 || operation.mutations.some(({ type }) => type !== "delete");
    return isTold ? [{ versionstamp: operation.versionstamp!, sets }] : [];
  });
}

/** How many watchers there were, and of how much of what was written they were told. */
export function judgeWatches(logs: readonly WatchLog[], written: readonly Written[]): Finding {
  const wrong = logs.flatMap(({ violations }) => violations);
  // Whatever anybody was told was written; and all must be told the same.
  const changes = new Map<Versionstamp, string>();
  for (const { name, told } of logs) {
    for (const { versionstamp, changes: text } of told) {
      const known = changes.get(versionstamp);
      if (known === undefined) changes.set(versionstamp, text);
      else if (known !== text) {
        wrong.push(`${name} was told of ${versionstamp} ${text}, not ${known}`);
      }
    }
  }
  for (const { versionstamp, sets } of written) {
    const text = changes.get(versionstamp);
    if (text !== undefined) wrong.push(...lacking(versionstamp, sets, text));
  }
  const all = [...new Set([...changes.keys(), ...written.map((each) => each.versionstamp)])]
    .sort(compareVersionstamps);
  let expected = 0;
  for (const log of logs) {
    const told = new Set(log.told.map(({ versionstamp }) => versionstamp));
    for (const versionstamp of all) {
      if (!isCovered(log, versionstamp)) continue;
      expected++;
      if (!told.has(versionstamp)) wrong.push(`${log.name} was not told of ${versionstamp}`);
    }
  }
  const gaps = logs.reduce((sum, { spans }) => sum + Math.max(0, spans.length - 1), 0);
  const visits = logs.reduce((sum, log) => sum + log.visits, 0);
  // Else whoever loses something could always say so: a gap is for a node that was away.
  if (visits >= GAP_VISITS_MIN && gaps > visits / 2) wrong.push(`${gaps} gaps in ${visits} visits`);
  const size = `${logs.length} watchers, ${expected} of ${
    logs.length * all.length
  } events, ${gaps} gaps`;
  return {
    what: "watches: nothing lost, repeated or told backwards but where a gap was said",
    // Watchers that were told everything of nothing show nothing.
    isGood: wrong.length === 0 && (expected > 0 || all.length === 0),
    detail: [`${size}`, ...wrong.slice(0, 10)].join("\n  "),
  };
}

function isCovered({ spans }: WatchLog, versionstamp: Versionstamp): boolean {
  return spans.some(({ from, to }) =>
    compareVersionstamps(from, versionstamp) < 0 && compareVersionstamps(versionstamp, to) <= 0
  );
}

/** What of a write's sets its event does not have. */
function lacking(
  versionstamp: Versionstamp,
  sets: ReadonlyMap<string, unknown>,
  text: string,
): string[] {
  const told = JSON.parse(text) as { type: string; key: unknown[]; value?: unknown }[];
  return [...sets].flatMap(([key, value]) => {
    const change = told.find((each) => each.key.join("/") === key);
    const isThere = value === null
      ? change?.type === "delete"
      : change?.type === "set" && String(change.value) === String(value);
    return isThere ? [] : [`${versionstamp} was told without ${key} = ${value}: ${text}`];
  });
}
