/**
 * What no node knows alone: all that was committed anywhere, since when, and by whom.
 *
 * @module
 */
import type { Entry } from "../../raft/types.ts";

export class Ledger {
  /** By index, from 1; 0 is unused. */
  readonly entries: (Entry | undefined)[] = [undefined];
  /** By index: the term of who committed it first. */
  readonly committedIn: number[] = [0];
  /** By index: when that was, in virtual ms. */
  readonly atMs: number[] = [0];

  /** The highest index committed anywhere. */
  get commitIndex(): number {
    return this.entries.length - 1;
  }

  /** The highest index that was committed at `ms`. */
  commitIndexAt(ms: number): number {
    let low = 0;
    let high = this.atMs.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.atMs[middle]! <= ms) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  add(entry: Entry, term: number, nowMs: number): void {
    this.entries[entry.index] = entry;
    this.committedIn[entry.index] = term;
    this.atMs[entry.index] = nowMs;
  }
}

/** Whether two entries are the same one. */
export function sameEntry(a: Entry, b: Entry): boolean {
  if (a === b) return true;
  if (a.term !== b.term || a.kind !== b.kind || a.timeMs !== b.timeMs) return false;
  return sameBytes(a.data, b.data);
}

export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}
