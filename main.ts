/**
 * The entry of a node: reads the configuration, wires the rooms together, serves, and ends cleanly.
 * Beside cli/ the only reader of arguments and environment.
 *
 * Exit codes (cli/exit_codes.ts): 0 after a clean stop, 2 for a configuration that cannot work, 3 when
 * another process has taken over the data directory, 1 for everything else.
 *
 * @module
 */
import { type Node, type NodeEvent, startNode } from "./actors/node.ts";
import { systemEnv } from "./actors/env.ts";
import { isUnreadable, whyFailed } from "./actors/halt.ts";
import type { Env } from "./actors/types.ts";
import type { SnapshotLimits } from "./actors/limits_replica.ts";
import { UsageError } from "./cli/args.ts";
import { type NodeConfig, resolveNodeConfig, type SnapshotSettings } from "./cli/config.ts";
import { Doors } from "./cli/doors.ts";
import { EXIT_FAILED, EXIT_FENCED, EXIT_OK, EXIT_USAGE } from "./cli/exit_codes.ts";
import { askTarget } from "./cli/join.ts";
import { CallFailed, ClusterClient } from "./cli/kvctl/client.ts";
import { SEEDS_REFRESH_MS } from "./cli/limits.ts";
import { LogOnce } from "./cli/log_once.ts";
import { type Member, writeMembersFile } from "./cli/members_file.ts";
import { prepareStart, type Start } from "./cli/node_start.ts";
import { pause } from "./cli/pause.ts";
import { Unreached } from "./cli/unreached.ts";
import {
  type Configuration,
  GROUP_DEFAULT,
  InvariantError,
  type NodeAddress,
  nodeId,
} from "./raft/types.ts";
import { createApp } from "./routes/app.ts";
import { Bodies } from "./routes/bodies.ts";
import { isStreamed } from "./routes/reply.ts";
import { refuseVolatileKv } from "./storage/disk.ts";
import { openKvLogStore } from "./storage/kv_log_store.ts";
import { Fenced, type LogStore, WrongIdentity } from "./storage/types.ts";
import type { TransportEvent } from "./transport/events.ts";
import { HttpServer } from "./transport/http/server.ts";
import { transportKinds } from "./transport/kinds.ts";
import { sentenceOf } from "./transport/sentences.ts";
import type { Transport } from "./transport/types.ts";

/** How long a stopping node goes on with the requests that it has taken. */
const DRAIN_MS = 5000;

/**
 * What may lie between a node and its clock, disk and network. Nothing does, in the program that is here,
 * and no setting changes that: tests run the same node with faults in between
 * (tests/chaos/faulty_node.ts).
 */
export interface Between {
  readonly env: (env: Env) => Env;
  readonly log: (log: LogStore) => LogStore;
  readonly transport: (transport: Transport, env: Env) => Transport;
  /** Takes what comes on standard input, whose end stops the node. */
  readonly input: (bytes: Uint8Array) => void;
}

const NOTHING_BETWEEN: Between = {
  env: (env) => env,
  log: (log) => log,
  transport: (transport) => transport,
  input: () => {},
};

type Level = "info" | "warn" | "error";

/** One line an event on standard error: time, level, sentence. */
function log(level: Level, text: string): void {
  console.error(`${new Date().toISOString()} ${level.padEnd(5)} ${text}`);
}

function start(
  config: NodeConfig,
  { clusterId, founders, seeds }: Start,
  between: Between,
): Node {
  const env = between.env(systemEnv());
  const id = nodeId(config.id);
  const note = new MembersNote(config.data, clusterId, founders);
  return startNode({
    id,
    clusterId,
    founders: founders.map(nodeAddress),
    seeds: seeds.map(nodeAddress),
    env,
    openLog: () =>
      between.log(openKvLogStore({
        directory: config.data,
        group: GROUP_DEFAULT,
        identity: { clusterId, nodeId: config.id },
      })),
    snapshots: snapshotLimits(config.snapshots),
    openTransport: (life) => {
      const listen = { hostname: config.host, port: config.peerPort };
      const transport = transportKinds[config.transport].create({
        ...life,
        self: id,
        clusterId,
        listen,
        env,
      });
      return between.transport(transport, env);
    },
    onEvent: (event) => {
      logNode(event);
      if (event.type === "configuration") note.take(event.configuration);
    },
  });
}

/** What is not set is left to the node. */
function snapshotLimits(
  { entriesMax, bytesMax, tailEntries }: SnapshotSettings,
): Partial<SnapshotLimits> {
  return {
    ...(entriesMax === null ? {} : { entriesMax }),
    ...(bytesMax === null ? {} : { bytesMax }),
    ...(tailEntries === null ? {} : { tailEntries }),
  };
}

/** Tells, and notes for the next start, who the members are. */
class MembersNote {
  readonly #directory: string;
  readonly #clusterId: string;
  readonly #founders: readonly Member[];
  #told = "";

  /** @param founders none if the node joined. */
  constructor(directory: string, clusterId: string, founders: readonly Member[]) {
    this.#directory = directory;
    this.#clusterId = clusterId;
    this.#founders = founders;
  }

  take({ voters, votersOutgoing, learners, promoting, addresses }: Configuration): void {
    const parts = [
      ["voters", voters],
      ["leaving", votersOutgoing.filter((id) => !voters.includes(id))],
      ["joining", promoting.map(({ id }) => id)],
      ["learners", learners.filter((id) => !promoting.some((it) => it.id === id))],
    ] as const;
    const text = parts.flatMap(([what, ids]) => ids.length > 0 ? `${what} ${ids}` : []).join("; ");
    // A configuration is told when it is appended and when it is committed, and there may be none yet.
    if (text === "" || text === this.#told) return;
    this.#told = text;
    log("info", `the members: ${text}`);
    const [clusterId, founders] = [this.#clusterId, this.#founders];
    const joined = founders.length === 0;
    try {
      writeMembersFile(this.#directory, { clusterId, joined, founders, members: addresses });
    } catch (error) {
      // The log has them, too: a disk that is full must not end the node here.
      log("warn", `cannot note the members in ${this.#directory}: ${describe(error)}`);
    }
  }
}

function nodeAddress({ id, url, peer }: Member): NodeAddress {
  return { id: nodeId(id), url, peer };
}

function logNode(event: NodeEvent): void {
  switch (event.type) {
    case "opened":
      log("info", `the log is open, boot ${event.boot}`);
      if (event.damage !== null) {
        log("error", `the log is damaged: ${event.damage}`);
        log("warn", "this node neither votes nor acknowledges until the others have repaired it");
      }
      return;
    case "role":
      log("info", `${event.role} in term ${event.term}, leader ${event.leader ?? "unknown"}`);
      return;
    case "repaired":
      log("info", "the log holds again all that this node had acknowledged");
      return;
    case "fault":
      log("error", `the replica failed (${event.directive}): ${describe(event.error)}`);
      return;
    case "halted":
      log("error", `HALTED, nothing is served here: ${event.why}`);
      return;
    case "ended":
      log("error", `the node serves no more: ${describe(event.error)}`);
      if (isUnreadable(event.error)) log("error", whyFailed(event.error));
      return;
    case "transport":
      return logTransport(event.event);
    case "quarantined":
      log("error", `this replica's data is set aside, and fetched anew: ${event.reason}`);
      return;
    case "disk":
      if (event.full) log("error", "the disk is full: deletes are taken, and no other writes");
      else log("info", "the disk has room again");
      return;
    case "diverged": {
      const reports = event.reports.map(({ id, hash }) => `${id} ${hash}`).join(", ");
      const agreed = event.agreed ?? "no majority agrees";
      log("error", `REPLICAS DIFFER at index ${event.index}: ${reports}; ${agreed}`);
      return;
    }
    case "snapshot-taken":
    case "snapshot-failed":
    case "snapshot-corrupt":
    case "snapshot-receiving":
    case "snapshot-installed":
    case "snapshot-refused":
      return logSnapshot(event);
    case "configuration": // MembersNote tells it.
    case "runtime":
      return;
  }
}

function logSnapshot(event: Extract<NodeEvent, { type: `snapshot-${string}` }>): void {
  const at = `a snapshot at index ${event.index}`;
  switch (event.type) {
    case "snapshot-taken": {
      const { bytes, tookMs, baseIndex } = event;
      const text = `${bytes} bytes in ${Math.round(tookMs)} ms; the log begins at ${baseIndex + 1}`;
      return log("info", `took ${at}: ${text}`);
    }
    case "snapshot-failed":
      return log("warn", `cannot write ${at}: ${describe(event.error)}`);
    case "snapshot-corrupt":
      return log("error", `${at} does not read back: ${describe(event.error)}`);
    case "snapshot-receiving": {
      const { from, received, chunks } = event;
      return log("info", `receiving ${at} from ${from}: ${received} of ${chunks} chunks are here`);
    }
    case "snapshot-installed":
      return log("info", `installed ${at}, from ${event.from}`);
    case "snapshot-refused":
      return log("warn", `refused ${at}, from ${event.from}: ${describe(event.error)}`);
  }
}

/** Who is refused, or does not answer, is tried again for as long as the node runs. */
const refusals = new LogOnce(() => performance.now());
const unreached = new Unreached(() => performance.now());

/** What an operator must know of the peers. */
function logTransport(event: TransportEvent): void {
  if (event.type === "refused") {
    // Whoever does not say who it is comes from another port each time.
    const from = event.peer ?? event.remote.replace(/:\d+$/, "");
    if (!refusals.isDue(from, event.byPeer, event.reason)) return;
  }
  if (event.type === "unreachable" && !unreached.isDue(event.peer)) return;
  if (event.type === "connected" && event.direction === "outgoing") unreached.reached(event.peer);
  const sentence = sentenceOf(event);
  if (sentence !== null) log(sentence.level, sentence.text);
}

function describe(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
}

/** Resolves with what asked the process to stop. */
function stopRequested(config: NodeConfig, between: Between): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    let seen = false;
    Deno.addSignalListener(signal, () => {
      if (seen) Deno.exit(EXIT_FAILED); // Asked twice: somebody does not want to wait.
      seen = true;
      resolve(signal);
    });
  }
  if (config.exitWithParent) {
    void Deno.stdin.readable.pipeTo(new WritableStream({ write: between.input }))
      .finally(() => resolve("the end of the parent process"));
  }
  return promise;
}

async function run(between: Between): Promise<number> {
  const config = resolveNodeConfig(Deno.args, Deno.env.get, Deno.readTextFileSync);
  refuseVolatileKv(Deno.env.get("DENO_KV_DB_MODE"));
  // Before the data is opened, which fences off whoever may be serving it well.
  transportKinds.tcp.checkAddress({ hostname: config.host, port: config.port });
  transportKinds[config.transport].checkAddress({
    hostname: config.host,
    port: config.peerPort,
  });
  const stop = stopRequested(config, between);
  const stopped = new AbortController();
  void stop.then(() => stopped.abort());
  const prepared = await prepareStart(config, (text) => log("info", text), stopped.signal);
  if (prepared === null) return EXIT_OK;
  const node = start(config, prepared, between);
  void followSeeds(config, node, stopped.signal);
  const { doors, server } = serve(config, node);
  const { hostname, port } = server.addr;
  log("info", `${config.id} listens on http://${hostname}:${port}, cluster ${prepared.clusterId}`);
  const code = await Promise.race([
    stop.then(async (why) => {
      log("info", `stopping: ${why}`);
      doors.sendAway();
      await node.retire();
      await doors.quiet();
      return EXIT_OK;
    }),
    node.ended.then(exitCodeOf),
  ]);
  const endMs = performance.now() + DRAIN_MS;
  await doors.close(server, DRAIN_MS);
  node.drain();
  await node.stop(Math.max(0, endMs - performance.now()));
  return code;
}

/** Opens the doors to clients. */
function serve(config: NodeConfig, node: Node): { doors: Doors; server: HttpServer } {
  const bodies = new Bodies();
  const app = createApp({
    service: node.service,
    cluster: node.service,
    log: (text) => log("error", text),
    bodies,
  });
  const doors = new Doors();
  const server = new HttpServer({
    hostname: config.host,
    port: config.port,
    handle: (request) => {
      doors.asked();
      return app.fetch(request);
    },
    onAnswer: (response) => doors.answering(response),
    isStreamed,
    onSweep: (nowMs) => bodies.sweep(nowMs),
    log: (text) => log("error", text),
    clock: systemEnv(),
  });
  return { doors, server };
}

/**
 * While this node joins, members come and go that no log of its own tells of yet: whoever leads by now must
 * be among its peers to be answered.
 */
async function followSeeds(config: NodeConfig, node: Node, signal: AbortSignal): Promise<void> {
  if (config.joining === null) return;
  const client = new ClusterClient(config.joining.urls, SEEDS_REFRESH_MS);
  const isMember = () => node.service.status().members.some(({ id }) => id === config.id);
  while (!signal.aborted && !isMember()) {
    try {
      const { members } = await askTarget(client);
      node.reseed(members.map((member) => ({ ...member, id: nodeId(member.id) })));
    } catch (error) {
      if (!(error instanceof CallFailed)) throw error;
    }
    await pause(SEEDS_REFRESH_MS, signal);
  }
}

/** Ends the process where another one could do better; where none could, stays to say why. */
function exitCodeOf(error: unknown): number | Promise<number> {
  if (error instanceof Fenced) return EXIT_FENCED;
  if (error instanceof WrongIdentity) return EXIT_USAGE;
  // What the next process would find as this one did: a crash loop would only hide the reason.
  if (isUnreadable(error) || error instanceof InvariantError) return new Promise(() => {});
  return EXIT_FAILED;
}

/** Runs the node that the command line tells of, and ends the process with it. */
export async function main(between: Between = NOTHING_BETWEEN): Promise<never> {
  try {
    return Deno.exit(await run(between));
  } catch (error) {
    log("error", describe(error));
    return Deno.exit(error instanceof UsageError ? EXIT_USAGE : EXIT_FAILED);
  }
}

if (import.meta.main) await main();
