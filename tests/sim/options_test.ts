/** What the simulator's command line says of options that make no sense. */
import { assertEquals, assertThrows } from "@std/assert";
import { parseOptions, UsageError } from "./options.ts";

const SEED = "must be a whole number from 0 to 4294967295";
const rows: readonly [args: string[], problems: string[]][] = [
  [["--seed", "-1"], [`--seed ${SEED}, not -1`]],
  [["--seed=-1"], [`--seed ${SEED}, not -1`]],
  [["--seed", "abc"], [`--seed ${SEED}, not abc`]],
  [["--seed", "1.5"], [`--seed ${SEED}, not 1.5`]],
  [["--seed", "4294967296"], [`--seed ${SEED}, not 4294967296`]],
  [["--seed"], ["--seed needs a value"]],
  [["--seed", "1", "--seed", "2"], ["--seed was given 2 times: 1, 2"]],
  [["--first", "-1"], [`--first ${SEED}, not -1`]],
  [["--seeds", "-5"], ["--seeds must be a whole number from 1 to 10000000, not -5"]],
  [["--minutes", "-.5"], ["--minutes must be above 0 and at most 10080, not -.5"]],
  [["--jobs", "65", "--minutes", "long"], [
    "--minutes must be above 0 and at most 10080, not long",
    "--jobs must be a whole number from 1 to 64, not 65",
  ]],
  [["7"], ["unexpected argument: 7"]],
  [["--sed", "7"], ["unknown flag: --sed"]],
];
for (const [args, problems] of rows) {
  Deno.test(`sim: parseOptions() says what is wrong with ${args.join(" ")}`, () => {
    assertEquals(assertThrows(() => parseOptions(args, 2), UsageError).problems, problems);
  });
}
