/**
 * What a command of kvctl is, and the flags that all of them share.
 *
 * @module
 */
import { type Arguments, type FlagSpec, UsageError } from "../args.ts";
import { parseOrigin } from "../peers.ts";
import type { ClusterClient } from "./client.ts";
import type { Io } from "./io.ts";
import { DURATION_MAX_MS, TIMEOUT_DEFAULT_MS } from "./limits.ts";

/** One command: how it is called, and what it does. */
export interface Command {
  readonly name: string;
  /** One line for the list of commands. */
  readonly summary: string;
  /** What follows `kvctl`, in the notation of a usage line. */
  readonly usage: string;
  /** The command's own flags and what else a user must know. */
  readonly help: string;
  readonly flags: FlagSpec;
  /** How many positional arguments it takes. */
  readonly positionalsMin: number;
  readonly positionalsMax: number;
  /** @returns the exit code. @throws {UsageError} @throws {CallFailed} */
  run(context: Context): Promise<number>;
}

/** All that a running command sees. */
export interface Context {
  readonly args: Arguments;
  /** Whether to print JSON. */
  readonly json: boolean;
  readonly client: ClusterClient;
  readonly io: Io;
}

/** Flags of every command. */
export const commonFlags = { lists: ["url"], values: ["timeout"], switches: ["json"] } as const;

/** The variable that `--url` overrules. */
export const URL_VARIABLE = "KVORUM_URL";

export const commonHelp = `Flags of every command:
  --url URL[,URL…]   nodes of the cluster; they are tried in turn. Default: ${URL_VARIABLE}, or else
                     http://127.0.0.1:8001, :8002 and :8003
  --timeout TIME     how long to go on trying (10s)
  --json             prints JSON, errors too
  --help             shows this

TIME is in milliseconds, or with a unit: 500ms, 10s, 5m, 2h, 7d.`;

const urlsDefault = "http://127.0.0.1:8001,http://127.0.0.1:8002,http://127.0.0.1:8003";

/**
 * The nodes to ask: `--url`, or the variable, or the ones that `deno task cluster` starts.
 *
 * @throws {UsageError}
 */
export function readUrls(args: Arguments, io: Io): string[] {
  const given = args.lists.get("url") ?? [io.env(URL_VARIABLE) || urlsDefault];
  const problems: string[] = [];
  const urls = new Set<string>();
  for (const text of given.flatMap((list) => list.split(","))) {
    const origin = parseOrigin(text.trim());
    if (origin === null) {
      problems.push(
        `${
          JSON.stringify(text)
        } is no node: it takes http:// or https:// and a host, nothing behind`,
      );
    } else urls.add(origin);
  }
  if (problems.length > 0) throw new UsageError(problems);
  return [...urls];
}

/** @throws {UsageError} */
export function readTimeout(args: Arguments): number {
  return readDuration(args, "timeout") ?? TIMEOUT_DEFAULT_MS;
}

const unitsMs: Readonly<Record<string, number>> = {
  "": 1,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/**
 * Reads a duration, in milliseconds; null if the flag was not given.
 *
 * @throws {UsageError}
 */
export function readDuration(args: Arguments, flag: string): number | null {
  const text = args.values.get(flag);
  if (text === undefined) return null;
  const [, digits, unit] = /^(\d{1,13})(|ms|s|m|h|d)$/.exec(text) ?? [];
  const ms = digits === undefined ? 0 : Number(digits) * unitsMs[unit];
  if (ms < 1 || ms > DURATION_MAX_MS) {
    throw new UsageError([
      `--${flag} takes milliseconds, or a number with ms, s, m, h or d, not ${text}`,
    ]);
  }
  return ms;
}
