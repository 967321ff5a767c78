/**
 * Batches for logs under test.
 *
 * @module
 */
import { EntryKind, logIndex, term } from "../../raft/types.ts";
import type { LogBatch } from "../../storage/types.ts";

/** One that writes nothing. */
export const LOG_EMPTY_BATCH: LogBatch = { hardState: null, truncateFrom: null, entries: [] };

/** One that appends an entry. */
export function oneEntry(index: number): LogBatch {
  const entry = {
    term: term(1),
    index: logIndex(index),
    timeMs: index,
    kind: EntryKind.Command,
    data: new Uint8Array([index]),
  };
  return { ...LOG_EMPTY_BATCH, entries: [entry] };
}
