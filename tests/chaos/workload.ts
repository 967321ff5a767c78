/**
 * What the clients of a chaos run ask for: a mixture of all operations, on few keys, so that they meet.
 *
 * The keys of one epoch are used for some seconds and then others are, so that the part of the history that
 * belongs together stays small enough to be searched. Registers are single keys with texts, counters single
 * keys with numbers, groups three keys that are read and written together, and passing keys expire.
 *
 * @module
 */
import type { Check, Entry, Mutation, ReadAction, WriteAction } from "../history/mod.ts";
import type { Door } from "./calls.ts";
import {
  COUNTERS,
  EPOCH_MS,
  GROUPS,
  PASSING,
  PASSING_MAX_MS,
  PASSING_MIN_MS,
  REGISTERS,
} from "./limits.ts";
import type { Random } from "./random.ts";
import type { Kind } from "./record.ts";

/** One thing to do. */
export type Task =
  | { readonly type: "read"; readonly kind: Kind; readonly action: ReadAction }
  | WriteTask
  | { readonly type: "journal"; readonly id: string; readonly isKeyed: boolean }
  | { readonly type: "session"; readonly key: string }
  | { readonly type: "eventual"; readonly key: string; readonly maxStalenessMs: number };

/** A write for the checker. */
export interface WriteTask {
  readonly type: "write";
  readonly kind: Kind;
  readonly action: WriteAction;
  readonly door: Door;
  readonly isKeyed: boolean;
  /** Null: never. */
  readonly expireInMs: number | null;
}

/** How often each is asked for, in parts of the sum. */
const MIXTURE = [
  ["read", 14],
  ["lease", 8],
  ["list", 8],
  ["set", 12],
  ["expiring", 5],
  ["delete", 4],
  ["compare-and-set", 14],
  ["sum", 12],
  ["group", 10],
  ["journal", 12],
  ["session", 5],
  ["eventual", 5],
] as const;

type Wish = typeof MIXTURE[number][0];

const WISHES: readonly Wish[] = MIXTURE.flatMap(([wish, parts]) => Array(parts).fill(wish));
/** The first parts of all keys that are in the history and stay. */
export const PREFIXES = ["r", "c", "g"] as const;
/** Of those that pass. */
export const PASSING_PREFIX = "e";
/** Of the writes, how many go with an idempotency key. */
const KEYED_RATE = 0.4;
const STALENESS_MS = [100, 300, 1000, 3000];
/** Versions that a client remembers, newest last; more are of epochs that are over. */
const VERSIONS_KEPT_MAX = 64;

export class Workload {
  readonly #name: string;
  readonly #random: Random;
  /** The version under which this client saw a key last; null: it was absent. */
  readonly #versions = new Map<string, string | null>();
  #count = 0;

  constructor(name: string, random: Random) {
    this.#name = name;
    this.#random = random;
  }

  next(nowMs: number): Task {
    const epoch = Math.floor(nowMs / EPOCH_MS);
    const random = this.#random;
    const register = `r/${epoch}/${random.between(1, REGISTERS)}`;
    switch (random.pick(WISHES)) {
      case "read":
        return this.#read("read", [anyOf(epoch, random)]);
      case "lease":
        return this.#read("lease read", [register]);
      case "list":
        return this.#read("list", groupOf(epoch, random));
      case "set":
        return this.#write("write", [], [this.#set(register)]);
      case "expiring":
        return this.#passing(passingOf(epoch, random));
      case "delete":
        return this.#write("delete", [], [{ type: "delete", key: register }]);
      case "compare-and-set":
        return this.#compareAndSet(register);
      case "sum":
        return this.#sum(counterOf(epoch, random));
      case "group":
        return this.#group(groupOf(epoch, random));
      case "journal": {
        const id = `${this.#name}-${++this.#count}`;
        return { type: "journal", id, isKeyed: random.chance(0.5) };
      }
      case "session":
        return { type: "session", key: register };
      case "eventual":
        return { type: "eventual", key: register, maxStalenessMs: random.pick(STALENESS_MS) };
    }
  }

  /** A read has shown this. */
  saw(keys: readonly string[], entries: readonly (Entry | null)[]): void {
    entries.forEach((entry, i) => this.#remember(keys[i], entry?.versionstamp ?? null));
  }

  /** A write was acknowledged. */
  wrote({ mutations }: WriteAction, versionstamp: string): void {
    for (const { type, key } of mutations) {
      this.#remember(key, type === "delete" ? null : versionstamp);
    }
  }

  #remember(key: string, version: string | null): void {
    this.#versions.delete(key);
    this.#versions.set(key, version);
    if (this.#versions.size <= VERSIONS_KEPT_MAX) return;
    for (const oldest of this.#versions.keys()) {
      this.#versions.delete(oldest);
      return;
    }
  }

  #read(kind: Kind, keys: readonly string[]): Task {
    return { type: "read", kind, action: { op: "read", keys } };
  }

  #write(kind: Kind, checks: readonly Check[], mutations: readonly Mutation[]): WriteTask {
    const [mutation] = mutations;
    const isOne = mutations.length === 1 && (mutation.type === "set" || mutation.type === "delete");
    // What DELETE cannot say: only if there is no such key.
    const isSayable = isOne &&
      checks.every((check) =>
        mutation.type !== "delete" || "versionstamp" in check && check.versionstamp !== null
      );
    return {
      type: "write",
      kind,
      action: { op: "write", checks, mutations },
      door: isSayable && this.#random.chance(0.7) ? "key" : "atomic",
      isKeyed: this.#random.chance(KEYED_RATE),
      expireInMs: null,
    };
  }

  /** A value that goes by itself. */
  #passing(key: string): Task {
    const expireInMs = this.#random.between(PASSING_MIN_MS, PASSING_MAX_MS);
    return { ...this.#write("expiring write", [], [this.#set(key)]), expireInMs };
  }

  /** Under the version seen last, which others may have changed since; or none, seen or not. */
  #check(key: string): Check {
    return { key, versionstamp: this.#versions.get(key) ?? null };
  }

  #compareAndSet(key: string): Task {
    const mutation = this.#random.chance(0.85) ? this.#set(key) : { type: "delete", key } as const;
    return this.#write("compare-and-set", [this.#check(key)], [mutation]);
  }

  #sum(key: string): Task {
    const random = this.#random;
    if (random.chance(0.06)) return this.#write("delete", [], [{ type: "delete", key }]);
    const type = random.chance(0.8) ? "sum" : random.pick(["min", "max"] as const);
    const value = type === "sum" ? random.between(1, 5) : random.between(1, 40);
    return this.#write("sum", [], [{ type, key, value }]);
  }

  /** Changes two or three keys at once, now and then under checks of one or two of them. */
  #group(keys: readonly string[]): Task {
    const random = this.#random;
    const [text, other, number] = keys;
    const checks = random.chance(0.5)
      ? random.shuffled(keys).slice(0, random.between(1, 2)).map((key) => this.#check(key))
      : [];
    const mutations: Mutation[] = [
      this.#set(text),
      random.chance(0.8) ? this.#set(other) : { type: "delete", key: other },
    ];
    if (random.chance(0.6)) mutations.push({ type: "sum", key: number, value: 1 });
    return this.#write("atomic", checks, mutations);
  }

  /** A value that nobody else writes. */
  #set(key: string): Mutation {
    return { type: "set", key, value: `${this.#name}.${++this.#count}` };
  }
}

/** A single key of those that are in use now. */
export function keyInUse(nowMs: number, random: Random): string {
  return anyOf(Math.floor(nowMs / EPOCH_MS), random);
}

function anyOf(epoch: number, random: Random): string {
  if (random.chance(0.6)) return `r/${epoch}/${random.between(1, REGISTERS)}`;
  return random.chance(0.6) ? counterOf(epoch, random) : passingOf(epoch, random);
}

function passingOf(epoch: number, random: Random): string {
  return `${PASSING_PREFIX}/${epoch}/${random.between(1, PASSING)}`;
}

function counterOf(epoch: number, random: Random): string {
  return `c/${epoch}/${random.between(1, COUNTERS)}`;
}

/** Two texts and a number. */
function groupOf(epoch: number, random: Random): string[] {
  const group = random.between(1, GROUPS);
  return ["a", "b", "n"].map((name) => `g/${epoch}/${group}/${name}`);
}
