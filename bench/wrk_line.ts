/**
 * What wrk is called with, and what it says: the arguments that bench/wrk.lua reads, and the line that
 * it prints at the end. Pure; bench/wrk.ts runs it.
 *
 * @module
 */
import { LoadError, type Measured } from "./load_types.ts";

/** One load of wrk's. */
export interface WrkLoad {
  /** The origin of the node to drive, such as `http://127.0.0.1:8001`. */
  readonly target: string;
  /** Which server's requests to send: they differ in form only, and are all made beforehand. */
  readonly dialect: "kvorum" | "etcd";
  /** `lease` is a get that the leader answers by its lease; Kvorum alone has it. */
  readonly mode: "put" | "get" | "lease";
  readonly connections: number;
  readonly seconds: number;
  readonly valueBytes: number;
  /** How many different keys are written or read. */
  readonly keys: number;
  /**
   * Origins to spread the connections over, one thread each with the same number of connections;
   * `target` alone, on one thread, if empty.
   */
  readonly spreadOver: readonly string[];
}

/** The arguments of wrk for a load that the script at `scriptPath` is to send. */
export function wrkArguments(load: WrkLoad, scriptPath: string): string[] {
  return [
    `-t${Math.max(1, load.spreadOver.length)}`,
    `-c${load.connections}`,
    `-d${load.seconds}s`,
    "-s",
    scriptPath,
    load.target,
    "--",
    load.dialect,
    load.mode,
    `${load.valueBytes}`,
    `${load.keys}`,
    ...load.spreadOver.map((origin) => new URL(origin).host),
  ];
}

/** Reads the script's line in wrk's output. @throws {LoadError} if it is not there or not whole. */
export function parseWrkOutput(text: string): Measured {
  const fields = text.match(/^kvorum-load (\d+(?: \d+){6})$/m)?.[1].split(" ").map(Number);
  if (fields === undefined) throw new LoadError(`wrk gave no result: ${text}`);
  const [requests, durationUs, errors, p50Us, p95Us, p99Us, maxUs] = fields;
  if (durationUs === 0) throw new LoadError(`wrk gave a result of no duration: ${text}`);
  return {
    requests,
    errors,
    perSecond: requests / (durationUs / 1e6),
    p50Ms: p50Us / 1000,
    p95Ms: p95Us / 1000,
    p99Ms: p99Us / 1000,
    maxMs: maxUs / 1000,
  };
}
