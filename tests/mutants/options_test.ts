/** The command line of the mutants. */
import { assertEquals, assertThrows } from "@std/assert";
import { UsageError } from "../../cli/args.ts";
import { readMutantOptions } from "./options.ts";

const read = (...args: string[]) => readMutantOptions(args, ["one", "two"]);

Deno.test("readMutantOptions() tries all mutants by their own checks unless told otherwise", () => {
  const usual = { only: null, jobs: 2, list: false, trial: { type: "its checks" } };
  assertEquals<unknown>(read(), usual);
  const files = { type: "files", files: ["a.ts", "b.ts"] };
  assertEquals<unknown>(read("--by", "a.ts,b.ts"), { ...usual, trial: files });
  assertEquals<unknown>(read("--only", "two", "--jobs=3", "--list", "--seeds", "9"), {
    only: ["two"],
    jobs: 3,
    list: true,
    trial: { type: "simulator", seeds: 9 },
  });
  assertEquals(read("--help"), null);
});

const rows: readonly [args: string[], problems: string[]][] = [
  [["--jobs", "-1"], ["--jobs must be a whole number from 1 to 16, not -1"]],
  [["--jobs", "x"], ["--jobs must be a whole number from 1 to 16, not x"]],
  [["--seeds", "-1"], ["--seeds must be a whole number from 1 to 100000, not -1"]],
  [["--seeds", "0", "--jobs", "17"], [
    "--jobs must be a whole number from 1 to 16, not 17",
    "--seeds must be a whole number from 1 to 100000, not 0",
  ]],
  [["--only", "one,three"], ["there is no mutant three; --list names all"]],
  [["--by", "a.ts", "--seeds", "9"], ["--by and --seeds exclude each other"]],
  [["--seed", "9"], ["unknown flag: --seed"]],
  [["one"], ["unexpected argument: one"]],
];
for (const [args, problems] of rows) {
  Deno.test(`readMutantOptions() says what is wrong with ${args.join(" ")}`, () => {
    assertEquals(assertThrows(() => read(...args), UsageError).problems, problems);
  });
}
