/**
 * The configuration of one node: flags win over environment variables, these over a JSON file.
 *
 * Pure apart from the functions it is handed, so that both doors to a node share it: `deno task
 * node` (cli/node.ts), which derives the node's permissions from it, and main.ts, the node itself.
 *
 * @module
 */
import { type Arguments, readArguments, UsageError } from "./args.ts";
import {
  LOG_TAIL_ENTRIES_MAX,
  PORTS_BLOCKED,
  SNAPSHOT_BYTES_MAX,
  SNAPSHOT_ENTRIES_MAX,
} from "./limits.ts";
import { type Joining, readCompany, readPeerHosts } from "./node_addresses.ts";
import { formatPeers, hostAndPort, isHost, isNodeId, isUuid, type Peer } from "./peers.ts";
import {
  type Found,
  type Lookup,
  readCount,
  readPort,
  readText,
  refusal,
  type Setting,
  settings,
  settingText,
} from "./settings.ts";

/** When a node takes snapshots, and how much of its log it keeps behind one; null for the node's own default. */
export interface SnapshotSettings {
  /** Entries since the last snapshot. */
  readonly entriesMax: number | null;
  /** Bytes of log since the last snapshot. */
  readonly bytesMax: number | null;
  /** Entries that stay in the log for slow followers. */
  readonly tailEntries: number | null;
}

export const SNAPSHOT_DEFAULTS: SnapshotSettings = {
  entriesMax: null,
  bytesMax: null,
  tailEntries: null,
};

/** How nodes reach each other: the names of transport/kinds.ts. */
export const TRANSPORTS = ["tcp", "http", "udp"] as const;
export type TransportName = typeof TRANSPORTS[number];

/** Everything that a node must know before it starts. */
export interface NodeConfig {
  /** 1 to 64 characters of `[A-Za-z0-9._-]`. */
  readonly id: string;
  /** Where both ports listen. */
  readonly host: string;
  /** The TCP port for clients (HTTP). */
  readonly port: number;
  /** The port for the other nodes, of what `transport` uses. */
  readonly peerPort: number;
  /** The directory of this node's data, as it was given. */
  readonly data: string;
  /** This node as the others reach it. */
  readonly self: Peer;
  /** The members that found the cluster, this node included; empty for a node that joins one. */
  readonly peers: readonly Peer[];
  /** Whether somebody named the founders; otherwise the node itself stands for them. */
  readonly isListed: boolean;
  /** Whether somebody said how others reach this node; a node that joins always does. */
  readonly isAdvertised: boolean;
  /** Null for a node that founds its cluster. */
  readonly joining: Joining | null;
  /** Hosts that this node may connect to beside those of its peers, as Deno's permissions have them. */
  readonly peerHosts: readonly string[];
  /** A UUID in lowercase, or null if none was given. */
  readonly clusterId: string | null;
  /** The same at every member. */
  readonly transport: TransportName;
  readonly snapshots: SnapshotSettings;
  /** Stop once standard input ends: how a node notices that whoever started it is gone. */
  readonly exitWithParent: boolean;
}

/** What there is to say of one of a cluster's founders. */
export type Founder = Pick<NodeConfig, "id" | "host" | "port" | "data" | "peers" | "clusterId">;

/** The configuration of a founder as its launcher starts it. @throws {Error} if `peers` lacks it. */
export function founderConfig(
  founder: Founder,
  snapshots: SnapshotSettings = SNAPSHOT_DEFAULTS,
  transport: TransportName = "tcp",
): NodeConfig {
  const self = founder.peers.find((peer) => peer.id === founder.id);
  if (self === undefined) throw new Error(`Cannot found a cluster: ${founder.id} is no founder`);
  return {
    ...founder,
    peerPort: self.peerPort,
    self,
    isListed: true,
    isAdvertised: true,
    joining: null,
    peerHosts: [],
    transport,
    snapshots,
    exitWithParent: true,
  };
}

/** The configuration cannot be used. `problems` lists all that is wrong with it. */
export class ConfigError extends UsageError {
  override readonly name = "ConfigError";
}

/** The variable that names the configuration file, as `--config` does. */
export const CONFIG_FILE_VARIABLE = "KVORUM_CONFIG";

/**
 * Resolves the configuration of a node.
 *
 * @param args the command line, without program and script.
 * @param env gives an environment variable; unset and empty are the same.
 * @param readFile gives the text of the configuration file; called only if one is named.
 * @throws {ConfigError} listing everything that is wrong, not only the first.
 */
export function resolveNodeConfig(
  args: readonly string[],
  env: (name: string) => string | undefined,
  readFile: (path: string) => string,
): NodeConfig {
  const flags = readFlags(args);
  const problems: string[] = [];
  const file = readConfigFile(flags, env, readFile, problems);
  const lookup: Lookup = (setting) => {
    const flag = flags.values.get(setting.flag);
    if (flag !== undefined) return { text: flag, source: `--${setting.flag}` };
    const variable = env(setting.variable);
    if (variable) return { text: variable, source: setting.variable };
    return file.get(setting.fileKey) ?? null;
  };
  const config = readConfig(lookup, flags.switches.has("exit-with-parent"), problems);
  if (problems.length > 0) throw new ConfigError(problems);
  return config;
}

/** The flags that make a node resolve to exactly `config`, in an environment that makes no setting. */
export function nodeFlags(config: NodeConfig): string[] {
  const { self, joining, snapshots } = config;
  const flags = [
    `--id=${config.id}`,
    `--port=${config.port}`,
    `--peer-port=${config.peerPort}`,
    `--data=${config.data}`,
    `--host=${config.host}`,
  ];
  if (config.isListed) flags.push(`--peers=${formatPeers(config.peers)}`);
  else if (config.isAdvertised) {
    flags.push(
      `--advertise-url=${self.url}`,
      `--advertise-peer=${hostAndPort(self.peerHost, self.peerPort)}`,
    );
  }
  if (joining !== null) {
    flags.push(`--join=${joining.urls}`, `--role=${joining.role}`);
    if (joining.replaces !== null) flags.push(`--replaces=${joining.replaces}`);
  }
  if (config.peerHosts.length > 0) flags.push(`--peer-hosts=${config.peerHosts}`);
  if (config.clusterId !== null) flags.push(`--cluster-id=${config.clusterId}`);
  if (config.transport !== "tcp") flags.push(`--transport=${config.transport}`);
  flags.push(...snapshotFlags(snapshots));
  if (config.exitWithParent) flags.push("--exit-with-parent");
  return flags;
}

function snapshotFlags({ entriesMax, bytesMax, tailEntries }: SnapshotSettings): string[] {
  const flags: string[] = [];
  if (entriesMax !== null) flags.push(`--snapshot-entries=${entriesMax}`);
  if (bytesMax !== null) flags.push(`--snapshot-bytes=${bytesMax}`);
  if (tailEntries !== null) flags.push(`--log-tail-entries=${tailEntries}`);
  return flags;
}

function readFlags(args: readonly string[]): Arguments {
  let flags: Arguments;
  try {
    flags = readArguments(args, {
      values: [...Object.values(settings).map((setting) => setting.flag), "config"],
      switches: ["exit-with-parent"],
    });
  } catch (error) {
    if (error instanceof UsageError) throw new ConfigError(error.problems);
    throw error;
  }
  if (flags.positionals.length > 0) {
    throw new ConfigError([`unexpected argument: ${flags.positionals.join(" ")}`]);
  }
  return flags;
}

/** The settings that the configuration file makes, by their key in it. */
function readConfigFile(
  flags: Arguments,
  env: (name: string) => string | undefined,
  readFile: (path: string) => string,
  problems: string[],
): ReadonlyMap<string, Found> {
  const found = new Map<string, Found>();
  const path = flags.values.get("config") ?? env(CONFIG_FILE_VARIABLE);
  if (!path) return found;
  let content: unknown;
  try {
    content = JSON.parse(readFile(path));
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    problems.push(`cannot read the configuration file ${path}: ${why}`);
    return found;
  }
  if (typeof content !== "object" || content === null || Array.isArray(content)) {
    problems.push(`the configuration file ${path} must hold one JSON object`);
    return found;
  }
  const known: readonly Setting[] = Object.values(settings);
  for (const [key, value] of Object.entries(content)) {
    const source = `"${key}" in ${path}`;
    const setting = known.find(({ fileKey }) => fileKey === key);
    const text = setting === undefined ? null : settingText(setting, value);
    if (setting === undefined) {
      const keys = known.map(({ fileKey }) => fileKey).join(", ");
      problems.push(`${source} is not a setting; these are: ${keys}`);
    } else if (text === null) {
      problems.push(`${source} has a value of the wrong type: ${JSON.stringify(value)}`);
    } else {
      found.set(key, { text, source });
    }
  }
  return found;
}

function readConfig(lookup: Lookup, exitWithParent: boolean, problems: string[]): NodeConfig {
  const id = readText(
    lookup,
    settings.id,
    problems,
    (text) =>
      isNodeId(text) ? null : "must be 1 to 64 letters, digits, dots, dashes or underscores",
  );
  const host = readText(
    lookup,
    settings.host,
    problems,
    (text) => isHost(text) ? null : "must be a host name or an address",
    "127.0.0.1",
  );
  const port = readPort(lookup, settings.port, problems);
  const peerPort = readPort(lookup, settings.peerPort, problems);
  if (port !== 0 && port === peerPort) {
    problems.push(`--port and --peer-port must differ, and both are ${port}`);
  }
  const data = readText(
    lookup,
    settings.data,
    problems,
    (text) =>
      text === ""
        ? "must name a directory"
        // Deno's permission flags take a comma as the end of a path.
        : text.includes(",")
        ? "must not contain a comma"
        : null,
  );
  const clusterId = lookup(settings.clusterId);
  if (clusterId !== null && !isUuid(clusterId.text)) {
    problems.push(refusal(clusterId, "must be a UUID"));
  }
  const listening = { id, host, port, peerPort };
  const peerHosts = readPeerHosts(lookup, problems);
  const transport = readTransport(lookup, problems);
  if (transport === "http" && PORTS_BLOCKED.has(peerPort)) {
    problems.push(`--peer-port ${peerPort} is one that fetch refuses, and so --transport http`);
  }
  const snapshots = readSnapshotSettings(lookup, problems);
  return {
    ...listening,
    data,
    ...readCompany(lookup, listening, problems),
    peerHosts,
    clusterId: clusterId === null ? null : clusterId.text.toLowerCase(),
    transport,
    snapshots,
    exitWithParent,
  };
}

/** Reads how nodes reach each other; the launcher takes the same flag. */
export function readTransport(lookup: Lookup, problems: string[]): TransportName {
  const found = lookup(settings.transport);
  if (found === null) return "tcp";
  const transport = TRANSPORTS.find((name) => name === found.text);
  if (transport === undefined) {
    problems.push(refusal(found, `must be one of ${TRANSPORTS.join(", ")}`));
  }
  return transport ?? "tcp";
}

/** Reads when to take snapshots; the launcher takes the same flags. */
export function readSnapshotSettings(lookup: Lookup, problems: string[]): SnapshotSettings {
  const count = (setting: Setting, min: number, max: number) =>
    readCount(lookup, setting, min, max, problems);
  return {
    entriesMax: count(settings.snapshotEntries, 1, SNAPSHOT_ENTRIES_MAX),
    bytesMax: count(settings.snapshotBytes, 1, SNAPSHOT_BYTES_MAX),
    tailEntries: count(settings.logTailEntries, 0, LOG_TAIL_ENTRIES_MAX),
  };
}
