/**
 * The house rules that need no syntax tree: judgements on the text of a file and on `deno.json`.
 * They are functions of text, so that tests can show each of them a bad fixture; tools/check.ts
 * brings the files.
 *
 * @module
 */

/** Lines in a file of code: past that it is two ideas. */
export const CODE_LINES_MAX = 400;
/** Lines in a file of tests, where cases add up. */
export const TEST_LINES_MAX = 800;

/** One breach of a rule. */
export interface Complaint {
  /** The project path of the file. */
  readonly path: string;
  /** The line, from 1; absent where the whole file is meant. */
  readonly line?: number;
  readonly message: string;
}

// Put together at run time, so that this file does not hold what it looks for.
const unfinishedMarks = ["TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK"];
const unfinishedPattern = new RegExp(`\\b(?:${unfinishedMarks.join("|")})\\b`);
const lintIgnorePattern = new RegExp("//\\s*deno-lint-" + "ignore(?:-file)?\\b(.*)");

/** Judges one TypeScript file. */
export function judgeSource(path: string, text: string): Complaint[] {
  const lines = text.replace(/\n$/, "").split("\n");
  return [
    ...judgeName(path),
    ...judgeLength(path, lines.length),
    ...judgeHeader(path, text),
    ...lines.flatMap((line, index) => judgeLine(path, line, index + 1)),
  ];
}

function judgeName(path: string): Complaint[] {
  const name = path.split("/").at(-1)!;
  if (/^[a-z0-9]+(?:_[a-z0-9]+)*(?:\.d)?\.ts$/.test(name)) return [];
  return [{ path, message: "the name of a file is snake_case" }];
}

function judgeLength(path: string, lines: number): Complaint[] {
  const linesMax = path.startsWith("tests/") ? TEST_LINES_MAX : CODE_LINES_MAX;
  if (lines <= linesMax) return [];
  return [{ path, message: `${lines} lines, at most ${linesMax}: a longer file is two ideas` }];
}

function judgeHeader(path: string, text: string): Complaint[] {
  // A suite of tests is told by its place and by the names of its tests.
  if (path.endsWith("_test.ts") || /^(?:#!.*\n)?\/\*\*/.test(text)) return [];
  return [{ path, line: 1, message: "a module starts with a comment that says what it is" }];
}

function judgeLine(path: string, text: string, line: number): Complaint[] {
  const complaints: Complaint[] = [];
  const mark = text.match(unfinishedPattern)?.[0];
  if (mark !== undefined) {
    complaints.push({
      path,
      line,
      message: `${mark}: finish it, or open an issue and leave it out`,
    });
  }
  const ignored = text.match(lintIgnorePattern)?.[1];
  if (ignored !== undefined && (ignored.includes("house/") || codesOf(ignored) === "")) {
    complaints.push({
      path,
      line,
      message: "house rules have no exceptions; name what is ignored",
    });
  }
  return complaints;
}

/** The rule names of an ignore comment, without the reason behind `--`. */
function codesOf(ignored: string): string {
  return ignored.split("--")[0]!.trim();
}

interface Config {
  readonly tasks?: Readonly<Record<string, string | { readonly command?: string }>>;
  readonly lint?: { readonly plugins?: readonly string[] };
  readonly lock?: { readonly frozen?: boolean };
  readonly test?: { readonly sanitizeOps?: boolean; readonly sanitizeResources?: boolean };
}

/** Judges the text of `deno.json`. */
export function judgeConfig(path: string, text: string): Complaint[] {
  const config = JSON.parse(text) as Config;
  const complaints: Complaint[] = [];
  for (const [name, task] of Object.entries(config.tasks ?? {})) {
    const command = typeof task === "string" ? task : task.command ?? "";
    for (const message of judgeCommand(command)) {
      complaints.push({ path, message: `task ${name}: ${message}` });
    }
  }
  if (!config.lint?.plugins?.includes("./tools/lint/plugin.ts")) {
    complaints.push({ path, message: "lint runs without the plugin of the house rules" });
  }
  if (config.lock?.frozen !== true) {
    complaints.push({ path, message: "the lock is not frozen: a task could change it unseen" });
  }
  // Off by default since Deno 2.8.
  if (!config.test?.sanitizeOps || !config.test.sanitizeResources) {
    complaints.push({ path, message: "tests may leak timers and resources unseen" });
  }
  return complaints;
}

function judgeCommand(command: string): string[] {
  const complaints: string[] = [];
  if (/(?:^|\s)(?:-[A-Za-z]*A[A-Za-z]*|--allow-all)(?:\s|"|$)/.test(command)) {
    complaints.push("all permissions at once");
  }
  if (/--allow-run(?:\s|"|$)/.test(command)) complaints.push("permission to run any program");
  if (/\bdeno eval\b/.test(command)) complaints.push("deno eval runs with all permissions");
  if (/\bdeno (?:run|test|bench|serve)\b(?! --no-prompt)/.test(command)) {
    complaints.push("no --no-prompt right behind the subcommand: it could stop and ask");
  }
  return complaints;
}
