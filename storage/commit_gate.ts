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
  #isTaken = false;
  /** Those who wait for their turn, in order. */
  readonly #waiting: (() => void)[] = [];

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
    if (!this.#isTaken) return;
    await this.#wait();
    this.#leave();
  }

  /**
   * Runs one commit; null is one that writes nothing. Hot path: where nothing else is inside it costs
   * one promise.
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
      if (this.#isTaken) await this.#wait();
      else this.#isTaken = true;
      try {
        this.#assertOpen();
        await commit();
      } catch (error) {
        this.#fail();
        throw error;
      } finally {
        this.#leave();
      }
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
    return this.beside(async () => {
      check();
      try {
        return await act();
      } catch (error) {
        this.#fail();
        throw error;
      }
    });
  }

  /**
   * The same for what may fail, or half happen, without doubt about the log.
   *
   * @throws {Error} if the gate is shut by then; what `act` throws.
   */
  async beside<T>(act: () => Promise<T>): Promise<T> {
    this.#assertOpen();
    if (this.#isTaken) await this.#wait();
    else this.#isTaken = true;
    try {
      this.#assertOpen();
      return await act();
    } finally {
      this.#leave();
    }
  }

  /** Resolves when it is one's turn. */
  #wait(): Promise<void> {
    return new Promise((resolve) => void this.#waiting.push(resolve));
  }

  /** Hands the turn on to who has waited longest. */
  #leave(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#isTaken = false;
    else next();
  }

  #fail(): void {
    this.shut("an earlier commit failed, so that it must be opened anew");
  }

  #assertOpen(): void {
    if (this.#shut !== null) throw new Error(`Cannot commit to the log: ${this.#shut}`);
  }
}
