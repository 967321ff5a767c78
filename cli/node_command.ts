/**
 * The command that runs one node as a process of its own, with no more permissions than it needs.
 *
 * Not here: what a node does (main.ts), when it is started again (cli/cluster/node_process.ts).
 *
 * @module
 */
import { CONFIG_FILE_VARIABLE, type NodeConfig, nodeFlags } from "./config.ts";
import { hostAndPort } from "./peers.ts";

/** The node program: what `entry` is unless a test brings another. */
export const NODE_ENTRY = new URL("../main.ts", import.meta.url);

/**
 * The permissions of a node, as flags of `deno run`: to listen on its own two ports, to reach the
 * peer ports of the other members, to use its own directory, and to see its own variables. Modules
 * that are imported statically need none.
 */
export function nodePermissions(config: NodeConfig): string[] {
  const addresses = new Set([
    hostAndPort(config.host, config.port),
    hostAndPort(config.host, config.peerPort),
  ]);
  for (const peer of config.peers) {
    if (peer.id !== config.id) addresses.add(hostAndPort(peer.peerHost, peer.peerPort));
  }
  return [
    "--no-prompt",
    `--allow-net=${[...addresses].join(",")}`,
    `--allow-read=${config.data}`,
    `--allow-write=${config.data}`,
    // The second makes every Deno KV volatile; a node reads it in order to refuse it.
    "--allow-env=KVORUM_*,DENO_KV_DB_MODE",
  ];
}

/**
 * The command that runs `config`'s node. Its standard input is a pipe: the node stops once that
 * ends, so the caller must hold it open for as long as the node is to live.
 */
export function nodeCommand(
  config: NodeConfig,
  entry: URL,
  output: "inherit" | "piped",
): Deno.Command {
  const node = { ...config, exitWithParent: true };
  return new Deno.Command(Deno.execPath(), {
    args: ["run", ...nodePermissions(node), entry.href, ...nodeFlags(node)],
    stdin: "piped",
    stdout: output,
    stderr: output,
    env: {
      // Everything is in the flags by now, and the node may not read the file.
      [CONFIG_FILE_VARIABLE]: "",
      // A node talks to its peers and to nobody else.
      DENO_NO_UPDATE_CHECK: "1",
    },
  });
}
