/**
 * What a load run is asked for and what it found, with the checks of its arguments, and how a program that
 * was asked for what cannot be done ends.
 *
 * @module
 */

export interface LoadOptions {
  readonly mode: "put" | "get";
  readonly connections: number;
  readonly seconds: number;
  readonly valueBytes: number;
  /** How many different keys are written or read. */
  readonly keys: number;
  readonly engine: "wrk" | "fetch" | null;
}

/** What one load found, whoever drove it. */
export interface Measured {
  /** Requests that were answered, errors included. */
  readonly requests: number;
  /** Requests that got no 2xx or 3xx answer. */
  readonly errors: number;
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p95Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

export interface LoadResult extends Measured {
  readonly engine: "wrk" | "fetch";
}

/** The run could not be made as asked; the message is for the user. */
export class LoadError extends Error {
  override readonly name: string = "LoadError";
}

/** The command line makes no sense; nothing has been started. */
export class OptionError extends LoadError {
  override readonly name: string = "OptionError";
}

/** Says on standard error why a run failed. @returns its exit code: 2 for a wrong command line, else 1. */
export function exitCodeFor(error: unknown): number {
  console.error(error instanceof LoadError ? error.message : error);
  return error instanceof OptionError ? 2 : 1;
}

/** An integer flag, or its default. @throws {OptionError} if it is not one within the bounds. */
export function integer(
  name: string,
  text: string | undefined,
  otherwise: number,
  min: number,
  max: number,
): number {
  if (text === undefined) return otherwise;
  const value = /^\d+$/.test(text) ? Number(text) : NaN;
  if (!(value >= min && value <= max)) {
    throw new OptionError(
      `Cannot start: --${name} must be a whole number from ${min} to ${max}, not "${text}"`,
    );
  }
  return value;
}

/** One of several words; the first is the default. @throws {OptionError} if it is none of them. */
export function choose<T extends string>(
  name: string,
  text: string | undefined,
  words: readonly [T, ...T[]],
): T {
  if (text === undefined) return words[0];
  const found = words.find((word) => word === text);
  if (found === undefined) {
    throw new OptionError(`Cannot start: --${name} must be ${words.join(" or ")}, not "${text}"`);
  }
  return found;
}
