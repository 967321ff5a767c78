/**
 * The operations of one component, made ready for a search: keys and versionstamps as small numbers,
 * invocations and completions in one order of time, and what can be known before the search begins.
 *
 * @module
 */
import type { Component } from "./components.ts";
import { NO_VERSION } from "./cells.ts";
import { UNWANTED, Wishes } from "./wishes.ts";
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
  /** The number of the class of writes without a known version that do the same; -1 for other calls. */
  readonly kind: number;
  /** The keys that it touches, each once. */
  readonly keys: readonly number[];
  /**
   * Open, and sets one key to what nobody wants unless under a version: without one, the only thing that it
   * explains is that a check on the key failed.
   */
  readonly vain: boolean;
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
  /** By key: what was found there under a version. Whatever writes it must leave just that. */
  readonly seen: readonly ReadonlyMap<number, Value>[];
  /** By kind: the open calls of it, by invocation. */
  readonly kinds: readonly (readonly number[])[];
  /** How many bits a configuration needs. */
  readonly bits: number;
}

/** Makes a component ready. */
export function prepare(history: readonly Operation[], component: Component): Calls {
  const keyNumbers = new Map(component.keys.map((key, i) => [key, i]));
  const wishes = new Wishes(component.operations.map((index) => history[index]!));
  const operations = component.operations.filter((index) => !wishes.isIdle(history[index]!));
  const versionstamps = mentioned(operations.map((index) => history[index]!));
  const ranks = new Map(versionstamps.map((it, i) => [it, i]));
  const reader = new CallReader(keyNumbers, ranks, wishes);
  const drafts = operations.map((index) => reader.read(history[index]!, index));
  const events = eventsOf(drafts);
  const { calls, kinds, bits } = withBits(drafts, events);
  const versioned = calls
    .filter(({ type, version }) => type === "write" && version !== NO_VERSION)
    .sort((a, b) => a.version - b.version || a.completedAt - b.completedAt)
    .map(({ id }) => id);
  const orphans = orphansOf(calls, component.keys.length);
  const seen = seenIn(calls, component.keys.length);
  return {
    keys: component.keys,
    calls,
    events,
    versionstamps,
    versioned,
    orphans,
    seen,
    kinds,
    bits,
  };
}

type Draft = Omit<Call, "bit" | "kind" | "id" | "keys" | "vain">;

class CallReader {
  readonly #keys: ReadonlyMap<string, number>;
  readonly #ranks: ReadonlyMap<Versionstamp, number>;
  readonly #wishes: Wishes;

  constructor(
    keys: ReadonlyMap<string, number>,
    ranks: ReadonlyMap<Versionstamp, number>,
    wishes: Wishes,
  ) {
    this.#keys = keys;
    this.#ranks = ranks;
    this.#wishes = wishes;
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
    const mutations = this.#mutations(operation, version);
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

  #mutations(operation: WriteOperation, version: number): CallMutation[] {
    const looked = new Set(operation.checks.map(({ key }) => key));
    return operation.mutations.map((mutation) => {
      const { type, key } = mutation;
      const blind = (type === "set" || type === "delete") && !looked.has(key);
      looked.add(key);
      const value = mutation.type === "delete"
        ? null
        : version === NO_VERSION && this.#wishes.isUnwanted(mutation)
        ? UNWANTED
        : mutation.value;
      return { type, key: this.#keys.get(key)!, value, blind };
    });
  }
}

/** Every versionstamp of the operations, once, ascending, behind one that is not used. */
export function mentioned(operations: readonly Operation[]): Versionstamp[] {
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
  const kindOf = kindsOf(drafts);
  const kinds = Array.from(
    { length: kindOf.reduce((most, it) => Math.max(most, it + 1), 0) },
    (): number[] => [],
  );
  for (const [id, { open }] of drafts.entries()) {
    if (!open) continue;
    bitOf[id] = bits++;
    kinds[kindOf[id]!]!.push(id);
  }
  for (const members of kinds) {
    members.sort((a, b) => drafts[a]!.invokedAt - drafts[b]!.invokedAt);
    // Of equals the first goes first, so which of them have taken place is told by the first bits.
    const own = members.map((id) => bitOf[id]!).sort((a, b) => a - b);
    for (const [i, id] of members.entries()) bitOf[id] = own[i]!;
  }
  const wanted = wantedIn(drafts);
  const calls = drafts.map((draft, id): Call => ({
    ...draft,
    id,
    bit: bitOf[id]!,
    kind: kindOf[id]!,
    keys: [...new Set([...draft.checks, ...draft.mutations].map(({ key }) => key))],
    vain: isVain(draft, wanted),
  }));
  return { calls, kinds, bits };
}

/** Writes that do the same are one as good as the other, unless their versions tell them apart. */
function kindsOf(drafts: readonly Draft[]): number[] {
  const kinds = new Map<string, number>();
  return drafts.map(({ type, version, checks, mutations }) => {
    if (type !== "write" || version !== NO_VERSION) return -1;
    const name = JSON.stringify([
      checks.map(({ key, version, value }) => [key, version ?? "any", value === undefined, value]),
      mutations.map(({ type, key, value }) => [type, key, value]),
    ]);
    const known = kinds.get(name);
    if (known !== undefined) return known;
    kinds.set(name, kinds.size);
    return kinds.size - 1;
  });
}

/** By key: the values that were seen or asked for without a version; null: any, since something counts there. */
function wantedIn(drafts: readonly Draft[]): ReadonlyMap<number, Set<Value | null> | null> {
  const wanted = new Map<number, Set<Value | null> | null>();
  for (const { checks, mutations } of drafts) {
    for (const { key, version, value } of checks) {
      if (value === undefined || version !== undefined && version !== NO_VERSION) continue;
      const values = wanted.get(key);
      if (values === undefined) wanted.set(key, new Set([value]));
      else values?.add(value);
    }
    for (const { type, key } of mutations) {
      if (type !== "set" && type !== "delete") wanted.set(key, null);
    }
  }
  return wanted;
}

function isVain(
  { open, mutations }: Draft,
  wanted: ReadonlyMap<number, Set<Value | null> | null>,
): boolean {
  if (!open || mutations.length !== 1) return false;
  const { key, value } = mutations[0]!;
  const values = wanted.get(key);
  return values !== null && !(values?.has(value) ?? false);
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

function seenIn(calls: readonly Call[], keys: number): Map<number, Value>[] {
  const seen = Array.from({ length: keys }, () => new Map<number, Value>());
  for (const { checks, refuted } of calls) {
    if (refuted) continue;
    for (const { key, version, value } of checks) {
      if (version === undefined || version === NO_VERSION) continue;
      if (value !== undefined && value !== null) seen[key]!.set(version, value);
    }
  }
  return seen;
}
