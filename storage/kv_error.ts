/**
 * Errors of Deno KV and of files, told apart. Deno KV passes on SQLite's messages and no code, so
 * that the wording is all there is to go by; and patience with a database that is busy.
 *
 * @module
 */
import { BUSY_ATTEMPTS_MAX, BUSY_WAIT_MS } from "./limits.ts";
import { CorruptLog, Fenced, StorageFull, UnsupportedFormat, WrongIdentity } from "./types.ts";

const FULL = /database or disk is full|no space left on device|ENOSPC|os error 28|quota exceeded/i;
const BUSY = /database (table )?is locked|database is busy/i;
const CORRUPT =
  /malformed|file is not a database|database corrupt|no such (table|column)|disk image|unsupported file format|invalid column type/i;

/** The error of this project that says the same, with the original as its cause; or the original. */
export function storageError(error: unknown, doing: string): unknown {
  if (
    error instanceof CorruptLog || error instanceof Fenced || error instanceof StorageFull ||
    error instanceof UnsupportedFormat || error instanceof WrongIdentity
  ) return error;
  const message = error instanceof Error ? error.message : String(error);
  if (FULL.test(message)) {
    return new StorageFull(`Cannot ${doing}: the disk is full`, { cause: error });
  }
  if (CORRUPT.test(message)) {
    return new CorruptLog(`Cannot ${doing}: the database is damaged (${message})`, {
      cause: error,
    });
  }
  return error;
}

/**
 * Repeats what found the database locked by another process, which is opening it, closing it or
 * copying it. Only for what may be done twice: reads, and writes of absolute values under a check.
 */
export async function whileBusy<T>(act: () => Promise<T>): Promise<T> {
  for (let attempt = 1;; attempt++) {
    try {
      return await act();
    } catch (error) {
      const busy = error instanceof Error && BUSY.test(error.message);
      if (!busy || attempt === BUSY_ATTEMPTS_MAX) throw error;
      await new Promise((resolve) => setTimeout(resolve, BUSY_WAIT_MS * attempt));
    }
  }
}
