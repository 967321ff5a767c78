/**
 * Deep equality as `@std/assert` defines it. It is not that of `node:assert`: `0` equals `-0`,
 * a null prototype equals that of a plain object, a property holding `undefined` differs from a
 * missing one, and getters found on the prototype chain count.
 *
 * @module
 */

type PropertyBag = Record<PropertyKey, unknown>;
/** Pairs under comparison, so that a cycle ends instead of recursing forever. */
type Seen = Map<object, object>;

const TypedArrayPrototype = Object.getPrototypeOf(Uint8Array.prototype) as object;

/** Instances of these say all they are in their string form. */
const stringComparable: ReadonlySet<object> = new Set([
  Intl.Locale,
  RegExp,
  URL,
  URLSearchParams,
].map((constructor) => constructor.prototype));

/**
 * Compares two values structurally.
 *
 * @returns whether `a` and `b` have the same shape, prototypes and leaf values.
 * @throws {TypeError} when asked to compare weak collections, whose content cannot be listed.
 */
export function equal(a: unknown, b: unknown): boolean {
  return compare(a, b, new Map());
}

function compare(a: unknown, b: unknown, seen: Seen): boolean {
  if (a === b || Object.is(a, b)) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  if (a instanceof Date && b instanceof Date) return Object.is(a.getTime(), b.getTime());
  if (!samePrototype(a, b)) return false;
  const leaf = compareLeaf(a, b, seen);
  if (leaf !== undefined) return leaf;

  if (seen.get(a) === b) return true;
  if (Object.keys(a).length !== Object.keys(b).length) return false;
  seen.set(a, b);
  if (a instanceof Map && b instanceof Map) return compareMaps(a, b, seen);
  if (a instanceof Set && b instanceof Set) return compareSets(a, b, seen);
  if (stringComparable.has(Object.getPrototypeOf(a))) return String(a) === String(b);
  return compareProperties(a as PropertyBag, b as PropertyBag, seen);
}

/** Kinds whose content is not in properties. Returns undefined for every other kind. */
function compareLeaf(a: object, b: object, seen: Seen): boolean | undefined {
  if (Object.prototype.isPrototypeOf.call(TypedArrayPrototype, a)) {
    return compareSequences(a as Uint8Array, b as Uint8Array);
  }
  if (a instanceof ArrayBuffer || a instanceof SharedArrayBuffer) {
    return compareSequences(new Uint8Array(a), new Uint8Array(b as ArrayBuffer));
  }
  if (a instanceof WeakMap) throw new TypeError("Cannot compare WeakMap instances");
  if (a instanceof WeakSet) throw new TypeError("Cannot compare WeakSet instances");
  if (a instanceof WeakRef) return compare(a.deref(), (b as WeakRef<WeakKey>).deref(), seen);
  return undefined;
}

function compareSequences(a: ArrayLike<unknown>, b: ArrayLike<unknown>): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) {
    if (a[i] !== b[i] && !Object.is(a[i], b[i])) return false;
  }
  return true;
}

function compareMaps(a: Map<unknown, unknown>, b: Map<unknown, unknown>, seen: Seen): boolean {
  if (a.size !== b.size) return false;
  if ([...a.keys()].every(isPrimitive)) {
    return [...a].every(([key, value]) => b.has(key) && compare(value, b.get(key), seen));
  }
  // Keys may be objects, so identity does not find the partner: look for an equal one.
  return [...a].every(([aKey, aValue]) =>
    [...b].some(([bKey, bValue]) => compare(aKey, bKey, seen) && compare(aValue, bValue, seen))
  );
}

function compareSets(a: Set<unknown>, b: Set<unknown>, seen: Seen): boolean {
  if (a.size !== b.size) return false;
  if ([...a].every(isPrimitive)) return [...a].every((value) => b.has(value));
  return [...a].every((aValue) => [...b].some((bValue) => compare(aValue, bValue, seen)));
}

function compareProperties(a: PropertyBag, b: PropertyBag, seen: Seen): boolean {
  const keys = isPlain(a)
    ? Reflect.ownKeys({ ...a, ...b })
    : new Set([...keysAlongPrototypes(a), ...keysAlongPrototypes(b)]);
  for (const key of keys) {
    if ((key in a) !== (key in b) || !compare(a[key], b[key], seen)) return false;
  }
  return true;
}

function keysAlongPrototypes(value: object): PropertyKey[] {
  const keys: PropertyKey[] = [];
  let at: object | null = value;
  while (at !== null && at !== Object.prototype && at !== Array.prototype) {
    keys.push(...Reflect.ownKeys(at));
    at = Object.getPrototypeOf(at) as object | null;
  }
  return keys;
}

function samePrototype(a: object, b: object): boolean {
  const ofA = Object.getPrototypeOf(a) ?? Object.prototype;
  const ofB = Object.getPrototypeOf(b) ?? Object.prototype;
  return ofA === ofB;
}

function isPlain(value: object): boolean {
  const prototype = Object.getPrototypeOf(value);
  return prototype === null || prototype === Object.prototype || prototype === Array.prototype;
}

function isPrimitive(value: unknown): boolean {
  return value === null || (typeof value !== "object" && typeof value !== "function");
}
