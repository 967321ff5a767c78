/**
 * `deno task bench:snapshot`: what periodic work costs the writes beside it, on real processes on this
 * machine. Founds three nodes, fills them, puts a load of writes on the leader, and measures it in
 * windows that alternate: in every second one all nodes take one snapshot after the other, which cuts
 * their logs, and keys expire all the time. Hash checks go on in all of them. Then it kills one follower
 * and measures how long that takes to be ready again. An election under load is a failure.
 *
 * Windows alternate since a machine's speed changes over minutes; what is compared was measured side
 * by side. Nodes take no snapshots but those that they are asked for.
 *
 * @module
 */
import { parseArgs } from "@std/cli/parse-args";
import { tieNegatives } from "../cli/args.ts";
import { driveFetch, driveWrk } from "./load_drivers.ts";
import {
  exitCodeFor,
  integer,
  LoadError,
  type LoadOptions,
  type LoadResult,
  OptionError,
} from "./load_types.ts";
import { median } from "./statistics.ts";
import { type NodeProcess, ProcessCluster } from "../tests/cluster/harness.ts";

const USAGE = `Usage: deno task bench:snapshot [options]

Measures writes with and without snapshots and expiring keys beside them, and a restart from a snapshot.
Ends with 1 if there was an election under load. Ten minutes of load: --pairs 10 --seconds 30.

  --keys N         1000 to 5000000 (default 1000000)
  --value-bytes N  0 to 4096 (default 100)
  --pairs N        pairs of windows, 1 to 20 (default 4)
  --seconds N      of each window, 2 to 120 (default 8)
  --connections N  1 to 1024 (default 64)
  --expiring N     keys that expire a second, beside the snapshots, 0 to 1000 (default 500)
  --rest N         seconds between two snapshots of a node, 0 to 60 (default 0: one after the other)
  --restarts N     0 to 10 (default 3)
  --json           print the result as one JSON object, too
`;

/** So that nodes take no snapshots of themselves. */
const NEVER = 1_000_000_000;
const KEYS_PER_BATCH = 1000;
const BATCHES_AT_A_TIME = 4;
const FILL_MS_MAX = 600_000;
const SNAPSHOT_MS_MAX = 120_000;
const READY_MS_MAX = 120_000;
const WARM_UP_SECONDS = 3;
const RETRY_MS = 100;
const EXPIRE_IN_MS = 2000;
/** Names come back only after the keys of that name have expired. */
const EXPIRING_ROUNDS = 10;

interface Options extends LoadOptions {
  readonly pairs: number;
  readonly expiring: number;
  readonly rest: number;
  readonly restarts: number;
  readonly json: boolean;
}

interface Window extends LoadResult {
  /** How long each snapshot took that was finished in this window, in ms; null for a window without. */
  readonly snapshotsMs: readonly number[] | null;
  /** How many terms began in it: each is an election, won or not. */
  readonly terms: number;
}

interface Measured {
  readonly windows: readonly Window[];
  readonly restartsMs: readonly number[];
  /** Bytes, by node. */
  readonly rss: readonly {
    readonly when: string;
    readonly bytes: Readonly<Record<string, number>>;
  }[];
}

function parse(args: string[]): Options {
  const string = [
    ...["keys", "value-bytes", "pairs", "seconds"] as const,
    ...["connections", "expiring", "rest", "restarts"] as const,
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
    mode: "put",
    engine: null,
    keys: integer("keys", flags.keys, 1_000_000, 1000, 5_000_000),
    valueBytes: integer("value-bytes", flags["value-bytes"], 100, 0, 4096),
    pairs: integer("pairs", flags.pairs, 4, 1, 20),
    seconds: integer("seconds", flags.seconds, 8, 2, 120),
    connections: integer("connections", flags.connections, 64, 1, 1024),
    expiring: integer("expiring", flags.expiring, 500, 0, 1000),
    rest: integer("rest", flags.rest, 0, 0, 60),
    restarts: integer("restarts", flags.restarts, 3, 0, 10),
    json: flags.json,
  };
}

/** Writes all keys, in batches. */
async function fill(node: NodeProcess, { keys, valueBytes }: Options): Promise<void> {
  const value = { bytes: new Uint8Array(valueBytes).fill(120).toBase64() };
  const endMs = performance.now() + FILL_MS_MAX;
  let next = 0;
  const worker = async () => {
    while (next < keys) {
      const first = next;
      next += KEYS_PER_BATCH;
      const size = Math.min(KEYS_PER_BATCH, keys - first);
      const mutations = Array.from({ length: size }, (_, i) => ({
        type: "set",
        key: ["load", `${first + i}`],
        encoding: "bytes",
        value,
      }));
      await postBatch(node, JSON.stringify({ mutations }), endMs);
    }
  };
  await Promise.all(Array.from({ length: BATCHES_AT_A_TIME }, worker));
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Until it is accepted: a batch may be written twice, since it sets values. */
async function postBatch(node: NodeProcess, body: string, endMs: number): Promise<void> {
  const headers = { "content-type": "application/json" };
  while (true) {
    const response = await node.fetch("/v1/atomic", { method: "POST", headers, body });
    const text = await response.text();
    if (response.ok) return;
    if (response.status < 500) throw new LoadError(`A batch was refused: ${text}`);
    if (performance.now() > endMs) throw new LoadError(`Cannot fill the cluster in time: ${text}`);
    await pause(RETRY_MS);
  }
}

/** Has a node take a snapshot; gives how long that took, in ms. */
async function snapshot(node: NodeProcess): Promise<number> {
  const startMs = performance.now();
  const response = await fetch(`${node.url}/v1/cluster/snapshot`, {
    method: "POST",
    signal: AbortSignal.timeout(SNAPSHOT_MS_MAX),
  });
  const text = await response.text();
  if (!response.ok) throw new LoadError(`${node.id} took no snapshot: ${response.status} ${text}`);
  return performance.now() - startMs;
}

async function drive(node: NodeProcess, options: LoadOptions): Promise<LoadResult> {
  return await driveWrk(node.url, options) ?? await driveFetch(node.url, options);
}

/** Writes a batch of keys each second that expire soon, until `isOver`. */
async function expireKeys(
  node: NodeProcess,
  { expiring, valueBytes }: Options,
  isOver: () => boolean,
): Promise<void> {
  const value = { bytes: new Uint8Array(valueBytes).fill(120).toBase64() };
  for (let round = 0; !isOver(); round++) {
    const nextMs = performance.now() + 1000;
    const mutations = Array.from({ length: expiring }, (_, i) => ({
      type: "set",
      key: ["expiring", `${round % EXPIRING_ROUNDS}`, `${i}`],
      encoding: "bytes",
      value,
      expireIn: EXPIRE_IN_MS,
    }));
    await postBatch(node, JSON.stringify({ mutations }), nextMs + FILL_MS_MAX);
    await pause(Math.max(0, nextMs - performance.now()));
  }
}

/** The highest term that a node knows. */
async function termOf(cluster: ProcessCluster): Promise<number> {
  const terms = await Promise.all(cluster.nodes.map(async (node) => {
    const { term } = await (await node.fetch("/v1/cluster")).json();
    return term as number;
  }));
  return Math.max(...terms);
}

/** Measures one window; with snapshots, every node takes one after the other for as long as it lasts. */
async function measure(
  cluster: ProcessCluster,
  options: Options,
  withSnapshots: boolean,
): Promise<Window> {
  const leader = await cluster.leader();
  const termBefore = await termOf(cluster);
  let over = false;
  const load = drive(leader, options).finally(() => over = true);
  const snapshotsMs: number[] = [];
  const takers = withSnapshots ? cluster.nodes : [];
  const taking = takers.map(async (node) => {
    while (!over) {
      snapshotsMs.push(await snapshot(node));
      const nextMs = performance.now() + options.rest * 1000;
      while (!over && performance.now() < nextMs) await pause(RETRY_MS);
    }
  });
  const expiring = withSnapshots && options.expiring > 0
    ? expireKeys(leader, options, () => over)
    : Promise.resolve();
  const [result] = await Promise.all([load, expiring, ...taking]);
  const terms = await termOf(cluster) - termBefore;
  return { ...result, snapshotsMs: withSnapshots ? snapshotsMs : null, terms };
}

/** Kills a follower and starts it again; gives the time until it is ready, in ms. */
async function restart(cluster: ProcessCluster, node: NodeProcess): Promise<number> {
  await node.end("SIGKILL");
  const startMs = performance.now();
  node.start();
  await cluster.ready(READY_MS_MAX);
  return performance.now() - startMs;
}

/** The memory of each node's process, as the system counts it. */
async function residentBytes(cluster: ProcessCluster): Promise<Record<string, number>> {
  const command = new Deno.Command("ps", { args: ["-ww", "-eo", "rss=,args="] });
  const { stdout } = await command.output();
  const lines = new TextDecoder().decode(stdout).split("\n");
  return Object.fromEntries(cluster.running.map(({ id, config }) => {
    const line = lines.find((line) => line.includes(`--allow-write=${config.data} `));
    if (line === undefined) throw new LoadError(`Cannot find the process of ${id}`);
    return [id, 1024 * parseInt(line, 10)];
  }));
}

async function run(cluster: ProcessCluster, options: Options): Promise<Measured> {
  const startMs = performance.now();
  await fill(await cluster.leader(), options);
  console.log(`${options.keys} keys written in ${seconds(performance.now() - startMs)}`);
  await Promise.all(cluster.nodes.map(snapshot));
  const rss = [{ when: "filled", bytes: await residentBytes(cluster) }];
  await drive(await cluster.leader(), { ...options, seconds: WARM_UP_SECONDS });
  const windows: Window[] = [];
  for (let pair = 0; pair < options.pairs; pair++) {
    // Not always the same first: what grows over the run must not look like the cost of snapshots.
    for (const withSnapshots of pair % 2 === 0 ? [false, true] : [true, false]) {
      const window = await measure(cluster, options, withSnapshots);
      windows.push(window);
      console.log(line(window));
    }
  }
  rss.push({ when: "after all windows", bytes: await residentBytes(cluster) });
  const leader = await cluster.leader();
  const follower = cluster.nodes.find((node) => node !== leader)!;
  await snapshot(follower);
  const restartsMs: number[] = [];
  for (let round = 0; round < options.restarts; round++) {
    restartsMs.push(await restart(cluster, follower));
  }
  rss.push({ when: `${follower.id} restarted`, bytes: await residentBytes(cluster) });
  return { windows, restartsMs, rss };
}

function line(window: Window): string {
  const { snapshotsMs, perSecond, p50Ms, p95Ms, p99Ms, maxMs, errors, terms } = window;
  const what = snapshotsMs === null
    ? "without"
    : `with ${String(snapshotsMs.length).padStart(2)} snapshots`;
  const columns = [p50Ms, p95Ms, p99Ms, maxMs].map((ms) => ms.toFixed(1).padStart(8)).join("");
  return `  ${what.padEnd(18)}${perSecond.toFixed(0).padStart(7)}/s${columns} ms` +
    (errors > 0 ? `, ${errors} failed` : "") + (terms > 0 ? `, ${terms} elections` : "");
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}

/** The middle of the windows with snapshots against the middle of those without. */
function summary(windows: readonly Window[], percentile: "p50Ms" | "p99Ms") {
  const [without, withSnapshots] = [false, true].map((taken) =>
    median(windows.filter((it) => (it.snapshotsMs !== null) === taken).map((it) => it[percentile]))
  );
  return { without, with: withSnapshots, added: withSnapshots - without };
}

async function main(): Promise<void> {
  const options = parse(Deno.args);
  await ProcessCluster.run(3, async (cluster) => {
    console.log("                     writes/s     p50     p95     p99     max");
    const measured = await run(cluster, options);
    const p50 = summary(measured.windows, "p50Ms");
    const p99 = summary(measured.windows, "p99Ms");
    const expiring = options.expiring > 0 ? " and expiring keys" : "";
    for (const [name, { without, with: beside, added }] of Object.entries({ p50, p99 })) {
      console.log(
        `${name}: ${without.toFixed(1)} ms without, ${
          beside.toFixed(1)
        } ms with snapshots${expiring}, ` +
          `${added.toFixed(1)} ms more (medians of ${options.pairs} windows each)`,
      );
    }
    const snapshotsMs = measured.windows.flatMap((it) => it.snapshotsMs ?? []);
    console.log(`a snapshot under load: median ${seconds(median(snapshotsMs))}`);
    const restarts = measured.restartsMs.map(seconds).join(", ");
    if (restarts !== "") console.log(`restart from a snapshot to ready: ${restarts}`);
    for (const { when, bytes } of measured.rss) {
      const list = Object.entries(bytes).map(([id, n]) => `${id} ${(n / 1e6).toFixed(0)} MB`);
      console.log(`memory (RSS), ${when}: ${list.join(", ")}`);
    }
    const terms = measured.windows.reduce((sum, it) => sum + it.terms, 0);
    const loadS = measured.windows.length * options.seconds;
    console.log(`elections in ${loadS} s of load: ${terms === 0 ? "none" : terms}`);
    if (terms > 0) Deno.exitCode = 1;
    if (options.json) console.log(JSON.stringify({ options, p50, p99, ...measured }));
  }, { entriesMax: NEVER, bytesMax: NEVER * 1000, tailEntries: null });
}

try {
  await main();
} catch (error) {
  Deno.exit(exitCodeFor(error));
}
