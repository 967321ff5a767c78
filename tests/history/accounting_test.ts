import { assertEquals, assertMatch } from "@std/assert";
import { account, type FinalEntry } from "./accounting.ts";
import { cas, read, remove, set, stamp, sum, write } from "./build.ts";
import type { Operation } from "./mod.ts";

const isLedger = (key: string): boolean => key === "log";
const n = (value: number): FinalEntry[] => [{ key: "n", value }];
const a = (value: number, version?: number): FinalEntry[] => [
  version === undefined ? { key: "a", value } : { key: "a", value, versionstamp: stamp(version) },
];
const logged = (...values: number[]): FinalEntry[] =>
  values.map((value) => ({ key: "log", value }));

const sums = [
  sum("c1", 0, 1, "n", 1),
  sum("c2", 0, 1, "n", 2),
  sum("c3", 0, null, "n", 10, "unknown"),
  sum("c4", 0, 1, "n", 100, "failed"),
];
const entries = [
  set("c1", 0, 1, "log", 1),
  set("c2", 0, null, "log", 2, "unknown"),
  set("c3", 0, 1, "log", 3, "failed"),
];
const overwritten = [
  set("c1", 0, 1, "a", 1),
  set("c1", 2, 3, "a", 2),
  set("c2", 0, null, "a", 3, "unknown"),
  read("c3", 0, 9, { a: 77 }),
];
const versioned = [set("c1", 0, 9, "a", 1, 5), set("c2", 0, 9, "a", 2, 6)];
const bigSums = Array.from({ length: 40 }, (_, i) => sum("c", 0, null, "n", 2 ** i, "unknown"));

/** History, final state, and the kinds of what is wrong. */
const cases: Readonly<
  Record<string, readonly [readonly Operation[], readonly FinalEntry[], string[]]>
> = {
  "nothing of nothing": [[], [], []],
  "a counter without the unknown sum": [sums, n(3), []],
  "a counter with the unknown sum": [sums, n(13), []],
  "a counter that lost a sum": [sums, n(1), ["lost"]],
  "a counter that is gone": [sums, [], ["lost"]],
  "a counter that took the unknown sum twice": [sums, n(23), ["doubled"]],
  "a counter that took a refused sum": [sums, n(103), ["doubled"]],
  "a counter within its bounds that nothing adds up to": [sums, n(7), ["invented"]],
  "a counter of only unknown sums that is absent": [[sum("c", 0, null, "n", 1, "unknown")], [], []],
  "a counter with a loss and a gain that hide each other": [
    [
      ...Array.from({ length: 3 }, () => sum("c", 0, 1, "n", 4)),
      sum("c", 0, null, "n", 3, "unknown"),
    ],
    n(11),
    ["lost"],
  ],
  "a counter with more unknown sums than can be followed": [bigSums, n(12345), []],
  "a ledger without the unknown value": [entries, logged(1), []],
  "a ledger with the unknown value": [entries, logged(2, 1), []],
  "a ledger that lost a value": [entries, logged(2), ["lost"]],
  "a ledger with a value twice": [entries, logged(1, 1), ["doubled"]],
  "a ledger with the unknown value twice": [entries, logged(1, 2, 2), ["doubled"]],
  "a ledger with a refused value": [entries, logged(1, 3), ["invented"]],
  "a register with the last value": [overwritten, a(2), []],
  "a register with the unknown value": [overwritten, a(3), []],
  "a register with an overwritten value": [overwritten, a(1), ["lost"]],
  "a register that is gone": [overwritten, [], ["lost"]],
  "a register with a value of nobody": [overwritten, a(77), ["invented"]],
  "a register with the value of the last version": [versioned, a(2, 6), []],
  "a register with the value of an earlier version": [versioned, a(1, 5), ["lost"]],
  "a register with a value under another version": [versioned, a(2, 7), ["invented"]],
  "a register that is there twice": [versioned, [...a(2, 6), ...a(2, 6)], ["doubled"]],
  "a register that was deleted": [[set("c", 0, 1, "a", 1), remove("c", 2, 3, "a")], [], []],
  "a register that came back after its delete": [
    [set("c", 0, 1, "a", 1), remove("c", 2, 3, "a")],
    a(1),
    ["lost"],
  ],
  "a write whose check failed": [[cas("c", 0, 1, "a", 1, 2, "check-failed")], a(2), ["invented"]],
  "both keys of an atomic write": [
    [write("c", 0, 1, [{ type: "set", key: "a", value: 1 }, { type: "sum", key: "n", value: 1 }])],
    a(1),
    ["lost"],
  ],
  "a key that nobody wrote": [[], a(1), ["invented"]],
};

for (const [name, [history, final, kinds]] of Object.entries(cases)) {
  Deno.test(`account() judges ${name}`, () => {
    assertEquals(account(history, final, { isLedger }).map(({ kind }) => kind), kinds);
  });
}

Deno.test("account() says what is there and what could be", () => {
  const [discrepancy] = account(sums, n(23));
  assertMatch(
    discrepancy!.message,
    /n is 23; acknowledged was 3, with 1 unknown it can be 3 to 13/,
  );
});
