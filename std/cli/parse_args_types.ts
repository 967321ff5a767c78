/**
 * The types of `parseArgs`: from the options that are declared to the shape of the result.
 * Dotted names (`--a.b`) are parsed as the original does, but their result is typed `unknown`.
 *
 * @module
 */

/** Shows an intersection as one object type. */
type Flat<T> = T extends unknown ? { [Key in keyof T]: T[Key] } : never;

type OneOrMany<Name> = Name | readonly Name[];
type Aliases = Readonly<Record<string, string | readonly string[]>>;
type Names<T> = Extract<T, string>;

/** The names that an alias record gives to one flag, with its own. */
type NamesOf<Name, TAliases> = Name extends keyof TAliases
  ? Name | (TAliases[Name] extends readonly (infer Alias)[] ? Alias : TAliases[Name])
  : Name;

type StringValue<Name, TCollect, TNegatable> = Name extends TCollect ? string[]
  : Name extends TNegatable ? string | false
  : string;

type BooleanValue<Name, TCollect> = Name extends TCollect ? boolean[] : boolean;

type WithDefault<Value, Name, TDefault> = Name extends keyof TDefault
  ? NonNullable<Value> | TDefault[Name]
  : Value;

/** A flag that is always present: it has a default, or collecting starts from `[]`. */
type AlwaysSet<TStrings, TCollect, TDefault> =
  | Extract<TStrings, TCollect>
  | Extract<TStrings, keyof TDefault>;

type StringFlags<TStrings, TCollect, TNegatable, TDefault, TAliases> =
  & {
    [
      Name in Extract<TStrings, AlwaysSet<TStrings, TCollect, TDefault>> as Names<
        NamesOf<Name, TAliases>
      >
    ]: WithDefault<StringValue<Name, TCollect, TNegatable>, Name, TDefault>;
  }
  & {
    [
      Name in Exclude<TStrings, AlwaysSet<TStrings, TCollect, TDefault>> as Names<
        NamesOf<Name, TAliases>
      >
    ]?: StringValue<Name, TCollect, TNegatable>;
  };

type BooleanFlags<TBooleans, TCollect, TDefault, TAliases> = {
  [Name in TBooleans as Names<NamesOf<Name, TAliases>>]: WithDefault<
    BooleanValue<Name, TCollect>,
    Name,
    TDefault
  >;
};

type CollectFlags<TStrings, TBooleans, TCollect, TAliases> = {
  [Name in Exclude<TCollect, TStrings | TBooleans> as Names<NamesOf<Name, TAliases>>]: unknown[];
};

/** The flags of a result; untyped where nothing was declared. */
export type Values<TBooleans, TStrings, TCollect, TNegatable, TDefault, TAliases> =
  [Names<TBooleans> | TStrings | TCollect] extends [never]
    // deno-lint-ignore no-explicit-any
    ? Record<string, any>
    :
      & Record<string, unknown>
      & StringFlags<TStrings, TCollect, TNegatable, TDefault, TAliases>
      & BooleanFlags<Names<TBooleans>, TCollect, TDefault, TAliases>
      & CollectFlags<TStrings, TBooleans, TCollect, TAliases>;

/** The value returned from `parseArgs`. */
export type Args<
  // deno-lint-ignore no-explicit-any
  TArgs extends Record<string, unknown> = Record<string, any>,
  TDoubleDash extends boolean | undefined = undefined,
> = Flat<
  & TArgs
  & { /** The arguments that belong to no option. */ _: Array<string | number> }
  & (boolean extends TDoubleDash ? DoubleDash
    : true extends TDoubleDash ? Required<DoubleDash>
    : Record<never, never>)
>;

interface DoubleDash {
  /** The arguments after `--`, unparsed. */
  "--"?: string[];
}

/** The options of `parseArgs`. */
export interface ParseOptions<
  TBooleans extends boolean | string = boolean | string,
  TStrings extends string = string,
  TCollect extends string = string,
  TNegatable extends string = string,
  TDefault extends Record<string, unknown> = Record<string, unknown>,
  TAliases extends Aliases = Aliases,
  TDoubleDash extends boolean | undefined = boolean | undefined,
> {
  /** Keep what follows `--` apart, under that name, instead of in `_`. */
  "--"?: TDoubleDash;
  /** Other names of a flag. */
  alias?: TAliases;
  /** Flags that take no value; `true` makes every `--flag` without `=` one. They start as false. */
  boolean?: TBooleans | ReadonlyArray<Names<TBooleans>>;
  /** Values for flags that were not given. */
  default?: TDefault;
  /** Parse nothing after the first argument that is not an option. */
  stopEarly?: boolean;
  /** Flags whose value stays text, also where it looks like a number. */
  string?: OneOrMany<TStrings>;
  /** Flags that gather all their values into an array. */
  collect?: OneOrMany<TCollect>;
  /** Flags that `--no-flag` sets to false. */
  negatable?: OneOrMany<TNegatable>;
  /** Called with what is declared nowhere; when it returns false the argument is dropped. */
  unknown?: (arg: string, key?: string, value?: unknown) => unknown;
}
