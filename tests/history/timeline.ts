/**
 * The order of versionstamps across keys that are otherwise checked apart. A store has one sequence of
 * versions; every operation takes place somewhere in it, and what completed before another was asked takes
 * place before it. So an operation may not look older than anything that was over when it began.
 *
 * This is necessary, not sufficient: it says nothing of what was recorded without versionstamps, nor of keys
 * that were found absent. What holds within a component is the business of search.ts.
 *
 * @module
 */
import { compareVersionstamps, type Operation, type Versionstamp, type WriteOk } from "./types.ts";

/** Where in the sequence of versions an operation took place: not before `from`, and before `until`. */
interface Place {
  readonly from: Versionstamp | null;
  /** The next write to something that it read; null: none is known. */
  readonly until: { readonly versionstamp: Versionstamp; readonly index: number } | null;
}

/** Two operations out of order. Positions in the history. */
export interface Inversion {
  /** Began after `before` was over, and looks older. */
  readonly index: number;
  readonly before: number;
  readonly beforeVersionstamp: Versionstamp;
  /** The write that overwrote what was read; null if `index` is a write itself. */
  readonly overwrittenBy: number | null;
  /** When the last of them completed. */
  readonly until: number;
}

/** Finds an inversion, and of several one that showed early; null if there is none. */
export function findInversion(history: readonly Operation[]): Inversion | null {
  const writes = writesByKey(history);
  const indexes = [...history.keys()].filter((index) => history[index]!.outcome === "ok");
  const completed = [...indexes].sort((a, b) => endOf(history[a]!) - endOf(history[b]!));
  const invoked = [...indexes].sort((a, b) => history[a]!.invokedAt - history[b]!.invokedAt);
  const places = new Map(indexes.map((index) => [index, placeOf(history, index, writes)]));
  let found: Inversion | null = null;
  let frontier: { versionstamp: Versionstamp; index: number } | null = null;
  let next = 0;
  for (const index of invoked) {
    for (; next < completed.length; next++) {
      const over = completed[next]!;
      if (endOf(history[over]!) >= history[index]!.invokedAt) break;
      const { from } = places.get(over)!;
      if (from === null) continue;
      if (frontier === null || compareVersionstamps(from, frontier.versionstamp) > 0) {
        frontier = { versionstamp: from, index: over };
      }
    }
    if (frontier === null) continue;
    const inversion = invert(history, index, places.get(index)!, frontier);
    if (inversion === null) continue;
    if (found === null || inversion.until < found.until) found = inversion;
  }
  return found;
}

/** Two writes of one versionstamp, which none that was told has to share: one of them was the first. */
export interface Shared {
  readonly index: number;
  readonly before: number;
  readonly versionstamp: Versionstamp;
  /** When the later one completed. */
  readonly until: number;
}

/** Finds two writes that were told one versionstamp, those that showed it first; null if there are none. */
export function findShared(history: readonly Operation[]): Shared | null {
  const writes = [...history.keys()]
    .filter((index) => history[index]!.op === "write" && history[index]!.outcome === "ok")
    .sort((a, b) => endOf(history[a]!) - endOf(history[b]!));
  const owners = new Map<Versionstamp, number>();
  for (const index of writes) {
    const { versionstamp } = history[index] as WriteOk;
    if (versionstamp === undefined) continue;
    const before = owners.get(versionstamp);
    if (before !== undefined) return { index, before, versionstamp, until: endOf(history[index]!) };
    owners.set(versionstamp, index);
  }
  return null;
}

function invert(
  history: readonly Operation[],
  index: number,
  place: Place,
  frontier: { versionstamp: Versionstamp; index: number },
): Inversion | null {
  const { versionstamp: beforeVersionstamp, index: before } = frontier;
  if (history[index]!.op === "write") {
    if (place.from === null || compareVersionstamps(place.from, beforeVersionstamp) > 0) {
      return null;
    }
    const until = endOf(history[index]!);
    return { index, before, beforeVersionstamp, overwrittenBy: null, until };
  }
  if (place.until === null) return null;
  if (compareVersionstamps(place.until.versionstamp, beforeVersionstamp) > 0) return null;
  const overwrittenBy = place.until.index;
  const until = Math.max(endOf(history[index]!), endOf(history[overwrittenBy]!));
  return { index, before, beforeVersionstamp, overwrittenBy, until };
}

type Writes = ReadonlyMap<string, readonly { versionstamp: Versionstamp; index: number }[]>;

function writesByKey(history: readonly Operation[]): Writes {
  const writes = new Map<string, { versionstamp: Versionstamp; index: number }[]>();
  for (const [index, operation] of history.entries()) {
    if (operation.op !== "write" || operation.outcome !== "ok") continue;
    const { versionstamp } = operation;
    if (versionstamp === undefined) continue;
    for (const key of new Set(operation.mutations.map((it) => it.key))) {
      const known = writes.get(key);
      if (known === undefined) writes.set(key, [{ versionstamp, index }]);
      else known.push({ versionstamp, index });
    }
  }
  for (const known of writes.values()) {
    known.sort((a, b) => compareVersionstamps(a.versionstamp, b.versionstamp));
  }
  return writes;
}

function placeOf(history: readonly Operation[], index: number, writes: Writes): Place {
  const operation = history[index]!;
  if (operation.outcome !== "ok") return { from: null, until: null };
  if (operation.op === "write") return { from: operation.versionstamp ?? null, until: null };
  let from: Place["from"] = null;
  let until: Place["until"] = null;
  for (const [i, entry] of operation.entries.entries()) {
    const stamp = entry?.versionstamp;
    if (stamp === undefined) continue;
    if (from === null || compareVersionstamps(stamp, from) > 0) from = stamp;
    const next = firstAfter(writes.get(operation.keys[i]!) ?? [], stamp);
    if (next === undefined) continue;
    if (until === null || compareVersionstamps(next.versionstamp, until.versionstamp) < 0) {
      until = next;
    }
  }
  return { from, until };
}

function firstAfter<T extends { versionstamp: Versionstamp }>(
  sorted: readonly T[],
  versionstamp: Versionstamp,
): T | undefined {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (compareVersionstamps(sorted[middle]!.versionstamp, versionstamp) <= 0) low = middle + 1;
    else high = middle;
  }
  return sorted[low];
}

function endOf(operation: Operation): number {
  return operation.completedAt ?? Infinity;
}
