/**
 * A copy of the source tree in which mutants are made and tested, one after the other.
 *
 * The copy keeps its place, so that Deno need not compile again what stays the same from one mutant to the
 * next.
 *
 * @module
 */
import { runDeno } from "./child.ts";
import { type Check, type Mutant, mutated } from "./mutant.ts";
import { simulate } from "./simulate.ts";
import { brief, type Verdict, verdictOf } from "./verdict.ts";

/** A run of a test takes a few seconds, that of a whole file a minute; one that takes this long hangs. */
const RUN_MS_MAX = 300_000;
/** What of the checkout is not source, beside whatever begins with a dot. */
const notCopied: ReadonlySet<string> = new Set(["bench", "coverage", "data", "node_modules"]);

/** What became of one mutant. */
export interface Fate {
  readonly mutant: Mutant;
  /** What caught it; null if nothing did. */
  readonly by: Check | null;
  /** What that said, or what else went wrong. */
  readonly says: string;
  readonly tookMs: number;
}

/** What a mutant is tried by. */
export type Trial =
  | { readonly type: "its checks" }
  /** All tests of some files. */
  | { readonly type: "files"; readonly files: readonly string[] }
  | { readonly type: "simulator"; readonly seeds: number };

export class Workshop {
  readonly #root: string;

  private constructor(root: string) {
    this.#root = root;
  }

  /** Copies the checkout at `source` to `root`, which must not exist yet. */
  static open(source: URL, root: string): Workshop {
    copyTree(decodeURIComponent(source.pathname), root, true);
    Deno.mkdirSync(`${root}/.scratch`);
    return new Workshop(root);
  }

  /** Tries a mutant until something catches it. The source is whole again afterwards. */
  async try(mutant: Mutant, by: Trial = { type: "its checks" }): Promise<Fate> {
    const startMs = performance.now();
    const path = `${this.#root}/${mutant.file}`;
    const whole = Deno.readTextFileSync(path);
    Deno.writeTextFileSync(path, mutated(whole, mutant));
    let says = "nothing noticed it";
    try {
      for (const { file, run } of this.#runsOf(mutant, by)) {
        const verdict = await run();
        if (verdict.type === "caught") {
          const { test, message } = verdict;
          const tookMs = performance.now() - startMs;
          return { mutant, by: { file, test }, says: brief(message), tookMs };
        }
        if (verdict.type === "broken") says = verdict.why;
      }
    } finally {
      Deno.writeTextFileSync(path, whole);
    }
    return { mutant, by: null, says, tookMs: performance.now() - startMs };
  }

  #runsOf({ caughtBy }: Mutant, by: Trial): { file: string; run: () => Promise<Verdict> }[] {
    switch (by.type) {
      case "its checks":
        return caughtBy.map(({ file, test }) => ({ file, run: () => this.run(file, [test]) }));
      case "files":
        return by.files.map((file) => ({ file, run: () => this.run(file, []) }));
      case "simulator":
        return [{ file: "tests/sim", run: () => simulate(this.#root, by.seeds) }];
    }
  }

  /** Runs the tests of these names (all, if there are none) in a file of the copy as it is. */
  async run(file: string, tests: readonly string[]): Promise<Verdict> {
    const reportPath = `${this.#root}/.scratch/report.xml`;
    removeIfThere(reportPath);
    const scratch = `${this.#root}/.scratch`;
    const filter = tests.length === 0 ? [] : [`--filter=/^(?:${tests.map(escaped).join("|")})$/`];
    const args = [
      ...["test", "--no-check", "--no-prompt", "--allow-read", `--allow-write=${scratch}`],
      ...["--allow-net=127.0.0.1", `--allow-run=${Deno.execPath()}`, "--allow-env"],
      ...[`--junit-path=${reportPath}`, "--fail-fast", ...filter, file],
    ];
    const env = { TMPDIR: scratch, TMP: scratch, TEMP: scratch };
    const { exitCode, said } = await runDeno(this.#root, args, env, RUN_MS_MAX);
    return verdictOf({ report: readIfThere(reportPath), exitCode, said }, tests);
  }
}

/** Whether a file of the checkout at `source`, by its path from there, would be in a copy of it. */
export function isCopied(source: URL, path: string): boolean {
  const parts = path.replace(/^\.\//, "").split("/");
  if (parts.some((part) => part === "" || part.startsWith(".")) || notCopied.has(parts[0]!)) {
    return false;
  }
  try {
    return Deno.statSync(new URL(parts.map(encodeURIComponent).join("/"), source)).isFile;
  } catch (error) {
    // Behind a file there is nothing: ENOTDIR.
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) {
      return false;
    }
    throw error;
  }
}

function copyTree(from: string, to: string, isTop: boolean): void {
  Deno.mkdirSync(to);
  for (const { name, isDirectory } of Deno.readDirSync(from)) {
    if (name.startsWith(".") || isTop && notCopied.has(name)) continue;
    const [source, target] = [`${from.replace(/\/$/, "")}/${name}`, `${to}/${name}`];
    if (isDirectory) copyTree(source, target, false);
    else Deno.copyFileSync(source, target);
  }
}

/** For the filter of `deno test`, which is a regular expression between slashes. */
function escaped(name: string): string {
  return name.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&");
}

function readIfThere(path: string): string | undefined {
  try {
    return Deno.readTextFileSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

function removeIfThere(path: string): void {
  try {
    Deno.removeSync(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
