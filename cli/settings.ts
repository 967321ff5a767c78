/**
 * The settings of a node: their names on the command line, in the environment and in the configuration
 * file, and how one is found and read.
 *
 * Not here: what a node's configuration is made of (config.ts), what its addresses must be
 * (node_addresses.ts).
 *
 * @module
 */
import { wholeNumber } from "./args.ts";
import { PORT_MAX } from "./limits.ts";

/** A setting under its three names. */
export interface Setting {
  readonly flag: string;
  readonly variable: string;
  readonly fileKey: string;
  /** What the file may have beside a string. */
  readonly fileType?: "number" | "list";
}

export const settings = {
  id: { flag: "id", variable: "KVORUM_ID", fileKey: "id" },
  host: { flag: "host", variable: "KVORUM_HOST", fileKey: "host" },
  port: { flag: "port", variable: "KVORUM_PORT", fileKey: "port", fileType: "number" },
  peerPort: {
    flag: "peer-port",
    variable: "KVORUM_PEER_PORT",
    fileKey: "peerPort",
    fileType: "number",
  },
  data: { flag: "data", variable: "KVORUM_DATA", fileKey: "data" },
  peers: { flag: "peers", variable: "KVORUM_PEERS", fileKey: "peers", fileType: "list" },
  clusterId: { flag: "cluster-id", variable: "KVORUM_CLUSTER_ID", fileKey: "clusterId" },
  join: { flag: "join", variable: "KVORUM_JOIN", fileKey: "join", fileType: "list" },
  role: { flag: "role", variable: "KVORUM_ROLE", fileKey: "role" },
  replaces: { flag: "replaces", variable: "KVORUM_REPLACES", fileKey: "replaces" },
  peerHosts: {
    flag: "peer-hosts",
    variable: "KVORUM_PEER_HOSTS",
    fileKey: "peerHosts",
    fileType: "list",
  },
  transport: { flag: "transport", variable: "KVORUM_TRANSPORT", fileKey: "transport" },
  advertiseUrl: {
    flag: "advertise-url",
    variable: "KVORUM_ADVERTISE_URL",
    fileKey: "advertiseUrl",
  },
  advertisePeer: {
    flag: "advertise-peer",
    variable: "KVORUM_ADVERTISE_PEER",
    fileKey: "advertisePeer",
  },
  snapshotEntries: {
    flag: "snapshot-entries",
    variable: "KVORUM_SNAPSHOT_ENTRIES",
    fileKey: "snapshotEntries",
    fileType: "number",
  },
  snapshotBytes: {
    flag: "snapshot-bytes",
    variable: "KVORUM_SNAPSHOT_BYTES",
    fileKey: "snapshotBytes",
    fileType: "number",
  },
  logTailEntries: {
    flag: "log-tail-entries",
    variable: "KVORUM_LOG_TAIL_ENTRIES",
    fileKey: "logTailEntries",
    fileType: "number",
  },
} as const satisfies Record<string, Setting>;

/** A setting's value and where it came from, in the words of an error message. */
export interface Found {
  readonly text: string;
  readonly source: string;
}

/** Finds a setting; null if nothing makes it. */
export type Lookup = (setting: Setting) => Found | null;

/** A setting of the file as the text that a flag would have carried; null if its type is wrong. */
export function settingText(setting: Setting, value: unknown): string | null {
  if (typeof value === "string") return value;
  if (typeof value === "number" && setting.fileType === "number") return String(value);
  const texts = setting.fileType === "list" && Array.isArray(value) &&
    value.every((member) => typeof member === "string");
  return texts ? value.join(",") : null;
}

/** Reads a text; `wrong` says what is wrong with one, or null. A setting without `otherwise` must be made. */
export function readText(
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
  if (why !== null) problems.push(refusal(found, why));
  return found.text;
}

export function readPort(lookup: Lookup, setting: Setting, problems: string[]): number {
  const found = lookup(setting);
  if (found === null) {
    problems.push(missing(setting));
    return 0;
  }
  const port = wholeNumber(found.text, 1, PORT_MAX);
  if (port === null) problems.push(refusal(found, `must be a port from 1 to ${PORT_MAX}`));
  return port ?? 0;
}

/** Reads a whole number; null if nothing makes the setting. */
export function readCount(
  lookup: Lookup,
  setting: Setting,
  min: number,
  max: number,
  problems: string[],
): number | null {
  const found = lookup(setting);
  if (found === null) return null;
  const count = wholeNumber(found.text, min, max);
  if (count === null) {
    problems.push(refusal(found, `must be a whole number from ${min} to ${max}`));
  }
  return count;
}

/** The sentence about a value that cannot be taken. */
export function refusal(found: Found, why: string): string {
  return `${found.source} ${why}, not ${JSON.stringify(found.text)}`;
}

function missing(setting: Setting): string {
  return `--${setting.flag} is missing (or ${setting.variable}, or "${setting.fileKey}" in the ` +
    "configuration file)";
}
