/**
 * Cuts a history into parts that can be checked apart: linearizability is local (Herlihy and Wing 1990,
 * theorem 1), so keys that no operation touches together are objects of their own.
 *
 * What ties keys of different parts, the order of versionstamps, is the business of timeline.ts.
 *
 * @module
 */
import { keysOf, type Operation } from "./types.ts";

/** Keys that have to be checked together, and what was done to them. */
export interface Component {
  /** Sorted. */
  readonly keys: readonly string[];
  /** Positions in the history, ascending. */
  readonly operations: readonly number[];
}

/**
 * Splits a history. Operations that say nothing are left out: what has certainly failed, reads without an
 * answer.
 */
export function componentsOf(history: readonly Operation[]): readonly Component[] {
  const parents = new Map<string, string>();
  const rootOf = (key: string): string => {
    let root = key;
    for (let up = parents.get(root)!; up !== root; up = parents.get(root)!) root = up;
    for (let at = key; at !== root;) {
      const up = parents.get(at)!;
      parents.set(at, root);
      at = up;
    }
    return root;
  };
  const kept: number[] = [];
  for (const [index, operation] of history.entries()) {
    if (saysNothing(operation)) continue;
    const keys = keysOf(operation);
    for (const key of keys) if (!parents.has(key)) parents.set(key, key);
    for (let i = 1; i < keys.length; i++) parents.set(rootOf(keys[i]!), rootOf(keys[0]!));
    if (keys.length > 0) kept.push(index);
  }
  const found = new Map<string, { keys: string[]; operations: number[] }>();
  for (const key of [...parents.keys()].sort()) {
    const root = rootOf(key);
    const component = found.get(root);
    if (component === undefined) found.set(root, { keys: [key], operations: [] });
    else component.keys.push(key);
  }
  for (const index of kept) {
    found.get(rootOf(keysOf(history[index]!)[0]!))!.operations.push(index);
  }
  return [...found.values()];
}

function saysNothing(operation: Operation): boolean {
  if (operation.outcome === "failed") return true;
  return operation.op === "read" && operation.outcome === "unknown";
}
