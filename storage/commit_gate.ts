/**
 * The discipline of commits, the same for every store: one at a time, only while open, and none
 * after one that failed, since what that one left behind is not known before the data is read anew.
 *
 * @module
 */
import { InvariantError } from "../raft/types.ts";

/** Lets one commit through at a time. Shut until {@linkcode CommitGate.open} is called. */
export class CommitGate {
  #shut: string | null = "it is not open";
  #running: Promise<void> | null = null;

  open(): void {
    this.#shut = null;
  }

  /** Lets no more commits in and resolves when the one inside has ended, however it ends. */
  async close(): Promise<void> {
    this.#shut ??= "it was closed";
    // The outcome belongs to the caller of that commit.
    await this.#running?.catch(() => {});
  }

  /**
   * Runs one commit.
   *
   * @throws {InvariantError} if another one is running.
   * @throws {Error} if the gate is shut; and whatever the commit throws, which shuts it.
   */
  async run(commit: (() => Promise<void>) | null): Promise<void> {
    if (this.#running !== null) {
      throw new InvariantError("Cannot commit: another commit is running");
    }
    if (this.#shut !== null) throw new Error(`Cannot commit to the log: ${this.#shut}`);
    if (commit === null) return;
    this.#running = commit();
    try {
      await this.#running;
    } catch (error) {
      this.#shut = "an earlier commit failed, so that it must be opened anew";
      throw error;
    } finally {
      this.#running = null;
    }
  }
}
