import { assert, assertEquals, assertMatch, assertThrows } from "@std/assert";
import { cas, casVersion, read, remove, set, stamp, sum, write } from "./build.ts";
import { checkLinearizable, MalformedHistory, type Operation } from "./mod.ts";

/** Histories that a linearizable store can have given. */
const good: Readonly<Record<string, readonly Operation[]>> = {
  "of nothing": [],
  "of a read of nothing": [read("c1", 0, 1, { a: null })],
  "of a read that runs beside the write it sees": [
    set("c1", 0, 10, "a", 1),
    read("c2", 2, 4, { a: 1 }),
    read("c2", 5, 6, { a: 1 }),
  ],
  "of a read that runs beside a write it does not see": [
    set("c1", 0, 10, "a", 1),
    read("c2", 2, 12, { a: null }),
    read("c2", 13, 14, { a: 1 }),
  ],
  "of writes that took place in the other order than they were asked in": [
    set("c1", 0, 10, "a", 1),
    set("c2", 1, 9, "a", 2),
    read("c3", 11, 12, { a: 1 }),
  ],
  "of reads that meet at one moment": [set("c1", 0, 5, "a", 1), read("c2", 5, 5, { a: null })],
  "of a write of unknown outcome that shows much later": [
    set("c1", 0, null, "a", 1, "unknown"),
    set("c2", 5, 6, "a", 2),
    read("c2", 100, 101, { a: 2 }),
    read("c2", 102, 103, { a: 1 }),
  ],
  "of a write of unknown outcome that never shows": [
    set("c1", 0, null, "a", 1, "unknown"),
    read("c2", 5, 6, { a: null }),
  ],
  "of a sum of unknown outcome that happened": [
    sum("c1", 0, 1, "n", 1),
    sum("c2", 2, 3, "n", 1, "unknown"),
    read("c1", 4, 5, { n: 1 }),
    read("c1", 6, 7, { n: 2 }),
  ],
  "of one winner of two compare-and-sets": [
    set("c0", 0, 1, "a", 0, 1),
    casVersion("c1", 2, 5, "a", 1, 1, 2),
    casVersion("c2", 2, 5, "a", 1, 2, "check-failed"),
    read("c1", 6, 7, { a: [1, 2] }),
  ],
  "of a failed check by a value that was there in between": [
    set("c0", 0, 1, "a", 1),
    set("c1", 2, 9, "a", 2),
    cas("c2", 2, 9, "a", 1, 3, "check-failed"),
    set("c1", 10, 11, "a", 1),
  ],
  "of a refused write": [set("c1", 0, 1, "a", 1, "failed"), read("c2", 2, 3, { a: null })],
  "of an atomic write that two keys show together": [
    write("c1", 0, 5, [{ type: "set", key: "a", value: 1 }, { type: "set", key: "b", value: 1 }]),
    read("c2", 1, 2, { a: null, b: null }),
    read("c2", 3, 4, { a: 1, b: 1 }),
  ],
  "of a delete and a new beginning": [
    set("c1", 0, 1, "a", 1, 1),
    remove("c1", 2, 3, "a", 2),
    casVersion("c1", 4, 5, "a", 0, 2, 3),
    read("c1", 6, 7, { a: [2, 3] }),
  ],
  "of minima and maxima": [
    write("c1", 0, 1, [{ type: "max", key: "n", value: 5 }]),
    write("c1", 2, 3, [{ type: "max", key: "n", value: 3 }]),
    write("c1", 4, 5, [{ type: "min", key: "n", value: 4 }]),
    read("c1", 6, 7, { n: 4 }),
  ],
  "of a write of unknown outcome whose version a read tells": [
    set("c1", 0, null, "a", 1, "unknown"),
    set("c2", 1, 20, "a", 2, 9),
    read("c3", 5, 6, { a: [1, 7] }),
    casVersion("c3", 7, 8, "a", 7, 3, 8),
  ],
};

/** Histories that no linearizable store can have given, and the operation that cannot be explained. */
const bad: Readonly<Record<string, readonly [number, readonly Operation[]]>> = {
  "a stale read": [2, [
    set("c1", 0, 1, "a", 1),
    set("c1", 2, 3, "a", 2),
    read("c2", 4, 5, { a: 1 }),
  ]],
  "a read of what was never written": [0, [read("c1", 0, 1, { a: 1 })]],
  "a future read": [0, [read("c1", 0, 1, { a: 1 }), set("c2", 2, 3, "a", 1)]],
  "a lost update": [2, [
    set("c1", 0, 1, "a", 1),
    set("c1", 2, 3, "b", 1),
    read("c2", 4, 5, { a: null }),
  ]],
  "a lost compare-and-set": [3, [
    set("c0", 0, 1, "a", 0),
    cas("c1", 2, 3, "a", 0, 1),
    cas("c2", 4, 5, "a", 1, 2),
    read("c1", 6, 7, { a: 1 }),
  ]],
  "a doubled sum": [1, [sum("c1", 0, 1, "n", 1), read("c1", 2, 3, { n: 2 })]],
  "a lost sum": [2, [
    sum("c1", 0, 1, "n", 1),
    sum("c2", 0, 1, "n", 1),
    read("c1", 2, 3, { n: 1 }),
  ]],
  "an unknown sum that happened twice": [2, [
    sum("c1", 0, 1, "n", 1),
    sum("c2", 2, null, "n", 1, "unknown"),
    read("c1", 4, 5, { n: 3 }),
  ]],
  "a read from a write that was refused": [1, [
    set("c1", 0, 1, "a", 1, "failed"),
    read("c2", 2, 3, { a: 1 }),
  ]],
  "a read from a write whose check had failed": [2, [
    set("c0", 0, 1, "a", 0),
    cas("c1", 2, 3, "a", 5, 1, "check-failed"),
    read("c2", 4, 5, { a: 1 }),
  ]],
  "two winners of one compare-and-set": [2, [
    set("c0", 0, 1, "a", 0, 1),
    casVersion("c1", 2, 5, "a", 1, 1, 2),
    casVersion("c2", 2, 6, "a", 1, 2, 3),
  ]],
  "a check that failed without a reason": [1, [
    set("c0", 0, 1, "a", 0, 1),
    casVersion("c1", 2, 3, "a", 1, 1, "check-failed"),
  ]],
  "reads that go back": [3, [
    set("c0", 0, 1, "a", 0),
    set("c1", 2, 20, "a", 1),
    read("c2", 3, 4, { a: 1 }),
    read("c3", 5, 6, { a: 0 }),
  ]],
  "reads that go back behind an unknown write": [3, [
    set("c0", 0, 1, "a", 0),
    set("c1", 2, null, "a", 1, "unknown"),
    read("c2", 3, 4, { a: 1 }),
    read("c3", 5, 6, { a: 0 }),
  ]],
  "versionstamps against the order of time": [1, [
    set("c1", 0, 1, "a", 1, 9),
    set("c2", 2, 3, "a", 2, 5),
  ]],
  "one versionstamp for two writes": [1, [
    set("c1", 0, 1, "a", 1, 5),
    set("c2", 0, 2, "a", 2, 5),
  ]],
  "a read that shows a wrong versionstamp": [1, [
    set("c1", 0, 1, "a", 1, 5),
    read("c2", 2, 3, { a: [1, 6] }),
  ]],
  "half of an atomic write": [1, [
    write("c1", 0, 9, [{ type: "set", key: "a", value: 1 }, { type: "set", key: "b", value: 1 }]),
    read("c2", 3, 4, { a: 1, b: null }),
  ]],
  "a write that comes back after a delete": [2, [
    set("c1", 0, 1, "a", 1),
    remove("c1", 2, 3, "a"),
    read("c2", 4, 5, { a: 1 }),
  ]],
  "a sum on text": [1, [set("c1", 0, 1, "a", "x"), sum("c1", 2, 3, "a", 1)]],
};

for (const [name, history] of Object.entries(good)) {
  Deno.test(`checkLinearizable() takes a history ${name}`, () => {
    const verdict = checkLinearizable(history);
    assertEquals(verdict.result, "linearizable");
    assertEquals(verdict.operations, history.length);
  });
}

for (const [name, [index, history]] of Object.entries(bad)) {
  Deno.test(`checkLinearizable() finds ${name}`, () => {
    const verdict = checkLinearizable(history);
    assert(verdict.result === "not-linearizable");
    assertEquals(verdict.offence.index, index);
    assertEquals(verdict.offence.until, history[index]!.completedAt);
    assert(verdict.offence.prefix.includes(index));
  });
}

Deno.test("checkLinearizable() does not depend on the order in which operations stand", () => {
  for (const history of Object.values(good)) {
    assertEquals(checkLinearizable([...history].reverse()).result, "linearizable");
  }
  for (const [index, history] of Object.values(bad)) {
    const verdict = checkLinearizable([...history].reverse());
    assert(verdict.result === "not-linearizable");
    assertEquals(verdict.offence.index, history.length - 1 - index);
  }
});

Deno.test("checkLinearizable() finds the key of several that is wrong, and the prefix that shows it", () => {
  const history = [
    set("c1", 0, 1, "a", 1),
    set("c2", 0, 1, "b", 1),
    read("c1", 2, 3, { a: 1 }),
    read("c2", 4, 5, { b: 2 }),
    set("c1", 4, 9, "b", 3),
    set("c2", 6, 7, "b", 2),
    read("c1", 8, 9, { a: 7 }),
  ];
  const verdict = checkLinearizable(history);
  assert(verdict.result === "not-linearizable");
  assertEquals(verdict.keys, ["a", "b"]);
  assertEquals(verdict.components, 2);
  const { keys, index, until, prefix } = verdict.offence;
  assertEquals({ keys, index, until }, { keys: ["b"], index: 3, until: 5 });
  assertEquals(prefix, [1, 3, 4]);
});

Deno.test("checkLinearizable() says what was seen and what could have been", () => {
  const verdict = checkLinearizable([
    set("c1", 0, 1, "a", 1, 4),
    set("c1", 2, 9, "a", "two", 6),
    read("c2", 4, 5, { a: null }),
  ]);
  assert(verdict.result === "not-linearizable");
  const { explanation } = verdict.offence;
  assertMatch(explanation, /operation 2: c2 reads a → absent \[4 – 5\]/);
  assertMatch(explanation, /a = 1 @0004; or a = "two" @0006/);
});

Deno.test("checkLinearizable() names what was written though nobody read it", () => {
  const explain = (...operations: Operation[]): string => {
    const verdict = checkLinearizable([...operations, set("c1", 90, 91, "a", 99)]);
    assert(verdict.result === "not-linearizable");
    return verdict.offence.explanation;
  };
  const one = explain(set("c1", 0, 1, "a", 4), read("c2", 2, 3, { a: 3 }));
  assertMatch(one, /there was a = 4$/);
  const two = explain(
    set("c1", 0, 2, "a", 4),
    set("c2", 0, 2, "a", "x"),
    read("c2", 3, 4, { a: 3 }),
  );
  assertMatch(two, /there was a = 4 or "x"$/);
  const writes = Array.from({ length: 6 }, (_, i) => set(`c${i}`, 0, 2, "a", 10 + i));
  const many = explain(...writes, read("c9", 3, 4, { a: 3 }));
  assertMatch(many, /there was a = one of 6 values that nobody read$/);
});

Deno.test("checkLinearizable() explains by no versionstamp that was told after the prefix", () => {
  const verdict = checkLinearizable([
    set("c1", 0, 1, "a", 1),
    read("c2", 2, 3, { a: null }),
    read("c2", 4, 5, { a: [1, 1] }),
  ]);
  assert(verdict.result === "not-linearizable");
  assertEquals(verdict.offence.prefix, [0, 1]);
  assertMatch(verdict.offence.explanation, /there was a = 1$/);
});

Deno.test("checkLinearizable() holds versionstamps of keys together that are checked apart", () => {
  const history = [
    set("c1", 0, 20, "a", 1, 10),
    read("c2", 2, 3, { a: [1, 10] }),
    set("c3", 0, 1, "b", 0, 5),
    read("c2", 4, 5, { b: [0, 5] }),
    set("c3", 2, 20, "b", 1, 8),
  ];
  const verdict = checkLinearizable(history);
  assert(verdict.result === "not-linearizable");
  assertEquals(verdict.components, 2);
  const { index, keys, prefix, explanation } = verdict.offence;
  assertEquals({ index, keys, prefix }, { index: 3, keys: ["a", "b"], prefix: [1, 4, 3] });
  assertMatch(explanation, /Operation 1 had reached versionstamp 0010/);
  assertMatch(explanation, /Operation 4 had overwritten what was read/);
  const later = history.with(4, set("c3", 2, 20, "b", 1, 12));
  assertEquals(checkLinearizable(later).result, "linearizable");
});

Deno.test("checkLinearizable() holds writes of different keys to the order of their versionstamps", () => {
  const verdict = checkLinearizable([set("c1", 0, 1, "a", 1, 9), set("c2", 2, 3, "b", 1, 5)]);
  assert(verdict.result === "not-linearizable");
  assertEquals(verdict.offence.index, 1);
  assertEquals(
    checkLinearizable([set("c1", 0, 2, "a", 1, 9), set("c2", 2, 3, "b", 1, 5)]).result,
    "linearizable",
  );
});

Deno.test("checkLinearizable() judges a prefix by what was known at its end", () => {
  // That version 2 belongs to the third write is told at 9 only: until then it can be the first one's.
  const verdict = checkLinearizable([
    set("c1", 0, 1, "a", 1),
    read("c2", 2, 3, { a: [1, 2] }),
    read("c2", 4, 5, { a: 1 }),
    set("c1", 6, 9, "a", 3, 2),
    read("c2", 10, 11, { a: 3 }),
  ]);
  assert(verdict.result === "not-linearizable");
  const { index, until, prefix, explanation } = verdict.offence;
  assertEquals({ index, until, prefix }, { index: 1, until: 9, prefix: [0, 1, 2, 3] });
  assertMatch(explanation, /Operation 3 shows it: c1 sets a = 3 → ok @0002 \[6 – 9\]/);
});

Deno.test("checkLinearizable() says unknown when a limit is reached, and which", () => {
  const history: Operation[] = [];
  for (let i = 0; i < 8; i++) history.push(set(`c${i}`, 0, 10, "a", i));
  for (let i = 0; i < 8; i++) history.push(read(`c${i}`, 20 + i, 20 + i, { a: i % 2 }));
  assertEquals(checkLinearizable(history).result, "not-linearizable");
  const steps = checkLinearizable(history, { stepsMax: 10 });
  assert(steps.result === "unknown");
  assertEquals([steps.limit, steps.undecidedKeys], ["stepsMax", ["a"]]);
  const configurations = checkLinearizable(history, { configurationsMax: 3 });
  assert(configurations.result === "unknown");
  assertEquals(configurations.limit, "configurationsMax");
  const units = checkLinearizable(history, { configurationUnitsMax: 30 });
  assert(units.result === "unknown");
  assertEquals(units.limit, "configurationUnitsMax");
});

Deno.test("checkLinearizable() prefers a proof of disorder in one key to its doubts about another", () => {
  const history: Operation[] = [];
  for (let i = 0; i < 8; i++) history.push(set(`c${i}`, 0, 10, "a", i));
  for (let i = 0; i < 8; i++) history.push(read(`c${i}`, 20 + i, 20 + i, { a: i % 2 }));
  history.push(read("c1", 90, 91, { b: 1 }));
  const verdict = checkLinearizable(history, { configurationsMax: 3 });
  assert(verdict.result === "not-linearizable");
  assertEquals(verdict.offence.keys, ["b"]);
});

Deno.test("checkLinearizable() infers versions of unknown writes, and keeps them in order", () => {
  const [first, second] = [
    set("c1", 0, null, "a", 1, "unknown"),
    set("c2", 0, null, "a", 2, "unknown"),
  ];
  const verdict = checkLinearizable([
    first,
    second,
    read("c3", 5, 6, { a: [2, 4] }),
    read("c3", 7, 8, { a: [1, 6] }),
  ]);
  assert(verdict.result === "linearizable");
  assertEquals(
    verdict.orders[0]!.steps.map(({ index, versionstamp }) => [index, versionstamp]),
    [[1, stamp(4)], [2, null], [0, stamp(6)], [3, null]],
  );
  const back = checkLinearizable([
    first,
    second,
    read("c3", 5, 6, { a: [2, 6] }),
    read("c3", 7, 8, { a: [1, 4] }),
  ]);
  assertEquals(back.result, "not-linearizable");
});

Deno.test("checkLinearizable() refuses operations that make no sense, and says which and why", () => {
  const backwards = set("c1", 5, 4, "a", 1);
  assertThrows(
    () => checkLinearizable([set("c1", 0, 1, "a", 1), backwards]),
    MalformedHistory,
    "operation 1: it completed at 4, before it was invoked at 5",
  );
  assertThrows(
    () => checkLinearizable([set("c1", 0, null, "a", 1)]),
    MalformedHistory,
    'completedAt is null, but the outcome is "ok"',
  );
});

Deno.test("checkLinearizable() accuses two writes of keys apart that were told one versionstamp", () => {
  const first = write("c1", 0, 10, [{ type: "set", key: "a", value: 1 }], 7);
  const second = write("c2", 1, 12, [{ type: "set", key: "b", value: 2 }], 7);
  const verdict = checkLinearizable([first, second]);
  assert(verdict.result === "not-linearizable");
  const { index, until, keys, prefix, explanation } = verdict.offence;
  assertEquals({ index, until, keys, prefix }, {
    index: 1,
    until: 12,
    keys: ["a", "b"],
    prefix: [0, 1],
  });
  assertMatch(explanation, /^Operation 1 was told the versionstamp 0007: .*\nSo was operation 0: /);
});
