/**
 * Carrying out one atomic write on the records: all checks, then all mutations in order, each seeing
 * what those before it did; and all of that or, if one is refused, nothing.
 *
 * @module
 */
import { combine, type Refusal, refusal } from "./arithmetic.ts";
import type { StoredRecord } from "./engine.ts";
import { KEY_BYTES_MAX, TIME_MS_MAX, VALUE_BYTES_MAX } from "./limits.ts";
import { isDue, type Records } from "./records.ts";
import type {
  ApplyResult,
  AtomicWrite,
  Change,
  Check,
  EncodedKey,
  Expiry,
  Mutation,
  Value,
  Versionstamp,
} from "./types.ts";
import { formatVersionstamp } from "./versionstamp.ts";

/** What an atomic write came to, and what it changed: one change a key, in the order of first mention. */
export interface Executed {
  readonly result: ApplyResult;
  readonly changes: readonly Change[];
}

export const NO_CHANGES: readonly Change[] = [];

/** Characters that a versionstamp adds to a key: a string part of 20 hex digits. */
export const SUFFIX_BYTES = 22;

/** Carries out `write` at `nowMs`; what it stores gets `versionstamp`. Never throws. */
export function executeWrite(
  records: Records,
  write: AtomicWrite,
  versionstamp: Versionstamp,
  nowMs: number,
): Executed {
  if (write.checks.length > 0) {
    const failedChecks = findFailed(records, write.checks, nowMs);
    if (failedChecks.length > 0) {
      return { result: { status: "check-failed", failedChecks }, changes: NO_CHANGES };
    }
  }
  const result: ApplyResult = { status: "applied", versionstamp };
  const { mutations } = write;
  if (mutations.length === 1) {
    const mutation = mutations[0]!;
    const key = targetKey(mutation, versionstamp);
    const next = nextRecord(mutation, key, () => records.visible(key, nowMs), versionstamp, nowMs);
    if (next !== null && "status" in next) return { result: next, changes: NO_CHANGES };
    const change = store(records, key, next, versionstamp);
    return { result, changes: change === null ? NO_CHANGES : [change] };
  }
  const staged = new Map<EncodedKey, StoredRecord | null>();
  for (const mutation of mutations) {
    const key = targetKey(mutation, versionstamp);
    const now = () => {
      const record = staged.get(key);
      return record === undefined ? records.visible(key, nowMs) : record;
    };
    const next = nextRecord(mutation, key, now, versionstamp, nowMs);
    if (next !== null && "status" in next) return { result: next, changes: NO_CHANGES };
    staged.set(key, next);
  }
  const changes: Change[] = [];
  for (const [key, next] of staged) {
    const change = store(records, key, next, versionstamp);
    if (change !== null) changes.push(change);
  }
  return { result, changes };
}

function findFailed(records: Records, checks: readonly Check[], nowMs: number): number[] {
  const failed: number[] = [];
  for (let i = 0; i < checks.length; i++) {
    const { key, versionstamp } = checks[i]!;
    const stored = records.visible(key, nowMs)?.versionstamp ?? null;
    const holds = stored === null || versionstamp === null
      ? stored === versionstamp
      : stored.index === versionstamp.index && stored.order === versionstamp.order;
    if (!holds) failed.push(i);
  }
  return failed;
}

function targetKey(mutation: Mutation, versionstamp: Versionstamp): EncodedKey {
  if (mutation.type !== "set-suffix-versionstamp") return mutation.key;
  return mutation.key + "\x02" + formatVersionstamp(versionstamp) + "\0" as EncodedKey;
}

/** What the key's record will be: null if there will be none. */
function nextRecord(
  mutation: Mutation,
  key: EncodedKey,
  now: () => StoredRecord | null,
  versionstamp: Versionstamp,
  nowMs: number,
): StoredRecord | null | Refusal {
  if (mutation.type === "delete") return null;
  // The door checked it, but commands also come from peers of other versions, and snapshots have limits.
  if (key.length > KEY_BYTES_MAX) {
    return refusal("too-large", `Key too large for write (max ${KEY_BYTES_MAX} bytes)`);
  }
  if (mutation.value.data.length > VALUE_BYTES_MAX) {
    return refusal("too-large", `Value too large (max ${VALUE_BYTES_MAX} bytes)`);
  }
  switch (mutation.type) {
    case "set":
    case "set-suffix-versionstamp": {
      const expiresMs = expiryTimeMs(mutation.expiry, nowMs);
      const record = { key, value: mutation.value, versionstamp, expiresMs };
      return isDue(record, nowMs) ? null : record;
    }
    case "sum":
    case "min":
    case "max": {
      const value: Value | Refusal = combine(mutation, now()?.value ?? null);
      // KV Connect: the result of arithmetic never expires.
      return "status" in value ? value : { key, value, versionstamp, expiresMs: 0 };
    }
  }
}

function expiryTimeMs(expiry: Expiry, nowMs: number): number {
  switch (expiry.type) {
    case "never":
      return 0;
    case "at":
      // 0 means never in a record.
      return Math.max(expiry.timeMs, 1);
    case "in":
      return Math.max(Math.min(nowMs + expiry.ms, TIME_MS_MAX), 1);
  }
}

/** Makes one staged outcome real; null if it changes nothing. */
function store(
  records: Records,
  key: EncodedKey,
  next: StoredRecord | null,
  versionstamp: Versionstamp,
): Change | null {
  if (next !== null) {
    records.put(next);
    return next;
  }
  return records.remove(key) ? { key, value: null, versionstamp } : null;
}
