/**
 * Merging the `persist` effects of one turn into the one change that the turn makes durable.
 *
 * @module
 */
import type { Effect } from "./effect.ts";
import type { Entry, HardState, LogIndex } from "./types.ts";

/** The same shape as storage's LogBatch. */
export interface PersistBatch {
  readonly hardState: HardState | null;
  readonly truncateFrom: LogIndex | null;
  readonly entries: readonly Entry[];
}

/**
 * What the `persist` effects among `effects` come to, in their order; null without any. If one of them
 * alone brings entries, the result holds its very array, so that its encoding is shared.
 */
export function mergePersists(effects: readonly Effect[]): PersistBatch | null {
  let found = false;
  let hardState: HardState | null = null;
  let truncateFrom: LogIndex | null = null;
  let entries: readonly Entry[] = [];
  let own: Entry[] | null = null;
  for (const effect of effects) {
    if (effect.type !== "persist") continue;
    found = true;
    hardState = effect.hardState ?? hardState;
    const from = effect.truncateFrom;
    if (from !== null) {
      const kept = entries.length === 0 ? 0 : Math.max(0, from - entries[0].index);
      // Behind the first new entry, it takes back only what has not reached the disk.
      if (kept === 0) {
        truncateFrom = truncateFrom === null ? from : Math.min(truncateFrom, from) as LogIndex;
      }
      if (kept < entries.length) entries = own = entries.slice(0, kept);
    }
    if (effect.entries.length === 0) continue;
    if (entries.length === 0) {
      entries = effect.entries;
      own = null;
      continue;
    }
    if (own === null) entries = own = entries.slice();
    for (const entry of effect.entries) own.push(entry);
  }
  return found ? { hardState, truncateFrom, entries } : null;
}
