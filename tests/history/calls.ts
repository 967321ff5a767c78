/**
 * The operations of one component, made ready for a search: keys and versionstamps as small numbers,
 * invocations and completions in one order of time, and what can be known before the search begins.
 *
 * @module
 */
import type { Component } from "./components.ts";
import { NO_VERSION } from "./cells.ts";
import {
  type Check,
  compareVersionstamps,
  type Mutation,
  type Operation,
  type ReadOperation,
  type Value,
  type Versionstamp,
  type WriteOperation,
} from "./types.ts";

/** A precondition, ready. */
export interface CallCheck {
  readonly key: number;
  /** Undefined: the version is not asked for. {@linkcode NO_VERSION}: must be absent. */
  readonly version: number | undefined;
  /** Null: must be absent. Undefined: the value is not asked for. */
  readonly value: Value | null | undefined;
}

/** A change, ready. */
export interface CallMutation {
  readonly type: Mutation["type"];
  readonly key: number;
  /** Of a delete: null. */
  readonly value: Value | null;
  /** Whether it replaces what the key held without looking at it. */
  readonly blind: boolean;
}

/** An operation, ready. */
export interface Call {
  /** Its position in the component's calls. */
  readonly id: number;
  /** Its position in the history. */
  readonly index: number;
  /** `look`: a read, or a write whose checks failed: it changes nothing. */
  readonly type: "look" | "write";
  /** May happen at any time after its invocation, or never. */
  readonly open: boolean;
  /** Of a read: what it found, as checks that hold. */
  readonly checks: readonly CallCheck[];
  /** Of a write whose checks failed: which of them; null if that is not known. */
  readonly failed: readonly number[] | null;
  /** Whether at least one check did not hold. */
  readonly refuted: boolean;
  readonly mutations: readonly CallMutation[];
  /** The rank of its versionstamp; {@linkcode NO_VERSION} if that is not known. */
  readonly version: number;
  /** The bit for "has taken place" in a configuration. */
  readonly bit: number;
  /** The number of the class of open calls that do the same; -1 if it is not open. */
  readonly kind: number;
  readonly invokedAt: number;
  /** Infinity if it is open. */
  readonly completedAt: number;
}

/** Something that happens to a component. Positive: the invocation of call `event - 1`. Negative: the completion. */
export type CallEvent = number;

/** A version that was observed under a key, of no write that is known to have had it. */
export interface Orphan {
  readonly version: number;
  /** What was found there; undefined if only the version is known. */
  readonly value: Value | undefined;
}

/** A component, ready. */
export interface Calls {
  readonly keys: readonly string[];
  readonly calls: readonly Call[];
  readonly events: readonly CallEvent[];
  /** By rank, from 1; ascending. The first is not used. */
  readonly versionstamps: readonly Versionstamp[];
  /** The writes whose versionstamp is known, in the order of these: the order in which they took place. */
  readonly versioned: readonly number[];
  /** By key, ascending. */
  readonly orphans: readonly (readonly Orphan[])[];
  /** By kind: the open calls, by invocation. */
  readonly kinds: readonly (readonly number[])[];
  /** How many bits a configuration needs. */
  readonly bits: number;
}

/** Makes a component ready. */
export function prepare(history: readonly Operation[], component: Component): Calls {
  const keyNumbers = new Map(component.keys.map((key, i) => [key, i]));
  const operations = withoutEffectless(history, component);
  const versionstamps = mentioned(operations.map((index) => history[index]!));
  const ranks = new Map(versionstamps.map((it, i) => [it, i]));
  const reader = new CallReader(keyNumbers, ranks);
  const drafts = operations.map((index) => reader.read(history[index]!, index));
  const events = eventsOf(drafts);
  const { calls, kinds, bits } = withBits(drafts, events);
  const versioned = calls
    .filter(({ type, version }) => type === "write" && version !== NO_VERSION)
    .sort((a, b) => a.version - b.version || a.completedAt - b.completedAt)
    .map(({ id }) => id);
  const orphans = orphansOf(calls, component.keys.length);
  return { keys: component.keys, calls, events, versionstamps, versioned, orphans, kinds, bits };
}

type Draft = Omit<Call, "bit" | "kind" | "id">;

class CallReader {
  readonly #keys: ReadonlyMap<string, number>;
  readonly #ranks: ReadonlyMap<Versionstamp, number>;

  constructor(keys: ReadonlyMap<string, number>, ranks: ReadonlyMap<Versionstamp, number>) {
    this.#keys = keys;
    this.#ranks = ranks;
  }

  read(operation: Operation, index: number): Draft {
    const open = operation.outcome === "unknown";
    const span = {
      index,
      open,
      invokedAt: operation.invokedAt,
      completedAt: open ? Infinity : operation.completedAt ?? Infinity,
    };
    const nothing = { failed: null, refuted: false, mutations: [], version: NO_VERSION };
    if (operation.op === "read") {
      return { ...span, ...nothing, type: "look", checks: this.#found(operation) };
    }
    const checks = operation.checks.map((check) => this.#check(check));
    if (operation.outcome === "check-failed") {
      const failed = operation.failedChecks ?? null;
      return { ...span, ...nothing, type: "look", checks, failed, refuted: true };
    }
    const stamp = operation.outcome === "ok" ? operation.versionstamp : undefined;
    const version = stamp === undefined ? NO_VERSION : this.#ranks.get(stamp)!;
    const mutations = this.#mutations(operation);
    return { ...span, ...nothing, type: "write", checks, mutations, version };
  }

  #found(operation: ReadOperation): CallCheck[] {
    if (operation.outcome !== "ok") return [];
    return operation.entries.map((entry, i) => {
      const key = this.#keys.get(operation.keys[i]!)!;
      if (entry === null) return { key, version: NO_VERSION, value: null };
      const stamp = entry.versionstamp;
      const version = stamp === undefined ? undefined : this.#ranks.get(stamp)!;
      return { key, version, value: entry.value };
    });
  }

  #check(check: Check): CallCheck {
    const key = this.#keys.get(check.key)!;
    if ("value" in check) {
      return { key, version: check.value === null ? NO_VERSION : undefined, value: check.value };
    }
    if (check.versionstamp === null) return { key, version: NO_VERSION, value: null };
    return { key, version: this.#ranks.get(check.versionstamp)!, value: undefined };
  }

  #mutations(operation: WriteOperation): CallMutation[] {
    const looked = new Set(operation.checks.map(({ key }) => key));
    return operation.mutations.map((mutation) => {
      const { type, key } = mutation;
      const blind = (type === "set" || type === "delete") && !looked.has(key);
      looked.add(key);
      const value = type === "delete" ? null : mutation.value;
      return { type, key: this.#keys.get(key)!, value, blind };
    });
  }
}

/** Every versionstamp of the operations, once, ascending, behind one that is not used. */
function mentioned(operations: readonly Operation[]): Versionstamp[] {
  const stamps = new Set<Versionstamp>();
  for (const operation of operations) {
    if (operation.op === "read") {
      if (operation.outcome !== "ok") continue;
      for (const entry of operation.entries) {
        if (entry?.versionstamp !== undefined) stamps.add(entry.versionstamp);
      }
      continue;
    }
    for (const check of operation.checks) {
      if ("versionstamp" in check && check.versionstamp !== null) stamps.add(check.versionstamp);
    }
    if (operation.outcome === "ok" && operation.versionstamp !== undefined) {
      stamps.add(operation.versionstamp);
    }
  }
  return ["", ...[...stamps].sort(compareVersionstamps)];
}

/**
 * Leaves out open writes that could not explain anything: all they do is to set one key to a value that no
 * read found and no check asked for. (If somebody saw that the key was *not* as expected, or added to
 * it, any value may be the explanation.)
 */
function withoutEffectless(history: readonly Operation[], component: Component): number[] {
  const wanted = new Map<string, Set<Value | null>>();
  const anything = new Set<string>();
  const want = (key: string, value: Value | null) => {
    const values = wanted.get(key);
    if (values === undefined) wanted.set(key, new Set([value]));
    else values.add(value);
  };
  for (const index of component.operations) {
    const operation = history[index]!;
    if (operation.op === "read") {
      if (operation.outcome !== "ok") continue;
      operation.entries.forEach((entry, i) => want(operation.keys[i]!, entry?.value ?? null));
      continue;
    }
    for (const check of operation.checks) {
      if (operation.outcome === "check-failed") anything.add(check.key);
      else if ("value" in check) want(check.key, check.value);
      else if (check.versionstamp === null) want(check.key, null);
      else anything.add(check.key);
    }
    for (const { type, key } of operation.mutations) {
      if (type !== "set" && type !== "delete") anything.add(key);
    }
  }
  return component.operations.filter((index) => {
    const operation = history[index]!;
    if (operation.op === "read" || operation.outcome !== "unknown") return true;
    return operation.mutations.some((mutation) => {
      if (anything.has(mutation.key)) return true;
      if (mutation.type !== "set" && mutation.type !== "delete") return true;
      const value = mutation.type === "set" ? mutation.value : null;
      return wanted.get(mutation.key)?.has(value) ?? false;
    });
  });
}

/** Invocations and completions in the order of time; at one moment invocations come first. */
function eventsOf(drafts: readonly Draft[]): CallEvent[] {
  const events: CallEvent[] = [];
  for (const [id, { open }] of drafts.entries()) {
    events.push(id + 1);
    if (!open) events.push(-(id + 1));
  }
  const timeOf = (event: CallEvent) =>
    event > 0 ? drafts[event - 1]!.invokedAt : drafts[-event - 1]!.completedAt;
  return events.sort((a, b) => timeOf(a) - timeOf(b) || Number(a < 0) - Number(b < 0));
}

/** Gives each call a bit: those that complete share bits over time, the open ones have one each. */
function withBits(drafts: readonly Draft[], events: readonly CallEvent[]) {
  const bitOf = new Array<number>(drafts.length);
  const free: number[] = [];
  let bits = 0;
  for (const event of events) {
    const id = Math.abs(event) - 1;
    if (drafts[id]!.open) continue;
    if (event < 0) free.push(bitOf[id]!);
    else bitOf[id] = free.pop() ?? bits++;
  }
  const kinds = kindsOf(drafts);
  const kindOf = new Array<number>(drafts.length).fill(-1);
  for (const [kind, members] of kinds.entries()) {
    for (const id of members) {
      bitOf[id] = bits++;
      kindOf[id] = kind;
    }
  }
  const calls = drafts.map((draft, id): Call => ({
    ...draft,
    id,
    bit: bitOf[id]!,
    kind: kindOf[id]!,
  }));
  return { calls, kinds, bits };
}

/** Open calls that do the same are one as good as the other: of each kind the earliest goes first. */
function kindsOf(drafts: readonly Draft[]): number[][] {
  const kinds = new Map<string, number[]>();
  for (const [id, { open, checks, mutations }] of drafts.entries()) {
    if (!open) continue;
    const name = JSON.stringify([
      checks.map(({ key, version, value }) => [key, version ?? "any", value === undefined, value]),
      mutations.map(({ type, key, value }) => [type, key, value]),
    ]);
    const members = kinds.get(name);
    if (members === undefined) kinds.set(name, [id]);
    else members.push(id);
  }
  for (const members of kinds.values()) {
    members.sort((a, b) => drafts[a]!.invokedAt - drafts[b]!.invokedAt);
  }
  return [...kinds.values()];
}

function orphansOf(calls: readonly Call[], keys: number): Orphan[][] {
  const owned = new Set(calls.filter(({ type }) => type === "write").map(({ version }) => version));
  const found = Array.from({ length: keys }, () => new Map<string, Orphan>());
  for (const { checks } of calls) {
    for (const { key, version, value } of checks) {
      if (version === undefined || version === NO_VERSION || owned.has(version)) continue;
      if (value === null) continue;
      found[key]!.set(`${version} ${typeof value} ${value}`, { version, value });
    }
  }
  return found.map((orphans) => [...orphans.values()].sort((a, b) => a.version - b.version));
}
