/**
 * What happened in a run: a hash over all of it, by which two runs are compared, and a log for people if
 * one is wanted.
 *
 * @module
 */

/** Lines that a trace keeps. */
export const TRACE_LINES_MAX = 2_000_000;

export class Trace {
  #hash = 0x811c9dc5;
  readonly #lines: string[] | null;
  readonly #nowMs: () => number;

  /** @param isReadable whether to keep the log, too. */
  constructor(nowMs: () => number, isReadable: boolean) {
    this.#nowMs = nowMs;
    this.#lines = isReadable ? [] : null;
  }

  get hash(): string {
    return (this.#hash >>> 0).toString(16).padStart(8, "0");
  }

  get lines(): readonly string[] {
    return this.#lines ?? [];
  }

  get isReadable(): boolean {
    return this.#lines !== null;
  }

  /** Mixes a happening into the hash; `tell` is its line. Hot path. */
  note(a: number, b: number, c: number, tell: () => string): void {
    let hash = this.#hash;
    hash = Math.imul(hash ^ (this.#nowMs() * 1_000 | 0), 0x01000193);
    hash = Math.imul(hash ^ a, 0x01000193);
    hash = Math.imul(hash ^ b, 0x01000193);
    this.#hash = Math.imul(hash ^ c, 0x01000193);
    if (this.#lines !== null) this.#keep(tell());
  }

  /** The same for what is text anyway. */
  tell(text: string): void {
    let hash = Math.imul(this.#hash ^ (this.#nowMs() * 1_000 | 0), 0x01000193);
    for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
    this.#hash = hash;
    if (this.#lines !== null) this.#keep(text);
  }

  #keep(text: string): void {
    const lines = this.#lines!;
    if (lines.length < TRACE_LINES_MAX) {
      lines.push(`${this.#nowMs().toFixed(3).padStart(11)} ${text}`);
    }
  }
}
