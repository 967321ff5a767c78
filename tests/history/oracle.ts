/**
 * Linearizability by its definition, for tiny histories: every order of the operations that respects time,
 * with every choice of what took place of the unknown, each judged by a naive store. Shares nothing with
 * the checker but the types.
 *
 * Versions nobody was told are left open while an order is walked, pinned by what is seen of them, and
 * held against the order in the end.
 *
 * @module
 */
import type { Operation, Value } from "./mod.ts";

interface Held {
  readonly value: Value;
  /** The write it is of, by its place in the order. */
  readonly writer: number;
}

/** Whether some order explains all operations, over all keys at once. */
export function isLinearizable(history: readonly Operation[]): boolean {
  const told = history.filter(({ op, outcome }) =>
    outcome !== "failed" && !(op === "read" && outcome === "unknown")
  );
  return extend([], told);
}

/** Whether the order can be continued with those that are left. */
function extend(order: readonly Operation[], left: readonly Operation[]): boolean {
  if (left.every(({ outcome }) => outcome === "unknown") && isLegal(order)) return true;
  return left.some((next) => {
    const others = left.filter((it) => it !== next);
    const mayBeNext = others.every((other) => endOf(other) >= next.invokedAt);
    return mayBeNext && extend([...order, next], others);
  });
}

function endOf({ outcome, completedAt }: Operation): number {
  return outcome === "unknown" ? Infinity : completedAt!;
}

/** Whether a store that does one after the other would answer so. */
function isLegal(order: readonly Operation[]): boolean {
  const state = new Map<string, Held>();
  const versions = new Map<number, string>();
  const refuted: { held: (Held | undefined)[]; operation: Operation }[] = [];
  const pin = (held: Held | undefined, version: string): boolean => {
    if (held === undefined) return false;
    const known = versions.get(held.writer);
    if (known === undefined) versions.set(held.writer, version);
    return known === undefined || known === version;
  };
  for (const [place, operation] of order.entries()) {
    if (operation.op === "read") {
      if (operation.outcome !== "ok") continue;
      const fits = operation.entries.every((entry, i) => {
        const held = state.get(operation.keys[i]!);
        if (entry === null) return held === undefined;
        if (held?.value !== entry.value) return false;
        return entry.versionstamp === undefined || pin(held, entry.versionstamp);
      });
      if (!fits) return false;
      continue;
    }
    if (operation.outcome === "check-failed") {
      const held = operation.checks.map(({ key }) => state.get(key));
      // Checks that are known to have held say what the version was.
      const fits = operation.checks.every((check, i) => {
        if (operation.failedChecks?.includes(i) ?? true) return true;
        return "value" in check || check.versionstamp === null || pin(held[i], check.versionstamp);
      });
      if (!fits) return false;
      refuted.push({ operation, held });
      continue;
    }
    if (operation.outcome === "ok" && operation.versionstamp !== undefined) {
      versions.set(place, operation.versionstamp);
    }
    for (const check of operation.checks) {
      const held = state.get(check.key);
      if ("value" in check) {
        if ((held?.value ?? null) !== check.value) return false;
      } else if (check.versionstamp === null) {
        if (held !== undefined) return false;
      } else if (!pin(held, check.versionstamp)) return false;
    }
    for (const mutation of operation.mutations) {
      const { key } = mutation;
      if (mutation.type === "delete") {
        state.delete(key);
        continue;
      }
      const before = state.get(key)?.value;
      let value: Value = mutation.value;
      if (mutation.type !== "set" && before !== undefined) {
        if (typeof before !== "number") return false;
        if (mutation.type === "sum") value = before + mutation.value;
        if (mutation.type === "min") value = Math.min(before, mutation.value);
        if (mutation.type === "max") value = Math.max(before, mutation.value);
      }
      state.set(key, { value, writer: place });
    }
  }
  const inOrder = [...versions].sort(([a], [b]) => a - b).map(([, version]) => version);
  for (let i = 1; i < inOrder.length; i++) if (inOrder[i - 1]! >= inOrder[i]!) return false;
  return refuted.every(({ operation, held }) => wasRefuted(operation, held, versions));
}

function wasRefuted(
  operation: Operation,
  held: readonly (Held | undefined)[],
  versions: ReadonlyMap<number, string>,
): boolean {
  if (operation.op !== "write" || operation.outcome !== "check-failed") return false;
  const failed = operation.checks.map((check, i) => {
    const found = held[i];
    if ("value" in check) return (found?.value ?? null) !== check.value;
    if (check.versionstamp === null) return found !== undefined;
    return found === undefined || versions.get(found.writer) !== check.versionstamp;
  });
  const { failedChecks } = operation;
  if (failedChecks === undefined) return failed.includes(true);
  return failed.every((it, i) => it === failedChecks.includes(i));
}
