/**
 * No read is staler than it may be. Linearizable and lease reads see all that was committed anywhere when
 * they were asked; session reads what their client has seen; eventual reads what was committed as long ago
 * as they say that they may lag behind.
 *
 * Where clocks run at rates that leases do not allow for (decision 0015), lease reads may be stale, and are
 * not judged. Staleness is told by the node's own clock, and is stretched by the slowest rate.
 *
 * @module
 */
import type { Ledger } from "../ledger.ts";
import { Broken } from "./invariant.ts";
import type { Consistency, ServedRead } from "../../../actors/service.ts";

/** What was so when a read was asked. */
export interface Asked {
  readonly consistency: Consistency;
  readonly commitIndex: number;
}

export class FreshReads {
  readonly name = "fresh-reads";
  readonly #ledger: Ledger;
  readonly #nowMs: () => number;
  readonly #areLeasesSafe: boolean;
  readonly #slowestRate: number;

  constructor(ledger: Ledger, nowMs: () => number, areLeasesSafe: boolean, slowestRate: number) {
    this.#ledger = ledger;
    this.#nowMs = nowMs;
    this.#areLeasesSafe = areLeasesSafe;
    this.#slowestRate = slowestRate;
  }

  asked(consistency: Consistency): Asked {
    return { consistency, commitIndex: this.#ledger.commitIndex };
  }

  /** Whether reads of this kind must see all that was acknowledged before. */
  isLinearizable({ mode }: Consistency): boolean {
    return mode === "linearizable" || mode === "lease" && this.#areLeasesSafe;
  }

  answered(id: string, { consistency, commitIndex }: Asked, read: ServedRead): void {
    const least = this.#leastIndex(consistency, commitIndex, read);
    if (read.index >= least) return;
    throw new Broken(
      `a ${consistency.mode} read (served as ${read.served}) at ${id} saw ${read.index}, and had to see ${least}`,
    );
  }

  #leastIndex(consistency: Consistency, commitIndex: number, read: ServedRead): number {
    switch (consistency.mode) {
      case "session":
        return consistency.minIndex;
      case "eventual":
        if (read.stalenessMs === null) return 0;
        return this.#ledger.commitIndexAt(
          this.#nowMs() - read.stalenessMs / this.#slowestRate - 1e-6,
        );
      default:
        return this.isLinearizable(consistency) ? commitIndex : 0;
    }
  }
}
