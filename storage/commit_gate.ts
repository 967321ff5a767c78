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
  #last: Promise<unknown> = Promise.resolve();

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
   * Runs `check` and `act` once everything that came before has ended.
   *
   * @throws {Error} if the gate is shut by then; what `check` throws; what `act` throws, which shuts it.
   */
  async queue<T>(check: () => void, act: () => Promise<T>): Promise<T> {
    this.#assertOpen();
    const result = this.#last.then(() => this.#enter(check, act));
    this.#last = result.catch(() => {});
    return await result;
  }

  async #enter<T>(check: () => void, act: () => Promise<T>): Promise<T> {
    this.#assertOpen();
    check();
    try {
      return await act();
    } catch (error) {
      this.shut("an earlier commit failed, so that it must be opened anew");
      throw error;
    }
  }

  #assertOpen(): void {
    if (this.#shut !== null) throw new Error(`Cannot commit to the log: ${this.#shut}`);
  }
}
