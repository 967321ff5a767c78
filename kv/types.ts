/**
 * The vocabulary of the store: Deno KV's data model as plain data.
 *
 * @module
 */

declare const brand: unique symbol;

/**
 * A key in Deno KV's order-preserving binary encoding, held as a string with one character (U+0000 to
 * U+00FF) a byte: JavaScript then compares, hashes and stores keys natively, in byte order.
 */
export type EncodedKey = string & { readonly [brand]: "EncodedKey" };

/** One part of a key, as in Deno KV. */
export type KeyPart = Uint8Array | string | number | bigint | boolean;

/** How the bytes of a value are to be read. The numbers are those of KV Connect (`VE_*`). */
export const ValueEncoding = {
  /** A JavaScript value in V8's serialization format. */
  V8: 1,
  /** An unsigned 64-bit integer, little-endian, 8 bytes: `Deno.KvU64`. */
  LE64: 2,
  /** Plain bytes. */
  Bytes: 3,
} as const;
export type ValueEncoding = typeof ValueEncoding[keyof typeof ValueEncoding];

/** A value. Immutable; `data` is shared and must never be written to. */
export interface Value {
  readonly encoding: ValueEncoding;
  readonly data: Uint8Array;
}

/**
 * When a key last changed: the log index of the entry, and the order inside it. As bytes: 8 and 2,
 * big-endian; as text: 20 lowercase hex digits. Strictly increasing over commands.
 */
export interface Versionstamp {
  /** From 1, at most 2^48 - 1. */
  readonly index: number;
  /** From 0 to 65535. */
  readonly order: number;
}

/** A precondition: the key was last changed at exactly this versionstamp, or (null) does not exist. */
export interface Check {
  readonly key: EncodedKey;
  readonly versionstamp: Versionstamp | null;
}

/** When a written value goes away. Both are replicated time, in ms; `in` counts from the entry's stamp. */
export type Expiry =
  | { readonly type: "never" }
  | { readonly type: "at"; readonly timeMs: number }
  | { readonly type: "in"; readonly ms: number };

/**
 * One change. `sum`, `min` and `max` follow KV Connect: on an absent key they store the operand; on
 * LE64 they work modulo 2^64 (`sum`) or by comparison; `sum` works on V8 numbers and bigints, too,
 * there with optional bounds (V8 encoded, of the operand's type) that clamp or refuse.
 */
export type Mutation =
  | {
    readonly type: "set";
    readonly key: EncodedKey;
    readonly value: Value;
    readonly expiry: Expiry;
  }
  | { readonly type: "delete"; readonly key: EncodedKey }
  | {
    readonly type: "sum";
    readonly key: EncodedKey;
    readonly value: Value;
    readonly min: Uint8Array | null;
    readonly max: Uint8Array | null;
    readonly clamp: boolean;
  }
  | { readonly type: "min" | "max"; readonly key: EncodedKey; readonly value: Value }
  /** Sets `key` + 0x02 + the versionstamp as 20 hex digits + 0x00. */
  | {
    readonly type: "set-suffix-versionstamp";
    readonly key: EncodedKey;
    readonly value: Value;
    readonly expiry: Expiry;
  };

/** One atomic write as a client asks for it: all of it happens, or nothing. */
export interface AtomicWrite {
  readonly checks: readonly Check[];
  readonly mutations: readonly Mutation[];
  /** 1 to 256 characters; a second command under the same key gives the first one's result. */
  readonly idempotencyKey: string | null;
}

/** Why the state machine refused a command that was well formed. A refused command changed nothing. */
export type RefusalCode =
  /** A stored or computed value has the wrong type for `sum`, `min` or `max`. */
  | "sum-type-mismatch"
  /** The result of `sum` lies outside its bounds. */
  | "sum-out-of-range"
  /** Arithmetic made a value or key that is larger than the limit. */
  | "too-large"
  /** The idempotency key was used before for another command. */
  | "idempotency-key-reused"
  /** More idempotency keys are being remembered than the store has room for; nothing was done. */
  | "idempotency-full"
  /** The bytes are not a command that this version understands. */
  | "malformed";

/** What applying one command came to. */
export type ApplyResult =
  | { readonly status: "applied"; readonly versionstamp: Versionstamp }
  | { readonly status: "check-failed"; readonly failedChecks: readonly number[] }
  | { readonly status: "refused"; readonly code: RefusalCode; readonly message: string }
  /** The command's session is not open (never was, or expired): nothing was done under this entry. */
  | { readonly status: "session-unknown" }
  /** The session has already forgotten this sequence: its first copy was answered long ago. */
  | { readonly status: "stale" };

/** One key that an applied command changed, for watchers. `value` is null when the key went away. */
export interface Change {
  readonly key: EncodedKey;
  readonly value: Value | null;
  readonly versionstamp: Versionstamp;
}

/** One entry of an answer to a read. */
export interface StoredEntry {
  readonly key: EncodedKey;
  readonly value: Value;
  readonly versionstamp: Versionstamp;
}

/** A range `[start, end)` of keys, in byte order; `reverse` walks it from the end. */
export interface RangeQuery {
  readonly start: EncodedKey;
  readonly end: EncodedKey;
  /** From 1. */
  readonly limit: number;
  readonly reverse: boolean;
}

/** What a read asks for; all of it is answered from one state. */
export type ReadQuery =
  | { readonly type: "get"; readonly keys: readonly EncodedKey[] }
  | { readonly type: "ranges"; readonly ranges: readonly RangeQuery[] };

/**
 * The answer: for `get`, one entry or null a key; for `ranges`, one list a range (never null inside).
 */
export interface ReadResult {
  readonly results: readonly (readonly (StoredEntry | null)[])[];
  /** The applied index of the state that was read. */
  readonly index: number;
}

/** The state hash after applying `index`: replicas at one index must agree. 32 hex digits. */
export interface StateHash {
  readonly index: number;
  readonly hash: string;
}
