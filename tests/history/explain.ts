/**
 * Why a history is not linearizable, in words: which operation, what it was told, what it could have been
 * told, and what else went on.
 *
 * @module
 */
import type { Calls } from "./calls.ts";
import { NO_VERSION } from "./cells.ts";
import type { Offence } from "./checker.ts";
import type { Component } from "./components.ts";
import type { Prefix, Stuck } from "./prefix.ts";
import type { PossibleState } from "./search.ts";
import type { Inversion, Shared } from "./timeline.ts";
import {
  type Check,
  type Entry,
  keysOf,
  type Mutation,
  type Operation,
  type Value,
} from "./types.ts";
import { UNWANTED } from "./wishes.ts";

/** Explains a search that got stuck. */
export function explainStuck(
  history: readonly Operation[],
  component: Component,
  { until, calls, stuck }: Prefix,
): Offence {
  const { index } = stuck.call;
  const lines = [
    `Nothing explains operation ${index}: ${describe(history[index]!)}`,
    `When it had to take place, ${stuck.possible.length === 1 ? "there was" : "there could be"} ` +
    stuck.possible.map((state) => describeState(calls, stuck, state)).join("; or "),
  ];
  if (history[index]!.completedAt !== until) {
    const shown = component.operations.find((at) => history[at]!.completedAt === until)!;
    lines.push(`Operation ${shown} shows it: ${describe(history[shown]!)}`);
  }
  const prefix = byInvocation(history, component.operations, until);
  return { keys: component.keys, index, until, prefix, explanation: lines.join("\n") };
}

/** Explains two operations whose versionstamps are out of order. */
export function explainInversion(history: readonly Operation[], inversion: Inversion): Offence {
  const { index, before, beforeVersionstamp, overwrittenBy } = inversion;
  const involved = [before, ...overwrittenBy === null ? [] : [overwrittenBy], index];
  const operations = [...new Set(involved)];
  const lines = [
    `Operation ${index} looks older than one that was over before it began: ` +
    describe(history[index]!),
    `Operation ${before} had reached versionstamp ${beforeVersionstamp}: ${
      describe(history[before]!)
    }`,
  ];
  if (overwrittenBy !== null) {
    lines.push(
      `Operation ${overwrittenBy} had overwritten what was read: ${
        describe(history[overwrittenBy]!)
      }`,
    );
  }
  return {
    keys: [...new Set(operations.flatMap((at) => keysOf(history[at]!)))].sort(),
    index,
    until: inversion.until,
    prefix: byInvocation(history, operations, Infinity),
    explanation: lines.join("\n"),
  };
}

/** Explains two writes that were told one versionstamp. */
export function explainShared(history: readonly Operation[], shared: Shared): Offence {
  const { index, before, versionstamp, until } = shared;
  const operations = [before, index];
  return {
    keys: [...new Set(operations.flatMap((at) => keysOf(history[at]!)))].sort(),
    index,
    until,
    prefix: byInvocation(history, operations, Infinity),
    explanation: [
      `Operation ${index} was told the versionstamp ${versionstamp}: ${describe(history[index]!)}`,
      `So was operation ${before}: ${describe(history[before]!)}`,
    ].join("\n"),
  };
}

/** One operation on one line: `c1 sets a = 5 → ok @07 [12 – 15]`. */
export function describe(operation: Operation): string {
  const until = operation.outcome === "unknown" ? "…" : operation.completedAt;
  return `${operation.client} ${describeAction(operation)} → ${describeOutcome(operation)} ` +
    `[${operation.invokedAt} – ${until}]`;
}

function describeAction(operation: Operation): string {
  if (operation.op === "read") return `reads ${operation.keys.join(", ")}`;
  const mutations = operation.mutations.map(describeMutation).join(", ") || "changes nothing";
  if (operation.checks.length === 0) return mutations;
  return `if ${operation.checks.map(describeCheck).join(" and ")}: ${mutations}`;
}

function describeOutcome(operation: Operation): string {
  if (operation.outcome === "check-failed") {
    const failed = operation.failedChecks?.map((at) => describeCheck(operation.checks[at]!));
    return failed === undefined ? "a check failed" : `was not so: ${failed.join(", ")}`;
  }
  if (operation.outcome !== "ok") return operation.outcome;
  if (operation.op === "read") return operation.entries.map(describeEntry).join(", ");
  return operation.versionstamp === undefined ? "ok" : `ok @${operation.versionstamp}`;
}

function describeMutation(mutation: Mutation): string {
  if (mutation.type === "delete") return `deletes ${mutation.key}`;
  if (mutation.type === "set") return `sets ${mutation.key} = ${describeValue(mutation.value)}`;
  return `${mutation.type}s ${mutation.key} by ${mutation.value}`;
}

function describeCheck(check: Check): string {
  if ("value" in check) return `${check.key} = ${describeValue(check.value)}`;
  return `${check.key} @${check.versionstamp ?? " absent"}`;
}

function describeEntry(entry: Entry | null): string {
  if (entry === null) return "absent";
  const stamp = entry.versionstamp === undefined ? "" : ` @${entry.versionstamp}`;
  return describeValue(entry.value) + stamp;
}

function describeValue(value: Value | null): string {
  if (value === UNWANTED) return "something that nobody read";
  return value === null ? "absent" : JSON.stringify(value);
}

function describeState(calls: Calls, { call }: Stuck, { cells, last }: PossibleState): string {
  const texts = call.keys.map((key, i) => {
    const { value, version } = cells[i]!;
    const stamp = version === NO_VERSION ? "" : ` @${calls.versionstamps[version]}`;
    return `${calls.keys[key]} = ${describeValue(value)}${stamp}`;
  });
  if (call.version !== NO_VERSION && last !== NO_VERSION) {
    texts.push(`versionstamps up to ${calls.versionstamps[last]}`);
  }
  return texts.join(", ");
}

function byInvocation(
  history: readonly Operation[],
  operations: readonly number[],
  until: number,
): number[] {
  return operations
    .filter((index) => history[index]!.invokedAt <= until)
    .sort((a, b) => history[a]!.invokedAt - history[b]!.invokedAt || a - b);
}
