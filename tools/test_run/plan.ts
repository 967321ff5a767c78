/**
 * Which `deno test` commands a call of `deno task test` becomes: the suites within one process
 * first, module beside module; then the suites that start processes, one after the other, since
 * these fight over ports and over two cores.
 *
 * @module
 */

/** The directories of the suites that start real nodes and launchers. */
export const PROCESS_SUITES: readonly string[] = ["tests/cli", "tests/cluster"];
/**
 * Suites that draw their schedules at random. Under coverage they run without being measured: what a seed
 * happens to reach is not thereby tested, and measuring makes them more than twice as slow.
 */
export const UNMEASURED_SUITES: readonly string[] = [
  "tests/sim",
  "tests/chaos",
  "tests/raft/cluster_test.ts",
];
const ALL_SUITES = "tests";

/** What the user wrote behind `deno task test`. */
export interface Selection {
  /** Files and directories to run; all of tests/ if empty. */
  readonly paths: readonly string[];
  /** Flags for `deno test`, such as `--filter`. */
  readonly flags: readonly string[];
}

/** One call of `deno test`. */
export interface Run {
  readonly name: string;
  readonly args: readonly string[];
}

/** What a run needs to know of its surroundings. */
export interface Surroundings {
  /** The programs that tests may start: the running Deno, and what of the optional tools is there. */
  readonly programs: readonly string[];
  /** The only directory that tests may write to; `TMPDIR` points there. */
  readonly scratch: string;
  /** Those of {@linkcode PROCESS_SUITES} that hold tests; `deno test` fails on one that does not. */
  readonly processSuites: readonly string[];
  /** Those of {@linkcode UNMEASURED_SUITES} that hold tests. */
  readonly unmeasuredSuites: readonly string[];
  /** Where coverage is collected, or null for not at all. Processes that tests start inherit it. */
  readonly coverage: string | null;
}

/** Flags of `deno test` whose value is an argument of its own. */
const flagsWithValue: ReadonlySet<string> = new Set([
  "--filter",
  "--reporter",
  "--seed",
  "--shard",
]);

/** Tells paths from flags. */
export function select(args: readonly string[]): Selection {
  const paths: string[] = [];
  const flags: string[] = [];
  for (let i = 0; i < args.length; i++) {
    const arg = args[i]!;
    if (!arg.startsWith("-")) paths.push(arg);
    else if (flagsWithValue.has(arg) && i + 1 < args.length) flags.push(arg, args[++i]!);
    else flags.push(arg);
  }
  return { paths, flags };
}

/** Plans the runs, in the order in which they are to happen. */
export function plan(selection: Selection, surroundings: Surroundings): Run[] {
  const paths = selection.paths.length > 0 ? selection.paths.map(normalise) : [ALL_SUITES];
  const { processSuites, coverage } = surroundings;
  const apart = coverage === null ? PROCESS_SUITES : [...PROCESS_SUITES, ...UNMEASURED_SUITES];
  const unitPaths = paths.filter((path) => !isIn(apart, path));
  const processPaths = selectedOf(PROCESS_SUITES, paths, processSuites);
  const unmeasuredPaths = coverage === null
    ? []
    : selectedOf(UNMEASURED_SUITES, paths, surroundings.unmeasuredSuites);

  const runs: Run[] = [];
  const measured = coverage === null ? [] : [`--coverage=${coverage}`, "--coverage-raw-data-only"];
  if (unitPaths.length > 0) {
    const flags = ["--parallel", `--ignore=${apart.join(",")}`, ...measured, ...selection.flags];
    runs.push(testRun("in-process", unitPaths, flags, surroundings));
  }
  if (unmeasuredPaths.length > 0) {
    const flags = ["--parallel", ...selection.flags];
    runs.push(testRun("unmeasured", unmeasuredPaths, flags, surroundings));
  }
  if (processPaths.length > 0) {
    const flags = [...measured, ...selection.flags];
    runs.push(testRun("processes", processPaths, flags, surroundings));
  }
  return runs;
}

function testRun(
  name: string,
  paths: readonly string[],
  flags: readonly string[],
  { programs, scratch }: Surroundings,
): Run {
  const permissions = [
    "--no-prompt",
    "--allow-read",
    `--allow-write=${scratch}`,
    "--allow-net=127.0.0.1",
    `--allow-run=${programs.join(",")}`,
    "--allow-env",
  ];
  return { name, args: ["test", ...permissions, ...flags, ...paths] };
}

/** What is selected of these suites: the paths that lie in one, and those of `present` below a path. */
function selectedOf(
  suites: readonly string[],
  paths: readonly string[],
  present: readonly string[],
): string[] {
  return paths.flatMap((path) =>
    isIn(suites, path) ? [path] : present.filter((suite) => suite.startsWith(`${path}/`))
  );
}

function isIn(suites: readonly string[], path: string): boolean {
  return suites.some((suite) => path === suite || path.startsWith(`${suite}/`));
}

function normalise(path: string): string {
  return path.replaceAll("\\", "/").replace(/^\.\//, "").replace(/\/$/, "");
}
