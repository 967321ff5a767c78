/**
 * Running wrk, the load generator in C that takes least from what it measures. What it sends is in
 * bench/wrk.lua, how it is called and read in bench/wrk_line.ts.
 *
 * @module
 */
import { LoadError, type Measured } from "./load_types.ts";
import { parseWrkOutput, wrkArguments, type WrkLoad } from "./wrk_line.ts";

/** How much longer than it was told wrk may take before it is ended. */
const GRACE_MS = 30_000;

/**
 * Runs wrk to its end. Null if it is not installed.
 *
 * @param signal ends wrk early.
 * @throws {LoadError} if it gave no result.
 */
export async function runWrk(load: WrkLoad, signal?: AbortSignal): Promise<Measured | null> {
  const late = new AbortController();
  const timer = setTimeout(() => late.abort(), load.seconds * 1000 + GRACE_MS);
  const command = new Deno.Command("wrk", {
    args: wrkArguments(load, new URL("./wrk.lua", import.meta.url).pathname),
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
    signal: signal === undefined ? late.signal : AbortSignal.any([signal, late.signal]),
  });
  try {
    const { stdout, stderr } = await command.output();
    signal?.throwIfAborted();
    if (late.signal.aborted) throw new LoadError(`wrk did not end: ${load.target}`);
    return parseWrkOutput(new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  } finally {
    clearTimeout(timer);
  }
}
