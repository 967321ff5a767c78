/**
 * What a replica does beside its turns: long work (a snapshot, a store to be built) in slices, with
 * everything else that is ready in between. Such work changes nothing of the replica by itself; what
 * comes of it is done in a turn.
 *
 * Work belongs to one life of the replica and ends with it. It learns that at its next wait.
 *
 * @module
 */
import { TICK_MS } from "./limits_replica.ts";
import type { State } from "./replica_state.ts";
import type { ReplicaMessage } from "./replica_types.ts";
import type { Ctx, Timer } from "./types.ts";

/** The life that the work belongs to is over. Unwinds the work; nobody else sees it. */
class LifeOver extends Error {
  override readonly name = "LifeOver";
}

/** A wait that the end of the life cuts short. */
interface Wait {
  readonly timer: Timer;
  readonly reject: (error: LifeOver) => void;
}

export class Background {
  readonly #ctx: Ctx<ReplicaMessage>;
  readonly #boot: number;
  readonly #running = new Set<Promise<void>>();
  readonly #waits = new Set<Wait>();
  #over = false;

  /** @param boot of this life: what an earlier one sent must not be taken for this one's. */
  constructor(ctx: Ctx<ReplicaMessage>, boot: number) {
    this.#ctx = ctx;
    this.#boot = boot;
  }

  /** Starts work. What it throws, a turn throws. The promise never rejects. */
  start(work: () => Promise<void>): Promise<void> {
    const running = this.#run(work).finally(() => void this.#running.delete(running));
    this.#running.add(running);
    return running;
  }

  /** Runs `step` in a turn of this life, soon. */
  inTurn(step: (state: State) => void): void {
    if (this.#over) return;
    const message = { type: "job", boot: this.#boot, run: step } as const;
    if (this.#ctx.self.tell(message, { lane: "control" }) !== "full") return;
    void this.start(async () => {
      await this.pause(TICK_MS);
      this.inTurn(step);
    });
  }

  /** For work after an await of something else: throws if the life has ended meanwhile. */
  check(): void {
    if (this.#over) throw new LifeOver();
  }

  /** For work: lets everything that is ready go first. */
  async breathe(): Promise<void> {
    this.check();
    await new Promise<void>((resolve) => this.#ctx.env.defer(resolve));
    this.check();
  }

  /** For work: waits. */
  async pause(ms: number): Promise<void> {
    this.check();
    await new Promise<void>((resolve, reject) => {
      const timer = this.#ctx.env.setTimer(() => {
        this.#waits.delete(wait);
        resolve();
      }, ms);
      const wait = { timer, reject };
      this.#waits.add(wait);
    });
  }

  /** Ends the life: resolves once no work is left. What waits for the disk is not cut short. */
  async end(): Promise<void> {
    this.#over = true;
    for (const { timer, reject } of this.#waits) {
      timer.cancel();
      reject(new LifeOver());
    }
    this.#waits.clear();
    await Promise.all(this.#running);
  }

  async #run(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      // Once the life is over its disk is shut, and failures say nothing.
      this.inTurn(() => {
        throw error;
      });
    }
  }
}
