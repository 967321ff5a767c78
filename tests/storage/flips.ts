/**
 * What the data directory of the flip suite holds, and how a flip is written down.
 *
 * @module
 */
import { chunks, entries, hardState, snapshotMeta } from "./places.ts";

/** One damage: a bit of a byte flipped, or the file cut off there. */
export interface Flip {
  /** Which state of the directory: as it was while open, or after it was closed. */
  readonly images: "open" | "closed";
  readonly file: string;
  readonly at: number;
  readonly bit: number | "cut";
}

export const FLIP_ENTRIES = entries(1, 60, 3, 150);
export const FLIP_HARD_STATE = hardState(7, "n3", 50);
/** A snapshot is taken after so many commits. */
export const FLIP_COMMITS_BEFORE = 8;
export const FLIP_META = snapshotMeta(24, 3);
export const FLIP_CHUNKS = chunks(12, 3, 700);
/** Entries in each commit that made the log. */
export const FLIP_COMMIT_ENTRIES = 4;
