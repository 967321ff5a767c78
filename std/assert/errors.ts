/**
 * Assertions on errors, thrown or rejected, and the three that always fail.
 *
 * @module
 */

import { stripVTControlCharacters } from "node:util";
import { AssertionError } from "./assertion_error.ts";
import { suffix } from "./message.ts";

// deno-lint-ignore no-explicit-any
type AbstractErrorClass<E extends Error> = abstract new (...args: any[]) => E;
// deno-lint-ignore no-explicit-any
type ErrorClassOf<E extends Error> = new (...args: any[]) => E;

/**
 * Asserts that a value is an error, of a class, whose message holds a text or matches a pattern.
 *
 * @throws {AssertionError}
 */
export function assertIsError<E extends Error = Error>(
  error: unknown,
  ErrorClass?: AbstractErrorClass<E>,
  msgMatches?: string | RegExp,
  msg?: string,
): asserts error is E {
  if (!(error instanceof Error)) {
    throw new AssertionError(`Expected "error" to be an Error object${suffix(msg)}`);
  }
  if (ErrorClass && !(error instanceof ErrorClass)) {
    throw new AssertionError(
      `Expected error to be instance of "${ErrorClass.name}", ` +
        `but was "${error.constructor?.name}"${suffix(msg)}`,
      { cause: error },
    );
  }
  if (!msgMatches || messageMatches(error.message, msgMatches)) return;
  const wanted = typeof msgMatches === "string" ? JSON.stringify(msgMatches) : String(msgMatches);
  throw new AssertionError(
    `Expected error message to include ${wanted}, ` +
      `but got ${JSON.stringify(error.message)}${suffix(msg)}`,
    { cause: error },
  );
}

function messageMatches(message: string, wanted: string | RegExp): boolean {
  const plain = stripVTControlCharacters(message);
  return typeof wanted === "string"
    ? plain.includes(stripVTControlCharacters(wanted))
    : wanted.test(plain);
}

/** Asserts that `fn` throws anything. @returns what it threw. @throws {AssertionError} */
export function assertThrows(fn: () => unknown, msg?: string): unknown;
/**
 * Asserts that `fn` throws an error of a class whose message holds `msgIncludes`.
 *
 * @returns the error. @throws {AssertionError}
 */
export function assertThrows<E extends Error = Error>(
  fn: () => unknown,
  ErrorClass: ErrorClassOf<E>,
  msgIncludes?: string,
  msg?: string,
): E;
export function assertThrows<E extends Error = Error>(
  fn: () => unknown,
  errorClassOrMsg?: ErrorClassOf<E> | string,
  msgIncludesOrMsg?: string,
  msg?: string,
): E | unknown {
  const wanted = expectation(errorClassOrMsg, msgIncludesOrMsg, msg);
  let thrown: unknown;
  try {
    fn();
  } catch (error) {
    thrown = error;
    checkCaught(error, wanted, "thrown");
    return thrown;
  }
  throw new AssertionError(`Expected function to throw${suffix(wanted.msg)}`);
}

/** Asserts that `fn`'s promise rejects. @returns the reason. @throws {AssertionError} */
export function assertRejects(fn: () => PromiseLike<unknown>, msg?: string): Promise<unknown>;
/**
 * Asserts that `fn`'s promise rejects with an error of a class whose message holds `msgIncludes`.
 * A function that throws before it returns a promise fails the assertion.
 *
 * @returns the error. @throws {AssertionError}
 */
export function assertRejects<E extends Error = Error>(
  fn: () => PromiseLike<unknown>,
  ErrorClass: ErrorClassOf<E>,
  msgIncludes?: string,
  msg?: string,
): Promise<E>;
export async function assertRejects<E extends Error = Error>(
  fn: () => PromiseLike<unknown>,
  errorClassOrMsg?: ErrorClassOf<E> | string,
  msgIncludesOrMsg?: string,
  msg?: string,
): Promise<E | unknown> {
  const wanted = expectation(errorClassOrMsg, msgIncludesOrMsg, msg);
  const promise = startPromise(fn, wanted.msg);
  try {
    await promise;
  } catch (error) {
    checkCaught(error, wanted, "rejected");
    return error;
  }
  throw new AssertionError(`Expected function to reject${suffix(wanted.msg)}`);
}

interface Expectation<E extends Error> {
  readonly ErrorClass: ErrorClassOf<E> | undefined;
  readonly msgIncludes: string | undefined;
  readonly msg: string | undefined;
}

/** Sorts out which overload was called. */
function expectation<E extends Error>(
  errorClassOrMsg: ErrorClassOf<E> | string | undefined,
  msgIncludesOrMsg: string | undefined,
  msg: string | undefined,
): Expectation<E> {
  if (typeof errorClassOrMsg === "string") {
    return { ErrorClass: undefined, msgIncludes: undefined, msg: errorClassOrMsg };
  }
  return { ErrorClass: errorClassOrMsg, msgIncludes: msgIncludesOrMsg, msg };
}

function checkCaught<E extends Error>(
  error: unknown,
  wanted: Expectation<E>,
  how: "thrown" | "rejected",
): void {
  if (!wanted.ErrorClass) return;
  if (!(error instanceof Error)) {
    throw new AssertionError(`A non-Error object was ${how}${suffix(wanted.msg)}`);
  }
  assertIsError(error, wanted.ErrorClass, wanted.msgIncludes, wanted.msg);
}

function startPromise(fn: () => PromiseLike<unknown>, msg?: string): PromiseLike<unknown> {
  let started: unknown;
  try {
    started = fn();
  } catch (cause) {
    throw new AssertionError(`Function throws when expected to reject${suffix(msg)}`, { cause });
  }
  if (typeof started === "object" && started !== null && "then" in started) {
    return started as PromiseLike<unknown>;
  }
  throw new AssertionError(`Function throws when expected to reject${suffix(msg)}`);
}

/** Always fails. @throws {AssertionError} */
export function fail(msg?: string): never {
  throw new AssertionError(`Failed assertion${suffix(msg)}`);
}

/** Marks code that must never run. @throws {AssertionError} */
export function unreachable(reason?: string): never {
  throw new AssertionError(`Unreachable${suffix(reason)}`);
}

/** Marks a case that is not handled. @throws {AssertionError} */
export function unimplemented(msg?: string): never {
  throw new AssertionError(`Unimplemented${suffix(msg)}`);
}
