/**
 * Why a history is not linearizable, in words: which operation, what it was told, what it could have been
 * told, and what else went on.
 *
 * @module
 */
import { type Calls, mentioned } from "./calls.ts";
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
  type WriteOperation,
} from "./types.ts";
import { UNWANTED } from "./wishes.ts";

/** Values that nobody read are named up to so many, then counted. */
const UNWANTED_NAMED_MAX = 5;

/** Explains a search that got stuck. */
export function explainStuck(
  history: readonly Operation[],
  component: Component,
  { until, calls, stuck }: Prefix,
): Offence {
  const { index } = stuck.call;
  const prefix = byInvocation(history, component.operations, until);
  const shown = prefix.map((at) => history[at]!);
  const states = stuck.possible.map((state) => describeState(calls, stuck, state, history, shown));
  const possible = [...new Set(states)];
  const lines = [
    `Nothing explains operation ${index}: ${describe(history[index]!)}`,
    `When it had to take place, ${possible.length === 1 ? "there was" : "there could be"} ` +
    possible.join("; or "),
  ];
  if (history[index]!.completedAt !== until) {
    const last = component.operations.find((at) => history[at]!.completedAt === until)!;
    lines.push(`Operation ${last} shows it: ${describe(history[last]!)}`);
  }
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
  return value === null ? "absent" : JSON.stringify(value);
}

/** Only by what is `shown`: the search may know versionstamps that were told after the prefix. */
function describeState(
  calls: Calls,
  stuck: Stuck,
  { cells, last }: PossibleState,
  history: readonly Operation[],
  shown: readonly Operation[],
): string {
  const { call } = stuck;
  const told = new Set(mentioned(shown));
  const isTold = (version: number) =>
    version !== NO_VERSION && told.has(calls.versionstamps[version]!);
  const texts = call.keys.map((key, i) => {
    const { value, version } = cells[i]!;
    const name = calls.keys[key]!;
    const stamp = isTold(version) ? ` @${calls.versionstamps[version]}` : "";
    const text = value === UNWANTED
      ? describeUnwanted(history, calls, stuck, key)
      : describeValue(value);
    return `${name} = ${text}${stamp}`;
  });
  if (call.version !== NO_VERSION && isTold(last)) {
    texts.push(`versionstamps up to ${calls.versionstamps[last]}`);
  }
  return texts.join(", ");
}

/** What the search does not tell apart: what was set there until then, and nobody read. */
function describeUnwanted(
  history: readonly Operation[],
  calls: Calls,
  { call }: Stuck,
  key: number,
): string {
  const values = new Set<Value>();
  for (const { index, mutations, invokedAt } of calls.calls) {
    if (invokedAt > call.completedAt) continue;
    for (const [i, { key: changed, value }] of mutations.entries()) {
      if (changed !== key || value !== UNWANTED) continue;
      const mutation = (history[index] as WriteOperation).mutations[i]!;
      if (mutation.type !== "delete") values.add(mutation.value);
    }
  }
  if (values.size > UNWANTED_NAMED_MAX) return `one of ${values.size} values that nobody read`;
  return [...values].map(describeValue).join(" or ");
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
