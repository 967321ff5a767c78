/**
 * `deno task node`: one node, for clusters on many machines.
 *
 * Resolves the configuration, derives the node's permissions from it and runs main.ts as a child
 * with exactly these: a task's permissions are fixed text and cannot depend on its arguments.
 *
 * @module
 */
import { ConfigError, type NodeConfig, resolveNodeConfig } from "./config.ts";
import { EXIT_OK, EXIT_USAGE } from "./exit_codes.ts";
import { NODE_ENTRY, nodeCommand } from "./node_command.ts";
import { signalChild, watchStopSignals } from "./signals.ts";

const help = `Runs one Kvorum node.

Usage: deno task node --id n1 --port 8001 --peer-port 9001 --data DIR [flags]

  --id ID            this node's name: 1 to 64 letters, digits, dots, dashes, underscores
  --port PORT        serves clients (HTTP) here
  --peer-port PORT   listens for the other nodes here
  --data DIR         keeps this node's data here
  --host HOST        the address that both ports listen on (127.0.0.1)
  --peers LIST       the members that found the cluster, this node included:
                     n1=host:9001@http://host:8001,n2=host:9001@http://host:8001
                     without it this node founds a cluster of one
  --cluster-id UUID  the cluster's identity; the same at every member
  --config FILE      a JSON object with any of: id, port, peerPort, data, host, peers, clusterId
  --help             shows this

Each flag has a variable: KVORUM_ID, KVORUM_PORT, KVORUM_PEER_PORT, KVORUM_DATA, KVORUM_HOST,
KVORUM_PEERS, KVORUM_CLUSTER_ID, KVORUM_CONFIG. Flags win over variables, these over the file.

SIGTERM or Ctrl-C lets the node finish what it has taken and stops it; a second one kills it.
Exit codes: 0 stopped, 1 failed, 2 bad configuration, 3 another process took over the data.`;

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/**
 * Runs one node until it ends.
 *
 * @returns the exit code: the node's own, or 128 and the number of the signal that killed it.
 */
export async function runNode(args: readonly string[], entry: URL = NODE_ENTRY): Promise<number> {
  if (args.includes("--help")) {
    console.log(help);
    return EXIT_OK;
  }
  let config: NodeConfig;
  try {
    config = resolveNodeConfig(args, (name) => Deno.env.get(name), Deno.readTextFileSync);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    for (const problem of error.problems) console.error(`node: ${problem}`);
    console.error("node: see --help");
    return EXIT_USAGE;
  }
  try {
    // The node itself may write into its directory only, and so could not make it.
    Deno.mkdirSync(config.data, { recursive: true });
  } catch (error) {
    console.error(`node: cannot make the directory ${config.data}: ${messageOf(error)}`);
    return EXIT_USAGE;
  }
  const child = nodeCommand(config, entry, "inherit").spawn();
  const unwatch = watchStopSignals(
    () => signalChild(child, "SIGTERM"),
    () => signalChild(child, "SIGKILL"),
  );
  try {
    return (await child.status).code;
  } finally {
    unwatch();
    await child.stdin.close().catch(() => {});
  }
}

if (import.meta.main) Deno.exit(await runNode(Deno.args));
