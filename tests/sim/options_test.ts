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
  [["--trace"], ["--trace needs --seed or --schedule: it is of one run"]],
  [["--trace", "--seeds", "5"], ["--trace needs --seed or --schedule: it is of one run"]],
  [["--seed", "5", "--seeds", "3"], ["--seeds does nothing beside --seed"]],
  [["--seed", "5", "--minutes", "1", "--first", "2", "--jobs", "1"], [
    "--minutes does nothing beside --seed",
    "--first does nothing beside --seed",
    "--jobs does nothing beside --seed",
  ]],
  [["--schedule", "f", "--seeds", "5"], ["--seeds does nothing beside --schedule"]],
  [["--schedule", "f", "--seed", "5"], ["--seed does nothing beside --schedule"]],
  [["--schedule", "f", "--minutes", "1", "--first", "2"], [
    "--minutes does nothing beside --schedule",
    "--first does nothing beside --schedule",
  ]],
  [["--schedule", "f", "--profile", "swarm", "--jobs", "1"], [
    "--profile does nothing beside --schedule",
    "--jobs does nothing beside --schedule",
  ]],
  [["7"], ["unexpected argument: 7"]],
  [["--sed", "7"], ["unknown flag: --sed"]],
];
for (const [args, problems] of rows) {
  Deno.test(`sim: parseOptions() says what is wrong with ${args.join(" ")}`, () => {
    assertEquals(assertThrows(() => parseOptions(args, 2), UsageError).problems, problems);
  });
}

Deno.test("sim: parseOptions() takes all that a run can use", () => {
  const one = parseOptions(["--seed", "5", "--profile", "disk", "--trace", "--once"], 2);
  assertEquals([one.seed, one.profile, one.trace, one.once], [5, "disk", true, true]);
  const kept = parseOptions(["--schedule", "f", "--trace", "--no-shrink"], 2);
  assertEquals([kept.schedule, kept.trace, kept.shrink], ["f", true, false]);
  const many = parseOptions(["--seeds", "9", "--minutes", "1", "--first", "2", "--jobs", "3"], 2);
  assertEquals([many.seeds, many.minutes, many.first, many.jobs], [9, 1, 2, 3]);
});
