/** The command line of the mutants. */
import { assertEquals, assertThrows } from "@std/assert";
import { UsageError } from "../../cli/args.ts";
import { readMutantOptions } from "./options.ts";
import { isCopied } from "./workshop.ts";

const files = ["a.ts", "b.ts"];
const read = (...args: string[]) =>
  readMutantOptions(args, ["one", "two"], (path) => files.includes(path));

Deno.test("readMutantOptions() tries all mutants by their own checks unless told otherwise", () => {
  const usual = { only: null, jobs: 2, list: false, trial: { type: "its checks" } };
  assertEquals<unknown>(read(), usual);
  assertEquals<unknown>(read("--by", "a.ts,b.ts"), { ...usual, trial: { type: "files", files } });
  assertEquals<unknown>(read("--only", "two", "--jobs=3", "--seeds", "9"), {
    only: ["two"],
    jobs: 3,
    list: false,
    trial: { type: "simulator", seeds: 9 },
  });
  assertEquals<unknown>(read("--only", "two", "--list"), { ...usual, only: ["two"], list: true });
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
  [["--by", "a.ts,nope_test.ts"], [
    "--by: there is no such file in the checkout: nope_test.ts",
  ]],
  [["--list", "--by", "a.ts"], ["--by does nothing beside --list"]],
  [["--list", "--jobs", "3", "--seeds", "9"], [
    "--seeds does nothing beside --list",
    "--jobs does nothing beside --list",
  ]],
  [["--seed", "9"], ["unknown flag: --seed"]],
  [["one"], ["unexpected argument: one"]],
];
for (const [args, problems] of rows) {
  Deno.test(`readMutantOptions() says what is wrong with ${args.join(" ")}`, () => {
    assertEquals(assertThrows(() => read(...args), UsageError).problems, problems);
  });
}

Deno.test("isCopied() knows the files of the checkout that a workshop has", () => {
  const root = new URL("../../", import.meta.url);
  const own = "tests/mutants/options_test.ts";
  const paths = [own, `./${own}`, "nope_test.ts", "tests", `${own}/below`, "", "../README.md"];
  const others = ["/etc/hosts", "bench/load.ts", ".gitignore"];
  const copied = [...paths, ...others].filter((path) => isCopied(root, path));
  assertEquals(copied, [own, `./${own}`]);
});
