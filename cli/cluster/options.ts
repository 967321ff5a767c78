/**
 * The launcher's command line, and the members it comes to.
 *
 * @module
 */
import { readArguments, UsageError, wholeNumber } from "../args.ts";
import {
  founderConfig,
  type NodeConfig,
  readSnapshotSettings,
  readTransport,
  type SnapshotSettings,
  type TransportName,
} from "../config.ts";
import { CLUSTER_SIZE_MAX, PEER_PORT_OFFSET, PORT_MAX, PORTS_BLOCKED } from "../limits.ts";
import type { Peer } from "../peers.ts";
import { type Lookup, settings } from "../settings.ts";
import type { Shape } from "./data_directory.ts";

/** All nodes of a launched cluster are on this machine and reachable from nowhere else. */
export const CLUSTER_HOST = "127.0.0.1";

/** The HTTP port of `n1`; `n2` has the next, and so on. */
export const BASE_PORT_DEFAULT = 8001;

/** The command line of the launcher, read. */
export interface ClusterOptions extends Shape {
  /** The directory that holds each node's own. */
  readonly data: string;
  /** Delete what an earlier cluster left in `data`. */
  readonly fresh: boolean;
  /** Start nodes again that died. */
  readonly restart: boolean;
  /** Passed on to every node. */
  readonly transport: TransportName;
  readonly snapshots: SnapshotSettings;
}

export const clusterHelp = `Runs a Kvorum cluster on this machine.

Usage: deno task cluster [flags]

  --size N          how many nodes, 1 to ${CLUSTER_SIZE_MAX} (3)
  --base-port PORT  node i serves clients (HTTP) on PORT+i-1 and its peers on that +${PEER_PORT_OFFSET} (${BASE_PORT_DEFAULT})
  --data DIR        node i keeps its data in DIR/n<i> (./data)
  --fresh           deletes what an earlier cluster left in DIR, and founds a new one
  --no-restart      leaves a node that died dead
  --snapshot-entries N, --snapshot-bytes N, --log-tail-entries N
                    when nodes take snapshots, and how much log they keep (see task node --help)
  --transport NAME  how the nodes reach each other: tcp (the default), http or udp
  --help            shows this

Prints a table of the nodes with their process ids, the line "cluster ready" once a leader serves
writes, and then what the nodes log. Ctrl-C or SIGTERM stops all nodes; a second one kills them.
Exit codes: 0 stopped when asked to, 1 no node is left, 2 not started: bad flags, ports or directory.`;

const snapshotFlags = [settings.snapshotEntries, settings.snapshotBytes, settings.logTailEntries]
  .map((setting) => setting.flag);

/**
 * Reads the command line.
 *
 * @throws {UsageError}
 */
export function readClusterOptions(args: readonly string[]): ClusterOptions {
  const { values, switches, positionals } = readArguments(args, {
    values: ["size", "base-port", "data", settings.transport.flag, ...snapshotFlags],
    switches: ["fresh", "no-restart"],
  });
  const problems = positionals.map((argument) => `unexpected argument: ${argument}`);
  const shape = readShape(values, problems);
  const data = values.get("data") ?? "./data";
  // Deno's permission flags take a comma as the end of a path.
  if (data.includes(",")) problems.push(`--data must not contain a comma: ${data}`);
  const lookup: Lookup = ({ flag }) => {
    const text = values.get(flag);
    return text === undefined ? null : { text, source: `--${flag}` };
  };
  const transport = readTransport(lookup, problems);
  if (shape !== null && transport === "http") refuseBlockedPeerPorts(shape, problems);
  const snapshots = readSnapshotSettings(lookup, problems);
  if (shape === null || problems.length > 0) throw new UsageError(problems);
  return {
    ...shape,
    data,
    fresh: switches.has("fresh"),
    restart: !switches.has("no-restart"),
    transport,
    snapshots,
  };
}

/** Reads `--size` and `--base-port`; null, and sentences in `problems`, if they cannot be. */
export function readShape(values: ReadonlyMap<string, string>, problems: string[]): Shape | null {
  const sizeText = values.get("size") ?? "3";
  const size = wholeNumber(sizeText, 1, CLUSTER_SIZE_MAX);
  if (size === null) {
    problems.push(`--size must be a whole number from 1 to ${CLUSTER_SIZE_MAX}, not ${sizeText}`);
  }
  const portText = values.get("base-port") ?? String(BASE_PORT_DEFAULT);
  const basePortMax = PORT_MAX - PEER_PORT_OFFSET - (size ?? 1) + 1;
  const basePort = wholeNumber(portText, 1, basePortMax);
  if (basePort === null) {
    problems.push(
      `--base-port must be a whole number from 1 to ${basePortMax}, so that the highest peer ` +
        `port is at most ${PORT_MAX}, not ${portText}`,
    );
  }
  for (let port = basePort ?? 0; port < (basePort ?? 0) + (size ?? 0); port++) {
    if (PORTS_BLOCKED.has(port)) {
      problems.push(
        `--base-port ${portText} comes to port ${port}, which browsers and fetch refuse`,
      );
    }
  }
  return size === null || basePort === null ? null : { size, basePort };
}

/** Where peers are reached by `fetch`, their ports must be such as that takes. */
function refuseBlockedPeerPorts(shape: Shape, problems: string[]): void {
  for (const { id, peerPort } of clusterPeers(shape)) {
    if (!PORTS_BLOCKED.has(peerPort)) continue;
    problems.push(
      `--base-port ${shape.basePort} gives ${id} the peer port ${peerPort}, which fetch refuses, ` +
        "and so --transport http",
    );
  }
}

/** The members of a launched cluster, `n1` first. */
export function clusterPeers({ size, basePort }: Shape): Peer[] {
  return Array.from({ length: size }, (_, i) => ({
    id: `n${i + 1}`,
    peerHost: CLUSTER_HOST,
    peerPort: basePort + i + PEER_PORT_OFFSET,
    url: `http://${CLUSTER_HOST}:${basePort + i}`,
  }));
}

/** The configuration of every node of the cluster, `n1` first. */
export function clusterMembers(options: ClusterOptions, clusterId: string): NodeConfig[] {
  const peers = clusterPeers(options);
  return peers.map((peer, i) =>
    founderConfig(
      {
        id: peer.id,
        host: CLUSTER_HOST,
        port: options.basePort + i,
        data: `${options.data}/${peer.id}`,
        peers,
        clusterId,
      },
      options.snapshots,
      options.transport,
    )
  );
}

/** Every port that the cluster will listen on. */
export function clusterPorts(options: ClusterOptions): number[] {
  const ports: number[] = [];
  for (let port = options.basePort; port < options.basePort + options.size; port++) {
    ports.push(port, port + PEER_PORT_OFFSET);
  }
  return ports;
}

/**
 * Makes sure, by listening on each for a moment, that all ports can be had.
 *
 * @throws {UsageError} naming those that cannot, and why.
 */
export function requireFreePorts(ports: readonly number[]): void {
  const problems: string[] = [];
  for (const port of ports) {
    try {
      Deno.listen({ hostname: CLUSTER_HOST, port }).close();
    } catch (error) {
      const why = error instanceof Deno.errors.AddrInUse
        ? "it is in use"
        : error instanceof Error
        ? error.message
        : String(error);
      problems.push(`cannot listen on port ${port} of ${CLUSTER_HOST}: ${why}`);
    }
  }
  if (problems.length > 0) throw new UsageError(problems);
}
