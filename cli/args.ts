/**
 * Command lines, read strictly: an unknown flag, a flag without its value and a flag given twice are
 * errors, positional arguments stay the text they were (`007` is no number), and a negative number behind a
 * flag is its value.
 *
 * A thin layer over `parseArgs` of `@std/cli`, which by itself lets the former pass, and takes the latter for
 * a flag.
 *
 * @module
 */
import { parseArgs } from "@std/cli/parse-args";

/** The command line (or the configuration beside it) cannot be used. Nothing has been done yet. */
export class UsageError extends Error {
  override readonly name: string = "UsageError";
  /** One sentence each. */
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(problems.join("\n"));
    this.problems = problems;
  }
}

/** The flags that a command knows, without their dashes. */
export interface FlagSpec {
  /** Flags with a value, given at most once. */
  readonly values?: readonly string[];
  /** Flags with a value that may be given again and again. */
  readonly lists?: readonly string[];
  /** Flags without a value. */
  readonly switches?: readonly string[];
}

/** A command line taken apart. */
export interface Arguments {
  readonly values: ReadonlyMap<string, string>;
  readonly lists: ReadonlyMap<string, readonly string[]>;
  readonly switches: ReadonlySet<string>;
  readonly positionals: readonly string[];
}

/**
 * Takes a command line apart. Everything after `--` is positional.
 *
 * @throws {UsageError} naming every flag that is unknown, lacks its value or was given twice.
 */
export function readArguments(args: readonly string[], spec: FlagSpec): Arguments {
  const withValue = [...spec.values ?? [], ...spec.lists ?? []];
  const problems = new Set<string>();
  for (const argument of args.slice(0, args.includes("--") ? args.indexOf("--") : undefined)) {
    const name = /^--([^=]+)=/s.exec(argument)?.[1];
    // parseArgs would read `--fresh=no` as true.
    if (name !== undefined && spec.switches?.includes(name)) {
      problems.add(`--${name} takes no value: ${argument}`);
    }
    // "_" is parseArgs' own name for positional arguments.
    if (/^--?_(=|$)/.test(argument)) problems.add(`unknown flag: ${argument}`);
  }
  if (problems.size > 0) throw new UsageError([...problems]);
  const parsed: Record<string, unknown> = parseArgs(tieNegatives(args, withValue), {
    // "_" keeps positional arguments from being turned into numbers.
    string: [...withValue, "_"],
    boolean: [...spec.switches ?? []],
    collect: withValue,
    unknown: (argument: string, key?: string) => {
      if (key === undefined) return true;
      problems.add(`unknown flag: ${argument}`);
      return false;
    },
  });
  const values = new Map<string, string>();
  const lists = new Map<string, readonly string[]>();
  for (const name of withValue) {
    const given = (parsed[name] ?? []) as string[];
    if (given.length === 0) continue;
    if (given.includes("")) problems.add(`--${name} needs a value`);
    if (spec.lists?.includes(name)) lists.set(name, given);
    else if (given.length === 1) values.set(name, given[0]);
    else problems.add(`--${name} was given ${given.length} times: ${given.join(", ")}`);
  }
  if (problems.size > 0) throw new UsageError([...problems]);
  return {
    values,
    lists,
    switches: new Set((spec.switches ?? []).filter((name) => parsed[name] === true)),
    positionals: (parsed._ as (string | number)[]).map(String),
  };
}

/**
 * A command line in which a negative number that follows one of these flags is tied to it: `--seed -1` becomes
 * `--seed=-1`. Hence who checks the number can say what is wrong with it, where parseArgs would speak of a
 * flag `-1`. What follows `--` stays as it is.
 */
export function tieNegatives(args: readonly string[], names: readonly string[]): string[] {
  const end = args.includes("--") ? args.indexOf("--") : args.length;
  const tied: string[] = [];
  for (let at = 0; at < args.length; at++) {
    const argument = args[at]!;
    const next = at + 1 < end ? args[at + 1]! : "";
    const takesNext = names.some((name) => argument === `--${name}`) && /^-\.?\d/.test(next);
    tied.push(takesNext ? `${argument}=${next}` : argument);
    if (takesNext) at++;
  }
  return tied;
}

/** Reads a whole number in decimal, from `min` to `max`; null if `text` is anything else. */
export function wholeNumber(text: string, min: number, max: number): number | null {
  if (!/^\d{1,16}$/.test(text)) return null;
  const value = Number(text);
  return value >= min && value <= max ? value : null;
}
