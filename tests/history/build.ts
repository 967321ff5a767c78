/**
 * Short names for histories in tests: `read("c1", 0, 5, { a: 1 })` is a read of `a` that found 1.
 *
 * Versions are written as numbers and become text of one length.
 *
 * @module
 */
import type { Check, Mutation, Operation, Value, WriteOutcome } from "./mod.ts";

/** A versionstamp. */
export function stamp(version: number): string {
  return String(version).padStart(4, "0");
}

/** What a read found: a value, a value with its version, or null. */
export type Found = Value | null | readonly [Value, number];

/** A read that found this under each key. */
export function read(
  client: string,
  invokedAt: number,
  completedAt: number,
  found: Readonly<Record<string, Found>>,
): Operation {
  const entries = Object.values(found).map((it) => {
    if (it === null) return null;
    if (typeof it !== "object") return { value: it };
    return { value: it[0], versionstamp: stamp(it[1]) };
  });
  return {
    client,
    invokedAt,
    completedAt,
    op: "read",
    keys: Object.keys(found),
    outcome: "ok",
    entries,
  };
}

/** What a write was told: its version, "ok", or how it came to nothing. */
export type Told = number | "ok" | "check-failed" | "failed" | "unknown";

function outcomeOf(told: Told): WriteOutcome {
  if (typeof told === "number") return { outcome: "ok", versionstamp: stamp(told) };
  return { outcome: told };
}

/** Any write. */
export function write(
  client: string,
  invokedAt: number,
  completedAt: number | null,
  mutations: readonly Mutation[],
  told: Told = "ok",
  checks: readonly Check[] = [],
): Operation {
  return { client, invokedAt, completedAt, op: "write", checks, mutations, ...outcomeOf(told) };
}

/** Sets one key. */
export function set(
  client: string,
  invokedAt: number,
  completedAt: number | null,
  key: string,
  value: Value,
  told: Told = "ok",
): Operation {
  return write(client, invokedAt, completedAt, [{ type: "set", key, value }], told);
}

/** Removes one key. */
export function remove(
  client: string,
  invokedAt: number,
  completedAt: number | null,
  key: string,
  told: Told = "ok",
): Operation {
  return write(client, invokedAt, completedAt, [{ type: "delete", key }], told);
}

/** Adds to one key. */
export function sum(
  client: string,
  invokedAt: number,
  completedAt: number | null,
  key: string,
  value: number,
  told: Told = "ok",
): Operation {
  return write(client, invokedAt, completedAt, [{ type: "sum", key, value }], told);
}

/** Compares by value and sets. */
export function cas(
  client: string,
  invokedAt: number,
  completedAt: number | null,
  key: string,
  from: Value | null,
  to: Value,
  told: Told = "ok",
): Operation {
  const checks = [{ key, value: from }];
  return write(client, invokedAt, completedAt, [{ type: "set", key, value: to }], told, checks);
}

/** Compares by version (0: absent) and sets. */
export function casVersion(
  client: string,
  invokedAt: number,
  completedAt: number | null,
  key: string,
  from: number,
  to: Value,
  told: Told = "ok",
): Operation {
  const checks = [{ key, versionstamp: from === 0 ? null : stamp(from) }];
  return write(client, invokedAt, completedAt, [{ type: "set", key, value: to }], told, checks);
}
