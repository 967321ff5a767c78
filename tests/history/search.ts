/**
 * Looks for an order in which the calls of one component can have taken place: Wing and Gong's search with
 * Lowe's memory ("Testing for linearizability", 2017; Porcupine does the same).
 *
 * Time is walked completion by completion. When a call completes that has not taken place yet, pending
 * calls are tried one after the other until it has; a configuration from which that came to nothing is
 * remembered and never entered again. A component without an order is therefore stuck at one completion, and
 * the calls invoked until then are its smallest prefix without an order.
 *
 * Depth first, and the likeliest first: a history that is in order is walked almost without a step back.
 *
 * @module
 */
import type { Call, CallCheck, Calls } from "./calls.ts";
import { NO_VERSION } from "./cells.ts";
import { combine, Configuration } from "./configuration.ts";
import { POSSIBLE_STATES_MAX } from "./limits.ts";
import type { Value } from "./types.ts";

/** What a search may spend. */
export interface SearchLimits {
  readonly stepsMax: number;
  readonly configurationsMax: number;
  readonly configurationUnitsMax: number;
}

/** A state in which a search was when it could not go on. */
export interface PossibleState {
  /** By key of the call that could not be explained. */
  readonly cells: readonly { readonly value: Value | null; readonly version: number }[];
  /** The greatest version before. */
  readonly last: number;
}

/** What a search came to. */
export type SearchResult =
  & { readonly steps: number; readonly configurations: number }
  & (
    | { readonly type: "found"; readonly order: readonly { call: Call; version: number }[] }
    /** Nothing explains this call's completion. */
    | { readonly type: "none"; readonly call: Call; readonly possible: readonly PossibleState[] }
    | { readonly type: "exhausted"; readonly limit: keyof SearchLimits }
  );

/** One place where the search had a choice. */
interface Choice {
  /** The call that has to take place before time can go on. */
  readonly due: Call;
  readonly mark: number;
  readonly position: number;
  /** Calls and versions by turns; what comes next is at `next`. */
  options: (Call | number)[];
  next: number;
  /** Whether the options are all there are, or only the likeliest. */
  complete: boolean;
}

/** Searches one component. */
export function search(calls: Calls, limits: SearchLimits): SearchResult {
  return new Search(calls, limits).run();
}

class Search {
  readonly #limits: SearchLimits;
  readonly #at: Configuration;
  readonly #hopeless = new Set<string>();
  #hopelessUnits = 0;
  #steps = 0;
  readonly #choices: Choice[] = [];
  /** The farthest completion that was tried, and in which states. */
  #farthest = -1;
  #stuck: Call | null = null;
  #possible = new Map<string, PossibleState>();

  constructor(calls: Calls, limits: SearchLimits) {
    this.#limits = limits;
    this.#at = new Configuration(calls);
  }

  run(): SearchResult {
    const first = this.#at.advance();
    if (first === null) return this.#result({ type: "found", order: this.#at.order() });
    this.#choose(first);
    for (let choice = this.#choices.at(-1); choice !== undefined; choice = this.#choices.at(-1)) {
      this.#at.undo(choice.mark);
      this.#at.position = choice.position;
      if (choice.next === choice.options.length && !this.#widen(choice)) {
        const limit = this.#giveUp();
        if (limit !== null) return this.#result({ type: "exhausted", limit });
        continue;
      }
      if (++this.#steps > this.#limits.stepsMax) {
        return this.#result({ type: "exhausted", limit: "stepsMax" });
      }
      const call = choice.options[choice.next]! as Call;
      const version = choice.options[choice.next + 1]! as number;
      choice.next += 2;
      if (!this.#at.happen(call, version)) continue;
      const due = this.#at.hasHappened(choice.due) ? this.#at.advance() : choice.due;
      if (due === null) return this.#result({ type: "found", order: this.#at.order() });
      this.#choose(due);
    }
    const possible = [...this.#possible.values()];
    return this.#result({ type: "none", call: this.#stuck!, possible });
  }

  #result<T>(result: T): T & { steps: number; configurations: number } {
    return { ...result, steps: this.#steps, configurations: this.#hopeless.size };
  }

  /** Enters a configuration, unless it is known to lead nowhere. */
  #choose(due: Call): void {
    this.#witness(due);
    if (this.#hopeless.size > 0 && this.#hopeless.has(this.#at.key())) return;
    const choice: Choice = {
      due,
      mark: this.#at.mark(),
      position: this.#at.position,
      options: [],
      next: 0,
      complete: false,
    };
    if (due.type === "write") this.#offer(choice, due);
    this.#choices.push(choice);
  }

  /** @returns whether there are more options than were known. */
  #widen(choice: Choice): boolean {
    if (choice.complete) return false;
    choice.complete = true;
    choice.options = [];
    choice.next = 0;
    const { due } = choice;
    const unmet = due.refuted ? undefined : this.#at.unmet(due);
    const later: Call[] = [];
    for (const call of this.#at.candidates()) {
      if (call === due) continue;
      if (unmet !== undefined && this.#mayMeet(call, unmet)) this.#offer(choice, call);
      else later.push(call);
    }
    later.sort((a, b) => a.completedAt === b.completedAt ? 0 : a.completedAt - b.completedAt);
    for (const call of later) this.#offer(choice, call);
    return choice.options.length > 0;
  }

  #offer(choice: Choice, call: Call): void {
    for (const version of this.#at.versionsOf(call)) choice.options.push(call, version);
  }

  /** Whether a check that does not hold now would, if this call were next. */
  #mayMeet(call: Call, check: CallCheck): boolean {
    let cell = this.#at.cells.at(this.#at.cellIds[check.key]!);
    let touched = false;
    for (const mutation of call.mutations) {
      if (mutation.key !== check.key) continue;
      const value = combine(cell, mutation);
      if (value === undefined) return false;
      cell = { ...cell, value };
      touched = true;
    }
    if (!touched || check.value !== undefined && check.value !== cell.value) return false;
    if (check.version === undefined || check.version === NO_VERSION) return true;
    return call.version === NO_VERSION || call.version === check.version;
  }

  /** Leaves the last choice for good. @returns the limit that is reached by it, if one is. */
  #giveUp(): keyof SearchLimits | null {
    const key = this.#at.key();
    this.#hopeless.add(key);
    this.#hopelessUnits += key.length;
    this.#choices.pop();
    if (this.#hopeless.size >= this.#limits.configurationsMax) return "configurationsMax";
    if (this.#hopelessUnits >= this.#limits.configurationUnitsMax) return "configurationUnitsMax";
    return null;
  }

  /** Remembers the states in which the farthest completion was tried, for who asks what went wrong. */
  #witness(due: Call): void {
    if (this.#at.position < this.#farthest) return;
    if (this.#at.position > this.#farthest) {
      this.#farthest = this.#at.position;
      this.#stuck = due;
      this.#possible.clear();
    }
    if (this.#possible.size >= POSSIBLE_STATES_MAX) return;
    const ids = keysOf(due).map((key) => this.#at.cellIds[key]!);
    const name = `${ids} ${due.version === NO_VERSION ? "" : this.#at.last}`;
    if (this.#possible.has(name)) return;
    const cells = ids.map((id) => this.#at.cells.at(id));
    this.#possible.set(name, { cells, last: this.#at.last });
  }
}

/** The keys of a call, each once, in the order of their first mention. */
export function keysOf(call: Call): readonly number[] {
  return [...new Set([...call.checks, ...call.mutations].map(({ key }) => key))];
}
