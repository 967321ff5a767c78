/**
 * What a run over many seeds came to, in numbers and in words.
 *
 * @module
 */
import { addMarks, type MarkCounts, markTable, noMarks } from "./marks.ts";
import type { Outcome } from "./run.ts";
import { FAULT_CLASSES, type FaultClass, type StruckCounts } from "./schedule.ts";
import type { Violation } from "./watch.ts";

/** From so many seeds on every mark must have been hit. */
export const MARKS_SEEDS_MIN = 1_000;
/** Failures that are told one by one. */
export const FAILURES_MAX = 20;

export interface Failure {
  readonly seed: number;
  readonly violation: Violation;
}

export class Report {
  readonly marks: MarkCounts = noMarks();
  readonly failures: Failure[] = [];
  seeds = 0;
  #firstSeed = Infinity;
  #lastSeed = -Infinity;
  #struck: StruckCounts = {};
  #failed = 0;
  #events = 0;
  #operations = 0;
  #acknowledged = 0;
  #crashes = 0;
  #virtualMs = 0;

  get failed(): number {
    return this.#failed;
  }

  add(seed: number, outcome: Outcome): void {
    this.seeds++;
    this.#firstSeed = Math.min(this.#firstSeed, seed);
    this.#lastSeed = Math.max(this.#lastSeed, seed);
    for (const [each, count] of Object.entries(outcome.struck)) {
      const name = each as FaultClass;
      this.#struck[name] = (this.#struck[name] ?? 0) + count;
    }
    this.#events += outcome.events;
    this.#operations += outcome.operations;
    this.#acknowledged += outcome.acknowledged;
    this.#crashes += outcome.crashes;
    this.#virtualMs += outcome.virtualMs;
    addMarks(this.marks, outcome.marks);
    if (outcome.violation === null) return;
    this.#failed++;
    if (this.failures.length < FAILURES_MAX) {
      this.failures.push({ seed, violation: outcome.violation });
    }
  }

  /** Marks that were never hit. */
  get missed(): string[] {
    return Object.entries(this.marks).filter(([, count]) => count === 0).map(([mark]) => mark);
  }

  /** How far a run is. @param seeds how many there are to be; null if time decides. */
  progress(tookMs: number, seeds: number | null): string {
    const of = seeds === null ? "" : ` of ${seeds}`;
    const rate = (this.seeds / tookMs * 1_000).toFixed(1);
    return `after ${
      (tookMs / 1_000).toFixed(0)
    } s: ${this.seeds}${of} seeds, ${this.#failed} failed, ` +
      `${this.#crashes} crashes, ${this.#events} events, ${rate} seeds/s`;
  }

  /** @param runs how often each seed was run. */
  text(tookMs: number, jobs: number, runs: number): string {
    const seconds = tookMs / 1_000;
    const rate = Math.round(this.#events * runs / seconds / jobs);
    const hit = Object.keys(this.marks).length - this.missed.length;
    const hours = (this.#virtualMs / 3_600_000).toFixed(1);
    const struck = FAULT_CLASSES.flatMap((each) => {
      const count = this.#struck[each];
      return count === undefined ? [] : [`${each} ${count}`];
    });
    const lines = [
      markTable(this.marks),
      "",
      `faults that struck: ${struck.length === 0 ? "none" : struck.join(", ")}`,
      `seeds ${this.#firstSeed} to ${this.#lastSeed}: ${this.seeds} seeds, ${this.#failed} failed; ` +
      `${this.#crashes} crashes, ${this.#operations} operations, ${this.#acknowledged} acknowledged`,
      `${this.#events} events (${hours} h of virtual time), each run ` +
      `${runs === 1 ? "once" : "twice"}, in ${seconds.toFixed(1)} s: ${rate} events/s a worker, ` +
      `${(this.seeds / seconds).toFixed(1)} seeds/s`,
      `${hit} of ${Object.keys(this.marks).length} marks hit`,
    ];
    if (this.seeds > 0 && this.#failed === 0) {
      const bound = (3 / this.seeds).toExponential(1);
      lines.push(`no failure in ${this.seeds} seeds bounds their rate near ${bound}`);
    }
    return lines.join("\n");
  }
}
