/**
 * The two ways of putting a load on one node: wrk, and workers in this process over `fetch`. Both send
 * to the keys `["load", "0"]` up to `options.keys`, are bounded in time and connections, and end by
 * themselves.
 *
 * @module
 */
import { LoadError, type LoadOptions, type LoadResult } from "./load_types.ts";

/** Runs wrk against the node at `target`; null if it is not installed. @throws {LoadError} if it gave no result. */
export async function driveWrk(target: string, options: LoadOptions): Promise<LoadResult | null> {
  const command = new Deno.Command("wrk", {
    args: [
      "-t1",
      `-c${options.connections}`,
      `-d${options.seconds}s`,
      "-s",
      new URL("./wrk.lua", import.meta.url).pathname,
      target,
      "--",
      options.mode,
      `${options.valueBytes}`,
      `${options.keys}`,
    ],
    stdout: "piped",
    stderr: "piped",
  });
  let output: Deno.CommandOutput;
  try {
    output = await command.output();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
  const text = new TextDecoder().decode(output.stdout);
  const line = text.match(/^kvorum-load (.+)$/m);
  if (line === null) {
    throw new LoadError(`wrk gave no result: ${text}${new TextDecoder().decode(output.stderr)}`);
  }
  const [requests, durationUs, errors, p50, p95, p99, max] = line[1].split(" ").map(Number);
  return {
    engine: "wrk",
    requests,
    errors,
    perSecond: requests / (durationUs / 1e6),
    p50Ms: p50 / 1000,
    p95Ms: p95 / 1000,
    p99Ms: p99 / 1000,
    maxMs: max / 1000,
  };
}

/** Runs closed-loop workers over `fetch`. */
export async function driveFetch(target: string, options: LoadOptions): Promise<LoadResult> {
  const value = new Uint8Array(options.valueBytes).fill(120);
  const latenciesMs: number[] = [];
  let errors = 0;
  let serial = 0;
  const startMs = performance.now();
  const endMs = startMs + options.seconds * 1000;
  async function worker(): Promise<void> {
    while (performance.now() < endMs) {
      serial = (serial + 7919) % options.keys;
      const sentMs = performance.now();
      try {
        const init = options.mode === "put" ? { method: "PUT", body: value } : {};
        const response = await fetch(`${target}/v1/kv/load/${serial}`, init);
        await response.arrayBuffer();
        if (!response.ok) errors++;
      } catch {
        errors++;
      }
      latenciesMs.push(performance.now() - sentMs);
    }
  }
  await Promise.all(Array.from({ length: options.connections }, worker));
  const seconds = (performance.now() - startMs) / 1000;
  const sorted = Float64Array.from(latenciesMs).sort();
  const at = (share: number) =>
    sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
  return {
    engine: "fetch",
    requests: sorted.length,
    errors,
    perSecond: sorted.length / seconds,
    p50Ms: at(0.5),
    p95Ms: at(0.95),
    p99Ms: at(0.99),
    maxMs: sorted[sorted.length - 1],
  };
}
