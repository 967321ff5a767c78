/**
 * Large histories of a store that is linearizable by construction: each operation takes place at a random
 * moment of its span, on one state. For tests and benchmarks of the checker, at sizes where no oracle
 * can follow.
 *
 * @module
 */
import type { Check, Entry, Mutation, Operation, Value } from "./mod.ts";

/** What to generate. */
export interface Plan {
  readonly seed: number;
  readonly operations: number;
  readonly clients: number;
  readonly keys: number;
  /** Whether writes and reads tell versionstamps. */
  readonly versions: boolean;
  /** Of 1: how many writes are never answered. Half of them take effect. */
  readonly unknown: number;
  /** Of 1: how many operations touch two keys. */
  readonly pairs: number;
  /** Sets take their values from so many; 0: every value is written once. */
  readonly values: number;
}

/** A usual plan. */
export const USUAL: Plan = {
  seed: 1,
  operations: 10_000,
  clients: 30,
  keys: 5,
  versions: false,
  unknown: 0.02,
  pairs: 0,
  values: 0,
};

const SPAN_MAX = 1000;

/** Marsaglia's xorshift: the same numbers for the same seed, everywhere. */
export function randomOf(seed: number): () => number {
  let state = seed * 2654435761 >>> 0 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 0x1_0000_0000;
  };
}

interface Asked {
  readonly client: string;
  readonly invokedAt: number;
  readonly happensAt: number;
  readonly completedAt: number;
  readonly unknown: boolean;
}

/** Generates a history, by invocation. */
export function generate(plan: Plan): Operation[] {
  const random = randomOf(plan.seed);
  const asked: Asked[] = [];
  for (let c = 0; c < plan.clients; c++) {
    let now = Math.floor(random() * SPAN_MAX);
    for (let i = c; i < plan.operations; i += plan.clients) {
      const completedAt = now + 1 + Math.floor(random() * SPAN_MAX);
      const happensAt = now + random() * (completedAt - now);
      const unknown = random() < plan.unknown;
      asked.push({ client: `c${c}`, invokedAt: now, happensAt, completedAt, unknown });
      now = completedAt + Math.floor(random() * SPAN_MAX / 4) + 1;
    }
  }
  const store = new Store(plan, random);
  asked.sort((a, b) => a.happensAt - b.happensAt);
  return asked.map((it) => store.do(it)).sort((a, b) => a.invokedAt - b.invokedAt);
}

class Store {
  readonly #plan: Plan;
  readonly #random: () => number;
  readonly #held = new Map<string, { value: Value; versionstamp: string }>();
  #version = 0;
  #unique = 0;

  constructor(plan: Plan, random: () => number) {
    this.#plan = plan;
    this.#random = random;
  }

  do({ client, invokedAt, completedAt, unknown }: Asked): Operation {
    const keys = [this.#key()];
    if (this.#random() < this.#plan.pairs) {
      const other = this.#key();
      if (other !== keys[0]) keys.push(other);
    }
    const kind = this.#random();
    if (kind < 0.5) {
      const entries = keys.map((key) => this.#entry(key));
      return { client, invokedAt, completedAt, op: "read", keys, outcome: "ok", entries };
    }
    const mutations = keys.map((key) => this.#mutation(key, kind));
    const checks = kind < 0.7 ? [this.#check(keys[0]!)] : [];
    const write = { client, invokedAt, op: "write", checks, mutations } as const;
    if (unknown) {
      if (this.#random() < 0.5 && this.#failed(checks).length === 0) this.#apply(mutations);
      return { ...write, completedAt: null, outcome: "unknown" };
    }
    const failedChecks = this.#failed(checks);
    if (failedChecks.length > 0) {
      return { ...write, completedAt, outcome: "check-failed", failedChecks };
    }
    const versionstamp = this.#apply(mutations);
    const told = this.#plan.versions ? { versionstamp } : {};
    return { ...write, completedAt, outcome: "ok", ...told };
  }

  /** The last key is a counter, the others hold values. */
  #key(): string {
    return `k${Math.floor(this.#random() * this.#plan.keys)}`;
  }

  #mutation(key: string, kind: number): Mutation {
    if (key === `k${this.#plan.keys - 1}`) return { type: "sum", key, value: 1 };
    if (kind > 0.95) return { type: "delete", key };
    const { values } = this.#plan;
    const value = values === 0 ? `v${this.#unique++}` : Math.floor(this.#random() * values);
    return { type: "set", key, value };
  }

  #check(key: string): Check {
    const held = this.#held.get(key);
    const right = this.#random() < 0.7;
    if (this.#plan.versions) {
      return {
        key,
        versionstamp: right ? held?.versionstamp ?? null : stampOf(this.#version + 1e6),
      };
    }
    return { key, value: right ? held?.value ?? null : "never" };
  }

  #failed(checks: readonly Check[]): number[] {
    return checks.flatMap((check, at) => {
      const held = this.#held.get(check.key);
      const holds = "value" in check
        ? (held?.value ?? null) === check.value
        : (held?.versionstamp ?? null) === check.versionstamp;
      return holds ? [] : [at];
    });
  }

  #entry(key: string): Entry | null {
    const held = this.#held.get(key);
    if (held === undefined) return null;
    return this.#plan.versions ? held : { value: held.value };
  }

  #apply(mutations: readonly Mutation[]): string {
    const versionstamp = stampOf(++this.#version);
    for (const mutation of mutations) {
      const { key, type } = mutation;
      if (type === "delete") this.#held.delete(key);
      else {
        const before = this.#held.get(key)?.value;
        const value = type === "sum" && typeof before === "number"
          ? before + mutation.value
          : mutation.value;
        this.#held.set(key, { value, versionstamp });
      }
    }
    return versionstamp;
  }
}

function stampOf(version: number): string {
  return version.toString(16).padStart(20, "0");
}
