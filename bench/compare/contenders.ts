/**
 * The contenders: what each of them is, and one measurement of it. Servers are driven with wrk, all with
 * the same script and settings; the local file has no server, and a program of its own writes to it.
 *
 * Not here: their order (compare/workloads.ts) and what the figures mean (compare/results.ts).
 *
 * @module
 */
import { LoadError, type Measured } from "../load_types.ts";
import { runWrk } from "../wrk.ts";
import type { WrkLoad } from "../wrk_line.ts";
import type { ProcessCluster } from "../../tests/cluster/harness.ts";
import type { CeilingCluster } from "./ceiling_cluster.ts";
import type { EtcdCluster } from "./etcd_cluster.ts";
import { type ContenderName, KEYS, VALUE_BYTES, type Workload } from "./workloads.ts";

/** Before each measurement, the same load for so long: caches, connections and compilers warm up. */
export const WARM_UP_SECONDS = 1;
const FILL_CONNECTIONS = 64;
/** A fill that has not reached every key is tried again with twice the time, up to this. */
const FILL_SECONDS_MAX = 64;

export interface Outcome extends Measured {
  readonly leaderChanged: boolean;
}

export interface Contender {
  readonly name: ContenderName;
  /** Writes all keys, so that no read finds nothing, and warms the contender up for the first time. */
  fill(signal: AbortSignal): Promise<void>;
  /** Puts the workload on it, first for {@linkcode WARM_UP_SECONDS}, then for `seconds`. */
  measure(workload: Workload, seconds: number, signal: AbortSignal): Promise<Outcome>;
}

/** Where a server takes requests. */
interface Place {
  /** The origin of the node that leads now. */
  leader(): Promise<string>;
  /** The origins of all nodes. */
  readonly nodes: readonly string[];
}

class Server implements Contender {
  readonly name: ContenderName;
  readonly #dialect: WrkLoad["dialect"];
  readonly #place: Place;

  constructor(name: ContenderName, dialect: WrkLoad["dialect"], place: Place) {
    this.name = name;
    this.#dialect = dialect;
    this.#place = place;
  }

  async fill(signal: AbortSignal): Promise<void> {
    const load = { mode: "put", connections: FILL_CONNECTIONS, spread: false } as const;
    let requests = 0;
    for (let seconds = 2; requests < KEYS + FILL_CONNECTIONS; seconds *= 2) {
      if (seconds > FILL_SECONDS_MAX) {
        throw new LoadError(
          `Cannot fill ${this.name}: ${requests} of ${KEYS} keys written in time`,
        );
      }
      const measured = await this.#drive(await this.#place.leader(), load, seconds, signal);
      requests = measured.requests - measured.errors;
    }
  }

  async measure(workload: Workload, seconds: number, signal: AbortSignal): Promise<Outcome> {
    await this.#drive(await this.#place.leader(), workload, WARM_UP_SECONDS, signal);
    const leader = await this.#place.leader();
    const measured = await this.#drive(leader, workload, seconds, signal);
    return { ...measured, leaderChanged: await this.#place.leader() !== leader };
  }

  async #drive(
    target: string,
    { mode, connections, spread }: Pick<Workload, "mode" | "connections" | "spread">,
    seconds: number,
    signal: AbortSignal,
  ): Promise<Measured> {
    const spreadOver = spread ? this.#place.nodes : [];
    const settings = { mode, connections, seconds, valueBytes: VALUE_BYTES, keys: KEYS };
    const load = { ...settings, target, spreadOver, dialect: this.#dialect };
    const measured = await runWrk(load, signal);
    if (measured === null) throw new LoadError("Cannot find wrk any more");
    return measured;
  }
}

/** Kvorum, of any number of nodes. */
export function kvorumContender(name: "kvorum" | "single", cluster: ProcessCluster): Contender {
  return new Server(name, "kvorum", {
    leader: async () => (await cluster.leader()).url,
    nodes: cluster.nodes.map(({ url }) => url),
  });
}

export function etcdContender(cluster: EtcdCluster): Contender {
  return new Server("etcd", "etcd", {
    leader: async () => (await cluster.leader()).origin,
    nodes: cluster.nodes.map(({ origin }) => origin),
  });
}

/** It speaks Kvorum's dialect, as far as writes go. */
export function ceilingContender(cluster: CeilingCluster): Contender {
  return new Server("ceiling", "kvorum", {
    leader: () => Promise.resolve(cluster.origin),
    nodes: [cluster.origin],
  });
}

/** A local Deno KV file in `directory`, written by a process that is started for each measurement. */
export function fileContender(directory: string): Contender {
  return {
    name: "file",
    fill: () => Promise.resolve(),
    measure: async ({ connections }, seconds, signal) => {
      const measured = await writeFile(directory, connections, seconds, signal);
      return { ...measured, leaderChanged: false };
    },
  };
}

async function writeFile(
  directory: string,
  writers: number,
  seconds: number,
  signal: AbortSignal,
): Promise<Measured> {
  const command = new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--no-prompt",
      `--allow-read=${directory}`,
      `--allow-write=${directory}`,
      new URL("../file_writers.ts", import.meta.url).href,
      `--data=${directory}`,
      `--writers=${writers}`,
      `--warm-up-seconds=${WARM_UP_SECONDS}`,
      `--seconds=${seconds}`,
      `--value-bytes=${VALUE_BYTES}`,
      `--keys=${KEYS}`,
    ],
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
    signal,
  });
  const { success, stdout, stderr } = await command.output();
  signal.throwIfAborted();
  if (!success) {
    throw new LoadError(`Cannot measure the local file: ${new TextDecoder().decode(stderr)}`);
  }
  return JSON.parse(new TextDecoder().decode(stdout));
}
