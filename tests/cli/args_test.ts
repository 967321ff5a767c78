import { assertEquals, assertThrows } from "@std/assert";
import { readArguments, tieNegatives, UsageError, wholeNumber } from "../../cli/args.ts";
import { formatTable } from "../../cli/table.ts";

const spec = { values: ["port", "as"], lists: ["url"], switches: ["fresh", "no-restart"] };

Deno.test("readArguments() tells values, lists, switches and positional arguments apart", () => {
  const args = readArguments(
    ["put", "007", "--port=1", "--url", "a", "--url", "b", "--no-restart", "-", "--", "--as", "-5"],
    spec,
  );
  assertEquals([...args.values], [["port", "1"]]);
  assertEquals([...args.lists], [["url", ["a", "b"]]]);
  assertEquals([...args.switches], ["no-restart"]);
  assertEquals(args.positionals, ["put", "007", "-", "--as", "-5"]);
});

const refused: readonly [string, string[], string[]][] = [
  ["an unknown flag", ["--prot", "1"], ["unknown flag: --prot"]],
  ["an unknown letter", ["-x"], ["unknown flag: -x"]],
  ["parseArgs' own name for positional arguments", ["--_", "1"], ["unknown flag: --_"]],
  ["a flag without its value", ["--port"], ["--port needs a value"]],
  ["a flag given twice", ["--port", "1", "--port", "2"], ["--port was given 2 times: 1, 2"]],
  ["a value for a switch", ["--fresh=no"], ["--fresh takes no value: --fresh=no"]],
  ["all at once", ["--as", "--port=1", "--no"], ["unknown flag: --no", "--as needs a value"]],
];
for (const [what, args, problems] of refused) {
  Deno.test(`readArguments() refuses ${what}`, () => {
    const error = assertThrows(() => readArguments(args, spec), UsageError);
    assertEquals(error.problems, problems);
  });
}

Deno.test("readArguments() takes a negative number behind a flag for its value", () => {
  const { values, lists } = readArguments(["--port", "-1", "--as=-2", "--url", "-.5"], spec);
  assertEquals([...values], [["port", "-1"], ["as", "-2"]]);
  assertEquals([...lists], [["url", ["-.5"]]]);
});

Deno.test("tieNegatives() ties nothing but numbers, to nothing but the flags named", () => {
  for (
    const args of [
      ["--port", "-x", "--as", "--port"],
      ["--fresh", "-1", "put", "-1"],
      ["--port=8", "-1"],
      ["--port"],
      ["--port", "--", "-1"],
      ["--", "--port", "-1"],
    ]
  ) assertEquals(tieNegatives(args, ["port", "as"]), args);
  assertEquals(tieNegatives(["--port", "-1", "-2"], ["port"]), ["--port=-1", "-2"]);
});

Deno.test("wholeNumber() takes decimal digits within its bounds and nothing else", () => {
  assertEquals(wholeNumber("1", 1, 9), 1);
  assertEquals(wholeNumber("9", 1, 9), 9);
  for (
    const text of ["0", "10", "", "-1", "+1", "1.5", "1e0", "0x1", " 1", "one", "9".repeat(17)]
  ) {
    assertEquals(wholeNumber(text, 1, 9), null, text);
  }
});

Deno.test("formatTable() aligns columns and leaves no space at the end of a line", () => {
  assertEquals(formatTable([["a", "bb"], ["long", "c"]]), "a     bb\nlong  c");
});
