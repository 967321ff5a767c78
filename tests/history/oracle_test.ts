/** The checker against the definition, on thousands of small random histories of either verdict. */
import { assert, assertEquals, assertGreater } from "@std/assert";
import fc from "fast-check";
import { stamp } from "./build.ts";
import { componentsOf } from "./components.ts";
import { checkLinearizable, type Operation, type Value, type Verdict } from "./mod.ts";
import { isLinearizable } from "./oracle.ts";
import { findInversion, findShared } from "./timeline.ts";

/** What histories are drawn from. Few of everything, so that things meet. */
interface World {
  readonly keys: readonly string[];
  readonly versions: boolean;
  readonly operationsMax: number;
}

const oneKey: World = { keys: ["a"], versions: false, operationsMax: 6 };
const oneKeyVersions: World = { keys: ["a"], versions: true, operationsMax: 6 };
const twoKeys: World = { keys: ["a", "b"], versions: false, operationsMax: 6 };
const twoKeysVersions: World = { keys: ["a", "b"], versions: true, operationsMax: 6 };

const values: fc.Arbitrary<Value> = fc.constantFrom<Value[]>(1, 2, 3, "x");
const versions = fc.integer({ min: 1, max: 5 }).map(stamp);

function subsetOf(keys: readonly string[]): fc.Arbitrary<string[]> {
  return fc.subarray([...keys], { minLength: 1 });
}

function operations({ keys, versions: versioned }: World): fc.Arbitrary<Operation> {
  const key = fc.constantFrom(...keys);
  const entry = fc.oneof(
    { weight: 1, arbitrary: fc.constant(null) },
    {
      weight: 4,
      arbitrary: versioned
        ? fc.oneof(
          fc.record({ value: values }),
          fc.record({ value: values, versionstamp: versions }),
        )
        : fc.record({ value: values }),
    },
  );
  const byValue = fc.record({ key, value: fc.option(values) });
  const byVersion = fc.record({ key, versionstamp: fc.option(versions) });
  const check = versioned ? fc.oneof(byValue, byVersion) : byValue;
  const mutation = fc.oneof(
    { weight: 4, arbitrary: fc.record({ type: fc.constant("set" as const), key, value: values }) },
    { weight: 1, arbitrary: fc.record({ type: fc.constant("delete" as const), key }) },
    {
      weight: 2,
      arbitrary: fc.record({
        type: fc.constantFrom("sum" as const, "min" as const, "max" as const),
        key,
        value: fc.integer({ min: 1, max: 2 }),
      }),
    },
  );
  const span = fc.tuple(fc.nat(12), fc.nat(6)).map(([invokedAt, ms]) => ({
    client: "c",
    invokedAt,
    completedAt: invokedAt + ms,
  }));
  const reads = fc.tuple(span, subsetOf(keys), fc.infiniteStream(entry)).map((
    [at, found, entries],
  ): Operation => ({
    ...at,
    op: "read",
    keys: found,
    outcome: "ok",
    entries: found.map(() => entries.next().value!),
  }));
  const outcome = fc.oneof(
    { weight: 5, arbitrary: fc.record({ outcome: fc.constant("ok" as const) }) },
    {
      weight: versioned ? 5 : 0,
      arbitrary: fc.record({ outcome: fc.constant("ok" as const), versionstamp: versions }),
    },
    { weight: 4, arbitrary: fc.constant({ outcome: "unknown" as const }) },
    { weight: 1, arbitrary: fc.constant({ outcome: "failed" as const }) },
  );
  const writes = fc.tuple(
    span,
    fc.oneof(fc.constant([]), fc.constant([]), fc.array(check, { minLength: 1, maxLength: 2 })),
    fc.array(mutation, { minLength: 1, maxLength: 2 }),
    outcome,
  ).map(([at, checks, mutations, told]): Operation => ({
    ...at,
    op: "write",
    checks,
    mutations,
    ...told,
  }));
  const refuted = fc.tuple(span, fc.array(check, { minLength: 1, maxLength: 2 }), fc.nat(3)).map((
    [at, checks, mask],
  ): Operation => {
    const failedChecks = checks.flatMap((_, i) => (mask >> i & 1) === 1 ? [i] : []);
    return {
      ...at,
      op: "write",
      checks,
      mutations: [{ type: "set", key: checks[0]!.key, value: 1 }],
      outcome: "check-failed",
      ...failedChecks.length === 0 ? {} : { failedChecks },
    };
  });
  return fc.oneof(
    { weight: 4, arbitrary: reads },
    { weight: 6, arbitrary: writes },
    { weight: 1, arbitrary: refuted },
  );
}

function histories(world: World): fc.Arbitrary<Operation[]> {
  return fc.array(operations(world), { minLength: 1, maxLength: world.operationsMax });
}

/** By the definition, each component for itself. */
function eachLinearizable(history: readonly Operation[]): boolean {
  return componentsOf(history).every((component) =>
    isLinearizable(component.operations.map((index) => history[index]!))
  );
}

/** A prefix is smallest if it has no order, and what was known just before its end has one. */
function assertSmallestPrefix(history: readonly Operation[], verdict: Verdict): void {
  assert(verdict.result === "not-linearizable");
  const { prefix, index, until } = verdict.offence;
  assert(prefix.includes(index));
  const operations = prefix.map((at) => history[at]!);
  assert(operations.every(({ invokedAt }) => invokedAt <= until));
  const known = operations.map((it) => isOver(it) && it.completedAt! <= until ? it : pending(it));
  assertEquals(isLinearizable(known), false, "the prefix has an order");
  const before = operations.map((it) => isOver(it) && it.completedAt! < until ? it : pending(it));
  assertEquals(isLinearizable(before), true, "an earlier prefix has none");
}

function isOver({ outcome }: Operation): boolean {
  return outcome !== "unknown";
}

/** As it was known before it completed. */
function pending(operation: Operation): Operation {
  const { client, invokedAt } = operation;
  const span = { client, invokedAt, completedAt: null, outcome: "unknown" as const };
  if (operation.op === "read") return { ...span, op: "read", keys: operation.keys };
  const { op, checks, mutations } = operation;
  return { ...span, op, checks, mutations };
}

/** The order that the checker gives, walked by the definition: as it stands, and in time. */
function assertOrdersHold(history: readonly Operation[], verdict: Verdict): void {
  assert(verdict.result === "linearizable");
  for (const { steps } of verdict.orders) {
    // At moments of their own, in the order given, and with the versions given.
    const fixed = steps.map(({ index, versionstamp }, at): Operation => {
      const operation = history[index]!;
      const moment = { invokedAt: at, completedAt: at };
      if (operation.op !== "write" || operation.outcome === "check-failed") {
        return { ...operation, ...moment };
      }
      const { client, op, checks, mutations } = operation;
      const told = versionstamp === null ? {} : { versionstamp };
      return { client, op, checks, mutations, outcome: "ok", ...moment, ...told };
    });
    assertEquals(isLinearizable(fixed), true, "the order does not explain the answers");
    steps.forEach(({ index }, at) => {
      for (const { index: later } of steps.slice(at + 1)) {
        const { outcome, completedAt } = history[later]!;
        assert(outcome === "unknown" || completedAt! >= history[index]!.invokedAt, "against time");
      }
    });
  }
}

function compare(world: World, runs: number): void {
  let [good, bad] = [0, 0];
  fc.assert(
    fc.property(histories(world), (history) => {
      const verdict = checkLinearizable(history);
      const expected = eachLinearizable(history);
      const inverted = findInversion(history) !== null || findShared(history) !== null;
      assertEquals(verdict.result, expected && !inverted ? "linearizable" : "not-linearizable");
      if (expected && !inverted) {
        good++;
        assertOrdersHold(history, verdict);
      } else {
        bad++;
        if (!inverted) assertSmallestPrefix(history, verdict);
      }
    }),
    { numRuns: runs },
  );
  assertGreater(good, runs / 20);
  assertGreater(bad, runs / 20);
}

Deno.test("checkLinearizable() agrees with the definition: one key", () => compare(oneKey, 3000));
Deno.test("checkLinearizable() agrees with the definition: one key, versions", () =>
  compare(oneKeyVersions, 3000));
Deno.test("checkLinearizable() agrees with the definition: two keys", () => compare(twoKeys, 3000));
Deno.test("checkLinearizable() agrees with the definition: two keys, versions", () =>
  compare(twoKeysVersions, 3000));

Deno.test("findInversion() and findShared() accuse no history that has one order over all keys", () => {
  let accused = 0;
  fc.assert(
    fc.property(histories({ ...twoKeysVersions, operationsMax: 5 }), (history) => {
      if (findInversion(history) === null && findShared(history) === null) return;
      accused++;
      assertEquals(isLinearizable(history), false);
    }),
    { numRuns: 3000 },
  );
  assertGreater(accused, 30);
});
