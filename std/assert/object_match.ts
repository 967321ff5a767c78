/**
 * Partial matching: whether an object holds at least what another one holds.
 *
 * @module
 */

import { assertEquals } from "./values.ts";

type Loose = Record<PropertyKey, unknown>;

/**
 * Asserts that `actual` holds every property of `expected`, deeply; what it holds beside them does
 * not matter. Classes of the objects are not compared.
 *
 * @throws {AssertionError}
 */
export function assertObjectMatch(
  // deno-lint-ignore no-explicit-any
  actual: Record<PropertyKey, any>,
  expected: Record<PropertyKey, unknown>,
  msg?: string,
): void {
  // Both sides pass the filter, so that instances of classes become plain objects on both.
  assertEquals(
    restrict(actual, expected, new WeakMap()),
    restrict(expected, expected, new WeakMap()),
    msg,
  );
}

/** A copy of `value` with only those properties, at every depth, that `pattern` has too. */
function restrict(value: Loose, pattern: Loose, seen: WeakMap<object, object>): Loose {
  if (typeof value !== "object" || value === null) {
    throw new TypeError(
      `Cannot assertObjectMatch ${value === null ? null : `type ${typeof value}`}`,
    );
  }
  if (seen.get(value) === pattern) return value;
  seen.set(value, pattern);
  const kept: Loose = {};
  for (const key of Reflect.ownKeys(value)) {
    if (key in pattern) kept[key] = restrictOne(value[key], pattern[key], seen);
  }
  return kept;
}

function restrictOne(value: unknown, pattern: unknown, seen: WeakMap<object, object>): unknown {
  if (typeof value !== "object" || value === null || value instanceof RegExp) return value;
  if (typeof pattern !== "object" || pattern === null) return value;
  if (Array.isArray(value)) {
    // Copies, so that an array and its pattern compare by their present indexes only.
    return Array.isArray(pattern) ? restrict({ ...value }, { ...pattern }, seen) : value;
  }
  if (value instanceof Map && pattern instanceof Map) {
    return new Map(
      [...value].filter(([key]) => pattern.has(key)).map(([key, item]) => [
        key,
        typeof item === "object" ? restrict(item, pattern.get(key), seen) : item,
      ]),
    );
  }
  if (value instanceof Set && pattern instanceof Set) {
    return new Set([...value].filter((item) => pattern.has(item)));
  }
  return restrict(value as Loose, pattern as Loose, seen);
}
