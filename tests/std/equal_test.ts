/**
 * What the stand-in for `@std/assert` takes for equal. Each row states the original's answer, so
 * that the table holds against the original too.
 */
import { assert, assertFalse, assertThrows, equal } from "@std/assert";

class Point {
  readonly #x: number;
  constructor(x: number) {
    this.#x = x;
  }
  get x(): number {
    return this.#x;
  }
}

class Other {
  readonly x = 1;
}

const shared = Symbol("shared");

const equalPairs: readonly [string, unknown, unknown][] = [
  ["numbers", 1, 1],
  ["NaN and itself", NaN, NaN],
  ["zero and minus zero", 0, -0],
  ["bigints", 1n, 1n],
  ["nested objects", { a: { b: [1, { c: null }] } }, { a: { b: [1, { c: null }] } }],
  ["objects with keys in another order", { a: 1, b: 2 }, { b: 2, a: 1 }],
  ["a null prototype and a plain object", Object.assign(Object.create(null), { a: 1 }), { a: 1 }],
  ["symbol keys", { [shared]: 1 }, { [shared]: 1 }],
  ["dates", new Date(5), new Date(5)],
  ["invalid dates", new Date(NaN), new Date(NaN)],
  ["patterns", /a/g, /a/g],
  ["URLs", new URL("http://a/b"), new URL("http://a/b")],
  ["bytes", new Uint8Array([1, 2]), new Uint8Array([1, 2])],
  ["a view and bytes of its own", new Uint8Array([0, 1, 2]).subarray(1), new Uint8Array([1, 2])],
  ["buffers", new Uint8Array([1, 2]).buffer, new Uint8Array([1, 2]).buffer],
  ["maps in another order", new Map([["a", 1], ["b", 2]]), new Map([["b", 2], ["a", 1]])],
  ["maps with objects as keys", new Map([[{ a: 1 }, [2]]]), new Map([[{ a: 1 }, [2]]])],
  ["sets", new Set([1, 2]), new Set([2, 1])],
  ["sets of objects", new Set([{ a: 1 }, { b: 1 }]), new Set([{ b: 1 }, { a: 1 }])],
  ["instances whose getters agree", new Point(1), new Point(1)],
];

const unequalPairs: readonly [string, unknown, unknown][] = [
  ["numbers", 1, 2],
  ["a number and its text", 1, "1"],
  ["a number and a bigint", 1, 1n],
  ["null and undefined", null, undefined],
  ["an undefined property and a missing one", { a: undefined }, {}],
  ["undefined properties of different names", { a: undefined }, { b: undefined }],
  ["a hole and undefined", [, 1], [undefined, 1]],
  ["arrays of different lengths", [1], [1, 2]],
  ["an array and an object", [1], { 0: 1 }],
  ["deep differences", { a: { b: [1, { c: 1 }] } }, { a: { b: [1, { c: 2 }] } }],
  ["symbol keys", { [shared]: 1 }, { [shared]: 2 }],
  ["classes", new Other(), { x: 1 }],
  ["dates", new Date(5), new Date(6)],
  ["flags of patterns", /a/g, /a/i],
  ["URLs", new URL("http://a/b"), new URL("http://a/c")],
  ["bytes", new Uint8Array([1, 2]), new Uint8Array([1, 3])],
  ["bytes of different lengths", new Uint8Array([1]), new Uint8Array([1, 0])],
  ["kinds of typed arrays", new Uint8Array([1]), new Uint16Array([1])],
  ["buffers", new Uint8Array([1, 2]).buffer, new Uint8Array([1, 3]).buffer],
  ["values in maps", new Map([["a", 1]]), new Map([["a", 2]])],
  ["keys in maps", new Map([["a", undefined]]), new Map([["b", undefined]])],
  ["sets", new Set([1, 2]), new Set([1, 3])],
  ["sets of objects", new Set([{ a: 1 }]), new Set([{ a: 2 }])],
  ["a set and a map", new Set(), new Map()],
  ["instances whose getters differ", new Point(1), new Point(2)],
  ["functions", () => 1, () => 1],
];

for (const [what, a, b] of equalPairs) {
  Deno.test(`equal() holds for ${what}`, () => {
    assert(equal(a, b));
    assert(equal(b, a));
  });
}

for (const [what, a, b] of unequalPairs) {
  Deno.test(`equal() tells apart ${what}`, () => {
    assertFalse(equal(a, b));
    assertFalse(equal(b, a));
  });
}

Deno.test("equal() ends on cycles", () => {
  const one: Record<string, unknown> = { a: 1 };
  one.self = one;
  const other: Record<string, unknown> = { a: 1 };
  other.self = other;
  assert(equal(one, other));
  other.a = 2;
  assertFalse(equal(one, other));
});

Deno.test("equal() refuses weak collections, whose content nobody can list", () => {
  assertThrows(() => equal(new WeakMap(), new WeakMap()), TypeError, "WeakMap");
  assertThrows(() => equal(new WeakSet(), new WeakSet()), TypeError, "WeakSet");
});
