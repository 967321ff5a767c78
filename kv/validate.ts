/**
 * What the doors check before they propose or read: every limit of the data model, with an error that
 * tells the client which part of the request is at fault.
 *
 * Not here: what depends on stored values (arithmetic.ts); the store refuses that when it applies.
 * The texts for the limits that Deno KV has, too, are those of Deno KV.
 *
 * @module
 */
import { SUFFIX_BYTES } from "./atomic.ts";
import {
  ATOMIC_BYTES_MAX,
  CHECKS_MAX,
  IDEMPOTENCY_KEY_CHARS_MAX,
  KEY_BYTES_MAX,
  MUTATIONS_MAX,
  RANGES_MAX,
  READ_ENTRIES_MAX,
  TIME_MS_MAX,
  VALUE_BYTES_MAX,
} from "./limits.ts";
import {
  type AtomicWrite,
  type EncodedKey,
  type Expiry,
  type Mutation,
  type RangeQuery,
  type ReadQuery,
  type Value,
  ValueEncoding,
} from "./types.ts";
import { LE64_BYTES, v8Of } from "./value_codec.ts";
import { decodeV8 } from "./v8_codec.ts";

/** Which limit was exceeded; stable, for problem documents. */
export type LimitCode =
  | "too-many-checks"
  | "too-many-mutations"
  | "too-many-ranges"
  | "too-many-entries"
  | "key-too-large"
  | "value-too-large"
  | "write-too-large";

/** A request is larger than the data model allows. */
export class LimitExceeded extends Error {
  override readonly name = "LimitExceeded";
  readonly code: LimitCode;
  /** The part of the request, such as `mutations[3].value`. */
  readonly field: string;

  constructor(code: LimitCode, field: string, message: string) {
    super(message);
    this.code = code;
    this.field = field;
  }
}

/** What is wrong with a request of any size; stable, for problem documents. */
export type InvalidCode =
  | "empty-key"
  | "invalid-encoding"
  | "invalid-value"
  | "invalid-expiry"
  | "invalid-operand"
  | "invalid-versionstamp"
  | "invalid-idempotency-key"
  | "invalid-range";

/** A request says something that no store could do. */
export class InvalidWrite extends Error {
  override readonly name = "InvalidWrite";
  readonly code: InvalidCode;
  /** The part of the request, such as `mutations[3].value`. */
  readonly field: string;

  constructor(code: InvalidCode, field: string, message: string) {
    super(message);
    this.code = code;
    this.field = field;
  }
}

/**
 * Checks an atomic write.
 *
 * @throws {LimitExceeded} @throws {InvalidWrite}
 */
export function checkAtomicWrite(write: AtomicWrite): void {
  const { checks, mutations, idempotencyKey } = write;
  if (checks.length > CHECKS_MAX) {
    throw new LimitExceeded("too-many-checks", "checks", `Too many checks (max ${CHECKS_MAX})`);
  }
  if (mutations.length > MUTATIONS_MAX) {
    throw new LimitExceeded(
      "too-many-mutations",
      "mutations",
      `Too many mutations (max ${MUTATIONS_MAX})`,
    );
  }
  if (idempotencyKey !== null) checkIdempotencyKey(idempotencyKey);
  let size = 0;
  for (let i = 0; i < checks.length; i++) {
    size += checkKey(checks[i]!.key, KEY_BYTES_MAX, "checks", i);
    const stamp = checks[i]!.versionstamp;
    if (stamp !== null && !(isUint(stamp.index, TIME_MS_MAX) && isUint(stamp.order, 0xffff))) {
      throw new InvalidWrite(
        "invalid-versionstamp",
        `checks[${i}].versionstamp`,
        "Not a versionstamp",
      );
    }
  }
  for (let i = 0; i < mutations.length; i++) size += checkMutation(mutations[i]!, i);
  if (size > ATOMIC_BYTES_MAX) {
    throw new LimitExceeded(
      "write-too-large",
      "mutations",
      `Total mutation size too large (max ${ATOMIC_BYTES_MAX} bytes)`,
    );
  }
}

/** Whether a write can only make room: it deletes, and does nothing else. */
export function isDeleteOnly(write: AtomicWrite): boolean {
  return write.mutations.length > 0 && write.mutations.every((it) => it.type === "delete");
}

/**
 * Checks a read.
 *
 * @throws {LimitExceeded} @throws {InvalidWrite}
 */
export function checkReadQuery(query: ReadQuery): void {
  if (query.type === "get") {
    checkEntries(query.keys.length);
    query.keys.forEach((key, i) => checkReadKey(key, `keys[${i}]`));
    return;
  }
  if (query.ranges.length > RANGES_MAX) {
    throw new LimitExceeded("too-many-ranges", "ranges", `Too many ranges (max ${RANGES_MAX})`);
  }
  let entries = 0;
  query.ranges.forEach((range, i) => {
    checkRange(range, `ranges[${i}]`);
    entries += range.limit;
  });
  checkEntries(entries);
}

function checkEntries(count: number): void {
  if (count > READ_ENTRIES_MAX) {
    throw new LimitExceeded(
      "too-many-entries",
      "limit",
      `Too many entries (max ${READ_ENTRIES_MAX})`,
    );
  }
}

function checkRange(range: RangeQuery, field: string): void {
  checkReadKey(range.start, `${field}.start`);
  checkReadKey(range.end, `${field}.end`);
  if (!(Number.isSafeInteger(range.limit) && range.limit >= 1)) {
    throw new InvalidWrite("invalid-range", `${field}.limit`, "A limit must be 1 or more");
  }
}

/** One byte more than a key may have: the end of a range that is the longest key's successor. */
function checkReadKey(key: EncodedKey, field: string): void {
  if (key.length > KEY_BYTES_MAX + 1) {
    throw new LimitExceeded(
      "key-too-large",
      field,
      `Key too large for read (max ${KEY_BYTES_MAX + 1} bytes)`,
    );
  }
}

function checkIdempotencyKey(key: string): void {
  if (key.length === 0 || key.length > IDEMPOTENCY_KEY_CHARS_MAX || !key.isWellFormed()) {
    throw new InvalidWrite(
      "invalid-idempotency-key",
      "idempotencyKey",
      `An idempotency key must have 1 to ${IDEMPOTENCY_KEY_CHARS_MAX} characters`,
    );
  }
}

function checkMutation(mutation: Mutation, i: number): number {
  const suffixBytes = mutation.type === "set-suffix-versionstamp" ? SUFFIX_BYTES : 0;
  const size = checkKey(mutation.key, KEY_BYTES_MAX - suffixBytes, "mutations", i);
  if (mutation.type === "delete") return size;
  checkValue(mutation.value, i);
  switch (mutation.type) {
    case "set":
    case "set-suffix-versionstamp":
      checkExpiry(mutation.expiry, i);
      break;
    case "min":
    case "max":
      if (mutation.value.encoding !== ValueEncoding.LE64) {
        throw new InvalidWrite(
          "invalid-operand",
          `mutations[${i}].value`,
          `Failed to perform '${mutation.type}' mutation on a non-U64 operand`,
        );
      }
      break;
    case "sum":
      return size + checkSum(mutation, i);
  }
  return size + mutation.value.data.length;
}

function checkKey(key: EncodedKey, max: number, list: string, i: number): number {
  if (key.length === 0) {
    throw new InvalidWrite("empty-key", `${list}[${i}].key`, "key cannot be empty");
  }
  if (key.length > max) {
    throw new LimitExceeded(
      "key-too-large",
      `${list}[${i}].key`,
      `Key too large for write (max ${max} bytes)`,
    );
  }
  return key.length;
}

function checkValue(value: Value, i: number): void {
  const { encoding, data } = value;
  if (!(encoding >= ValueEncoding.V8 && encoding <= ValueEncoding.Bytes)) {
    throw new InvalidWrite(
      "invalid-encoding",
      `mutations[${i}].value`,
      `Unknown value encoding ${encoding}`,
    );
  }
  if (encoding === ValueEncoding.LE64 && data.length !== LE64_BYTES) {
    throw new InvalidWrite(
      "invalid-value",
      `mutations[${i}].value`,
      `A U64 value has ${LE64_BYTES} bytes, this one ${data.length}`,
    );
  }
  if (data.length > VALUE_BYTES_MAX) {
    throw new LimitExceeded(
      "value-too-large",
      `mutations[${i}].value`,
      `Value too large (max ${VALUE_BYTES_MAX} bytes)`,
    );
  }
}

function checkExpiry(expiry: Expiry, i: number): void {
  if (expiry.type === "never") return;
  const ms = expiry.type === "at" ? expiry.timeMs : expiry.ms;
  if (ms === 0 || !isUint(ms, TIME_MS_MAX)) {
    throw new InvalidWrite(
      "invalid-expiry",
      `mutations[${i}].expiry`,
      `An expiry must be a whole number of ms from 1 to ${TIME_MS_MAX}`,
    );
  }
}

/** Returns the bytes of operand and bounds. */
function checkSum(mutation: Extract<Mutation, { type: "sum" }>, i: number): number {
  const { value, min, max } = mutation;
  const bounded = min !== null || max !== null;
  if (value.encoding === ValueEncoding.LE64) {
    if (bounded) {
      throw invalidOperand(i, "Cannot use min/max parameters with KvU64 operands");
    }
    return value.data.length;
  }
  const bounds = [min, max].filter((bound) => bound !== null);
  for (const bound of bounds) {
    if (bound.length > VALUE_BYTES_MAX) {
      throw new LimitExceeded(
        "value-too-large",
        `mutations[${i}]`,
        `Value too large (max ${VALUE_BYTES_MAX} bytes)`,
      );
    }
  }
  const operand = v8Of(value);
  const limits = bounds.map(decodeV8);
  if (operand === null || limits.includes(null)) {
    throw invalidOperand(i, "Some of the parameters are not valid V8 values");
  }
  if (limits.some((limit) => typeof limit !== typeof operand)) {
    throw invalidOperand(i, "Min/max parameters have different types than the operand");
  }
  return value.data.length + (min?.length ?? 0) + (max?.length ?? 0);
}

function invalidOperand(i: number, message: string): InvalidWrite {
  return new InvalidWrite("invalid-operand", `mutations[${i}].value`, message);
}

function isUint(value: number, max: number): boolean {
  return Number.isInteger(value) && value >= 0 && value <= max;
}
