/**
 * The smallest prefix of a history that has no order: what was known at the first moment at which no order
 * explained it any more.
 *
 * A search knows the whole history from its start, and may get stuck early for something that was told
 * only later (whose versionstamp it was that a read had shown). So where it got stuck is where the
 * moment can first be, and each moment is judged by what was known then.
 *
 * @module
 */
import { type Calls, prepare } from "./calls.ts";
import type { Component } from "./components.ts";
import { search, type SearchLimits, type SearchResult } from "./search.ts";
import type { Operation } from "./types.ts";

/** A search that got stuck. */
export type Stuck = Extract<SearchResult, { type: "none" }>;

/** The smallest prefix. */
export interface Prefix {
  /** The moment of the completion that shows it. */
  readonly until: number;
  readonly calls: Calls;
  readonly stuck: Stuck;
}

/** Narrows a component without an order down to its smallest prefix without one. */
export function smallestPrefix(
  history: readonly Operation[],
  component: Component,
  limits: SearchLimits,
  whole: { readonly calls: Calls; readonly stuck: Stuck },
): Prefix {
  const moments = momentsFrom(history, component, history[whole.stuck.call.index]!.completedAt!);
  let best: Prefix = { until: moments.at(-1)!, ...whole };
  const fails = (at: number): boolean => {
    const found = searchAsOf(history, component, limits, moments[at]!);
    if (found !== null) best = { until: moments[at]!, ...found };
    return found !== null;
  };
  // Nearly always so; and then the whole search knows best what could have been.
  if (fails(0)) return { until: moments[0]!, ...whole };
  // Else not far behind. `low` is known to have an order, `high` in the end to have none.
  let [low, high] = [0, Math.min(1, moments.length - 1)];
  for (let stride = 1; high < moments.length - 1 && !fails(high); stride *= 2) {
    low = high;
    high = Math.min(high + stride, moments.length - 1);
  }
  while (high - low > 1) {
    const middle = (low + high) >>> 1;
    if (fails(middle)) high = middle;
    else low = middle;
  }
  return best;
}

/** The history as it was known at a moment: what was pending then may have taken place or not. */
export function asOf(operation: Operation, moment: number): Operation | null {
  if (operation.invokedAt > moment) return null;
  if (operation.completedAt !== null && operation.completedAt <= moment) return operation;
  const { client, invokedAt, op } = operation;
  const span = { client, invokedAt, completedAt: null, outcome: "unknown" as const };
  if (op === "read") return { ...span, op, keys: operation.keys };
  return { ...span, op, checks: operation.checks, mutations: operation.mutations };
}

function searchAsOf(
  history: readonly Operation[],
  component: Component,
  limits: SearchLimits,
  moment: number,
): { calls: Calls; stuck: Stuck } | null {
  const known: Operation[] = [];
  const operations = component.operations.filter((index) => {
    const operation = asOf(history[index]!, moment);
    if (operation === null || operation.op === "read" && operation.outcome !== "ok") return false;
    known[index] = operation;
    return true;
  });
  const calls = prepare(known, { keys: component.keys, operations });
  const found = search(calls, limits);
  return found.type === "none" ? { calls, stuck: found } : null;
}

/** The moments of completions, each once, from this one on. */
function momentsFrom(
  history: readonly Operation[],
  component: Component,
  first: number,
): readonly number[] {
  const moments = new Set([first]);
  for (const index of component.operations) {
    const { outcome, completedAt } = history[index]!;
    if (outcome !== "unknown" && completedAt !== null && completedAt > first) {
      moments.add(completedAt);
    }
  }
  return [...moments].sort((a, b) => a - b);
}
