/**
 * Whether a history is linearizable: whether every operation can have taken place at one moment between its
 * invocation and its completion, each seeing what those before it left behind.
 *
 * A store starts empty. What it held before is told by a write that is over before all else.
 *
 * @module
 */
import { prepare } from "./calls.ts";
import { type Component, componentsOf } from "./components.ts";
import { explainInversion, explainShared, explainStuck } from "./explain.ts";
import { CONFIGURATION_UNITS_MAX, CONFIGURATIONS_MAX, STEPS_MAX } from "./limits.ts";
import { smallestPrefix } from "./prefix.ts";
import { search, type SearchLimits, type SearchResult } from "./search.ts";
import { findInversion, findShared } from "./timeline.ts";
import { keysOf, MalformedHistory, type Operation, type Versionstamp } from "./types.ts";
import { faultOf } from "./validate.ts";

/** How much may be spent, in all; see limits.ts. */
export type CheckOptions = Partial<SearchLimits>;

/** What a check came to; and what it was about. */
export type Verdict = VerdictBase & (Linearizable | NotLinearizable | Undecided);

interface VerdictBase {
  /** How many operations were looked at, those that say nothing included. */
  readonly operations: number;
  /** Sorted. */
  readonly keys: readonly string[];
  /** How many parts could be checked apart. */
  readonly components: number;
  /** Attempts to put an operation next. */
  readonly steps: number;
  /** Configurations remembered as hopeless, in the component with most of them. */
  readonly configurations: number;
}

/** There is an order. */
export interface Linearizable {
  readonly result: "linearizable";
  /** One a component. */
  readonly orders: readonly Order[];
}

/** There is none. */
export interface NotLinearizable {
  readonly result: "not-linearizable";
  readonly offence: Offence;
}

/** A limit was reached before the end of the search. For who wanted to know, as bad as none. */
export interface Undecided {
  readonly result: "unknown";
  readonly limit: keyof SearchLimits;
  /** Of the component that could not be decided. */
  readonly undecidedKeys: readonly string[];
}

/** An order in which the operations of a component can have taken place; those left out never did. */
export interface Order {
  readonly keys: readonly string[];
  /** `versionstamp`: of a write that has one, recorded or inferred from what was read. */
  readonly steps: readonly { readonly index: number; readonly versionstamp: Versionstamp | null }[];
}

/** What cannot be explained, and the least of the history that shows it. */
export interface Offence {
  /** Those that the prefix is about. */
  readonly keys: readonly string[];
  /** The position in the history of the operation that cannot be explained. */
  readonly index: number;
  /** The first moment at which what was known had no order; nearly always that operation's completion. */
  readonly until: number;
  /**
   * The smallest prefix without an order: positions in the history of the operations on these keys invoked
   * until then, by invocation.
   */
  readonly prefix: readonly number[];
  /** For people: what was seen, and what could have been. */
  readonly explanation: string;
}

/**
 * Checks a history. Operations may stand in any order.
 *
 * @throws {MalformedHistory} if an operation makes no sense.
 */
export function checkLinearizable(
  history: readonly Operation[],
  options: CheckOptions = {},
): Verdict {
  for (const [index, operation] of history.entries()) {
    const fault = faultOf(operation);
    if (fault !== null) throw new MalformedHistory(`operation ${index}: ${fault}`);
  }
  const components = componentsOf(history);
  const offences: Offence[] = [];
  const orders: Order[] = [];
  let undecided: Undecided | null = null;
  let steps = 0;
  let configurations = 0;
  for (const component of components) {
    const { result, found } = checkComponent(history, component, options, steps);
    steps += found.steps;
    configurations = Math.max(configurations, found.configurations);
    if (result.result === "unknown") undecided ??= result;
    else if (result.result === "linearizable") orders.push(...result.orders);
    else offences.push(result.offence);
  }
  const inversion = findInversion(history);
  if (inversion !== null) offences.push(explainInversion(history, inversion));
  const shared = findShared(history);
  if (shared !== null) offences.push(explainShared(history, shared));
  const keys = [...new Set(history.flatMap(keysOf))].sort();
  const base = {
    operations: history.length,
    keys,
    components: components.length,
    steps,
    configurations,
  };
  // Of two that complete together the one of a component says more than an inversion.
  offences.sort((a, b) => a.until - b.until);
  if (offences.length > 0) return { ...base, result: "not-linearizable", offence: offences[0]! };
  if (undecided !== null) return { ...base, ...undecided };
  return { ...base, result: "linearizable", orders };
}

function checkComponent(
  history: readonly Operation[],
  component: Component,
  options: CheckOptions,
  stepsDone: number,
): { result: Linearizable | NotLinearizable | Undecided; found: SearchResult } {
  const calls = prepare(history, component);
  const limits: SearchLimits = {
    stepsMax: (options.stepsMax ?? STEPS_MAX) - stepsDone,
    configurationsMax: options.configurationsMax ?? CONFIGURATIONS_MAX,
    configurationUnitsMax: options.configurationUnitsMax ?? CONFIGURATION_UNITS_MAX,
  };
  const found = search(calls, limits);
  const { keys } = component;
  switch (found.type) {
    case "found": {
      const steps = found.order.map(({ call, version }) => ({
        index: call.index,
        versionstamp: version === 0 ? null : calls.versionstamps[version]!,
      }));
      return { found, result: { result: "linearizable", orders: [{ keys, steps }] } };
    }
    case "none": {
      const prefix = smallestPrefix(history, component, limits, { calls, stuck: found });
      const offence = explainStuck(history, component, prefix);
      return { found, result: { result: "not-linearizable", offence } };
    }
    case "exhausted":
      return { found, result: { result: "unknown", limit: found.limit, undecidedKeys: keys } };
  }
}
