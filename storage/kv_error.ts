/**
 * Errors of Deno KV and of files, told apart. Deno KV passes on SQLite's messages and no code, so
 * that the wording is all there is to go by.
 *
 * @module
 */
import { CorruptLog, Fenced, StorageFull, UnsupportedFormat, WrongIdentity } from "./types.ts";

const FULL = /database or disk is full|no space left on device|ENOSPC|os error 28|quota exceeded/i;
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
