/**
 * What a client asks for, as the history has it and as the service takes it.
 *
 * Keys `k0`… hold text and are set, deleted, and checked; `c0`… hold numbers and are counted in. `x0` expires,
 * and is in no history: a checker of histories knows no time.
 *
 * @module
 */
import type { Asked } from "./invariants/fresh_reads.ts";
import type { Dice } from "./random.ts";
import type { Consistency } from "../../actors/service.ts";
import { encodeKey } from "../../kv/key_codec.ts";
import {
  type AtomicWrite,
  type EncodedKey,
  type StoredEntry,
  ValueEncoding,
  type Versionstamp,
} from "../../kv/types.ts";
import { bytesValue, u64Of, u64Value } from "../../kv/value_codec.ts";
import { formatVersionstamp, parseVersionstamp } from "../../kv/versionstamp.ts";

export type HistoryMutation =
  | { readonly type: "set"; readonly key: string; readonly value: string }
  | { readonly type: "delete"; readonly key: string }
  | { readonly type: "sum"; readonly key: string; readonly value: number };

export interface HistoryCheck {
  readonly key: string;
  readonly versionstamp: string | null;
}

interface RequestBase {
  readonly client: string;
  readonly invokedAt: number;
  /** Whether it belongs into the history. */
  readonly isRecorded: boolean;
}

export interface ReadRequest extends RequestBase {
  readonly type: "read";
  readonly keys: readonly string[];
  readonly encoded: readonly EncodedKey[];
  readonly consistency: Consistency;
  readonly asked: Asked;
}

export interface WriteRequest extends RequestBase {
  readonly type: "write";
  readonly checks: readonly HistoryCheck[];
  readonly mutations: readonly HistoryMutation[];
  readonly idempotencyKey: string | null;
  /** After this many ms what it sets is gone; null for never. */
  readonly expireInMs: number | null;
  isRetried: boolean;
}

export type Request = ReadRequest | WriteRequest;

/** Reads of a key or several, of every consistency. */
export function drawRead(dice: Dice, keys: number, seenIndex: number) {
  const chosen = dice.some(keysOf(keys), dice.happens(70) ? 1 : dice.between(2, 3));
  const consistency = drawConsistency(dice, seenIndex);
  return { keys: chosen, encoded: chosen.map(keyOf), consistency, isRecorded: true };
}

function drawConsistency(dice: Dice, seenIndex: number): Consistency {
  const draw = dice.below(10);
  if (draw < 4) return { mode: "linearizable" };
  if (draw < 7) return { mode: "lease" };
  if (draw < 8) return { mode: "session", minIndex: seenIndex };
  return { mode: "eventual", maxStalenessMs: dice.pick([null, 50, 500, 2_000]) };
}

/** A set, delete, check-and-set, sum, several at once, or a set that expires. */
export function drawWrite(
  dice: Dice,
  { keys }: { readonly keys: number },
  value: string,
  seen: ReadonlyMap<string, string | null>,
) {
  const key = `k${dice.below(keys)}`;
  const counter = `c${dice.below(keys)}`;
  const set = { type: "set", key, value } as const;
  const sum = { type: "sum", key: counter, value: dice.between(1, 3) } as const;
  const write = {
    checks: [] as HistoryCheck[],
    mutations: [set] as HistoryMutation[],
    idempotencyKey: dice.happens(35) ? value.replace(/\.+$/, "") as string | null : null,
    expireInMs: null as number | null,
    isRetried: false,
    isRecorded: true,
  };
  const draw = dice.below(100);
  if (draw < 30) return write;
  if (draw < 42) return { ...write, mutations: [{ type: "delete", key } as const] };
  if (draw < 60) {
    return { ...write, checks: [{ key, versionstamp: seen.get(key) ?? null }] };
  }
  if (draw < 80) return { ...write, mutations: [sum] };
  if (draw < 95) {
    const other = `k${dice.below(keys)}`;
    const more = other === key ? [] : [{ type: "delete", key: other } as const];
    return { ...write, mutations: [set, sum, ...more] };
  }
  const expiring = { type: "set", key: "x0", value } as const;
  return {
    ...write,
    mutations: [expiring],
    expireInMs: dice.between(50, 1_000),
    isRecorded: false,
  };
}

/** As the service takes it. */
export function wireWrite(request: WriteRequest): AtomicWrite {
  const { checks, mutations, idempotencyKey, expireInMs } = request;
  return {
    checks: checks.map(({ key, versionstamp }) => ({
      key: keyOf(key),
      versionstamp: versionstamp === null ? null : parseVersionstamp(versionstamp),
    })),
    mutations: mutations.map((mutation) => {
      const key = keyOf(mutation.key);
      switch (mutation.type) {
        case "delete":
          return { type: "delete", key };
        case "sum": {
          const value = u64Value(BigInt(mutation.value));
          return { type: "sum", key, value, min: null, max: null, clamp: false };
        }
        case "set": {
          const value = bytesValue(ENCODER.encode(mutation.value));
          const expiry = expireInMs === null
            ? { type: "never" } as const
            : { type: "in", ms: expireInMs } as const;
          return { type: "set", key, value, expiry };
        }
      }
    }),
    idempotencyKey,
  };
}

/** What was found under a key, as the history has it. */
export function historyEntry(
  found: StoredEntry | null,
): { readonly value: string | number; readonly versionstamp: string } | null {
  if (found === null) return null;
  const { value, versionstamp } = found;
  const isNumber = value.encoding === ValueEncoding.LE64;
  return {
    value: isNumber ? Number(u64Of(value)) : DECODER.decode(value.data),
    versionstamp: stampText(versionstamp),
  };
}

export function stampText(stamp: Versionstamp): string {
  return formatVersionstamp(stamp);
}

/** The names of all keys that a history knows: as many of each kind as the schedule has `keys`. */
export function keysOf(keys: number): readonly string[] {
  let names = NAMES.get(keys);
  if (names === undefined) {
    const numbers = Array.from({ length: keys }, (_, n) => n);
    names = [...numbers.map((n) => `k${n}`), ...numbers.map((n) => `c${n}`)];
    NAMES.set(keys, names);
  }
  return names;
}

/** A key as the service takes it. There are only so many names as one schedule can have. */
export function keyOf(name: string): EncodedKey {
  let key = ENCODED.get(name);
  if (key === undefined) ENCODED.set(name, key = encodeKey([name]));
  return key;
}

/** By number of keys. */
const NAMES = new Map<number, readonly string[]>();
const ENCODED = new Map<string, EncodedKey>();
const ENCODER = new TextEncoder();
const DECODER = new TextDecoder();
