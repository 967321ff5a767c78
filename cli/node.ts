/**
 * `deno task node`: one node, for clusters on many machines.
 *
 * Resolves the configuration, derives the node's permissions from it and runs main.ts as a child
 * with exactly these: a task's permissions are fixed text and cannot depend on its arguments. Which hosts
 * a node that joins must reach only the cluster can say, so that is asked here.
 *
 * @module
 */
import { lookup } from "node:dns/promises";
import { isIP } from "node:net";
import { UsageError } from "./args.ts";
import { ConfigError, type NodeConfig, resolveNodeConfig } from "./config.ts";
import { EXIT_FAILED, EXIT_OK, EXIT_USAGE } from "./exit_codes.ts";
import { askTarget, requireCluster, type Target } from "./join.ts";
import { CallFailed, ClusterClient } from "./kvctl/client.ts";
import { JOIN_GLANCE_MS, JOIN_WAIT_MS } from "./limits.ts";
import { hasLog, memberHosts, readMembersFile } from "./members_file.ts";
import { NODE_ENTRY, nodeCommand } from "./node_command.ts";
import { signalChild, watchStopSignals } from "./signals.ts";

const help = `Runs one Kvorum node.

Usage: deno task node --id n1 --port 8001 --peer-port 9001 --data DIR [flags]

  --id ID            this node's name: 1 to 64 letters, digits, dots, dashes, underscores
  --port PORT        serves clients (HTTP) here
  --peer-port PORT   listens for the other nodes here
  --data DIR         keeps this node's data here
  --host HOST        the address that both ports listen on (127.0.0.1)
  --cluster-id UUID  the cluster's identity; the same at every member

A node that founds a cluster:
  --peers LIST       the members that found it, this node included:
                     n1=host:9001@http://host:8001,n2=host:9001@http://host:8001
                     without it (and without --join) this node founds a cluster of one

A node that joins a running cluster, with an empty DIR. Once it has data, that says who the members are:
  --join URL[,URL…]  nodes of the cluster; they are tried in turn
  --role ROLE        voter (the default; a learner until it has caught up) or learner (for good)
  --replaces ID      the voter whose place it takes, in one step

  --advertise-url URL         where clients reach this node (http://HOST:PORT)
  --advertise-peer HOST:PORT  where the other nodes do (HOST:PEER-PORT)
  --peer-hosts LIST           hosts that this node may connect to beside those of the members at its
                              start: names, addresses, 10.0.0.0/8, *.example.com
  --transport NAME            how nodes reach each other, the same at all of them: tcp (the default); http,
                              where nothing else passes; or udp, which reaches the addresses that the
                              members' names had at the start
  --snapshot-entries N        takes a snapshot after N entries of its log (250000),
  --snapshot-bytes N          or N bytes of it (64 MiB, or the last snapshot's size if that is more),
  --log-tail-entries N        and keeps N entries in the log behind one for slow followers (10000)
  --config FILE               a JSON object with any of: id, port, peerPort, data, host, clusterId,
                              peers, join, role, replaces, advertiseUrl, advertisePeer, peerHosts,
                              transport, snapshotEntries, snapshotBytes, logTailEntries
  --help                      shows this

Each flag has a variable: --peer-port KVORUM_PEER_PORT, --config KVORUM_CONFIG, and so on. Flags win
over variables, these over the file.

SIGTERM or Ctrl-C hands leadership over, finishes what was taken and stops; a second one kills.
Exit codes: 0 stopped, 1 failed, 2 bad configuration, 3 another process took over the data.`;

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** What the node must know of the cluster before it starts. */
interface Company {
  readonly clusterId: string | null;
  /** Of the members. */
  readonly hosts: readonly string[];
}

/**
 * Finds out who the members are: from what the node knew last, and from the cluster that it joins.
 *
 * @throws {CallFailed} if that cannot be reached and there are no data to go on with.
 * @throws {JoinRefused} if it is another cluster than the one that was meant.
 */
async function findCompany(config: NodeConfig): Promise<Company> {
  const known = readMembersFile(config.data);
  const company = {
    clusterId: config.clusterId,
    hosts: known === null ? [] : memberHosts([...known.members, ...known.founders]),
  };
  if (config.joining === null) return company;
  const isRestart = hasLog(config.data);
  let target: Target;
  try {
    const timeoutMs = isRestart ? JOIN_GLANCE_MS : JOIN_WAIT_MS;
    target = await askTarget(new ClusterClient(config.joining.urls, timeoutMs));
  } catch (error) {
    if (!(error instanceof CallFailed) || !isRestart) throw error;
    console.error(`node: cannot ask who the members are, going on without: ${error.message}`);
    return company;
  }
  requireCluster(target, config.clusterId);
  return {
    clusterId: target.clusterId,
    hosts: [...new Set([...company.hosts, ...memberHosts(target.members)])],
  };
}

/** Whom the node may connect to beside those that its configuration names. */
async function hostsOf(config: NodeConfig, { hosts }: Company): Promise<readonly string[]> {
  if (config.transport !== "udp") return hosts;
  const names = [...hosts, ...config.peers.map(({ peerHost }) => peerHost)];
  return [...hosts, ...await addressesOf(names)];
}

/** What datagrams are sent to is an address, so the permission must name that, beside the name. */
async function addressesOf(hosts: readonly string[]): Promise<string[]> {
  const found = await Promise.allSettled(
    hosts.filter((host) => isIP(host) === 0).map((host) => lookup(host, { all: true })),
  );
  // Who is not known now is not reached; the node says so, and --peer-hosts helps.
  return found.flatMap((it) =>
    it.status === "fulfilled" ? it.value.map(({ address }) => address) : []
  );
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
  let company: Company;
  try {
    company = await findCompany(config);
  } catch (error) {
    if (!(error instanceof CallFailed || error instanceof UsageError)) throw error;
    console.error(`node: ${error.message}`);
    return error instanceof UsageError ? EXIT_USAGE : EXIT_FAILED;
  }
  const hosts = await hostsOf(config, company);
  const child = nodeCommand({ ...config, ...company }, entry, "inherit", hosts).spawn();
  let wasAsked = false;
  const unwatch = watchStopSignals(
    () => {
      wasAsked = true;
      signalChild(child, "SIGTERM");
    },
    () => signalChild(child, "SIGKILL"),
  );
  try {
    return (await child.status).code;
  } finally {
    // Who asked may do so once more just now: by default that would end this process with another exit code.
    if (!wasAsked) unwatch();
    await child.stdin.close().catch(() => {});
  }
}

if (import.meta.main) Deno.exit(await runNode(Deno.args));
