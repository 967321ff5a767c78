/**
 * What clients did to a store and what they were told: the vocabulary of histories.
 *
 * An operation is plain data and is written to a file as it is, one JSON object a line
 * (docs/history-format.md). Nothing here knows of Kvorum's own types, so that histories of other
 * systems can be held against the same models.
 *
 * @module
 */

/**
 * What a key holds. Strings are opaque; numbers are what `sum`, `min` and `max` work on, and are safe
 * integers. Values of other kinds are recorded as text that is equal exactly if they are (JSON, base64).
 */
export type Value = string | number;

/**
 * When a key last changed. Compared by length first, then character by character: so 20 hex digits
 * compare as in Kvorum, and decimal counters of other systems compare as numbers.
 */
export type Versionstamp = string;

/** What a read found under one key. Without a versionstamp nothing is claimed about it. */
export interface Entry {
  readonly value: Value;
  readonly versionstamp?: Versionstamp;
}

/** A precondition of a write: of the version (null: the key is absent), or of the value (null likewise). */
export type Check =
  | { readonly key: string; readonly versionstamp: Versionstamp | null }
  | { readonly key: string; readonly value: Value | null };

/** One change. `sum`, `min` and `max` on an absent key store the operand; on a string they cannot happen. */
export type Mutation =
  | { readonly type: "set"; readonly key: string; readonly value: Value }
  | { readonly type: "delete"; readonly key: string }
  | { readonly type: "sum" | "min" | "max"; readonly key: string; readonly value: number };

/** A read of one or several keys, all of them at one moment. */
export interface ReadAction {
  readonly op: "read";
  /** At least one, no key twice. */
  readonly keys: readonly string[];
}

/**
 * An atomic write: a plain write, a delete, a compare-and-set and a sum are cases of it. All mutations
 * happen in their order, or none does.
 */
export interface WriteAction {
  readonly op: "write";
  readonly checks: readonly Check[];
  readonly mutations: readonly Mutation[];
}

/** What a client asked for. */
export type Action = ReadAction | WriteAction;

/** It was done. */
export interface ReadOk {
  readonly outcome: "ok";
  /** One a key, in the order of the keys; null: absent. */
  readonly entries: readonly (Entry | null)[];
}

/** It was done. */
export interface WriteOk {
  readonly outcome: "ok";
  /** Of the write; greater than that of all writes before it. Without it nothing is claimed. */
  readonly versionstamp?: Versionstamp;
}

/** Nothing was done, because a check did not hold at that moment: this, too, is an observation. */
export interface CheckFailed {
  readonly outcome: "check-failed";
  /** The positions of exactly the checks that did not hold; without it at least one did not. */
  readonly failedChecks?: readonly number[];
}

/** Certainly not done, and nothing observed: a refusal, a connection that was never made. */
export interface Failed {
  readonly outcome: "failed";
}

/** No answer, or one that does not say: may take effect at any time after its invocation, or never. */
export interface Unknown {
  readonly outcome: "unknown";
}

/** What a client was told about a read. */
export type ReadOutcome = ReadOk | Failed | Unknown;
/** What a client was told about a write. */
export type WriteOutcome = WriteOk | CheckFailed | Failed | Unknown;
/** What a client was told. */
export type Outcome = ReadOutcome | WriteOutcome;

/** Who did it and when. */
export interface Span {
  /** A name for messages; the checker draws no conclusions from it. */
  readonly client: string;
  /** When it was asked, on the one monotonic clock of the history; in any unit. */
  readonly invokedAt: number;
  /** When it was answered, at least `invokedAt`; null only if the outcome is unknown. Ties are concurrent. */
  readonly completedAt: number | null;
}

/** One operation of a history. */
export type Operation = Span & (ReadAction & ReadOutcome | WriteAction & WriteOutcome);

/** A read, of a history. */
export type ReadOperation = Extract<Operation, { op: "read" }>;
/** A write, of a history. */
export type WriteOperation = Extract<Operation, { op: "write" }>;

/** A history that makes no sense: the fault of who recorded it. */
export class MalformedHistory extends Error {
  override readonly name = "MalformedHistory";
}

/** The keys that an operation touches, each once. */
export function keysOf(operation: Operation): readonly string[] {
  if (operation.op === "read") return operation.keys;
  const keys = new Set<string>();
  for (const { key } of operation.checks) keys.add(key);
  for (const { key } of operation.mutations) keys.add(key);
  return [...keys];
}

/** Negative if `a` is before `b`, positive if after, 0 if they are the same. */
export function compareVersionstamps(a: Versionstamp, b: Versionstamp): number {
  if (a.length !== b.length) return a.length - b.length;
  return a < b ? -1 : a > b ? 1 : 0;
}
