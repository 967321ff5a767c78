/**
 * Exactly once: what each session's commands came to, so that a command that is proposed again, under
 * the same session and sequence, is answered from memory instead of being applied again.
 *
 * A session belongs to one run of one node. Its commands may reach the log in any order and several
 * times over. Each carries the session's low water, below which every sequence has been answered: the
 * results there are forgotten, and a late copy of such a command is stale. All of it is replicated
 * state, under replicated time. Source: Raft thesis, section 6.3.
 *
 * Not here: which client a result belongs to (actors/proposals.ts), idempotency keys (idempotency.ts).
 *
 * @module
 */
import { SESSION_RESULTS_MAX, SESSION_TTL_MS, SESSIONS_MAX } from "./limits.ts";
import { addResult, ElementTag, type MultisetHash, removeResult } from "./state_hash.ts";
import type { ApplyResult } from "./types.ts";

/** A session as it stands, for reading only. */
export interface SessionState {
  readonly id: number;
  /** Sequences below it are forgotten. */
  readonly lowWater: number;
  /** When it last applied a command, in replicated time. */
  readonly activeMs: number;
  readonly results: ReadonlyMap<number, ApplyResult>;
}

class Session implements SessionState {
  readonly id: number;
  lowWater = 0;
  activeMs: number;
  results: Map<number, ApplyResult> = new Map();
  /** A capture has the same map: it must not be changed any more, only replaced. */
  #resultsCaptured = false;

  constructor(id: number, activeMs: number) {
    this.id = id;
    this.activeMs = activeMs;
  }

  capture(): SessionState {
    this.#resultsCaptured = true;
    const { id, lowWater, activeMs, results } = this;
    return { id, lowWater, activeMs, results };
  }

  /** The results, to be changed. */
  ownResults(): Map<number, ApplyResult> {
    if (this.#resultsCaptured) {
      this.results = new Map(this.results);
      this.#resultsCaptured = false;
    }
    return this.results;
  }
}

/**
 * See the module.
 *
 * The results are in the state hash as they come and go. The sessions themselves are added to it only
 * when it is asked for: they change with every command, and there are few of them.
 */
export class Sessions {
  readonly #hash: MultisetHash;
  /** In the order of `activeMs`, the longest idle first. */
  readonly #sessions = new Map<number, Session>();
  /** No session is due to be closed before this. */
  #nextCloseMs = Infinity;

  constructor(hash: MultisetHash) {
    this.#hash = hash;
  }

  get size(): number {
    return this.#sessions.size;
  }

  /** The open sessions, the longest idle first. */
  entries(): IterableIterator<SessionState> {
    return this.#sessions.values();
  }

  /** The open sessions as they are now. Costs a step for each, none for their results. */
  capture(): SessionState[] {
    return Array.from(this.#sessions.values(), (session) => session.capture());
  }

  /** Takes over a session from a snapshot, the longest idle first; false if its id was there before. */
  restore(id: number, lowWater: number, activeMs: number): boolean {
    if (this.#sessions.has(id)) return false;
    const session = new Session(id, activeMs);
    session.lowWater = lowWater;
    this.#sessions.set(id, session);
    this.#nextCloseMs = Math.min(this.#nextCloseMs, activeMs + SESSION_TTL_MS);
    return true;
  }

  /** Takes over one result of a restored session. */
  restoreResult(id: number, sequence: number, result: ApplyResult): void {
    this.#sessions.get(id)!.results.set(sequence, result);
    addResult(this.#hash, ElementTag.SessionResult, id, sequence, result);
  }

  /** Closes the sessions that have been idle for too long. */
  closeIdle(nowMs: number): void {
    if (nowMs < this.#nextCloseMs) return;
    this.#nextCloseMs = Infinity;
    for (const session of this.#sessions.values()) {
      if (session.activeMs + SESSION_TTL_MS > nowMs) {
        this.#nextCloseMs = session.activeMs + SESSION_TTL_MS;
        return;
      }
      this.#close(session);
    }
  }

  /** Opens a session, or notes that an open one is in use. */
  open(id: number, nowMs: number): void {
    const known = this.#sessions.get(id);
    if (known !== undefined) {
      this.#touch(known, nowMs);
      return;
    }
    if (this.#sessions.size >= SESSIONS_MAX) this.#close(this.#longestIdle());
    const session = new Session(id, nowMs);
    this.#sessions.set(id, session);
    this.#nextCloseMs = Math.min(this.#nextCloseMs, nowMs + SESSION_TTL_MS);
  }

  /** What is known of a command before it is applied: its result, or that it must not be applied. Else null. */
  recall(id: number, sequence: number, lowWater: number): ApplyResult | null {
    const session = this.#sessions.get(id);
    if (session === undefined) return SESSION_UNKNOWN;
    const result = session.results.get(sequence);
    if (result !== undefined) return result;
    return sequence < Math.max(session.lowWater, lowWater) ? STALE : null;
  }

  /** Remembers what a command of an open session came to, and forgets what lies below the low water. */
  remember(
    id: number,
    sequence: number,
    lowWater: number,
    result: ApplyResult,
    nowMs: number,
  ): void {
    const session = this.#sessions.get(id)!;
    session.ownResults().set(sequence, result);
    addResult(this.#hash, ElementTag.SessionResult, id, sequence, result);
    if (lowWater > session.lowWater) this.#raise(session, lowWater);
    if (session.results.size > SESSION_RESULTS_MAX) this.#raise(session, middle(session.results));
    this.#touch(session, nowMs);
  }

  /** Moves the low water up; steps through whichever is fewer, the sequences between or the results. */
  #raise(session: Session, lowWater: number): void {
    const { id } = session;
    const results = session.ownResults();
    if (lowWater - session.lowWater <= results.size) {
      for (let sequence = session.lowWater; sequence < lowWater; sequence++) {
        this.#forget(id, results, sequence);
      }
    } else {
      for (const sequence of results.keys()) {
        if (sequence < lowWater) this.#forget(id, results, sequence);
      }
    }
    session.lowWater = lowWater;
  }

  #forget(id: number, results: Map<number, ApplyResult>, sequence: number): void {
    const result = results.get(sequence);
    if (result === undefined) return;
    removeResult(this.#hash, ElementTag.SessionResult, id, sequence, result);
    results.delete(sequence);
  }

  #touch(session: Session, nowMs: number): void {
    if (session.activeMs === nowMs) return;
    session.activeMs = nowMs;
    // To the end of the map: at most once per session and millisecond.
    this.#sessions.delete(session.id);
    this.#sessions.set(session.id, session);
  }

  /** The first of the map, or of those equally idle the one with the lowest id: no order may matter. */
  #longestIdle(): Session {
    let found: Session | undefined;
    for (const session of this.#sessions.values()) {
      if (found !== undefined && session.activeMs > found.activeMs) break;
      if (found === undefined || session.id < found.id) found = session;
    }
    return found!;
  }

  #close(session: Session): void {
    for (const [sequence, result] of session.results) {
      removeResult(this.#hash, ElementTag.SessionResult, session.id, sequence, result);
    }
    this.#sessions.delete(session.id);
  }
}

const SESSION_UNKNOWN: ApplyResult = { status: "session-unknown" };
const STALE: ApplyResult = { status: "stale" };

/** Adds a session's own element, without its results, to a state hash. */
export function addSession(hash: MultisetHash, session: SessionState): void {
  hash.add(ElementTag.Session, 0, session.id, session.lowWater, session.activeMs);
}

/** The sequence below which half of the results lie. */
function middle(results: ReadonlyMap<number, ApplyResult>): number {
  const sequences = Float64Array.from(results.keys()).sort();
  return sequences[sequences.length >> 1]!;
}
