/**
 * What a load run is asked for and what it found, with the checks of its arguments.
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
  override readonly name = "LoadError";
}

/** An integer flag, or its default. @throws {LoadError} if it is not one within the bounds. */
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
    throw new LoadError(`Cannot start: --${name} must be ${min} to ${max}, not "${text}"`);
  }
  return value;
}

/** One of several words; the first is the default. @throws {LoadError} if it is none of them. */
export function choose<T extends string>(
  name: string,
  text: string | undefined,
  words: readonly [T, ...T[]],
): T {
  if (text === undefined) return words[0];
  const found = words.find((word) => word === text);
  if (found === undefined) {
    throw new LoadError(`Cannot start: --${name} must be ${words.join(" or ")}, not "${text}"`);
  }
  return found;
}
