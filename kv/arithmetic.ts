/**
 * `sum`, `min` and `max`: from a stored value and an operand to a new value, or to a refusal.
 *
 * The rules and the texts of refusals are those of KV Connect's reference server (denoland/denokv,
 * sqlite/backend.rs), since stock clients show them to their users.
 *
 * @module
 */
import { SUM_BIGINT_BYTES_MAX } from "./limits.ts";
import {
  type ApplyResult,
  type Mutation,
  type RefusalCode,
  type Value,
  ValueEncoding,
} from "./types.ts";
import { U64_LIMIT, u64Of, u64Value, v8Of, v8Value } from "./value_codec.ts";
import { decodeV8 } from "./v8_codec.ts";

/** Why a command was refused; it is the whole command's result. */
export type Refusal = Extract<ApplyResult, { status: "refused" }>;

/** Makes a refusal. */
export function refusal(code: RefusalCode, message: string): Refusal {
  return { status: "refused", code, message };
}

type SumMutation = Extract<Mutation, { type: "sum" }>;
type ArithmeticMutation = Extract<Mutation, { type: "sum" | "min" | "max" }>;

/** The new value for the key of an arithmetic mutation, whose value now is `stored` (null: absent). */
export function combine(mutation: ArithmeticMutation, stored: Value | null): Value | Refusal {
  const { type, value } = mutation;
  if (type === "sum" && value.encoding !== ValueEncoding.LE64) return sumV8(mutation, stored);
  const operand = u64Of(value);
  if (operand === null) {
    return refusal(
      "sum-type-mismatch",
      `Failed to perform '${type}' mutation on a non-U64 operand`,
    );
  }
  if (type === "sum" && (mutation.min !== null || mutation.max !== null)) {
    return refusal("sum-type-mismatch", "Cannot use min/max parameters with KvU64 operands");
  }
  if (stored === null) return value;
  const current = u64Of(stored);
  if (current === null) {
    return refusal(
      "sum-type-mismatch",
      `Failed to perform '${type}' mutation on a non-U64 value in the database`,
    );
  }
  if (type === "sum") return u64Value(current + operand);
  const keeps = type === "min" ? current <= operand : current >= operand;
  return keeps ? stored : value;
}

function sumV8(mutation: SumMutation, stored: Value | null): Value | Refusal {
  if (tooLargeToSum(mutation.value) || stored !== null && tooLargeToSum(stored)) {
    return refusal("too-large", `Cannot sum a value of over ${SUM_BIGINT_BYTES_MAX} bytes`);
  }
  const operand = v8Of(mutation.value);
  const min = mutation.min === null ? null : decodeV8(mutation.min);
  const max = mutation.max === null ? null : decodeV8(mutation.max);
  if (
    operand === null || min === null && mutation.min !== null ||
    max === null && mutation.max !== null
  ) {
    return refusal("sum-type-mismatch", "Some of the parameters are not valid V8 values");
  }
  if (
    min !== null && typeof min !== typeof operand || max !== null && typeof max !== typeof operand
  ) {
    return refusal(
      "sum-type-mismatch",
      "Min/max parameters have different types than the operand",
    );
  }
  // Bounds hold for results; an operand that is stored as it is has never been bounded by KV Connect.
  if (stored === null) return v8Value(operand);
  const current = v8Of(stored);
  if (current === null) return sumOntoOther(mutation, stored, operand);
  let sum: number | bigint;
  if (typeof current === "bigint" && typeof operand === "bigint") sum = current + operand;
  else if (typeof current === "number" && typeof operand === "number") sum = current + operand;
  else return cannotSum(typeName(current), operand);
  if (min !== null && sum < min) {
    if (!mutation.clamp) return outOfRange();
    sum = min;
  }
  if (max !== null && sum > max) {
    if (!mutation.clamp) return outOfRange();
    sum = max;
  }
  return v8Value(sum);
}

function tooLargeToSum(value: Value): boolean {
  return value.encoding === ValueEncoding.V8 && value.data.length > SUM_BIGINT_BYTES_MAX;
}

/** A V8 operand on a stored value that is not a V8 number or bigint. */
function sumOntoOther(
  mutation: SumMutation,
  stored: Value,
  operand: number | bigint,
): Value | Refusal {
  const current = u64Of(stored);
  if (current === null) return refusal("sum-type-mismatch", "unsupported value type");
  // Deno's own `sum(key, bigint)` once sent U64 operands: counters from then must go on counting.
  const counts = typeof operand === "bigint" && operand >= 0n && operand < U64_LIMIT &&
    mutation.min === null && mutation.max === null && !mutation.clamp;
  return counts ? u64Value(current + operand) : cannotSum("KvU64", operand);
}

function cannotSum(current: string, operand: number | bigint): Refusal {
  return refusal("sum-type-mismatch", `Cannot sum ${current} with ${typeName(operand)}`);
}

function typeName(operand: number | bigint): string {
  return typeof operand === "bigint" ? "BigInt" : "Number";
}

function outOfRange(): Refusal {
  return refusal(
    "sum-out-of-range",
    "The result of a Sum operation would exceed its range limit",
  );
}
