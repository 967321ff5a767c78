/**
 * What a chaos run keeps of what its clients did: the history for the checker, the journal (each write in
 * it once, at its own place, with a sum beside it), how fresh reads were, and counters.
 *
 * Not here: verdicts (verdict.ts).
 *
 * @module
 */
import {
  type Action,
  compareVersionstamps,
  keysOf,
  type Operation,
  type ReadAction,
  type ReadOutcome,
  type WriteAction,
  type WriteOutcome,
} from "../history/mod.ts";
import type { FinalEntry } from "../history/accounting.ts";
import { HistoryRecorder, type HistoryWriter, type Ticket } from "../history/recorder.ts";
import type { Look } from "./look_verdict.ts";

/** What is told of each operation, by kind: `cas ok`, `cas check-failed`. */
export type Kind =
  | "read"
  | "lease read"
  | "session read"
  | "eventual read"
  | "list"
  | "write"
  | "expiring write"
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

/** Reads that are kept to be judged: more than a day brings. */
const LOOKS_MAX = 1_000_000;
/** Violations beyond these are counted, not kept. */
const VIOLATIONS_KEPT_MAX = 100;

export class Record {
  readonly journal = new Map<string, JournalWrite>();
  /** Of reads that name the version of what they show. */
  readonly looks: Look[] = [];
  /** What no client may ever be told. */
  readonly violations: string[] = [];
  violationsCount = 0;
  /** By kind, then by outcome. */
  readonly counts = new Map<Kind, Map<string, number>>();
  /** Retries under an idempotency key. */
  retries = 0;
  readonly #now: () => number;
  readonly #history: HistoryRecorder;
  /** Ascending in both. */
  readonly #acknowledged: Acknowledged[] = [];
  #lastAcknowledgedMs: number | null = null;
  #longestGap = { ms: 0, atMs: 0 };

  /** @param now the one monotonic clock of the run, in ms. */
  constructor(now: () => number, writer: HistoryWriter | null) {
    this.#now = now;
    this.#history = new HistoryRecorder(now, writer);
  }

  /** The history, in which everything still under way is of unknown outcome. */
  finish(): readonly Operation[] {
    return this.#history.finish();
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

  /** An operation that the checker is to see is about to be asked for. */
  invoke<A extends Action>(client: string, action: A): Ticket<A> {
    return this.#history.invoke(client, action);
  }

  /**
   * Everything is about to be read at one place. Gives what takes what was found there: each key that
   * the history knows under one of the prefixes was read, and is in the history, so that the checker
   * judges also what no client has read.
   */
  beginReadingAll(
    client: string,
    prefixes: readonly string[],
  ): (found: readonly FinalEntry[]) => void {
    const known = new Set(this.#history.finish().flatMap(keysOf));
    const keys = [...known].filter((key) => prefixes.some((each) => key.startsWith(`${each}/`)));
    const tickets = keys.map((key) => this.invoke<ReadAction>(client, { op: "read", keys: [key] }));
    return (found) => {
      const entries = new Map(found.map(({ key, ...entry }) => [key, entry]));
      for (const ticket of tickets) {
        const entry = entries.get(ticket.action.keys[0]) ?? null;
        this.#history.complete(ticket, { outcome: "ok", entries: [entry] });
      }
    };
  }

  /** It is over. */
  read(kind: Kind, ticket: Ticket<ReadAction>, outcome: ReadOutcome): void {
    this.count(kind, outcome.outcome);
    this.#history.complete(ticket, outcome);
  }

  /** It is over. */
  wrote(kind: Kind, ticket: Ticket<WriteAction>, outcome: WriteOutcome): void {
    this.count(kind, outcome.outcome);
    this.#history.complete(ticket, outcome);
    if (outcome.outcome === "ok") this.acknowledged(outcome.versionstamp!);
  }

  /**
   * A write that expires is about to be asked for. When it does is up to the clocks of the nodes, with
   * which a run plays: for the checker somebody deletes the key, at any time from now on, or never.
   *
   * @returns what is to be told how the write ended.
   */
  invokeExpiry({ mutations }: WriteAction): (outcome: WriteOutcome) => void {
    const [{ key }] = mutations;
    const action: WriteAction = { op: "write", checks: [], mutations: [{ type: "delete", key }] };
    const ticket = this.#history.invoke("time", action);
    return ({ outcome }) => {
      const isOver = outcome === "failed" || outcome === "check-failed";
      this.#history.complete(ticket, { outcome: isOver ? "failed" : "unknown" });
    };
  }

  /** A read has shown this, of the version that it names. */
  looked(look: Look): void {
    if (this.looks.length >= LOOKS_MAX) throw new RangeError(`Cannot keep over ${LOOKS_MAX} looks`);
    this.looks.push(look);
  }

  /** A write was acknowledged just now. */
  acknowledged(versionstamp: string): void {
    const nowMs = this.#now();
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
  begin(): void {
    this.#lastAcknowledgedMs = this.#now();
  }

  /** The greatest version that was acknowledged; null if there is none. */
  get lastAcknowledged(): string | null {
    return this.#acknowledged.at(-1)?.versionstamp ?? null;
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
