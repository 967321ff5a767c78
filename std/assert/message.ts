/**
 * How a failed assertion shows its values. Only for people: no test may depend on this text.
 *
 * @module
 */

import { AssertionError as NodeAssertionError } from "node:assert/strict";
import { inspect } from "node:util";

const INSPECT_DEPTH_MAX = 100;
const INSPECT_ITEMS_MAX = 1_000;

/** The value as source-like text, deep enough to see where two of them part. */
export function format(value: unknown): string {
  return inspect(value, {
    depth: INSPECT_DEPTH_MAX,
    maxArrayLength: INSPECT_ITEMS_MAX,
    sorted: true,
    breakLength: 80,
  });
}

/** A line-by-line difference, with `+` for actual and `-` for expected. */
export function difference(actual: unknown, expected: unknown): string {
  try {
    const { message } = new NodeAssertionError({ actual, expected, operator: "deepStrictEqual" });
    return message.slice(message.indexOf("\n") + 1);
  } catch {
    // Values whose getters throw cannot be diffed; the assertion must fail all the same.
    return `actual: ${safeFormat(actual)}\nexpected: ${safeFormat(expected)}`;
  }
}

/** What ends the sentence of a failure: a full stop, or the caller's own words. */
export function suffix(msg: string | undefined): string {
  return msg ? `: ${msg}` : ".";
}

function safeFormat(value: unknown): string {
  try {
    return format(value);
  } catch {
    return Object.prototype.toString.call(value);
  }
}
