/**
 * `deno task test`: runs all tests, or those that its arguments name, and ends with the line
 * `N passed, N failed`.
 *
 * With `TEST_COVERAGE=1` in the environment, as `deno task coverage` and `.ci/run` have it, it also prints
 * before that line how much of each room the tests reached, and fails where that is too little.
 *
 * @module
 */

import { measureTests } from "./covered/measure.ts";
import { closingLine, type Counts, exitCodeFor } from "./test_run/report.ts";
import { runTests } from "./test_run/run.ts";

/** Prints what coverage came to; gives the counts, and whether too little was reached. */
async function runMeasured(args: readonly string[]): Promise<[counts: Counts, isShort: boolean]> {
  const { counts, table, problems } = await measureTests(args);
  console.log(`\n${table}`);
  for (const problem of problems) console.log(problem);
  return [counts, problems.length > 0];
}

const USAGE = `Usage: deno task test [path ...] [flags of deno test, such as --filter]

Runs all tests, or those of the files and directories that are named. deno task coverage does the same and
prints how much of each room they reached; it fails where that is too little.`;

if (Deno.args.includes("--help") || Deno.args.includes("-h")) {
  console.log(USAGE);
  Deno.exit(0);
}

const isMeasured = Deno.env.get("TEST_COVERAGE") === "1";
const [counts, isShort] = isMeasured
  ? await runMeasured(Deno.args)
  : [await runTests(Deno.args), false];
console.log(closingLine(counts));
Deno.exit(isShort ? 1 : exitCodeFor(counts));
