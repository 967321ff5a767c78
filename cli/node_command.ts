/**
 * The command that runs one node as a process of its own, with no more permissions than it needs.
 *
 * Not here: what a node does (main.ts), when it is started again (cli/cluster/node_process.ts).
 *
 * @module
 */
import { CONFIG_FILE_VARIABLE, type NodeConfig, nodeFlags } from "./config.ts";
import { bracketed, hostAndPort } from "./peers.ts";
import { settings } from "./settings.ts";

/** The node program: what `entry` is unless a test brings another. */
export const NODE_ENTRY = new URL("../main.ts", import.meta.url);

/**
 * The permissions of a node, as flags of `deno run`: to listen on its own two ports, to reach the hosts
 * of the members that are known (on any port: members come and go), to use its own directory, and to
 * see its own variables. Modules that are imported statically need none.
 *
 * @param memberHosts those of the running cluster's members, for a node that joins it.
 */
export function nodePermissions(config: NodeConfig, memberHosts: readonly string[] = []): string[] {
  // Its own host too: nodes on the same machine may join the cluster that it is in.
  const hosts = new Set([...config.peers, config.self].map((peer) => bracketed(peer.peerHost)));
  for (const host of [...memberHosts, ...config.peerHosts]) hosts.add(bracketed(host));
  const ports = [config.port, config.peerPort].map((port) => hostAndPort(config.host, port))
    .concat(config.joining?.urls.map(hostAndPortOf) ?? [])
    .filter((address) => !hosts.has(address.slice(0, address.lastIndexOf(":"))));
  return [
    "--no-prompt",
    `--allow-net=${[...hosts, ...new Set(ports)].join(",")}`,
    `--allow-read=${config.data}`,
    `--allow-write=${config.data}`,
    // The second makes every Deno KV volatile; a node reads it in order to refuse it.
    "--allow-env=KVORUM_*,DENO_KV_DB_MODE",
  ];
}

function hostAndPortOf(origin: string): string {
  const { hostname, port, protocol } = new URL(origin);
  return `${hostname}:${port || (protocol === "https:" ? 443 : 80)}`;
}

/**
 * The command that runs `config`'s node. Its standard input is a pipe: the node stops once that
 * ends, so the caller must hold it open for as long as the node is to live.
 */
export function nodeCommand(
  config: NodeConfig,
  entry: URL,
  output: "inherit" | "piped",
  memberHosts: readonly string[] = [],
): Deno.Command {
  const node = { ...config, exitWithParent: true };
  return new Deno.Command(Deno.execPath(), {
    args: ["run", ...nodePermissions(node, memberHosts), entry.href, ...nodeFlags(node)],
    stdin: "piped",
    stdout: output,
    stderr: output,
    env: nodeEnvironment(),
  });
}

/** What a node's environment has that differs from the one around it. */
export function nodeEnvironment(): Record<string, string> {
  return {
    // Everything is in the flags by now: a variable could only add what was not asked for, and the
    // node may not read the file. Empty is unset.
    ...Object.fromEntries(Object.values(settings).map(({ variable }) => [variable, ""])),
    [CONFIG_FILE_VARIABLE]: "",
    // A node talks to its peers and to nobody else.
    DENO_NO_UPDATE_CHECK: "1",
  };
}
