/**
 * The history of a chaos run in a file, one operation a line (docs/history-format.md), so that
 * `deno task check-history` can check it again.
 *
 * @module
 */
import type { Operation } from "../history/mod.ts";

/** Lines are gathered up to so many characters. */
const GATHERED_CHARS = 65_536;

export class HistoryFile {
  readonly #file: Deno.FsFile;
  #lines = "";

  /** Makes the file, in place of one that was there. */
  constructor(path: string) {
    this.#file = Deno.openSync(path, { write: true, create: true, truncate: true });
  }

  add(operation: Operation): void {
    this.#lines += `${JSON.stringify(operation)}\n`;
    if (this.#lines.length >= GATHERED_CHARS) this.#write();
  }

  close(): void {
    this.#write();
    this.#file.close();
  }

  #write(): void {
    const bytes = new TextEncoder().encode(this.#lines);
    for (let at = 0; at < bytes.length;) at += this.#file.writeSync(bytes.subarray(at));
    this.#lines = "";
  }
}
