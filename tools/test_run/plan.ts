/**
 * Which `deno test` commands a call of `deno task test` becomes: the suites within one process
 * first, module beside module; then the suites that start processes, one after the other, since
 * these fight over ports and over two cores.
 *
 * @module
 */

/** The directory of the suites that start real processes. */
export const PROCESS_SUITES = "tests/cluster";
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
  /** The running Deno: the only program that tests may start. */
  readonly denoPath: string;
  /** The only directory that tests may write to; `TMPDIR` points there. */
  readonly scratch: string;
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

/**
 * Plans the runs.
 *
 * @param hasProcessSuites whether there are any; `deno test` fails on a path without tests.
 */
export function plan(
  selection: Selection,
  surroundings: Surroundings,
  hasProcessSuites: boolean,
): Run[] {
  const paths = selection.paths.map(normalise);
  const processPaths = paths.filter(isProcessSuite);
  const unitPaths = paths.filter((path) => !isProcessSuite(path));
  const all = paths.length === 0;
  // A directory above the process suites selects them too.
  if (hasProcessSuites && (all || unitPaths.includes(ALL_SUITES))) {
    processPaths.push(PROCESS_SUITES);
  }
  if (all) unitPaths.push(ALL_SUITES);

  const runs: Run[] = [];
  if (unitPaths.length > 0) {
    const flags = ["--parallel", `--ignore=${PROCESS_SUITES}`, ...selection.flags];
    runs.push(testRun("in-process", unitPaths, flags, surroundings));
  }
  if (processPaths.length > 0) {
    runs.push(testRun("processes", processPaths, selection.flags, surroundings));
  }
  return runs;
}

function testRun(
  name: string,
  paths: readonly string[],
  flags: readonly string[],
  { denoPath, scratch }: Surroundings,
): Run {
  const permissions = [
    "--no-prompt",
    "--allow-read",
    `--allow-write=${scratch}`,
    "--allow-net=127.0.0.1",
    `--allow-run=${denoPath}`,
    "--allow-env",
  ];
  return { name, args: ["test", ...permissions, ...flags, ...paths] };
}

function isProcessSuite(path: string): boolean {
  return path === PROCESS_SUITES || path.startsWith(`${PROCESS_SUITES}/`);
}

function normalise(path: string): string {
  return path.replaceAll("\\", "/").replace(/^\.\//, "").replace(/\/$/, "");
}
