/**
 * The command line of `deno task sim`.
 *
 * @module
 */
import { parseArgs } from "@std/cli/parse-args";
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
  --schedule FILE  run a schedule that was kept as JSON
  --once           run each seed once
  --no-shrink      do not make a failing schedule smaller
  --mutants        in place of all that: deliberate bugs, each of which must be caught (tests/mutants/run.ts)
`;

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

/** The command line makes no sense, or asks for help. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

export const JOBS_MAX = 64;
export const SEEDS_MAX = 10_000_000;
export const SEEDS_DEFAULT = 1_000;
/** A week. */
export const MINUTES_MAX = 10_080;
export const SEED_MAX = 2 ** 32 - 1;

/** @throws {UsageError} */
export function parseOptions(args: readonly string[], cores: number): SimOptions {
  const flags = parseArgs([...args], {
    string: ["seeds", "minutes", "first", "seed", "profile", "jobs", "schedule"],
    boolean: ["trace", "once", "shrink", "help"],
    negatable: ["shrink"],
    default: { shrink: true },
    unknown: (name) => {
      throw new UsageError(`Cannot start: unknown argument ${name}\n\n${USAGE}`);
    },
  });
  if (flags.help) throw new UsageError(USAGE);
  const profile = flags.profile ?? "swarm";
  if (!Object.hasOwn(PROFILES, profile)) {
    throw new UsageError(`Cannot start: no profile ${profile}\n\n${USAGE}`);
  }
  const minutes = minutesOf(flags.minutes);
  const seedsDefault = minutes === null ? SEEDS_DEFAULT : SEEDS_MAX;
  return {
    seeds: whole("seeds", flags.seeds, 1, SEEDS_MAX) ?? seedsDefault,
    minutes,
    first: whole("first", flags.first, 0, SEED_MAX) ?? 1,
    seed: whole("seed", flags.seed, 0, SEED_MAX),
    profile,
    jobs: whole("jobs", flags.jobs, 1, JOBS_MAX) ?? Math.min(cores, JOBS_MAX),
    trace: flags.trace,
    schedule: flags.schedule ?? null,
    once: flags.once,
    shrink: flags.shrink,
  };
}

function whole(name: string, text: string | undefined, min: number, max: number): number | null {
  if (text === undefined) return null;
  const value = Number(text);
  if (text !== "" && Number.isSafeInteger(value) && value >= min && value <= max) return value;
  throw new UsageError(
    `Cannot start: --${name} must be a whole number from ${min} to ${max}, got ${text}`,
  );
}

/** A part of a minute is one, too. */
function minutesOf(text: string | undefined): number | null {
  if (text === undefined) return null;
  const value = Number(text);
  if (text !== "" && value > 0 && value <= MINUTES_MAX) return value;
  throw new UsageError(
    `Cannot start: --minutes must be above 0 and at most ${MINUTES_MAX}, got ${text}`,
  );
}
