/**
 * What a run finds around it: the optional programs, the commit, the history, the file that it is to
 * write.
 *
 * @module
 */
import { LoadError } from "../load_types.ts";
import { type HistoryLine, parseHistory } from "./history_lines.ts";

export const HISTORY_FILE = new URL("../history.json", import.meta.url);
const checkout = new URL("../../", import.meta.url);
const UNKNOWN = "unknown";
const HASH_DIGITS = 12;

export interface Surroundings {
  /** What wrk says that it is. */
  readonly wrk: string;
  /** The version of etcd, or null if it is not installed. */
  readonly etcd: string | null;
  /** The checkout's commit, with `-dirty` if it differs from that, or `unknown`. */
  readonly commit: string;
}

/** What a program prints, whatever its exit code; null if it is not installed. */
async function outputOf(program: string, args: string[]): Promise<string | null> {
  try {
    const command = new Deno.Command(program, { args, cwd: checkout, stdin: "null" });
    const { stdout } = await command.output();
    return new TextDecoder().decode(stdout);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
}

/** Looks around. @throws {LoadError} if wrk is not installed: no other generator is fair to all. */
export async function look(): Promise<Surroundings> {
  const wrk = await outputOf("wrk", ["-v"]);
  if (wrk === null) {
    throw new LoadError(
      "Cannot find wrk: install it (on Debian: apt-get install wrk). All contenders are driven with it, " +
        "since a generator in JavaScript takes a core of its own",
    );
  }
  const etcd = await outputOf("etcd", ["--version"]);
  const commit = await outputOf("git", [
    "--no-optional-locks",
    "describe",
    "--always",
    "--exclude=*",
    "--dirty",
    `--abbrev=${HASH_DIGITS}`,
  ]);
  return {
    wrk: wrk.split("\n")[0].replace(/ Copyright.*/, ""),
    etcd: etcd === null ? null : /etcd Version: (\S+)/.exec(etcd)?.[1] ?? UNKNOWN,
    commit: commit?.trim() || UNKNOWN,
  };
}

/** The history so far; empty if there is no file yet. @throws {LoadError} if it is not one. */
export async function readHistory(): Promise<HistoryLine[]> {
  try {
    return parseHistory(await Deno.readTextFile(HISTORY_FILE));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}

/** Makes sure that a file can be written, before a quarter of an hour is spent on what goes there. */
export async function claimFile(path: string): Promise<void> {
  try {
    const file = await Deno.open(path, { create: true, append: true });
    const { size } = await file.stat();
    file.close();
    // A run that ends early leaves nothing behind.
    if (size === 0) await Deno.remove(path);
  } catch (error) {
    const why = error instanceof Error ? error.message : error;
    throw new LoadError(`Cannot write to ${path}: ${why}. It must lie in this checkout`);
  }
}
