/**
 * `members.json` in a node's data directory: which cluster the node belongs to, and who its members
 * were when it last knew.
 *
 * The log is what counts; this file is for what must be known before the log is open: the cluster's
 * id where no flag gives it, the hosts that the node needs permission for, who founded the cluster (which no
 * log says), and that a node which joined must never found one, whatever its flags say later.
 *
 * @module
 */
import { GROUP_DEFAULT } from "../raft/types.ts";
import { KV_FILE_NAME, markFileName } from "../storage/disk.ts";
import { UsageError } from "./args.ts";
import { replaceFile } from "./durable_file.ts";

/** The file's name in the data directory. */
export const MEMBERS_FILE = "members.json";
const FORMAT = 1;

/** A member, as nodes tell of it. */
export interface Member {
  readonly id: string;
  /** The HTTP address for clients. */
  readonly url: string;
  /** host:port for the other nodes. */
  readonly peer: string;
}

export interface MembersFile {
  /** A UUID. */
  readonly clusterId: string;
  /** The node got its members from elsewhere: from a cluster that it joined, or from a backup. */
  readonly joined: boolean;
  /** With whom the node founded the cluster, itself included; empty if it joined, or if nothing says so. */
  readonly founders: readonly Member[];
  readonly members: readonly Member[];
}

/**
 * Reads the file of a directory; null if there is none.
 *
 * @throws {UsageError} if this version did not write it.
 */
export function readMembersFile(directory: string): MembersFile | null {
  let text: string;
  try {
    text = Deno.readTextFileSync(`${directory}/${MEMBERS_FILE}`);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
  const content = parse(text);
  if (content !== null) return content;
  throw new UsageError([
    `cannot use ${directory}/${MEMBERS_FILE}: this version of Kvorum did not write it`,
  ]);
}

/**
 * Whether the directory holds the log of a node that has run, or, if that was lost or set aside, at least
 * its mark: such a node is a member still, and the others repair it.
 */
export function hasLog(directory: string): boolean {
  return [KV_FILE_NAME, markFileName(GROUP_DEFAULT)].some((name) => isFile(`${directory}/${name}`));
}

function isFile(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/** Writes it, durably. */
export function writeMembersFile(directory: string, content: MembersFile): void {
  const { clusterId, joined } = content;
  const plain = ({ id, url, peer }: Member) => ({ id, url, peer });
  const [founders, members] = [content.founders.map(plain), content.members.map(plain)];
  const text = JSON.stringify({ format: FORMAT, clusterId, joined, founders, members }, null, 2);
  replaceFile(`${directory}/${MEMBERS_FILE}`, new TextEncoder().encode(`${text}\n`));
}

/** The host of each member's peer address, an IPv6 address without its brackets. */
export function memberHosts(members: readonly Member[]): string[] {
  const hosts = members.map(({ peer }) =>
    peer.slice(0, peer.lastIndexOf(":")).replace(/^\[(.*)\]$/, "$1")
  );
  return [...new Set(hosts)];
}

function parse(text: string): MembersFile | null {
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch {
    return null;
  }
  if (typeof content !== "object" || content === null) return null;
  const { format, clusterId, joined, founders = [], members } = content as Record<string, unknown>;
  const isWhole = format === FORMAT && typeof clusterId === "string" &&
    typeof joined === "boolean" && isMemberList(founders) && isMemberList(members);
  return isWhole ? { clusterId, joined, founders, members } : null;
}

function isMemberList(content: unknown): content is Member[] {
  return Array.isArray(content) && content.every(isMember);
}

/** Whether something in JSON is a member, whatever else it says. */
export function isMember(content: unknown): content is Member {
  if (typeof content !== "object" || content === null) return false;
  const { id, url, peer } = content as Record<string, unknown>;
  return [id, url, peer].every((field) => typeof field === "string");
}
