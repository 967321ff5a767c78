/**
 * The command line of `deno task sim`.
 *
 * @module
 */
import { readArguments, UsageError, wholeNumber } from "../../cli/args.ts";
import { PROFILES } from "./profiles.ts";

export const USAGE = `Usage: deno task sim [options]

Runs whole nodes on a virtual clock, network and disk, breaks them, and checks what they promise.
Each seed runs twice, and both runs must be the same, event for event.

  --seeds N        how many seeds (default 1000)
  --minutes N      begin no more seeds after N minutes (without --seeds: as many as that takes)
  --first N        the first of them (default 1)
  --seed N         one seed only
  --profile NAME   ${Object.keys(PROFILES).join(", ")} (default swarm)
  --jobs N         workers (default: one a core)
  --trace          print what happened, event by event (with --seed or --schedule)
  --schedule FILE  run a schedule that was kept as JSON; the file must be inside the checkout
  --once           run each seed once
  --no-shrink      do not make a failing schedule smaller
  --mutants        in place of all that: deliberate bugs, each of which must be caught (tests/mutants/run.ts)

An option that would do nothing beside another one is refused.
`;

/** Flags that ask for a single run, and those that would do nothing beside them. */
const VOID_BESIDE = {
  seed: ["seeds", "minutes", "first", "jobs"],
  schedule: ["seed", "seeds", "minutes", "first", "profile", "jobs"],
} as const;

export interface SimOptions {
  /** With `minutes`: at most so many. */
  readonly seeds: number;
  /** After so many no more seeds begin; null for no such end. */
  readonly minutes: number | null;
  readonly first: number;
  readonly seed: number | null;
  readonly profile: string;
  readonly jobs: number;
  readonly trace: boolean;
  readonly schedule: string | null;
  readonly once: boolean;
  readonly shrink: boolean;
}

export { UsageError };

export const JOBS_MAX = 64;
export const SEEDS_MAX = 10_000_000;
export const SEEDS_DEFAULT = 1_000;
/** A week. */
export const MINUTES_MAX = 10_080;
export const SEED_MAX = 2 ** 32 - 1;

/**
 * Reads the command line.
 *
 * @param cores how many workers there are unless it says otherwise.
 * @throws {UsageError} listing everything that is wrong.
 */
export function parseOptions(args: readonly string[], cores: number): SimOptions {
  const { values, switches, positionals } = readArguments(args, {
    values: ["seeds", "minutes", "first", "seed", "profile", "jobs", "schedule"],
    switches: ["trace", "once", "no-shrink"],
  });
  const problems = positionals.map((argument) => `unexpected argument: ${argument}`);
  const whole = (name: string, min: number, max: number): number | null => {
    const text = values.get(name);
    if (text === undefined) return null;
    const value = wholeNumber(text, min, max);
    if (value === null) {
      problems.push(`--${name} must be a whole number from ${min} to ${max}, not ${text}`);
    }
    return value;
  };
  const profile = values.get("profile") ?? "swarm";
  if (!Object.hasOwn(PROFILES, profile)) {
    problems.push(`--profile must be one of ${Object.keys(PROFILES).join(", ")}, not ${profile}`);
  }
  problems.push(...voidOptions(values, switches));
  const minutes = minutesOf(values.get("minutes"), problems);
  const seedsDefault = minutes === null ? SEEDS_DEFAULT : SEEDS_MAX;
  const options: SimOptions = {
    seeds: whole("seeds", 1, SEEDS_MAX) ?? seedsDefault,
    minutes,
    first: whole("first", 0, SEED_MAX) ?? 1,
    seed: whole("seed", 0, SEED_MAX),
    profile,
    jobs: whole("jobs", 1, JOBS_MAX) ?? Math.min(cores, JOBS_MAX),
    trace: switches.has("trace"),
    schedule: values.get("schedule") ?? null,
    once: switches.has("once"),
    shrink: !switches.has("no-shrink"),
  };
  if (problems.length > 0) throw new UsageError(problems);
  return options;
}

/** Says of each option that it would do nothing. */
function voidOptions(
  values: ReadonlyMap<string, string>,
  switches: ReadonlySet<string>,
): string[] {
  const problems = Object.entries(VOID_BESIDE).flatMap(([name, others]) =>
    values.has(name)
      ? others.filter((other) => values.has(other))
        .map((other) => `--${other} does nothing beside --${name}`)
      : []
  );
  if (switches.has("trace") && !values.has("seed") && !values.has("schedule")) {
    problems.push("--trace needs --seed or --schedule: it is of one run");
  }
  return problems;
}

/** A part of a minute is one, too. */
function minutesOf(text: string | undefined, problems: string[]): number | null {
  if (text === undefined) return null;
  const value = Number(text);
  if (value > 0 && value <= MINUTES_MAX) return value;
  problems.push(`--minutes must be above 0 and at most ${MINUTES_MAX}, not ${text}`);
  return null;
}
