/**
 * Whether a run of some tests has caught a mutant, from what `deno test` leaves behind.
 *
 * A mutant is caught by a test that fails: an assertion or an invariant does not hold, or what must come
 * never does. One that does not load, hangs, or stumbles over its own patch (a TypeError) shows nothing, and
 * neither does a test that was not run.
 *
 * An error that nobody awaits (of a timer, a listener, a promise) ends the whole file: the report then calls the
 * test under way "Cancelled", and only what was printed says why.
 *
 * @module
 */

/** What one run of tests came to. */
export type Verdict =
  | { readonly type: "caught"; readonly test: string; readonly message: string }
  | { readonly type: "passed"; readonly tests: readonly string[] }
  /** Something else than the broken promise has gone wrong. */
  | { readonly type: "broken"; readonly why: string };

/** What is left of a run. */
export interface TestRun {
  /** The JUnit report; undefined if none was written. */
  readonly report: string | undefined;
  /** Null if it was ended because it took too long. */
  readonly exitCode: number | null;
  /** The end of what was printed. */
  readonly said: string;
}

const casePattern = /<testcase name="([^"]*)"[^>]*?(?:\/>|>([\s\S]*?)<\/testcase>)/g;
const failurePattern = /<(?:failure|error) message="([^"]*)"/;
/** How Deno prints what ended a file, up to the line of code or the stack that follows. */
const uncaughtPattern =
  /\(uncaught error\)\nerror: (?:\(in promise\) )?([\s\S]*?)\n(?: +at |.*\n +\^|This error was not caught)/;
const CANCELLED = "Cancelled";
/** What a patch that makes no sense brings about, rather than one that breaks a promise. */
const stumblePattern =
  /^Uncaught RangeError|\b(?:TypeError|ReferenceError|SyntaxError|Leaks detected)\b/;

/** Whether a message says that the patch itself went wrong. */
export function isStumble(message: string): boolean {
  return stumblePattern.test(message);
}

/** Judges a run of `tests`, which it was told to run by their names. */
export function verdictOf({ report, exitCode, said }: TestRun, tests: readonly string[]): Verdict {
  if (exitCode === null) return { type: "broken", why: "did not end in time" };
  if (report === undefined) return { type: "broken", why: `no report, exit code ${exitCode}` };
  const outcomes = new Map<string, string>();
  for (const [, name, content = ""] of report.matchAll(casePattern)) {
    outcomes.set(textOf(name!), content);
  }
  let stumbled: string | null = null;
  for (const [name, content] of outcomes) {
    const failure = failurePattern.exec(content)?.[1];
    // That a step failed is said again by the step itself.
    if (failure === undefined || /^\d+ test steps? failed/.test(failure)) continue;
    const message = failure === CANCELLED ? uncaughtIn(said) : textOf(failure);
    if (message === null) {
      return { type: "broken", why: `"${name}" was cancelled, and nothing says why` };
    }
    if (!isStumble(message)) return { type: "caught", test: name, message };
    stumbled = `"${name}" fails with ${brief(message)}`;
  }
  if (stumbled !== null) return { type: "broken", why: stumbled };
  if (exitCode !== 0) return { type: "broken", why: `exit code ${exitCode}, no failed test` };
  const missing = tests.find((test) => {
    const content = outcomes.get(test);
    return content === undefined || /<skipped\b/.test(content);
  });
  if (missing !== undefined) return { type: "broken", why: `"${missing}" was not run` };
  return { type: "passed", tests };
}

/** What ended a file from outside its tests, worded as the report would; null if that was not printed. */
function uncaughtIn(said: string): string | null {
  const message = uncaughtPattern.exec(said)?.[1];
  return message === undefined ? null : `Uncaught ${message}`;
}

/** The beginning of a message, on one line. */
export function brief(message: string): string {
  return message.replace(/^Uncaught /, "").replace(/\s+/g, " ").trim().slice(0, 120);
}

function textOf(xml: string): string {
  return xml.replaceAll("&quot;", '"').replaceAll("&apos;", "'").replaceAll("&lt;", "<")
    .replaceAll("&gt;", ">").replaceAll("&amp;", "&");
}
