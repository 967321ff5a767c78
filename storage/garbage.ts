/**
 * The deletion of what is no longer part of the log or of a snapshot: in bounded pieces, one at a time,
 * beside everything else, so that no commit waits for more than one of them.
 *
 * What is left when the process ends is found again by the next opening. A piece that fails is not
 * tried again before more garbage comes.
 *
 * @module
 */
import { GARBAGE_KEYS_MAX } from "./limits.ts";

/** Deletes one piece. */
export type DeletePiece = (keys: readonly Deno.KvKey[]) => Promise<void>;

/** What is to be deleted, and the work of it. */
export class Garbage {
  readonly #queue: { readonly remove: DeletePiece; readonly keys: Iterator<Deno.KvKey> }[] = [];
  #running: Promise<void> | null = null;
  #stopped = false;

  /** Deletes these, too. The keys are asked for as they are deleted. */
  add(remove: DeletePiece, keys: Iterable<Deno.KvKey>): void {
    this.#queue.push({ remove, keys: keys[Symbol.iterator]() });
    if (!this.#stopped) this.#running ??= this.#run();
  }

  /** Resolves once there is nothing left to do, or it has failed. */
  async settled(): Promise<void> {
    await this.#running;
  }

  /** Deletes nothing more, except the piece that is under way. */
  stop(): void {
    this.#stopped = true;
  }

  async #run(): Promise<void> {
    // Whoever adds garbage is in the middle of something.
    await Promise.resolve();
    try {
      while (this.#queue.length > 0 && !this.#stopped) {
        const { remove, keys } = this.#queue[0];
        const piece = take(keys, GARBAGE_KEYS_MAX);
        if (piece.length < GARBAGE_KEYS_MAX) this.#queue.shift();
        if (piece.length > 0) await remove(piece);
      }
    } catch {
      // A full disk, a fence, a closed log: whoever commits next is told.
    } finally {
      this.#running = null;
    }
  }
}

function take(keys: Iterator<Deno.KvKey>, max: number): Deno.KvKey[] {
  const piece: Deno.KvKey[] = [];
  while (piece.length < max) {
    const { value, done } = keys.next();
    if (done) break;
    piece.push(value);
  }
  return piece;
}
