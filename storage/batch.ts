/**
 * The rules that a batch must keep to, the same for every store.
 *
 * @module
 */
import { entryBytes } from "../raft/entry_codec.ts";
import { InvariantError } from "../raft/types.ts";
import { ENTRY_BYTES_MAX } from "./limits.ts";
import type { LogBatch } from "./types.ts";

/** Nothing to write. */
export function isEmptyBatch(batch: LogBatch): boolean {
  return batch.hardState === null && batch.truncateFrom === null && batch.entries.length === 0;
}

/**
 * The last index that stays of a log which begins behind `baseIndex` and ends at `lastIndex`, once the
 * batch is written.
 *
 * @throws {InvariantError} if the batch would leave a gap or has entries that are not consecutive.
 * @throws {RangeError} if an entry is larger than any store takes.
 */
export function checkBatch(batch: LogBatch, baseIndex: number, lastIndex: number): number {
  const { truncateFrom, entries } = batch;
  if (truncateFrom !== null && (truncateFrom <= baseIndex || truncateFrom > lastIndex + 1)) {
    throw new InvariantError(
      `Cannot forget entries from ${truncateFrom}: the log has those from ${baseIndex + 1} to ` +
        `${lastIndex}`,
    );
  }
  const kept = truncateFrom === null ? lastIndex : truncateFrom - 1;
  for (let i = 0; i < entries.length; i++) {
    const entry = entries[i];
    if (entry.index !== kept + 1 + i) {
      throw new InvariantError(`Cannot append entry ${entry.index}: ${kept + 1 + i} comes next`);
    }
    if (entryBytes(entry) > ENTRY_BYTES_MAX) {
      throw new RangeError(
        `Cannot append entry ${entry.index}: ${
          entryBytes(entry)
        } bytes, at most ${ENTRY_BYTES_MAX}`,
      );
    }
  }
  return kept;
}
