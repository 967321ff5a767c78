/**
 * Counts what a run of `deno test` did, from its JUnit report and its exit code.
 *
 * The report has its gaps: it is missing when a module does not compile, and leaves out a module
 * that throws while it loads. The exit code knows of both, so it has the last word.
 *
 * @module
 */

/** How many tests of a run ended in which way. Steps are part of their test. */
export interface Counts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

/** What remains of `deno test` when it has ended. */
export interface RunResult {
  /** The JUnit report, or undefined if none was written. */
  readonly report: string | undefined;
  readonly exitCode: number;
}

const noCounts: Counts = { passed: 0, failed: 0, skipped: 0 };
const testcasePattern = /<testcase name="([^"]*)"[^>]*?(?:\/>|>([\s\S]*?)<\/testcase>)/g;
const suitePattern = /<testsuite\b[^>]*>([\s\S]*?)<\/testsuite>/g;

/**
 * Counts one run. A run that ended badly without naming a failed test counts as one failure, and
 * so does one that ended well but left no report.
 */
export function countRun(run: RunResult): Counts {
  if (run.report === undefined) return { ...noCounts, failed: 1 };
  const counts = countReport(run.report);
  if (run.exitCode !== 0 && counts.failed === 0) return { ...counts, failed: 1 };
  return counts;
}

/** Adds up runs. */
export function sum(runs: readonly Counts[]): Counts {
  return runs.reduce((total, run) => ({
    passed: total.passed + run.passed,
    failed: total.failed + run.failed,
    skipped: total.skipped + run.skipped,
  }), noCounts);
}

/** The closing line: `N passed, N failed`, and what was skipped if anything was. */
export function closingLine(counts: Counts): string {
  const line = `${counts.passed} passed, ${counts.failed} failed`;
  return counts.skipped > 0 ? `${line}, ${counts.skipped} skipped` : line;
}

/** 0 only if at least one test ran and none failed. */
export function exitCodeFor(counts: Counts): number {
  return counts.failed === 0 && counts.passed > 0 ? 0 : 1;
}

function countReport(report: string): Counts {
  return sum([...report.matchAll(suitePattern)].map(([, suite]) => countSuite(suite!)));
}

function countSuite(suite: string): Counts {
  const cases = [...suite.matchAll(testcasePattern)]
    .map(([, name, content]) => ({ name: name!, outcome: content ?? "" }));
  const names = new Set(cases.map((it) => it.name));
  return sum(cases.filter((it) => !isStep(it.name, names)).map((it) => countCase(it.outcome)));
}

function countCase(outcome: string): Counts {
  if (/<(?:failure|error)\b/.test(outcome)) return { ...noCounts, failed: 1 };
  if (/<skipped\b/.test(outcome)) return { ...noCounts, skipped: 1 };
  return { ...noCounts, passed: 1 };
}

/** Steps are listed beside their test, as `test > step`. */
function isStep(name: string, names: ReadonlySet<string>): boolean {
  const separator = " &gt; ";
  let end = name.indexOf(separator);
  while (end !== -1) {
    if (names.has(name.slice(0, end))) return true;
    end = name.indexOf(separator, end + 1);
  }
  return false;
}
