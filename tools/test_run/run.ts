/**
 * Runs `deno test` over all tests, or over some, with no more permissions than tests need, in a directory
 * of this run's own, and counts what came of it.
 *
 * @module
 */

import { plan, PROCESS_SUITES, type Run, select, UNMEASURED_SUITES } from "./plan.ts";
import { countRun, type Counts, sum } from "./report.ts";

/** The whole of it may take this long; then what still runs has failed. Under coverage all is slower. */
const TOTAL_MS_MAX = 10 * 60_000;
const COVERED_MS_MAX = 20 * 60_000;
const stopSignals: readonly Deno.Signal[] = Deno.build.os === "windows"
  ? ["SIGINT"]
  : ["SIGINT", "SIGTERM"];
const root = new URL("../../", import.meta.url);
/** What some tests use if it is installed; without it these are skipped. */
const optionalPrograms: readonly string[] = ["strace"];

/** Runs one `deno test` to its end, or to the deadline, and counts its tests. */
async function execute(run: Run, scratch: string, deadline: AbortSignal): Promise<Counts> {
  const reportPath = `${scratch}/${run.name}.xml`;
  const [subcommand, ...rest] = run.args;
  const child = new Deno.Command(Deno.execPath(), {
    args: [subcommand!, `--junit-path=${reportPath}`, ...rest],
    cwd: root,
    env: { TMPDIR: scratch, TMP: scratch, TEMP: scratch },
    stdin: "null",
  }).spawn();
  const stop = () => {
    console.error(`\n${run.name}: ${deadline.reason}`);
    child.kill("SIGKILL");
  };
  deadline.addEventListener("abort", stop, { once: true });
  if (deadline.aborted) stop();
  const { code } = await child.status;
  deadline.removeEventListener("abort", stop);
  return countRun({ exitCode: code, report: readReport(reportPath) });
}

function readReport(path: string): string | undefined {
  try {
    return Deno.readTextFileSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

/** Whether the search path leads to a program. Deno complains of permissions for one that is absent. */
function isInstalled(program: string): boolean {
  return (Deno.env.get("PATH") ?? "").split(Deno.build.os === "windows" ? ";" : ":")
    .some((directory) => exists(`${directory}/${program}`));
}

function exists(path: string | URL): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}

function withTests(suites: readonly string[]): string[] {
  return suites.filter((suite) =>
    suite.endsWith(".ts") ? exists(new URL(suite, root)) : hasTests(new URL(`${suite}/`, root))
  );
}

function hasTests(directory: URL): boolean {
  try {
    return [...Deno.readDirSync(directory)].some((entry) =>
      entry.isDirectory
        ? hasTests(new URL(`${entry.name}/`, directory))
        : entry.name.endsWith("_test.ts")
    );
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/** Makes a directory of this run's own, inside the checkout: the only one that tests may write. */
function makeScratch(): string {
  const parent = decodeURIComponent(new URL(".scratch", root).pathname);
  Deno.mkdirSync(parent, { recursive: true });
  return Deno.makeTempDirSync({ dir: parent, prefix: "test-" });
}

/**
 * Runs the tests that the arguments name, and counts them.
 *
 * @param afterwards is called with the directory that coverage was collected in, while it is still there.
 * Without it none is collected.
 */
export async function runTests(
  args: readonly string[],
  afterwards?: (coverage: string) => Promise<void>,
): Promise<Counts> {
  const scratch = makeScratch();
  const coverage = afterwards === undefined ? null : `${scratch}/coverage`;
  const totalMs = coverage === null ? TOTAL_MS_MAX : COVERED_MS_MAX;
  const aborter = new AbortController();
  const timer = setTimeout(() => {
    aborter.abort(`stopped: not done after ${totalMs / 60_000} minutes`);
  }, totalMs);
  const onInterrupt = () => aborter.abort("stopped by a signal");
  for (const signal of stopSignals) Deno.addSignalListener(signal, onInterrupt);
  try {
    const runs = plan(select(args), {
      programs: [Deno.execPath(), ...optionalPrograms.filter(isInstalled)],
      scratch,
      processSuites: withTests(PROCESS_SUITES),
      unmeasuredSuites: withTests(UNMEASURED_SUITES),
      coverage,
    });
    const counts: Counts[] = [];
    for (const run of runs) counts.push(await execute(run, scratch, aborter.signal));
    if (coverage !== null) await afterwards?.(coverage);
    return sum(counts);
  } finally {
    clearTimeout(timer);
    for (const signal of stopSignals) Deno.removeSignalListener(signal, onInterrupt);
    Deno.removeSync(scratch, { recursive: true });
  }
}
