/**
 * How the stand-in for `@std/cli/parse-args` reads a command line. Each row states the original's
 * answer, quirks included, so that the table holds against the original too.
 */
import { assertEquals, assertStrictEquals } from "@std/assert";
import { type Args, parseArgs, type ParseOptions } from "@std/cli/parse-args";

interface Row {
  readonly what: string;
  readonly args: string[];
  readonly options?: ParseOptions;
  readonly gives: Record<string, unknown>;
}

const rows: readonly Row[] = [
  { what: "nothing", args: [], gives: { _: [] } },
  { what: "positional arguments", args: ["a", "7", "-"], gives: { _: ["a", 7, "-"] } },
  {
    what: "positional arguments as text",
    args: ["a", "7"],
    options: { string: "_" },
    gives: { _: ["a", "7"] },
  },
  { what: "--name value", args: ["--name", "x"], gives: { _: [], name: "x" } },
  { what: "--name=value", args: ["--name=x=y"], gives: { _: [], name: "x=y" } },
  { what: "a bare flag", args: ["--fresh"], gives: { _: [], fresh: true } },
  { what: "a bare flag before another", args: ["--a", "--b"], gives: { _: [], a: true, b: true } },
  { what: "numbers", args: ["--n", "5", "--m=-1.5e2"], gives: { _: [], n: 5, m: -150 } },
  { what: "hexadecimal numbers", args: ["--n=0xff"], gives: { _: [], n: 255 } },
  {
    what: "numbers as text where declared",
    args: ["--n", "05"],
    options: { string: "n" },
    gives: { _: [], n: "05" },
  },
  {
    what: "a string flag without a value",
    args: ["--n"],
    options: { string: "n" },
    gives: { _: [], n: "" },
  },
  {
    what: "the last of several values",
    args: ["--n=a", "--n=b"],
    gives: { _: [], n: "b" },
  },
  {
    what: "boolean flags, which take no value but true and false",
    args: ["--a", "x", "--b", "false", "--c=false"],
    options: { boolean: ["a", "b", "c", "d"] },
    gives: { _: ["x"], a: true, b: false, c: false, d: false },
  },
  {
    what: "every flag as boolean",
    args: ["--a", "x", "--n=5"],
    options: { boolean: true },
    gives: { _: ["x"], a: true, n: 5 },
  },
  {
    what: "collected flags",
    args: ["--p", "a", "--p=b"],
    options: { string: ["p", "q"], collect: ["p", "q"] },
    gives: { _: [], p: ["a", "b"], q: [] },
  },
  {
    what: "collected flags that nothing else declares",
    args: ["--p", "1"],
    options: { collect: ["p"] },
    gives: { _: [], p: [1] },
  },
  {
    what: "negated flags",
    args: ["--no-restart", "--no-color"],
    options: { boolean: ["restart", "color"], negatable: ["restart"] },
    gives: { _: [], restart: false, color: false, "no-color": true },
  },
  {
    what: "defaults",
    args: ["--a=1"],
    options: { default: { a: 2, b: 3 }, alias: { b: "bb" } },
    gives: { _: [], a: 1, b: 3, bb: 3 },
  },
  {
    what: "a default of true for a boolean flag",
    args: [],
    options: { boolean: ["restart"], default: { restart: true } },
    gives: { _: [], restart: true },
  },
  {
    what: "aliases, either way",
    args: ["-h", "--out", "x"],
    options: { boolean: ["help"], string: ["o"], alias: { h: "help", o: ["out", "output"] } },
    gives: { _: [], h: true, help: true, o: "x", out: "x", output: "x" },
  },
  { what: "letters in a row", args: ["-abc"], gives: { _: [], a: true, b: true, c: true } },
  { what: "a value behind letters", args: ["-ab", "x"], gives: { _: [], a: true, b: "x" } },
  { what: "a number glued to a letter", args: ["-n5"], gives: { _: [], n: 5 } },
  { what: "a value glued with =", args: ["-n=x"], gives: { _: [], n: "x" } },
  { what: "a path glued to a letter", args: ["-f./x"], gives: { _: [], f: "./x" } },
  { what: "a dash behind a letter", args: ["-f-"], gives: { _: [], f: "-" } },
  {
    what: "what follows --",
    args: ["--a", "1", "--", "--b", "7"],
    gives: { _: ["--b", "7"], a: 1 },
  },
  {
    what: "what follows --, kept apart",
    args: ["x", "--", "--b"],
    options: { "--": true },
    gives: { _: ["x"], "--": ["--b"] },
  },
  {
    what: "nothing behind the first positional argument",
    args: ["--a", "put", "--b", "5"],
    options: { stopEarly: true, boolean: ["a"] },
    gives: { _: ["put", "--b", "5"], a: true },
  },
  { what: "dotted names", args: ["--a.b", "1", "--a.c=x"], gives: { _: [], a: { b: 1, c: "x" } } },
  { what: "values over several lines", args: ["--a=x\ny"], gives: { _: [], a: "x\ny" } },
];

for (const { what, args, options, gives } of rows) {
  Deno.test(`parseArgs() reads ${what}`, () => {
    assertEquals(parseArgs(args, options) as Args, gives as Args);
  });
}

Deno.test("parseArgs() asks about what is declared nowhere, and drops what is refused", () => {
  const asked: unknown[] = [];
  const flags = parseArgs(["--known", "1", "--other=2", "put", "keep"], {
    string: ["known"],
    unknown: (arg, key, value) => {
      asked.push([arg, key, value]);
      return arg === "keep";
    },
  });
  assertEquals(asked, [
    ["--other=2", "other", "2"],
    ["put", undefined, undefined],
    ["keep", undefined, undefined],
  ]);
  assertEquals({ ...flags }, { _: ["keep"], known: "1" });
});

Deno.test("parseArgs() reaches no prototype, neither a shared one nor that of its result", () => {
  const flags = parseArgs(
    ["--__proto__.polluted=1", "--a.__proto__.polluted", "1", "--constructor.polluted=1"],
  );
  assertStrictEquals(Object.getPrototypeOf(flags), Object.prototype);
  assertStrictEquals(flags.polluted, undefined);
  assertStrictEquals((Object as unknown as Record<string, unknown>).polluted, undefined);
});

Deno.test("parseArgs() types its result by its options", () => {
  const flags = parseArgs(["--port", "8001", "--peer=a", "--no-restart"], {
    string: ["port", "data", "peer"],
    boolean: ["fresh", "restart", "help"],
    collect: ["peer"],
    negatable: ["restart"],
    alias: { help: "h" },
    default: { data: "./data" },
    "--": true,
  });
  const port: string | undefined = flags.port;
  const data: string = flags.data;
  const peers: string[] = flags.peer;
  const booleans: boolean[] = [flags.fresh, flags.restart, flags.help, flags.h];
  const rest: string[] = flags["--"];
  // @ts-expect-error: a flag that may be absent is not a string
  const wrong: string = flags.port;
  assertEquals([port, data, peers, booleans, rest, wrong], [
    "8001",
    "./data",
    ["a"],
    [false, false, false, false],
    [],
    "8001",
  ]);
});
