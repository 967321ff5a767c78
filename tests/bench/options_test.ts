/** The command line of the comparison. */
import { assertEquals, assertThrows } from "@std/assert";
import { type CompareOptions, parseCompareOptions } from "../../bench/compare/options.ts";
import { WORKLOADS } from "../../bench/compare/workloads.ts";
import { exitCodeFor, LoadError, OptionError } from "../../bench/load_types.ts";

function parse(...args: string[]): CompareOptions {
  return parseCompareOptions(args)!;
}

const ids = (...args: string[]) => parse(...args).workloads.map(({ id }) => id);

Deno.test("parseCompareOptions() measures everything unless told otherwise", () => {
  assertEquals(parse(), {
    rounds: 5,
    seconds: 3,
    kills: 30,
    workloads: WORKLOADS,
    jsonPath: null,
    record: false,
  });
});

Deno.test("parseCompareOptions() lets a single option win over --quick", () => {
  const { rounds, seconds, kills } = parse("--quick", "--seconds", "4");
  assertEquals({ rounds, seconds, kills }, { rounds: 2, seconds: 4, kills: 5 });
});

Deno.test("parseCompareOptions() takes workloads with commas, again and again, in the table's order", () => {
  assertEquals(ids("--only", "get-1,put-64", "--only=put-1"), ["put-1", "put-64", "get-1"]);
  assertEquals(ids("--only", "lease"), ["lease-1", "lease-64"]);
});

Deno.test("parseCompareOptions() takes an id for that workload alone", () => {
  assertEquals(ids("--only", "put-64"), ["put-64"]);
  assertEquals(ids("--only", "put-64-spread"), ["put-64-spread"]);
});

Deno.test("parseCompareOptions() kills leaders only where failover is asked for", () => {
  assertEquals(parse("--only", "put-1").kills, 0);
  assertEquals(parse("--only", "put-1,failover").kills, 30);
  const { kills, workloads } = parse("--only", "failover", "--kills", "3");
  assertEquals([kills, workloads], [3, []]);
});

Deno.test("parseCompareOptions() records rounds that have a spread", () => {
  assertEquals(parse("--record", "--rounds", "3").record, true);
});

Deno.test("parseCompareOptions() gives null for --help", () => {
  assertEquals(parseCompareOptions(["--help"]), null);
});

Deno.test("parseCompareOptions() refuses what cannot be done", () => {
  for (
    const args of [
      ["--rounds", "0"],
      ["--rounds", "21"],
      ["--seconds", "0.5"],
      ["--kills", "101"],
      ["--only", "put-3"],
      ["--only", ""],
      ["--only", "failover", "--kills", "0"],
      ["--only", "put-1", "--record"],
      ["--record", "--quick"],
      ["--json", ""],
      ["--fast"],
    ]
  ) assertThrows(() => parseCompareOptions(args), OptionError, undefined, args.join(" "));
});

Deno.test("parseCompareOptions() names the option, the value and what is allowed", () => {
  for (const args of [["--rounds", "-1"], ["--rounds=-1"]]) {
    const message = 'Cannot start: --rounds must be a whole number from 1 to 20, not "-1"';
    assertThrows(() => parseCompareOptions(args), OptionError, message);
  }
});

Deno.test("exitCodeFor() tells a command line that cannot be used from a run that failed", () => {
  const { error } = console;
  const said: unknown[] = [];
  console.error = (what) => void said.push(what);
  try {
    const defect = new TypeError("x is not a function");
    const codes = [new OptionError("no"), new LoadError("broke"), defect].map(exitCodeFor);
    assertEquals(codes, [2, 1, 1]);
    assertEquals(said, ["no", "broke", defect]);
  } finally {
    console.error = error;
  }
});
