/**
 * The two ways of putting a load on one node: wrk, and workers in this process over `fetch`. Both send
 * to the keys `["load", "0"]` up to `options.keys`, are bounded in time and connections, and end by
 * themselves.
 *
 * @module
 */
import type { LoadOptions, LoadResult } from "./load_types.ts";
import { measuredOf } from "./statistics.ts";
import { runWrk } from "./wrk.ts";

/** Runs wrk against the node at `target`; null if it is not installed. @throws {LoadError} if it gave no result. */
export async function driveWrk(target: string, options: LoadOptions): Promise<LoadResult | null> {
  const measured = await runWrk({ ...options, target, dialect: "kvorum", spreadOver: [] });
  return measured === null ? null : { engine: "wrk", ...measured };
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
  return { engine: "fetch", ...measuredOf(latenciesMs, errors, seconds) };
}
