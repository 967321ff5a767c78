/**
 * The command line of `deno task sim --mutants`.
 *
 * @module
 */
import { readArguments, UsageError, wholeNumber } from "../../cli/args.ts";
import type { Trial } from "./workshop.ts";

export const USAGE = `Usage: deno task sim --mutants [--only NAME[,NAME…]] [--jobs N] [--list]
                       [--by FILE[,FILE…] | --seeds N]

Tries deliberate bugs, each of which must be caught. Exits with 1 unless all are.

  --only   these mutants; all unless told
  --jobs   copies of the source that are worked on side by side
  --list   only prints what each mutant breaks
  --by     tries each by all tests of these files, in place of its own checks
  --seeds  tries each by the first N seeds of the simulator, in place of its own checks

With --list only --only has a meaning; the others are refused beside it.
`;

/** Workshops that run side by side unless `--jobs` says otherwise. */
const JOBS_DEFAULT = 2;
const JOBS_MAX = 16;
const SEEDS_MAX = 100_000;

export interface MutantOptions {
  /** Names of mutants; null for all. */
  readonly only: readonly string[] | null;
  readonly jobs: number;
  readonly list: boolean;
  readonly trial: Trial;
}

/**
 * Reads the command line.
 *
 * @param known the names of all mutants.
 * @param isFile whether there is such a file in the checkout.
 * @returns null if help was asked for.
 * @throws {UsageError} listing everything that is wrong.
 */
export function readMutantOptions(
  args: readonly string[],
  known: readonly string[],
  isFile: (path: string) => boolean,
): MutantOptions | null {
  const { values, switches, positionals } = readArguments(args, {
    values: ["only", "by", "seeds", "jobs"],
    switches: ["list", "help"],
  });
  if (switches.has("help")) return null;
  const problems = positionals.map((argument) => `unexpected argument: ${argument}`);
  const whole = (name: string, max: number, otherwise: number): number => {
    const text = values.get(name);
    if (text === undefined) return otherwise;
    const value = wholeNumber(text, 1, max);
    if (value === null) {
      problems.push(`--${name} must be a whole number from 1 to ${max}, not ${text}`);
    }
    return value ?? otherwise;
  };
  const only = values.get("only")?.split(",") ?? null;
  for (const name of only ?? []) {
    if (!known.includes(name)) problems.push(`there is no mutant ${name}; --list names all`);
  }
  const jobs = whole("jobs", JOBS_MAX, JOBS_DEFAULT);
  const seeds = whole("seeds", SEEDS_MAX, 0);
  const by = values.get("by");
  if (by !== undefined && values.has("seeds")) problems.push("--by and --seeds exclude each other");
  for (const file of by?.split(",") ?? []) {
    if (!isFile(file)) problems.push(`--by: there is no such file in the checkout: ${file}`);
  }
  for (const name of switches.has("list") ? ["by", "seeds", "jobs"] : []) {
    if (values.has(name)) problems.push(`--${name} does nothing beside --list`);
  }
  if (problems.length > 0) throw new UsageError(problems);
  return { only, jobs, list: switches.has("list"), trial: trialOf(by, seeds) };
}

/** What the mutants are tried by; 0 seeds: not by the simulator. */
function trialOf(by: string | undefined, seeds: number): Trial {
  if (seeds > 0) return { type: "simulator", seeds };
  return by === undefined ? { type: "its checks" } : { type: "files", files: by.split(",") };
}
