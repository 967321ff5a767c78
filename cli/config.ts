/**
 * The configuration of one node: flags win over environment variables, these over a JSON file.
 *
 * Pure apart from the functions it is handed, so that both doors to a node share it: `deno task
 * node` (cli/node.ts), which derives the node's permissions from it, and main.ts, the node itself.
 *
 * @module
 */
import { type Arguments, readArguments, UsageError, wholeNumber } from "./args.ts";
import { CLUSTER_SIZE_MAX, PORT_MAX } from "./limits.ts";
import { formatPeers, hostAndPort, isHost, isNodeId, parsePeers, type Peer } from "./peers.ts";

/** Everything that a node must know before it starts. */
export interface NodeConfig {
  /** 1 to 64 characters of `[A-Za-z0-9._-]`. */
  readonly id: string;
  /** Where both ports listen. */
  readonly host: string;
  /** The TCP port for clients (HTTP). */
  readonly port: number;
  /** The TCP port for the other nodes. */
  readonly peerPort: number;
  /** The directory of this node's data, as it was given. */
  readonly data: string;
  /** The members that found the cluster, this node included. */
  readonly peers: readonly Peer[];
  /** A UUID in lowercase, or null if none was given. */
  readonly clusterId: string | null;
  /** Stop once standard input ends: how a node notices that whoever started it is gone. */
  readonly exitWithParent: boolean;
}

/** The configuration cannot be used. `problems` lists all that is wrong with it. */
export class ConfigError extends UsageError {
  override readonly name = "ConfigError";
}

/** A setting under its three names. */
interface Setting {
  readonly flag: string;
  readonly variable: string;
  readonly fileKey: string;
}

const settings = {
  id: { flag: "id", variable: "KVORUM_ID", fileKey: "id" },
  host: { flag: "host", variable: "KVORUM_HOST", fileKey: "host" },
  port: { flag: "port", variable: "KVORUM_PORT", fileKey: "port" },
  peerPort: { flag: "peer-port", variable: "KVORUM_PEER_PORT", fileKey: "peerPort" },
  data: { flag: "data", variable: "KVORUM_DATA", fileKey: "data" },
  peers: { flag: "peers", variable: "KVORUM_PEERS", fileKey: "peers" },
  clusterId: { flag: "cluster-id", variable: "KVORUM_CLUSTER_ID", fileKey: "clusterId" },
} as const satisfies Record<string, Setting>;

/** The variable that names the configuration file, as `--config` does. */
export const CONFIG_FILE_VARIABLE = "KVORUM_CONFIG";

/** A setting's value and where it came from, in the words of an error message. */
interface Found {
  readonly text: string;
  readonly source: string;
}
type Lookup = (setting: Setting) => Found | null;

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

/** The flags that make a node resolve to exactly `config`, whatever its environment says. */
export function nodeFlags(config: NodeConfig): string[] {
  const flags = [
    `--id=${config.id}`,
    `--port=${config.port}`,
    `--peer-port=${config.peerPort}`,
    `--data=${config.data}`,
    `--host=${config.host}`,
    `--peers=${formatPeers(config.peers)}`,
  ];
  if (config.clusterId !== null) flags.push(`--cluster-id=${config.clusterId}`);
  if (config.exitWithParent) flags.push("--exit-with-parent");
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
  const keys: readonly string[] = Object.values(settings).map((setting) => setting.fileKey);
  for (const [key, value] of Object.entries(content)) {
    const source = `"${key}" in ${path}`;
    const text = settingText(key, value);
    if (!keys.includes(key)) {
      problems.push(`${source} is not a setting; these are: ${keys.join(", ")}`);
    } else if (text === null) {
      problems.push(`${source} has a value of the wrong type: ${JSON.stringify(value)}`);
    } else {
      found.set(key, { text, source });
    }
  }
  return found;
}

/** A setting of the file as the text that a flag would have carried; null if its type is wrong. */
function settingText(key: string, value: unknown): string | null {
  if (typeof value === "string") return value;
  if (typeof value === "number" && (key === "port" || key === "peerPort")) return String(value);
  const texts = key === "peers" && Array.isArray(value) &&
    value.every((member) => typeof member === "string");
  return texts ? value.join(",") : null;
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
    problems.push(`${clusterId.source} must be a UUID, not ${JSON.stringify(clusterId.text)}`);
  }
  const self = { id, host, port, peerPort };
  return {
    ...self,
    data,
    peers: readPeers(lookup, self, problems),
    clusterId: clusterId === null ? null : clusterId.text.toLowerCase(),
    exitWithParent,
  };
}

function readText(
  lookup: Lookup,
  setting: Setting,
  problems: string[],
  wrong: (text: string) => string | null,
  otherwise?: string,
): string {
  const found = lookup(setting);
  if (found === null) {
    if (otherwise === undefined) problems.push(missing(setting));
    return otherwise ?? "";
  }
  const why = wrong(found.text);
  if (why !== null) problems.push(`${found.source} ${why}, not ${JSON.stringify(found.text)}`);
  return found.text;
}

function readPort(lookup: Lookup, setting: Setting, problems: string[]): number {
  const found = lookup(setting);
  if (found === null) {
    problems.push(missing(setting));
    return 0;
  }
  const port = wholeNumber(found.text, 1, PORT_MAX);
  if (port === null) {
    problems.push(
      `${found.source} must be a port from 1 to ${PORT_MAX}, not ${JSON.stringify(found.text)}`,
    );
  }
  return port ?? 0;
}

function missing(setting: Setting): string {
  return `--${setting.flag} is missing (or ${setting.variable}, or "${setting.fileKey}" in the ` +
    "configuration file)";
}

interface Self {
  readonly id: string;
  readonly host: string;
  readonly port: number;
  readonly peerPort: number;
}

function readPeers(lookup: Lookup, self: Self, problems: string[]): readonly Peer[] {
  const found = lookup(settings.peers);
  if (found === null) return [alone(self)];
  const peers = parsePeers(found.text.split(","), found.source, problems);
  if (peers.length > CLUSTER_SIZE_MAX) {
    problems.push(
      `${found.source} has ${peers.length} members, and at most ${CLUSTER_SIZE_MAX} are allowed`,
    );
  }
  if (problems.length === 0) requireSelf(peers, self, found.source, problems);
  return peers;
}

/** A node without peers founds a cluster of one. */
function alone(self: Self): Peer {
  // Nobody can connect to the address that means "all interfaces".
  const reachable = self.host === "0.0.0.0" || self.host === "::" ? "127.0.0.1" : self.host;
  return {
    id: self.id,
    peerHost: reachable,
    peerPort: self.peerPort,
    url: `http://${hostAndPort(reachable, self.port)}`,
  };
}

/** The members must name this node under the ports that it will listen on. */
function requireSelf(
  peers: readonly Peer[],
  self: Self,
  source: string,
  problems: string[],
): void {
  const own = peers.find((peer) => peer.id === self.id);
  if (own === undefined) {
    problems.push(`${source} must name this node, ${self.id}: it names ${ids(peers)}`);
    return;
  }
  if (own.peerPort !== self.peerPort) {
    problems.push(
      `${source} says that ${self.id} listens for peers on port ${own.peerPort}, and --peer-port ` +
        `says ${self.peerPort}`,
    );
  }
  const url = new URL(own.url);
  // An https address belongs to whatever ends TLS in front of the node, under a port of its own.
  if (url.protocol === "http:" && Number(url.port || 80) !== self.port) {
    problems.push(
      `${source} says that ${self.id} serves clients at ${own.url}, and --port says ${self.port}`,
    );
  }
}

function ids(peers: readonly Peer[]): string {
  return peers.map((peer) => peer.id).join(", ");
}

function isUuid(text: string): boolean {
  return /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text);
}
