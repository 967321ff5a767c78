/**
 * How much longer than usual the fuzzers go on: the variable `KVORUM_FUZZ_TIMES`.
 *
 * @module
 */
import { wholeNumber } from "../../cli/args.ts";

const VARIABLE = "KVORUM_FUZZ_TIMES";
/** Thousands of millions of inputs: a day and more. */
const TIMES_MAX = 10_000;

/** What the variable says of this run; 1 without it. @throws {RangeError} as {@linkcode readFuzzTimes} does. */
export function fuzzTimes(): number {
  return readFuzzTimes(Deno.env.get(VARIABLE));
}

/**
 * Reads the variable's text.
 *
 * @throws {RangeError} if it is no whole number from 1: with no input at all every fuzzer passes.
 */
export function readFuzzTimes(text: string | undefined): number {
  if (text === undefined) return 1;
  const times = wholeNumber(text, 1, TIMES_MAX);
  if (times !== null) return times;
  throw new RangeError(
    `${VARIABLE} must be a whole number from 1 to ${TIMES_MAX}, not ${JSON.stringify(text)}`,
  );
}
