/** Which commands a call of `deno task test` becomes. */
import { assert, assertEquals, assertFalse } from "@std/assert";
import { plan, type Run, select } from "../../tools/test_run/plan.ts";

const surroundings = { programs: ["/bin/deno", "strace"], scratch: "/s", coverage: null };

function planFor(args: string[], processSuites = ["tests/cli", "tests/cluster"]): Run[] {
  return plan(select(args), { ...surroundings, processSuites, unmeasuredSuites: ["tests/sim"] });
}

/** The same under coverage. */
function coveredFor(args: string[], unmeasuredSuites = ["tests/sim"]): Run[] {
  const processSuites = ["tests/cli"];
  return plan(select(args), { ...surroundings, processSuites, unmeasuredSuites, coverage: "/s/c" });
}

/** The paths of a run: what stands behind its flags. */
function pathsOf(run: Run): string[] {
  return run.args.slice(1).filter((arg) => arg.startsWith("tests"));
}

Deno.test("plan() runs everything: in-process suites in parallel, then processes serially", () => {
  const [first, second, ...rest] = planFor([]);
  assertEquals(rest, []);
  assertEquals(pathsOf(first!), ["tests"]);
  assert(first!.args.includes("--parallel"));
  assert(first!.args.includes("--ignore=tests/cli,tests/cluster"));
  assertEquals(pathsOf(second!), ["tests/cli", "tests/cluster"]);
  assertFalse(second!.args.includes("--parallel"));
});

Deno.test("plan() does without process suites where there are none", () => {
  assertEquals(planFor([], []).map((run) => run.name), ["in-process"]);
});

Deno.test("plan() runs only what is named", () => {
  assertEquals(planFor(["tests/raft", "./tests/kv/store_test.ts"]).map(pathsOf), [
    ["tests/raft", "tests/kv/store_test.ts"],
  ]);
  assertEquals(planFor(["tests/cluster/"]).map(pathsOf), [["tests/cluster"]]);
  assertEquals(planFor(["tests/cluster/election_test.ts", "tests/raft"]).map(pathsOf), [
    ["tests/raft"],
    ["tests/cluster/election_test.ts"],
  ]);
  assertEquals(planFor(["tests/"]).map(pathsOf), [["tests"], ["tests/cli", "tests/cluster"]]);
});

Deno.test("plan() passes flags on to every run, with their values", () => {
  for (const run of planFor(["--filter", "step() grants", "--fail-fast", "--seed=5"])) {
    const at = run.args.indexOf("--filter");
    assertEquals(run.args.slice(at, at + 4), [
      "--filter",
      "step() grants",
      "--fail-fast",
      "--seed=5",
    ]);
  }
});

Deno.test("plan() measures coverage of all but the suites that draw at random", () => {
  const [units, unmeasured, processes, ...rest] = coveredFor(["--fail-fast"]);
  assertEquals(rest, []);
  for (const run of [units!, processes!]) assert(run.args.includes("--coverage=/s/c"));
  assertFalse(unmeasured!.args.some((arg) => arg.startsWith("--coverage")));
  assertEquals([units!, unmeasured!, processes!].map(pathsOf), [["tests"], ["tests/sim"], [
    "tests/cli",
  ]]);
  const ignored = units!.args.find((arg) => arg.startsWith("--ignore="))!;
  assert(ignored.includes("tests/sim") && ignored.includes("tests/cluster"));
  for (const run of [units!, unmeasured!, processes!]) assert(run.args.includes("--fail-fast"));
});

Deno.test("plan() under coverage runs only what is named, too", () => {
  assertEquals(coveredFor([], []).map((run) => run.name), ["in-process", "processes"]);
  assertEquals(coveredFor(["tests/sim/swarm_test.ts"]).map((run) => run.name), ["unmeasured"]);
  assertEquals(coveredFor(["tests/raft"]).map(pathsOf), [["tests/raft"]]);
  // One that lies below what is named is no part of the measured run.
  const [units, unmeasured] = coveredFor(["tests/raft"], [
    "tests/sim",
    "tests/raft/cluster_test.ts",
  ]);
  assert(units!.args.some((arg) => /^--ignore=.*,tests\/raft\/cluster_test\.ts\b/.test(arg)));
  assertEquals(pathsOf(unmeasured!), ["tests/raft/cluster_test.ts"]);
});

Deno.test("plan() without coverage runs all suites of one process side by side", () => {
  for (const run of planFor([])) {
    assertFalse(run.args.some((arg) => arg.startsWith("--coverage") || arg.includes("tests/sim")));
  }
  assertEquals(planFor(["tests/sim"]).map((run) => run.name), ["in-process"]);
});

Deno.test("plan() permits writing to the scratch directory and running what is named only", () => {
  for (const run of planFor([])) {
    assert(run.args.includes("--no-prompt"));
    assert(run.args.includes("--allow-write=/s"));
    assert(run.args.includes("--allow-run=/bin/deno,strace"));
    assert(run.args.includes("--allow-net=127.0.0.1"));
    assertFalse(run.args.some((arg) => arg === "-A" || arg === "--allow-all"));
  }
});
