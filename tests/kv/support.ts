/**
 * What the store's tests share: generators of keys and commands (one seed for all properties), and a
 * store that is fed step by step.
 *
 * @module
 */
import fc from "fast-check";
import { encodeAtomicWrite, encodeOpenSession, stampCommand } from "../../kv/command.ts";
import { encodeKey } from "../../kv/key_codec.ts";
import { addSession } from "../../kv/sessions.ts";
import { addRemembered } from "../../kv/idempotency.ts";
import { addRecord } from "../../kv/records.ts";
import { addResult, ElementTag, MultisetHash } from "../../kv/state_hash.ts";
import { type Applied, Store, type StoreOptions } from "../../kv/store.ts";
import type {
  AtomicWrite,
  Check,
  EncodedKey,
  Expiry,
  KeyPart,
  Mutation,
  StoredEntry,
  Value,
} from "../../kv/types.ts";
import { bytesValue, u64Value, v8Value } from "../../kv/value_codec.ts";

// A red run must be red again; other seeds are for the simulator.
fc.configureGlobal({ seed: 20_261_120 });

export const NEVER: Expiry = { type: "never" };

export const key = (...parts: KeyPart[]): EncodedKey => encodeKey(parts);

export const text = (value: string): Value => bytesValue(new TextEncoder().encode(value));

export const set = (k: EncodedKey, value: Value | string, expiry: Expiry = NEVER): Mutation => ({
  type: "set",
  key: k,
  value: typeof value === "string" ? text(value) : value,
  expiry,
});

export const remove = (k: EncodedKey): Mutation => ({ type: "delete", key: k });

export const sum = (
  k: EncodedKey,
  value: Value,
  bounds: { min?: Uint8Array; max?: Uint8Array; clamp?: boolean } = {},
): Mutation => ({
  type: "sum",
  key: k,
  value,
  min: bounds.min ?? null,
  max: bounds.max ?? null,
  clamp: bounds.clamp ?? false,
});

export const write = (
  mutations: Mutation[],
  checks: Check[] = [],
  idempotencyKey: string | null = null,
): AtomicWrite => ({ checks, mutations, idempotencyKey });

export const SESSION = 0xfeed_0000_0001;

/** An encoded and stamped atomic write. */
export function command(
  atomicWrite: AtomicWrite,
  session: number,
  sequence: number,
  lowWater = 0,
): Uint8Array {
  const bytes = encodeAtomicWrite(atomicWrite);
  stampCommand(bytes, session, sequence, lowWater);
  return bytes;
}

/** A store, with the index counted on and one session open. */
export class Fed {
  readonly store: Store;
  timeMs = 1_000;
  #sequence = 0;

  constructor(options: StoreOptions = {}) {
    this.store = new Store(options);
    this.data(encodeOpenSession(SESSION));
  }

  /** Applies the next entry with this data. */
  data(data: Uint8Array, timeMs = this.timeMs): Applied {
    this.timeMs = timeMs;
    return this.store.apply({ index: this.store.index + 1, timeMs, data, isCommand: true });
  }

  /** Applies an atomic write under the next sequence. */
  write(
    mutations: Mutation[],
    checks: Check[] = [],
    idempotencyKey: string | null = null,
  ): Applied {
    this.#sequence++;
    return this.data(
      command(write(mutations, checks, idempotencyKey), SESSION, this.#sequence, this.#sequence),
    );
  }

  /** Applies an entry that is no command, at this time. */
  tick(timeMs: number): Applied {
    this.timeMs = timeMs;
    const data = new Uint8Array(0);
    return this.store.apply({ index: this.store.index + 1, timeMs, data, isCommand: false });
  }

  get(k: EncodedKey): StoredEntry | null {
    return this.store.read({ type: "get", keys: [k] }).results[0]![0]!;
  }

  /** The text of a stored value, undefined if the key is absent. */
  text(k: EncodedKey): string | undefined {
    const entry = this.get(k);
    return entry === null ? undefined : new TextDecoder().decode(entry.value.data);
  }
}

/** The state hash, computed from nothing but what the store shows. */
export function hashFromScratch(store: Store): string {
  const hash = new MultisetHash();
  store.records((record) => {
    addRecord(hash, record);
    return true;
  });
  for (const session of store.sessions()) {
    addSession(hash, session);
    for (const [sequence, result] of session.results) {
      addResult(hash, ElementTag.SessionResult, session.id, sequence, result);
    }
  }
  for (const remembered of store.remembered()) addRemembered(hash, remembered);
  hash.add(ElementTag.ReplicatedTime, 0, store.timeMs, 0, 0);
  return hash.toHex();
}

const bigintPart = fc.oneof(
  fc.bigInt({ min: -300n, max: 300n }),
  fc.bigInt({ min: -(1n << 80n), max: 1n << 80n }),
  fc.tuple(fc.boolean(), fc.integer({ min: 0, max: 2040 })).map(([negative, bits]) =>
    (negative ? -1n : 1n) * ((1n << BigInt(bits)) - 1n)
  ),
);

/** One part of a key, with the corners that encodings get wrong. */
export const keyPart: fc.Arbitrary<KeyPart> = fc.oneof(
  fc.string({ unit: "binary", maxLength: 12 }).filter((s) => s.isWellFormed()),
  fc.constantFrom("", "\0", "\0\xff", "a\0b", "\u{10ffff}", "é", "\ufeff"),
  fc.uint8Array({ maxLength: 12 }),
  fc.constantFrom(new Uint8Array([0]), new Uint8Array([0, 255, 0]), new Uint8Array([255])),
  fc.double({ noNaN: true }),
  fc.constantFrom(0, -0, NaN, Infinity, -Infinity, 1, -1, Number.MIN_VALUE),
  bigintPart,
  fc.boolean(),
);

export const keyParts = fc.array(keyPart, { minLength: 1, maxLength: 4 });

/** A small key space, so that commands meet. */
export const smallKey = fc.constantFrom(..."abcdef").map((name) => key("small", name));

export const value: fc.Arbitrary<Value> = fc.oneof(
  fc.uint8Array({ maxLength: 40 }).map(bytesValue),
  fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }).map(u64Value),
  fc.integer({ min: -9, max: 9 }).map(v8Value),
  fc.double().map(v8Value),
  fc.bigInt({ min: -(1n << 70n), max: 1n << 70n }).map(v8Value),
);

const expiry: fc.Arbitrary<Expiry> = fc.oneof(
  { weight: 4, arbitrary: fc.constant(NEVER) },
  fc.integer({ min: 1, max: 60 }).map((ms): Expiry => ({ type: "in", ms })),
  fc.integer({ min: 1, max: 1_500 }).map((timeMs): Expiry => ({ type: "at", timeMs })),
);

const bound = fc.option(fc.integer({ min: -20, max: 20 }).map((n) => v8Value(n).data));

/** Any mutation over the small key space. */
export const mutation: fc.Arbitrary<Mutation> = fc.oneof(
  { weight: 4, arbitrary: fc.tuple(smallKey, value, expiry).map(([k, v, e]) => set(k, v, e)) },
  { weight: 2, arbitrary: smallKey.map(remove) },
  fc.tuple(smallKey, value, bound, bound, fc.boolean()).map(([k, v, min, max, clamp]) => ({
    type: "sum" as const,
    key: k,
    value: v,
    min,
    max,
    clamp,
  })),
  fc.tuple(fc.constantFrom("min" as const, "max" as const), smallKey, value)
    .map(([type, k, v]) => ({ type, key: k, value: v })),
  fc.tuple(smallKey, value, expiry).map(([k, v, e]) => ({
    type: "set-suffix-versionstamp" as const,
    key: k,
    value: v,
    expiry: e,
  })),
);

const check: fc.Arbitrary<Check> = fc.record({
  key: smallKey,
  versionstamp: fc.option(fc.record({
    index: fc.integer({ min: 1, max: 40 }),
    order: fc.constantFrom(0, 1, 65535),
  })),
});

/** Any atomic write over the small key space. */
export const atomicWrite: fc.Arbitrary<AtomicWrite> = fc.record({
  checks: fc.oneof(
    { weight: 4, arbitrary: fc.constant<Check[]>([]) },
    fc.array(check, { maxLength: 3 }),
  ),
  mutations: fc.array(mutation, { maxLength: 4 }),
  idempotencyKey: fc.oneof(
    { weight: 4, arbitrary: fc.constant(null) },
    fc.constantFrom("once", "zwölf", "再"),
  ),
});
