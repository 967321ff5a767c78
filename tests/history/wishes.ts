/**
 * What a component's operations observed, as far as it can be told before any search: which values anybody
 * wants to have been written. A write whose values nobody wants is as good as any other such write, and if
 * its outcome is unknown it need not have happened at all.
 *
 * @module
 */
import type { Check, Mutation, Operation, Value, Versionstamp } from "./types.ts";

/** In place of every value that nobody wants: they need not be told apart. */
export const UNWANTED = "\0unwanted";

/** The wishes of some operations. */
export class Wishes {
  /** By key: the values that explain something. Null: that it is absent. */
  readonly #values = new Map<string, Set<Value | null>>();
  /** Keys with sums, minima, maxima: what they come to depends on any value. */
  readonly #counted = new Set<string>();
  /** Keys where any write may be the explanation: of a check that failed, of a version of nobody's. */
  readonly #disturbed = new Set<string>();
  /** Versions of writes that were told them: what was seen under these was written by nobody else. */
  readonly #owned = new Set<Versionstamp>();

  constructor(operations: readonly Operation[]) {
    for (const operation of operations) {
      if (operation.op !== "write" || operation.outcome !== "ok") continue;
      if (operation.versionstamp !== undefined) this.#owned.add(operation.versionstamp);
    }
    for (const operation of operations) this.#hear(operation);
  }

  /** Whether nobody wants what this writes: any other value would do as well. */
  isUnwanted(mutation: Mutation): boolean {
    const { type, key } = mutation;
    if (type !== "set" && type !== "delete" || this.#counted.has(key)) return false;
    const value = type === "set" ? mutation.value : null;
    return !(this.#values.get(key)?.has(value) ?? false);
  }

  /** Whether an operation explains nothing, and need not have happened. */
  isIdle(operation: Operation): boolean {
    if (operation.op !== "write" || operation.outcome !== "unknown") return false;
    return operation.mutations.every((mutation) =>
      this.isUnwanted(mutation) && !this.#disturbed.has(mutation.key)
    );
  }

  #hear(operation: Operation): void {
    if (operation.op === "read") {
      if (operation.outcome !== "ok") return;
      for (const [i, entry] of operation.entries.entries()) {
        const key = operation.keys[i]!;
        if (entry === null) this.#want(key, null, undefined);
        else this.#want(key, entry.value, entry.versionstamp);
      }
      return;
    }
    for (const check of operation.checks) {
      if (operation.outcome === "check-failed") this.#disturbed.add(check.key);
      this.#hearCheck(check);
    }
    for (const { type, key } of operation.mutations) {
      if (type !== "set" && type !== "delete") this.#counted.add(key);
    }
  }

  #hearCheck(check: Check): void {
    const { key } = check;
    if ("value" in check) this.#want(key, check.value, undefined);
    else if (check.versionstamp === null) this.#want(key, null, undefined);
    else if (!this.#owned.has(check.versionstamp)) this.#disturbed.add(key);
  }

  #want(key: string, value: Value | null, versionstamp: Versionstamp | undefined): void {
    if (versionstamp !== undefined && this.#owned.has(versionstamp)) return;
    const values = this.#values.get(key);
    if (values === undefined) this.#values.set(key, new Set([value]));
    else values.add(value);
  }
}
