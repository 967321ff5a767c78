/** The checker on histories too large for an oracle: sound by construction, then broken in one place. */
import { assert, assertEquals, assertLess } from "@std/assert";
import { generate, type Plan, randomOf, USUAL } from "./generate.ts";
import { checkLinearizable, type Operation } from "./mod.ts";

const plans: Readonly<Record<string, Partial<Plan>>> = {
  "usual": {},
  "versionstamps": { versions: true },
  "few values": { values: 5 },
  "many unknown, versionstamps": { versions: true, unknown: 0.1 },
  "pairs of keys, versionstamps": { versions: true, pairs: 0.05, operations: 1000, clients: 8 },
};

for (const [name, plan] of Object.entries(plans)) {
  Deno.test(`checkLinearizable() takes a large history: ${name}`, () => {
    const history = generate({ ...USUAL, ...plan });
    const verdict = checkLinearizable(history, { stepsMax: 20_000_000 });
    assertEquals(verdict.result, "linearizable");
    assertEquals(verdict.operations, history.length);
  });
}

/** A read of one key, late in the history, that found something. */
function someRead(history: readonly Operation[], seed: number): number {
  const random = randomOf(seed);
  for (;;) {
    const index = Math.floor((0.5 + random() / 2) * history.length);
    const operation = history[index]!;
    if (operation.op === "read" && operation.outcome === "ok" && operation.entries[0] !== null) {
      return index;
    }
  }
}

for (const versions of [true, false]) {
  Deno.test(`checkLinearizable() finds one stale read in 10,000 operations, versions ${versions}`, () => {
    const history = generate({ ...USUAL, versions, seed: 7 });
    for (let seed = 1; seed <= 3; seed++) {
      const index = someRead(history, seed);
      const broken = history[index]!;
      assert(broken.op === "read" && broken.outcome === "ok");
      // What the first read of that key found that found anything: long overwritten.
      const old = history.find((it) =>
        it.op === "read" && it.outcome === "ok" && it.keys[0] === broken.keys[0] &&
        it.entries[0] !== null
      );
      assert(old?.op === "read" && old.outcome === "ok");
      const verdict = checkLinearizable(history.with(index, { ...broken, entries: old.entries }), {
        stepsMax: 20_000_000,
      });
      assert(verdict.result === "not-linearizable");
      assertEquals(verdict.offence.index, index);
      assertLess(verdict.offence.prefix.length, history.length);
    }
  });
}
