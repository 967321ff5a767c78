/**
 * What a node must know before it opens its log: which cluster it is of, who founded it, whom to talk to
 * until the log says who the members are. A node that joins asks for that, and to be taken in.
 *
 * @module
 */
import { ConfigError, type NodeConfig } from "./config.ts";
import { joinCluster, type Target } from "./join.ts";
import { ClusterClient } from "./kvctl/client.ts";
import { JOIN_CALL_MS } from "./limits.ts";
import { agreedFounders } from "./founders.ts";
import { hasLog, type Member, readMembersFile, writeMembersFile } from "./members_file.ts";
import type { Peer } from "./peers.ts";

/** With what a node starts. */
export interface Start {
  readonly clusterId: string;
  /** Empty for a node that joined: its members are in its log, or on their way to it. */
  readonly founders: readonly Member[];
  /** Members as far as they are known from elsewhere. */
  readonly seeds: readonly Member[];
}

/**
 * Finds out what a node starts with, and gets it into the cluster that it joins if it has no data.
 *
 * @param say takes a sentence about what is waited for.
 * @param signal ends the wait.
 * @returns null if `signal` ended it.
 * @throws {UsageError} if the node cannot start in this way, or the cluster will not have it.
 * @throws {ConfigError} if it founded its cluster with others than it is told now.
 */
export async function prepareStart(
  config: NodeConfig,
  say: (text: string) => void,
  signal: AbortSignal,
): Promise<Start | null> {
  const known = readMembersFile(config.data);
  if (hasLog(config.data)) {
    const isFounder = known === null ? config.joining === null : !known.joined;
    const clusterId = config.clusterId ?? known?.clusterId ??
      (isFounder ? await foundedClusterId(config.peers) : null);
    if (clusterId === null) {
      throw new ConfigError([`--cluster-id is missing: ${config.data} lacks it`]);
    }
    // Also of one that is told to join: it has joined already those that it founded its cluster with.
    const founders = isFounder ? agreedFounders(config, clusterId, known, true) : [];
    return { clusterId, founders, seeds: known?.members ?? [] };
  }
  if (config.joining !== null) return await join(config, config.joining.urls, say, signal);
  if (known?.joined === true) {
    throw new ConfigError([
      `${config.data} is of a node that was joining a cluster and has no data yet: say --join`,
    ]);
  }
  const clusterId = config.clusterId ?? await foundedClusterId(config.peers);
  const founders = agreedFounders(config, clusterId, known, false);
  // First this: once there is a log, no other list may take the place of this one.
  Deno.mkdirSync(config.data, { recursive: true });
  writeMembersFile(config.data, { clusterId, joined: false, founders, members: founders });
  return { clusterId, founders, seeds: [] };
}

async function join(
  config: NodeConfig,
  urls: readonly string[],
  say: (text: string) => void,
  signal: AbortSignal,
): Promise<Start | null> {
  let isNoted = false;
  const note = ({ clusterId, members }: Target) => {
    if (isNoted) return;
    // First this: from the moment of asking on, the node must not found a cluster of its own.
    writeMembersFile(config.data, { clusterId, joined: true, founders: [], members });
    isNoted = true;
  };
  const client = new ClusterClient(urls, JOIN_CALL_MS);
  const target = await joinCluster({
    config,
    client,
    onAsk: note,
    say: (text) => say(`waiting to be taken in: ${text}`),
    signal,
  });
  if (target === null) return null;
  return { clusterId: target.clusterId, founders: [], seeds: target.members };
}

/** The cluster's id where none was given: the same for all nodes that were given the same founders. */
async function foundedClusterId(peers: readonly Peer[]): Promise<string> {
  const founders = peers.map((peer) => `${peer.id}=${peer.peerHost}:${peer.peerPort}`).sort();
  const bytes = new TextEncoder().encode(founders.join(","));
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  digest[6] = digest[6] & 0x0f | 0x80; // UUID version 8, "custom" (RFC 9562)
  digest[8] = digest[8] & 0x3f | 0x80;
  const hex = Array.from(digest.subarray(0, 16), (byte) => byte.toString(16).padStart(2, "0"));
  return hex.join("").replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}
