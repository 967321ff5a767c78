/**
 * What a chaos run keeps of what its clients did: the history for the checker, the journal (each write in
 * it once, at its own place, with a sum beside it), how fresh reads were, and counters.
 *
 * Not here: verdicts (verdict.ts).
 *
 * @module
 */
import type { Action, Operation, Outcome } from "../history/types.ts";
import { compareVersionstamps } from "../history/types.ts";

/** What is told of each operation, by kind: `cas ok`, `cas check-failed`. */
export type Kind =
  | "read"
  | "lease read"
  | "session read"
  | "eventual read"
  | "list"
  | "write"
  | "delete"
  | "compare-and-set"
  | "sum"
  | "atomic"
  | "journal";

/** A write of the journal, and what its client was told last. */
export interface JournalWrite {
  readonly id: string;
  outcome: "ok" | "failed" | "unknown";
  versionstamp: string | null;
}

/** An acknowledged write: a moment, and a version that all that is read later must have seen. */
interface Acknowledged {
  readonly atMs: number;
  readonly versionstamp: string;
}

/** Takes each operation when it is over: writes it to a file. */
export type HistorySink = (operation: Operation) => void;

/** Violations beyond these are counted, not kept. */
const VIOLATIONS_KEPT_MAX = 100;

export class Record {
  readonly operations: Operation[] = [];
  readonly journal = new Map<string, JournalWrite>();
  /** What no client may ever be told. */
  readonly violations: string[] = [];
  violationsCount = 0;
  /** By kind, then by outcome. */
  readonly counts = new Map<Kind, Map<string, number>>();
  /** Retries under an idempotency key. */
  retries = 0;
  #sink: HistorySink;
  /** Ascending in both. */
  readonly #acknowledged: Acknowledged[] = [];
  #lastAcknowledgedMs: number | null = null;
  #longestGap = { ms: 0, atMs: 0 };

  constructor(sink: HistorySink) {
    this.#sink = sink;
  }

  /** The longest time in which no write was acknowledged to anybody, and when it ended. */
  get longestGap(): { readonly ms: number; readonly atMs: number } {
    return this.#longestGap;
  }

  violation(what: string): void {
    this.violationsCount += 1;
    if (this.violations.length < VIOLATIONS_KEPT_MAX) this.violations.push(what);
  }

  count(kind: Kind, outcome: string): void {
    const outcomes = this.counts.get(kind) ?? new Map<string, number>();
    this.counts.set(kind, outcomes);
    outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
  }

  /** An operation that the checker is to see is over. */
  done(
    kind: Kind,
    client: string,
    action: Action,
    outcome: Outcome,
    invokedAt: number,
    completedAt: number,
  ): void {
    this.count(kind, outcome.outcome);
    const isOpen = outcome.outcome === "unknown";
    const span = { client, invokedAt, completedAt: isOpen ? null : completedAt };
    const operation = { ...span, ...action, ...outcome } as Operation;
    this.operations.push(operation);
    this.#sink(operation);
    if (operation.op === "write" && operation.outcome === "ok") {
      this.acknowledged(operation.versionstamp!, completedAt);
    }
  }

  /** A write was acknowledged just now. */
  acknowledged(versionstamp: string, nowMs: number): void {
    if (this.#lastAcknowledgedMs !== null) {
      const ms = nowMs - this.#lastAcknowledgedMs;
      if (ms > this.#longestGap.ms) this.#longestGap = { ms, atMs: nowMs };
    }
    this.#lastAcknowledgedMs = nowMs;
    const newest = this.#acknowledged.at(-1);
    if (newest !== undefined && compareVersionstamps(newest.versionstamp, versionstamp) >= 0) {
      return;
    }
    this.#acknowledged.push({ atMs: nowMs, versionstamp });
  }

  /** From now on the time without acknowledged writes counts. */
  begin(nowMs: number): void {
    this.#lastAcknowledgedMs = nowMs;
  }

  /** The greatest version that was acknowledged before a moment; null if there is none. */
  acknowledgedBefore(ms: number): string | null {
    let [low, high] = [0, this.#acknowledged.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#acknowledged[middle].atMs < ms) low = middle + 1;
      else high = middle;
    }
    return low === 0 ? null : this.#acknowledged[low - 1].versionstamp;
  }
}
