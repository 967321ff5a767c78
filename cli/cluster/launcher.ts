/**
 * `deno task cluster`: starts the nodes, says when they serve, keeps them running, stops them.
 *
 * It takes no part in the cluster: the nodes need it for nothing but being started again.
 *
 * @module
 */
import { UsageError } from "../args.ts";
import { EXIT_FAILED, EXIT_OK, EXIT_USAGE } from "../exit_codes.ts";
import { DRAIN_MS } from "../limits.ts";
import { NODE_ENTRY } from "../node_command.ts";
import { pause } from "../pause.ts";
import { watchStopSignals } from "../signals.ts";
import { formatTable } from "../table.ts";
import { DataDirectory, requireOurs } from "./data_directory.ts";
import { type Launch, NodeProcess } from "./node_process.ts";
import {
  clusterHelp,
  clusterMembers,
  type ClusterOptions,
  clusterPorts,
  readClusterOptions,
  requireFreePorts,
} from "./options.ts";
import { Output } from "./output.ts";
import { announceReady } from "./readiness.ts";

/** A terminal that takes nothing is waited for so long at the end. */
const FLUSH_MS = 1000;

/**
 * Runs a cluster until it is stopped.
 *
 * @param entry the node program; tests bring a stand-in.
 * @returns the exit code.
 */
export async function runCluster(
  args: readonly string[],
  entry: URL = NODE_ENTRY,
): Promise<number> {
  const output = new Output(Deno.stdout);
  try {
    if (args.includes("--help")) {
      output.say(clusterHelp);
      return EXIT_OK;
    }
    const options = readClusterOptions(args);
    requireOurs(options.data, options, options.fresh);
    requireFreePorts(clusterPorts(options));
    using directory = DataDirectory.open(options.data);
    const clusterId = directory.identify(options, options.fresh);
    return await supervise(options, clusterId, { entry, restart: options.restart, output });
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    for (const problem of error.problems) console.error(`cluster: ${problem}`);
    return EXIT_USAGE;
  } finally {
    const late = new AbortController();
    await Promise.race([output.flushed(), pause(FLUSH_MS, late.signal)]);
    late.abort();
  }
}

/** Starts all nodes and stays until they are down for good. */
async function supervise(
  options: ClusterOptions,
  clusterId: string,
  launch: Launch,
): Promise<number> {
  const { output } = launch;
  const over = new AbortController();
  let nodes: NodeProcess[] = [];
  let stopping: Promise<void> | null = null;
  let killed = false;
  const unwatch = watchStopSignals(
    () => {
      output.say("stopping the nodes");
      over.abort();
      stopping = stopAll(nodes, output);
    },
    () => {
      killed = true;
      for (const node of nodes) node.stop("SIGKILL");
    },
  );
  try {
    nodes = clusterMembers(options, clusterId).map((config, i) =>
      new NodeProcess(config, config.peers[i].url, launch)
    );
    output.say(
      formatTable([
        ["node", "url", "process id"],
        ...nodes.map((node) => [node.id, node.url, String(node.pid)]),
      ]),
    );
    output.say(`launcher: process id ${Deno.pid}; Ctrl-C, or SIGTERM to it, stops all nodes`);
    const announced = announceReady(nodes, over.signal, (text) => output.say(text));
    await Promise.all(nodes.map((node) => node.ended));
    over.abort();
    await announced;
    if (stopping === null) {
      output.say("no node is left running");
      return EXIT_FAILED;
    }
    await stopping;
    output.say(killed ? "all nodes killed" : "all nodes stopped");
    return killed ? EXIT_FAILED : EXIT_OK;
  } finally {
    // A copy of the request to stop may still be on its way (SIGNAL_MERGE_MS): by default it would end
    // the process as killed, just before it says that all went well.
    if (stopping === null) unwatch();
  }
}

/** Lets all nodes finish what they have taken; kills those that do not within the time for it. */
async function stopAll(nodes: readonly NodeProcess[], output: Output): Promise<void> {
  const allEnded = new AbortController();
  const running = new Set(nodes);
  for (const node of nodes) {
    node.stop("SIGTERM");
    node.ended.then(() => {
      running.delete(node);
      if (running.size === 0) allEnded.abort();
    });
  }
  await pause(DRAIN_MS, allEnded.signal);
  for (const node of running) {
    output.say(`${node.id} did not stop within ${DRAIN_MS} ms: killing it`);
    node.stop("SIGKILL");
  }
}
