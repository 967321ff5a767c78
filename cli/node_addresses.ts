/**
 * Who a node's peers are and what it is reached by, read from its settings: the founders that it was
 * given, or the cluster that it joins; the address that it tells others; the hosts that it may connect to.
 *
 * @module
 */
import { wholeNumber } from "./args.ts";
import { CLUSTER_SIZE_MAX, PORT_MAX } from "./limits.ts";
import { hostAndPort, isHost, isNodeId, parseOrigin, parsePeers, type Peer } from "./peers.ts";
import { type Found, type Lookup, refusal, settings } from "./settings.ts";

/** What a node that joins a running cluster asks of it. */
export interface Joining {
  /** Nodes of the cluster: origins, at least one; they are tried in turn. */
  readonly urls: readonly string[];
  /** A voter joins as a learner, and is promoted once it has caught up. */
  readonly role: "voter" | "learner";
  /** The voter whose place it takes; null for none. */
  readonly replaces: string | null;
}

/** Where a node listens. */
export interface Listening {
  readonly id: string;
  readonly host: string;
  readonly port: number;
  readonly peerPort: number;
}

/** A node among the others. */
export interface Company {
  /** This node, as the others reach it. */
  readonly self: Peer;
  /** The founders, `self` included; empty for a node that joins. */
  readonly peers: readonly Peer[];
  /** Whether somebody named the founders; otherwise the node itself stands for them. */
  readonly isListed: boolean;
  /** Whether somebody said how others reach this node; a node that joins always does. */
  readonly isAdvertised: boolean;
  readonly joining: Joining | null;
}

/** Reads who founds the cluster, or who is asked to join it. */
export function readCompany(lookup: Lookup, listening: Listening, problems: string[]): Company {
  const join = lookup(settings.join);
  const peers = lookup(settings.peers);
  const before = problems.length;
  if (join !== null && peers !== null) {
    problems.push(
      `${join.source} and ${peers.source} exclude each other: a node joins a cluster or founds one`,
    );
  }
  const joining = readJoining(lookup, join, listening.id, problems);
  if (peers !== null) {
    for (const setting of [settings.advertiseUrl, settings.advertisePeer]) {
      const found = lookup(setting);
      if (found === null) continue;
      problems.push(`${found.source} and ${peers.source} exclude each other: the latter says it`);
    }
    const founders = readPeers(peers, listening, problems);
    const self = founders.find((peer) => peer.id === listening.id);
    const said = { isListed: true, isAdvertised: true };
    return { self: self ?? derived(listening), peers: founders, ...said, joining };
  }
  const self = readAdvertised(lookup, listening, problems, before);
  const isAdvertised = join !== null || lookup(settings.advertiseUrl) !== null ||
    lookup(settings.advertisePeer) !== null;
  return { self, peers: join === null ? [self] : [], isListed: false, isAdvertised, joining };
}

/** Reads hosts that a node may connect to beside those of the members that are known when it starts. */
export function readPeerHosts(lookup: Lookup, problems: string[]): readonly string[] {
  const found = lookup(settings.peerHosts);
  if (found === null) return [];
  const hosts = found.text.split(",").map((host) => host.trim());
  for (const host of hosts) {
    if (isHostPattern(host)) continue;
    problems.push(
      `${found.source}: ${JSON.stringify(host)} is not a host, 10.0.0.0/8 or *.example.com`,
    );
  }
  return hosts;
}

/** What Deno's permission for the network takes as a host: IPv6 only as single addresses. */
function isHostPattern(text: string): boolean {
  const [, address, bits] = /^([\d.]+)\/(\d{1,2})$/.exec(text) ?? [];
  if (address !== undefined) {
    const numbers = address.split(".").map((part) => wholeNumber(part, 0, 255));
    return numbers.length === 4 && !numbers.includes(null) && Number(bits) <= 32;
  }
  return isHost(text.startsWith("*.") ? text.slice(2) : text);
}

function readJoining(
  lookup: Lookup,
  join: Found | null,
  id: string,
  problems: string[],
): Joining | null {
  const role = lookup(settings.role);
  const replaces = lookup(settings.replaces);
  if (join === null) {
    for (const found of [role, replaces]) {
      if (found !== null) problems.push(`${found.source} is for a node that joins: say --join too`);
    }
    return null;
  }
  const urls = join.text.split(",").map((text) => parseOrigin(text.trim()));
  if (urls.includes(null)) {
    problems.push(
      refusal(join, "must be http:// or https:// and a host, with nothing behind them"),
    );
  }
  if (role !== null && role.text !== "voter" && role.text !== "learner") {
    problems.push(refusal(role, "must be voter or learner"));
  }
  if (replaces !== null && !isNodeId(replaces.text)) {
    problems.push(refusal(replaces, "must be a node's id"));
  }
  if (replaces !== null && replaces.text === id) {
    problems.push(`${replaces.source} must be another node than this one, ${id}`);
  }
  if (replaces !== null && role?.text === "learner") {
    problems.push(`${replaces.source} takes a voter's place, which a learner cannot`);
  }
  return {
    urls: [...new Set(urls.filter((url) => url !== null))],
    role: role?.text === "learner" ? "learner" : "voter",
    replaces: replaces?.text ?? null,
  };
}

/** Nobody can connect to the address that means "all interfaces". */
function isEverywhere(host: string): boolean {
  return host === "0.0.0.0" || host === "::";
}

/** What others reach a node by that says nothing else. */
function derived({ id, host, port, peerPort }: Listening): Peer {
  return { id, peerHost: host, peerPort, url: `http://${hostAndPort(host, port)}` };
}

function readAdvertised(
  lookup: Lookup,
  listening: Listening,
  problems: string[],
  problemsBefore: number,
): Peer {
  const self = derived(listening);
  const url = lookup(settings.advertiseUrl);
  const peer = lookup(settings.advertisePeer);
  const origin = url === null ? self.url : parseOrigin(url.text);
  if (url !== null && origin === null) {
    problems.push(refusal(url, "must be http:// or https:// and a host, with nothing behind them"));
  }
  const address = peer === null ? self : parseAddress(peer.text);
  if (peer !== null && address === null) problems.push(refusal(peer, "must be host:port"));
  const lacking = [url === null ? "--advertise-url" : "", peer === null ? "--advertise-peer" : ""]
    .filter((flag) => flag !== "");
  if (isEverywhere(listening.host) && lacking.length > 0 && problems.length === problemsBefore) {
    problems.push(
      `--host ${listening.host} is no address that others can reach: say ${lacking.join(" and ")}`,
    );
  }
  const { peerHost, peerPort } = address ?? self;
  return { id: self.id, peerHost, peerPort, url: origin ?? self.url };
}

/** `host:port`, or null. */
export function parseAddress(text: string): { peerHost: string; peerPort: number } | null {
  const [, ipv6, host, port] = /^(?:\[([^\]]*)\]|([^:]*)):(\d+)$/.exec(text) ?? [];
  const peerHost = ipv6 ?? host;
  const peerPort = wholeNumber(port ?? "", 1, PORT_MAX);
  if (peerHost === undefined || peerPort === null || !isHost(peerHost)) return null;
  return isEverywhere(peerHost) ? null : { peerHost, peerPort };
}

function readPeers(found: Found, listening: Listening, problems: string[]): readonly Peer[] {
  const before = problems.length;
  const peers = parsePeers(found.text.split(","), found.source, problems);
  if (peers.length > CLUSTER_SIZE_MAX) {
    problems.push(
      `${found.source} has ${peers.length} members, and at most ${CLUSTER_SIZE_MAX} are allowed`,
    );
  }
  if (problems.length === before) requireSelf(peers, listening, found.source, problems);
  return peers;
}

/** The members must name this node under the ports that it will listen on. */
function requireSelf(
  peers: readonly Peer[],
  self: Listening,
  source: string,
  problems: string[],
): void {
  const own = peers.find((peer) => peer.id === self.id);
  if (own === undefined) {
    const ids = peers.map((peer) => peer.id).join(", ");
    problems.push(`${source} must name this node, ${self.id}: it names ${ids}`);
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
