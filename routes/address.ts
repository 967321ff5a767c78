/**
 * Reads keys out of paths, and queries, strictly. Works on the request target as it came over the wire:
 * `URL` would resolve dot segments and repair what is malformed, and so make one key of another.
 *
 * @module
 */
import { encodeKey, InvalidKey } from "../kv/key_codec.ts";
import { KEY_BYTES_MAX } from "../kv/limits.ts";
import type { EncodedKey, KeyPart } from "../kv/types.ts";
import { HttpProblem, type ProblemCode } from "./problem.ts";

/** Where keys begin in a path. All behind it is the key, whatever it looks like. */
export const KEY_MOUNT = "/v1/kv/";

/**
 * The path that a request is routed by, for Hono's option `getPath`: for every key the same one, so that
 * the router looks it up in a table instead of matching a key of any length against a pattern.
 */
export function routedPath(request: Request): string {
  const path = rawPath(request);
  return path.startsWith(KEY_MOUNT) ? KEY_MOUNT : path;
}

/** The path of a request as it came, undecoded, without its query. */
function rawPath(request: Request): string {
  const url = request.url;
  const start = url.indexOf("/", url.indexOf("://") + 3);
  if (start < 0) return "/";
  const end = url.indexOf("?", start);
  return end < 0 ? url.slice(start) : url.slice(start, end);
}

/**
 * The parts of a key that is written as a path: `a/b%2Fc` is `["a", "b/c"]`.
 *
 * A part of no characters cannot be written so: `a//b` and `a/` are far more often slips than meant.
 *
 * @throws {HttpProblem} with `code`: an empty part, an escape that is none, or bytes that are not UTF-8.
 */
export function keyParts(path: string, code: ProblemCode): string[] {
  const parts = path.split("/");
  for (let i = 0; i < parts.length; i += 1) {
    const part = parts[i];
    if (part === "") {
      throw new HttpProblem(code, `Part ${i} of the key is empty: a slash too many.`);
    }
    if (part.includes("#")) {
      throw new HttpProblem(code, `Part ${i} of the key has a bare "#"; write %23.`);
    }
    if (part.includes("%")) {
      const decoded = percentDecoded(part);
      if (decoded === null) {
        throw new HttpProblem(code, `Part ${i} of the key is not percent-encoded UTF-8.`);
      }
      parts[i] = decoded;
    }
  }
  return parts;
}

/**
 * The key that a request's path names.
 *
 * @throws {HttpProblem} `bad-key`.
 */
export function keyOfPath(request: Request): EncodedKey {
  return keyOfParts(keyParts(rawPath(request).slice(KEY_MOUNT.length), "bad-key"));
}

/** What stands behind the last slash of a request's path, decoded; null if that is not well formed. */
export function lastPartOfPath(request: Request): string | null {
  const path = rawPath(request);
  return percentDecoded(path.slice(path.lastIndexOf("/") + 1));
}

/**
 * Encodes a key of at most `KEY_BYTES_MAX` bytes.
 *
 * @throws {HttpProblem} `bad-key`.
 */
export function keyOfParts(parts: readonly KeyPart[]): EncodedKey {
  let key: EncodedKey;
  try {
    key = encodeKey(parts);
  } catch (error) {
    if (error instanceof InvalidKey) throw new HttpProblem("bad-key", error.message);
    throw error;
  }
  if (key.length === 0) throw new HttpProblem("bad-key", "A key has at least one part.");
  if (key.length > KEY_BYTES_MAX) {
    throw new HttpProblem(
      "bad-key",
      `The key takes ${key.length} bytes in its encoding; the limit is ${KEY_BYTES_MAX}.`,
    );
  }
  return key;
}

/** The parameters of a query by name, decoded. */
export type Query = ReadonlyMap<string, string>;

const NO_QUERY: Query = new Map();
const NO_PARAMETERS: readonly (readonly [string, string])[] = [];

/**
 * The query's parameters, decoded once, as a form is (`+` is a space). Each at most once, and only those
 * in `known`: a misspelt condition must not be dropped in silence.
 *
 * @throws {HttpProblem} `bad-query`.
 */
export function queryOf(request: Request, known: readonly string[]): Query {
  const parameters = parametersOf(request, known);
  if (parameters.length === 0) return NO_QUERY;
  const query = new Map<string, string>();
  for (const [name, value] of parameters) {
    if (query.has(name)) {
      throw new HttpProblem("bad-query", `The parameter "${name}" stands there twice.`);
    }
    query.set(name, value);
  }
  return query;
}

/**
 * The query's parameters in their order, decoded as `queryOf` does, each as often as it stands there.
 *
 * @throws {HttpProblem} `bad-query`.
 */
export function parametersOf(
  request: Request,
  known: readonly string[],
): readonly (readonly [name: string, value: string])[] {
  const url = request.url;
  const at = url.indexOf("?");
  if (at < 0) return NO_PARAMETERS;
  const parameters: [string, string][] = [];
  for (const pair of url.slice(at + 1).split("&")) {
    if (pair === "") continue;
    const equals = pair.indexOf("=");
    const name = decodeParameter(equals < 0 ? pair : pair.slice(0, equals));
    if (!known.includes(name)) {
      const list = known.length === 0 ? "none" : known.join(", ");
      throw new HttpProblem("bad-query", `Unknown parameter "${name}". Known here: ${list}.`);
    }
    parameters.push([name, equals < 0 ? "" : decodeParameter(pair.slice(equals + 1))]);
  }
  return parameters;
}

/**
 * A whole number from `min` to `max`, or null when the parameter is not given.
 *
 * @throws {HttpProblem} `bad-query`.
 */
export function integerParameter(
  query: Query,
  name: string,
  min: number,
  max: number,
): number | null {
  const text = query.get(name);
  if (text === undefined) return null;
  const value = Number(text);
  if (!/^\d{1,16}$/.test(text) || value < min || value > max) {
    throw new HttpProblem("bad-query", `${name} is a whole number from ${min} to ${max}.`);
  }
  return value;
}

/**
 * A switch, off when it is not given.
 *
 * @throws {HttpProblem} `bad-query`.
 */
export function switchParameter(query: Query, name: string): boolean {
  switch (query.get(name)) {
    case undefined:
    case "false":
      return false;
    case "true":
      return true;
    default:
      throw new HttpProblem("bad-query", `${name} is true or false.`);
  }
}

function decodeParameter(text: string): string {
  const decoded = text.includes("#") ? null : percentDecoded(text.replaceAll("+", " "));
  if (decoded === null) {
    throw new HttpProblem("bad-query", "A parameter is not percent-encoded UTF-8.");
  }
  return decoded;
}

/** Undoes percent-encoding once; null for an escape that is none, and bytes that are not UTF-8. */
function percentDecoded(text: string): string | null {
  try {
    return decodeURIComponent(text);
  } catch {
    return null;
  }
}
