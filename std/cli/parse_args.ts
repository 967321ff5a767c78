/**
 * Stand-in for `@std/cli/parse-args`: the same options and the same reading of a command line.
 * It is not `node:util`'s `parseArgs`, whose rules for values, numbers and unknown flags differ.
 * Why it is here and how to swap it for the original: docs/decisions/0001-dependencies.md.
 *
 * @module
 */

import type { Args, ParseOptions, Values } from "./parse_args_types.ts";

export type { Args, ParseOptions } from "./parse_args_types.ts";

type FlagValue = string | number | boolean;
type Nested = { [key: string]: unknown };

const flagPattern = /^(?:-(?:(?<doubleDash>-)(?<negated>no-)?)?)(?<key>.+?)(?:=(?<value>.+?))?$/s;
const numberPattern = /^(?:0x[0-9a-f]+|[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:e[-+]?\d+)?)$/i;
const letterPattern = /[A-Za-z]/;
const numberTailPattern = /-?\d+(?:\.\d*)?(?:e-?\d+)?$/;

/**
 * Reads a command line. Without options `--name value` and `--name=value` set a value, `--name`
 * alone is true, `-abc` sets three flags, numbers become numbers, and `--` ends the options.
 *
 * @example
 * ```ts
 * import { parseArgs } from "@std/cli/parse-args";
 *
 * const flags = parseArgs(["--port", "8001", "--fresh"], { string: "port", boolean: "fresh" });
 * console.assert(flags.port === "8001" && flags.fresh);
 * ```
 */
export function parseArgs<
  const TBooleans extends boolean | string = never,
  const TStrings extends string = never,
  const TCollect extends string = never,
  const TNegatable extends string = never,
  TDefault extends Record<string, unknown> = Record<never, never>,
  const TAliases extends Readonly<Record<string, string | readonly string[]>> = Record<
    never,
    never
  >,
  TDoubleDash extends boolean | undefined = undefined,
>(
  args: string[],
  options: ParseOptions<
    TBooleans,
    TStrings,
    TCollect,
    TNegatable,
    TDefault,
    TAliases,
    TDoubleDash
  > = {},
): Args<Values<TBooleans, TStrings, TCollect, TNegatable, TDefault, TAliases>, TDoubleDash> {
  const parser = new Parser(options);
  return parser.parse(args) as Args<
    Values<TBooleans, TStrings, TCollect, TNegatable, TDefault, TAliases>,
    TDoubleDash
  >;
}

class Parser {
  readonly #aliases: Map<string, ReadonlySet<string>>;
  readonly #booleans: ReadonlySet<string>;
  readonly #strings: ReadonlySet<string>;
  readonly #collected: ReadonlySet<string>;
  readonly #negatable: ReadonlySet<string>;
  readonly #options: ParseOptions;
  readonly #positional: FlagValue[] = [];
  readonly #result: Nested = { _: this.#positional };

  constructor(options: ParseOptions) {
    this.#options = options;
    this.#aliases = readAliases(options.alias ?? {});
    this.#booleans = this.#declared(
      typeof options.boolean === "boolean" ? undefined : options.boolean,
    );
    this.#strings = this.#declared(options.string);
    this.#collected = this.#declared(options.collect);
    this.#negatable = this.#declared(options.negatable);
  }

  parse(args: readonly string[]): Nested {
    const end = args.indexOf("--");
    const parsed = end === -1 ? args : args.slice(0, end);
    const after = end === -1 ? [] : args.slice(end + 1);
    this.#readAll(parsed);
    this.#fillIn();
    if (this.#options["--"]) this.#result["--"] = after;
    else this.#positional.push(...after);
    return this.#result;
  }

  #readAll(args: readonly string[]): void {
    for (let i = 0; i < args.length; i++) {
      const arg = args[i]!;
      const flag = arg.match(flagPattern)?.groups;
      if (flag) {
        const tookNext = flag.doubleDash
          ? this.#readLong(arg, flag, args[i + 1])
          : this.#readShort(arg, args[i + 1]);
        if (tookNext) i++;
        continue;
      }
      if (this.#options.unknown?.(arg) !== false) {
        this.#positional.push(this.#strings.has("_") ? arg : numberOrText(arg));
      }
      if (this.#options.stopEarly) {
        this.#positional.push(...args.slice(i + 1));
        return;
      }
    }
  }

  /** Reads `--key…`. Returns whether it consumed the next argument as its value. */
  #readLong(
    arg: string,
    flag: { key?: string; value?: string; negated?: string },
    next: string | undefined,
  ): boolean {
    let key = flag.key!;
    if (flag.value) {
      this.#set(key, this.#booleans.has(key) ? flag.value !== "false" : flag.value, arg);
      return false;
    }
    if (flag.negated) {
      if (this.#negatable.has(key)) {
        this.#set(key, false, arg, false);
        return false;
      }
      key = `no-${key}`;
    }
    const takesText = this.#options.boolean !== true && !this.#isBoolean(key);
    if (next && takesText && !next.startsWith("-")) {
      this.#set(key, next, arg);
      return true;
    }
    return this.#setBare(key, arg, next);
  }

  /** Reads `-abc…`. Returns whether it consumed the next argument as its value. */
  #readShort(arg: string, next: string | undefined): boolean {
    const letters = arg.slice(1, -1);
    for (let i = 0; i < letters.length; i++) {
      const letter = letters[i]!;
      const rest = arg.slice(i + 2);
      if (rest === "-") {
        this.#set(letter, rest, arg);
        continue;
      }
      const value = attachedValue(letter, rest, letters[i + 1]);
      if (value !== undefined) {
        this.#set(letter, value, arg);
        return false;
      }
      this.#set(letter, this.#strings.has(letter) ? "" : true, arg);
    }
    const last = arg.slice(-1);
    if (last === "-") return false;
    if (next && !/^--?[^-]/.test(next) && !this.#isBoolean(last)) {
      this.#set(last, next, arg);
      return true;
    }
    return this.#setBare(last, arg, next);
  }

  /** A flag without a value of its own: a following `true` or `false` still belongs to it. */
  #setBare(key: string, arg: string, next: string | undefined): boolean {
    if (next === "true" || next === "false") {
      this.#set(key, next === "true", arg);
      return true;
    }
    this.#set(key, this.#strings.has(key) ? "" : true, arg);
    return false;
  }

  #set(key: string, value: FlagValue, arg: string, collect = true): void {
    if (!this.#isKnown(key, arg) && this.#options.unknown?.(arg, key, value) === false) return;
    const typed = typeof value === "string" && !this.#strings.has(key)
      ? numberOrText(value)
      : value;
    const append = collect && this.#collected.has(key);
    for (const name of [key, ...this.#aliases.get(key) ?? []]) {
      setNested(this.#result, name.split("."), typed, append);
    }
  }

  /** Defaults first, then what declared flags are when nobody set them. */
  #fillIn(): void {
    for (const [key, value] of Object.entries(this.#options.default ?? {})) {
      if (hasNested(this.#result, key.split("."))) continue;
      for (const name of [key, ...this.#aliases.get(key) ?? []]) {
        setNested(this.#result, name.split("."), value, false);
      }
    }
    for (const key of this.#booleans) this.#fillOne(key, this.#collected.has(key) ? [] : false);
    for (const key of this.#strings) {
      if (this.#collected.has(key)) this.#fillOne(key, []);
    }
  }

  #fillOne(key: string, value: unknown): void {
    const path = key.split(".");
    if (!hasNested(this.#result, path)) setNested(this.#result, path, value, false);
  }

  #isKnown(key: string, arg: string): boolean {
    return this.#booleans.has(key) || this.#strings.has(key) || this.#aliases.has(key) ||
      (this.#options.boolean === true && /^--[^=]+$/.test(arg));
  }

  #isBoolean(key: string): boolean {
    if (this.#booleans.has(key)) return true;
    return [...this.#aliases.get(key) ?? []].some((alias) => this.#booleans.has(alias));
  }

  #declared(names: string | readonly string[] | undefined): ReadonlySet<string> {
    const declared = new Set<string>();
    for (const name of typeof names === "string" ? [names] : names ?? []) {
      if (name === "") continue;
      declared.add(name);
      for (const alias of this.#aliases.get(name) ?? []) declared.add(alias);
    }
    return declared;
  }
}

/** Every name of a flag leads to all its other names. */
function readAliases(
  alias: Readonly<Record<string, string | readonly string[]>>,
): Map<string, ReadonlySet<string>> {
  const aliases = new Map<string, ReadonlySet<string>>();
  for (const [key, value] of Object.entries(alias)) {
    const names = typeof value === "string" ? [value] : [...value];
    aliases.set(key, new Set(names));
    for (const name of names) {
      aliases.set(name, new Set([key, ...names.filter((other) => other !== name)]));
    }
  }
  return aliases;
}

/** The value that is glued to a letter, as in `-n5`, `-n=5` or `-f./x`. */
function attachedValue(
  letter: string,
  rest: string,
  nextLetter: string | undefined,
): string | undefined {
  if (letterPattern.test(letter)) {
    if (rest.includes("=")) return rest.split(/=(.+)/s)[1];
    if (numberTailPattern.test(rest)) return rest;
  }
  return nextLetter !== undefined && /\W/.test(nextLetter) ? rest : undefined;
}

function numberOrText(text: string): string | number {
  return numberPattern.test(text) ? Number(text) : text;
}

/** Sets a dotted path, through own properties only: `constructor` must not lead to a shared object. */
function setNested(target: Nested, path: readonly string[], value: unknown, append: boolean): void {
  let at = target;
  for (const key of path.slice(0, -1)) {
    if (!Object.hasOwn(at, key) || typeof at[key] !== "object" || at[key] === null) at[key] = {};
    at = at[key] as Nested;
  }
  const key = path.at(-1)!;
  if (!append) {
    at[key] = value;
    return;
  }
  const present = Object.hasOwn(at, key) ? at[key] : undefined;
  if (Array.isArray(present)) present.push(value);
  else at[key] = present === undefined ? [value] : [present, value];
}

function hasNested(target: Nested, path: readonly string[]): boolean {
  let at: unknown = target;
  for (const key of path) {
    if (typeof at !== "object" || at === null || !Object.hasOwn(at, key)) return false;
    at = (at as Nested)[key];
  }
  return true;
}
