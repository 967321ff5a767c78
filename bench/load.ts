/**
 * `deno task load`: puts a load on a running cluster and prints throughput and latency percentiles.
 *
 * Drives with wrk where it is installed, since a load generator in JavaScript takes a core of its own
 * from what it measures; otherwise (or with `--engine fetch`) with closed-loop workers over `fetch`.
 * Bounded in time and connections; ends by itself.
 *
 * @module
 */
import { parseArgs } from "@std/cli/parse-args";
import { tieNegatives } from "../cli/args.ts";
import { driveFetch, driveWrk } from "./load_drivers.ts";
import {
  choose,
  exitCodeFor,
  integer,
  LoadError,
  type LoadOptions,
  OptionError,
} from "./load_types.ts";

const USAGE = `Usage: deno task load [options]

Puts a bounded load on a running cluster and prints writes or reads a second and p50, p95, p99.

  --url URL           any node (default http://127.0.0.1:8001)
  --at leader|node    drive the leader, found through --url (default), or --url's own node
  --mode put|get      what to send (default put)
  --connections N     1 to 1024 (default 64)
  --seconds N         1 to 600 (default 10)
  --value-bytes N     0 to 65536 (default 256)
  --keys N            1 to 1000000 (default 10000)
  --engine wrk|fetch  default: wrk where it is installed
  --json              print the result as one JSON object
`;

function parse(args: string[]): LoadOptions & { url: string; at: string; json: boolean } {
  const string = [
    ...["url", "at", "mode", "engine"] as const,
    ...["connections", "seconds", "value-bytes", "keys"] as const,
  ];
  const flags = parseArgs(tieNegatives(args, string), {
    string,
    boolean: ["json", "help"],
    unknown: (name) => {
      throw new OptionError(`Cannot start: unknown argument ${name}`);
    },
  });
  if (flags.help) {
    console.log(USAGE);
    Deno.exit(0);
  }
  return {
    url: (flags.url ?? "http://127.0.0.1:8001").replace(/\/$/, ""),
    at: choose("at", flags.at, ["leader", "node"]),
    mode: choose("mode", flags.mode, ["put", "get"]),
    connections: integer("connections", flags.connections, 64, 1, 1024),
    seconds: integer("seconds", flags.seconds, 10, 1, 600),
    valueBytes: integer("value-bytes", flags["value-bytes"], 256, 0, 65_536),
    keys: integer("keys", flags.keys, 10_000, 1, 1_000_000),
    engine: flags.engine === undefined
      ? null
      : choose<"wrk" | "fetch">("engine", flags.engine, ["wrk", "fetch"]),
    json: flags.json,
  };
}

/** The URL of the node that leads, as `url`'s node sees it. */
async function leaderOf(url: string): Promise<string> {
  const response = await fetch(`${url}/v1/cluster`).catch((error) => {
    const why = error instanceof Error ? error.cause ?? error.message : error;
    throw new LoadError(
      `Cannot reach a node at ${url}: ${why}. Start a cluster (deno task cluster) or give --url`,
    );
  });
  const cluster = await response.json();
  const leader = cluster.members?.find((member: { id: string }) => member.id === cluster.leader);
  if (leader === undefined) throw new LoadError(`Cannot find the leader: ${url} knows of none`);
  return leader.url;
}

async function main(): Promise<void> {
  const options = parse(Deno.args);
  const target = options.at === "leader" ? await leaderOf(options.url) : options.url;
  const wrk = options.engine === "fetch" ? null : await driveWrk(target, options);
  if (wrk === null && options.engine === "wrk") {
    throw new LoadError("Cannot find wrk: install it (on Debian: apt-get install wrk)");
  }
  if (wrk === null && options.engine === null) {
    console.error("wrk is not installed (on Debian: apt-get install wrk); using fetch instead");
  }
  const result = wrk ?? await driveFetch(target, options);
  if (options.json) {
    console.log(JSON.stringify({ target, ...options, ...result }));
    return;
  }
  console.log(
    `${options.mode.toUpperCase()} of ${options.valueBytes} B at ${target}, ` +
      `${options.connections} connections, ${options.seconds} s, by ${result.engine}`,
  );
  console.log(
    `  ${result.perSecond.toFixed(0)}/s, ${result.requests} in all, ${result.errors} failed`,
  );
  console.log(
    `  p50 ${result.p50Ms.toFixed(2)} ms, p95 ${result.p95Ms.toFixed(2)} ms, ` +
      `p99 ${result.p99Ms.toFixed(2)} ms, max ${result.maxMs.toFixed(2)} ms`,
  );
}

try {
  await main();
} catch (error) {
  Deno.exit(exitCodeFor(error));
}
