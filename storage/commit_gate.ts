/**
 * The discipline of commits, the same for every store: one at a time, only while open, and none
 * after one that failed, since what that one left behind is not known before the data is read anew.
 *
 * What the store does to the log by itself (a snapshot's switch, the deletion of garbage) takes its
 * turn in between: it waits for the commit that is running, and the next commit for it.
 *
 * @module
 */
import { InvariantError } from "../raft/types.ts";

/** Lets one write to the log through at a time. Shut until {@linkcode CommitGate.open} is called. */
export class CommitGate {
  #shut: string | null = "it is not open";
  #committing = false;
  /** Resolves when the last of those that are inside or waiting has ended; null if there is none. */
  #last: Promise<void> | null = null;

  open(): void {
    this.#shut = null;
  }

  /** Lets nothing more in, except after `open`. */
  shut(why: string): void {
    this.#shut ??= why;
  }

  /** Lets nothing more in and resolves when what is inside has ended, however it ends. */
  async close(): Promise<void> {
    this.shut("it was closed");
    await this.#last;
  }

  /**
   * Runs one commit; null is one that writes nothing.
   *
   * @throws {InvariantError} if another one is running.
   * @throws {Error} if the gate is shut; and whatever the commit throws, which shuts it.
   */
  async run(commit: (() => Promise<void>) | null): Promise<void> {
    if (this.#committing) throw new InvariantError("Cannot commit: another commit is running");
    this.#assertOpen();
    if (commit === null) return;
    this.#committing = true;
    try {
      await this.queue(() => {}, commit);
    } finally {
      this.#committing = false;
    }
  }

  /**
   * Runs `check` and `act`: at once, or when everything that came before has ended.
   *
   * @throws {Error} if the gate is shut by then; what `check` throws; what `act` throws, which shuts it.
   */
  queue<T>(check: () => void, act: () => Promise<T>): Promise<T> {
    return this.#takeTurn(async () => {
      check();
      try {
        return await act();
      } catch (error) {
        this.shut("an earlier commit failed, so that it must be opened anew");
        throw error;
      }
    });
  }

  /**
   * The same for what may fail, or half happen, without doubt about the log.
   *
   * @throws {Error} if the gate is shut by then; what `act` throws.
   */
  beside<T>(act: () => Promise<T>): Promise<T> {
    return this.#takeTurn(act);
  }

  async #takeTurn<T>(act: () => Promise<T>): Promise<T> {
    this.#assertOpen();
    const enter = () => {
      this.#assertOpen();
      return act();
    };
    const before = this.#last;
    const result = before === null ? enter() : before.then(enter);
    const ended = result.then(() => {}, () => {});
    this.#last = ended;
    try {
      return await result;
    } finally {
      if (this.#last === ended) this.#last = null;
    }
  }

  #assertOpen(): void {
    if (this.#shut !== null) throw new Error(`Cannot commit to the log: ${this.#shut}`);
  }
}
