/**
 * Each assertion of the stand-in for `@std/assert`: what it lets pass, and that it fails with an
 * `AssertionError` where it should. The texts of failures are not tested: the original's differ.
 */
import {
  assert,
  assertAlmostEquals,
  assertArrayIncludes,
  assertEquals,
  assertExists,
  assertFalse,
  assertGreater,
  assertGreaterOrEqual,
  assertInstanceOf,
  AssertionError,
  assertIsError,
  assertLess,
  assertLessOrEqual,
  assertMatch,
  assertNotEquals,
  assertNotInstanceOf,
  assertNotMatch,
  assertNotStrictEquals,
  assertObjectMatch,
  assertRejects,
  assertStrictEquals,
  assertStringIncludes,
  assertThrows,
  fail,
  unimplemented,
  unreachable,
} from "@std/assert";

/** Runs what must fail, without leaning on the assertions under test. */
function failureOf(fn: () => unknown): AssertionError {
  try {
    fn();
  } catch (error) {
    if (error instanceof AssertionError) return error;
    throw error;
  }
  throw new Error("the assertion passed");
}

async function rejectionOf(promise: Promise<unknown>): Promise<AssertionError> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof AssertionError) return error;
    throw error;
  }
  throw new Error("the assertion passed");
}

const object = { a: 1 };

const cases: readonly { name: string; passes: () => unknown; fails: () => unknown }[] = [
  { name: "assert", passes: () => assert("x"), fails: () => assert("") },
  { name: "assertFalse", passes: () => assertFalse(0), fails: () => assertFalse([]) },
  {
    name: "assertEquals",
    passes: () => assertEquals({ a: [1] }, { a: [1] }),
    fails: () => assertEquals({ a: [1] }, { a: [2] }),
  },
  {
    name: "assertNotEquals",
    passes: () => assertNotEquals([1], [2]),
    fails: () => assertNotEquals([1], [1]),
  },
  {
    name: "assertStrictEquals",
    passes: () => assertStrictEquals(object, object),
    fails: () => assertStrictEquals(object, { a: 1 }),
  },
  {
    name: "assertNotStrictEquals",
    passes: () => assertNotStrictEquals(0, -0),
    fails: () => assertNotStrictEquals(object, object),
  },
  { name: "assertExists", passes: () => assertExists(0), fails: () => assertExists(null) },
  {
    name: "assertInstanceOf",
    passes: () => assertInstanceOf(new TypeError(), Error),
    fails: () => assertInstanceOf(object, Error),
  },
  {
    name: "assertNotInstanceOf",
    passes: () => assertNotInstanceOf(object, Error),
    fails: () => assertNotInstanceOf(new TypeError(), Error),
  },
  { name: "assertMatch", passes: () => assertMatch("ab", /b/), fails: () => assertMatch("a", /b/) },
  {
    name: "assertNotMatch",
    passes: () => assertNotMatch("a", /b/),
    fails: () => assertNotMatch("ab", /b/),
  },
  {
    name: "assertStringIncludes",
    passes: () => assertStringIncludes("abc", "bc"),
    fails: () => assertStringIncludes("abc", "cb"),
  },
  {
    name: "assertArrayIncludes",
    passes: () => assertArrayIncludes([{ a: 1 }, { b: 2 }], [{ b: 2 }]),
    fails: () => assertArrayIncludes([{ a: 1 }], [{ a: 2 }]),
  },
  { name: "assertGreater", passes: () => assertGreater(2, 1), fails: () => assertGreater(1, 1) },
  {
    name: "assertGreaterOrEqual",
    passes: () => assertGreaterOrEqual(1n, 1n),
    fails: () => assertGreaterOrEqual(0n, 1n),
  },
  { name: "assertLess", passes: () => assertLess("a", "b"), fails: () => assertLess("b", "b") },
  {
    name: "assertLessOrEqual",
    passes: () => assertLessOrEqual(1, 1),
    fails: () => assertLessOrEqual(NaN, 1),
  },
  {
    name: "assertAlmostEquals",
    passes: () => assertAlmostEquals(0.1 + 0.2, 0.3),
    fails: () => assertAlmostEquals(1, 1.001),
  },
  {
    name: "assertAlmostEquals with a tolerance",
    passes: () => assertAlmostEquals(1, 1.5, 0.5),
    fails: () => assertAlmostEquals(1, 1.5, 0.4),
  },
  {
    name: "assertIsError",
    passes: () => assertIsError(new TypeError("no such key"), TypeError, /such/),
    fails: () => assertIsError(new TypeError("no such key"), RangeError),
  },
  {
    name: "assertIsError on the message",
    passes: () => assertIsError(new Error("\x1b[31mno such key"), Error, "no such"),
    fails: () => assertIsError(new Error("no such key"), Error, "other"),
  },
  {
    name: "assertThrows",
    passes: () => assertThrows(() => fail()),
    fails: () => assertThrows(() => 1),
  },
  {
    name: "assertThrows with a class",
    passes: () => assertThrows(() => fail(), AssertionError),
    fails: () => assertThrows(() => fail(), RangeError),
  },
  {
    name: "assertThrows with a message",
    passes: () => assertThrows(() => fail("why"), Error, "why"),
    fails: () => assertThrows(() => fail("why"), Error, "because"),
  },
];

for (const { name, passes, fails } of cases) {
  Deno.test(`${name}() passes and fails`, () => {
    passes();
    const error = failureOf(fails);
    if (error.name !== "AssertionError") throw new Error(`it is called ${error.name}`);
  });
}

Deno.test("assertions carry the caller's words", () => {
  for (
    const fails of [
      () => assert(false, "why"),
      () => assertEquals(1, 2, "why"),
      () => assertStrictEquals<unknown>({}, {}, "why"),
      () => assertExists(undefined, "why"),
      () => assertThrows(() => 1, "why"),
      () => assertThrows(() => 1, Error, "", "why"),
      () => fail("why"),
      () => unreachable("why"),
      () => unimplemented("why"),
    ]
  ) assertStringIncludes(failureOf(fails).message, "why");
});

Deno.test("assertEquals() shows both values, also when they cannot be compared line by line", () => {
  assertMatch(failureOf(() => assertEquals("left", "right")).message, /left[\s\S]*right/);
  const hostile = {
    a: 1,
    get [Symbol.toStringTag](): string {
      throw new Error("hostile");
    },
  };
  failureOf(() => assertEquals<unknown>({ b: hostile, a: 1 }, { b: 1, a: 1 }));
});

Deno.test("assertObjectMatch() asks for a part, at every depth", () => {
  const actual = { a: 1, b: { c: [{ d: 1, e: 2 }, 3], f: new Map([["g", 1], ["h", 2]]) } };
  assertObjectMatch(actual, { b: { c: [{ e: 2 }, 3] } });
  assertObjectMatch(actual, { b: { f: new Map([["h", 2]]) } });
  failureOf(() => assertObjectMatch(actual, { b: { c: [{ e: 3 }] } }));
  failureOf(() => assertObjectMatch(actual, { b: { x: 1 } }));
  failureOf(() => assertObjectMatch(actual, { b: { f: new Map([["h", 3]]) } }));
});

Deno.test("assertObjectMatch() takes instances for their properties, and ends on cycles", () => {
  class Node {
    next: unknown = this;
    value = 1;
  }
  assertObjectMatch({ node: new Node() }, { node: { value: 1 } });
  const one = new Node();
  assertObjectMatch({ one }, { one });
});

Deno.test("assertThrows() returns what was thrown, errors or not", () => {
  const thrown = assertThrows(() => {
    throw new RangeError("too far");
  }, RangeError);
  assertStrictEquals(thrown.message, "too far");
  // A constant of unknown type, since lint refuses to throw a literal.
  const text: unknown = "text";
  const thrownText = assertThrows(() => {
    throw text;
  });
  assertStrictEquals(thrownText, "text");
  failureOf(() =>
    assertThrows(() => {
      throw text;
    }, Error)
  );
});

Deno.test("assertRejects() returns the reason and checks its class and message", async () => {
  const reject = () => Promise.reject(new RangeError("too far"));
  const reason: RangeError = await assertRejects(reject, RangeError, "too far");
  assertStrictEquals(reason.message, "too far");
  assertStrictEquals(await assertRejects(() => Promise.reject("text")), "text");
  await rejectionOf(assertRejects(reject, TypeError));
  await rejectionOf(assertRejects(reject, RangeError, "too near"));
  await rejectionOf(assertRejects(() => Promise.reject("text"), Error));
  await rejectionOf(assertRejects(() => Promise.resolve(1)));
});

Deno.test("assertRejects() fails when the function throws before it returns a promise", async () => {
  await rejectionOf(assertRejects(() => {
    throw new RangeError("too far");
  }, RangeError));
});

Deno.test("assertions narrow types", () => {
  const value: string | number | undefined = JSON.parse('"text"');
  assertExists(value);
  const some: string | number = value;
  assert(typeof some === "string");
  const text: string = some;
  assertStrictEquals(text, "text");
});
