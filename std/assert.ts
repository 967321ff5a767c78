/**
 * Stand-in for `@std/assert`: the same names, signatures, semantics and error class, for all that
 * this project uses. It is not a copy of that package, and the texts of its failures differ.
 * Why it is here and how to swap it for the original: docs/decisions/0001-dependencies.md.
 *
 * @module
 */

export { AssertionError } from "./assert/assertion_error.ts";
export { equal } from "./assert/equal.ts";
export {
  assertIsError,
  assertRejects,
  assertThrows,
  fail,
  unimplemented,
  unreachable,
} from "./assert/errors.ts";
export { assertObjectMatch } from "./assert/object_match.ts";
export * from "./assert/values.ts";
