/**
 * The members of a founding cluster as text: `n1=127.0.0.1:9001@http://127.0.0.1:8001,n2=…`.
 *
 * @module
 */
import { wholeNumber } from "./args.ts";
import { PORT_MAX } from "./limits.ts";

/** One member: where the other nodes reach it, and where clients do. */
export interface Peer {
  /** 1 to 64 characters of `[A-Za-z0-9._-]`. */
  readonly id: string;
  /** A host name or address; IPv6 without brackets. */
  readonly peerHost: string;
  readonly peerPort: number;
  /** The HTTP address for clients: an origin, without a slash at its end. */
  readonly url: string;
}

/** Whether `text` may name a node. */
export function isNodeId(text: string): boolean {
  return /^[A-Za-z0-9._-]{1,64}$/.test(text);
}

/** Whether `text` is a UUID, which is what a cluster's id is. */
export function isUuid(text: string): boolean {
  return /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text);
}

/**
 * Whether `text` may name a host. Commas are excluded beside the obvious because Deno's permission
 * flags, which the host becomes part of, take them as separators.
 */
export function isHost(text: string): boolean {
  return /^[A-Za-z0-9._-]{1,253}$/.test(text) || /^[0-9A-Fa-f:.]{2,45}$/.test(text);
}

/** A host as it stands before a port: an IPv6 address gets brackets. */
export function bracketed(host: string): string {
  return host.includes(":") ? `[${host}]` : host;
}

/** `host:port`, with the brackets that an IPv6 address needs. */
export function hostAndPort(host: string, port: number): string {
  return `${bracketed(host)}:${port}`;
}

/** The members as `parsePeers` reads them. */
export function formatPeers(peers: readonly Peer[]): string {
  return peers
    .map((peer) => `${peer.id}=${hostAndPort(peer.peerHost, peer.peerPort)}@${peer.url}`)
    .join(",");
}

/**
 * Reads a list of members, one text each, and adds to `problems` a sentence for everything wrong.
 * What it returns is complete only if it added none.
 */
export function parsePeers(
  texts: readonly string[],
  source: string,
  problems: string[],
): Peer[] {
  const peers: Peer[] = [];
  for (const text of texts) {
    const peer = parsePeer(text);
    if (typeof peer === "string") {
      problems.push(`${source}: ${peer} in ${JSON.stringify(text)}`);
    } else {
      peers.push(peer);
    }
  }
  refuseDoubles(peers, source, problems, "id", (peer) => peer.id);
  const address = (peer: Peer) => hostAndPort(peer.peerHost, peer.peerPort);
  refuseDoubles(peers, source, problems, "peer address", address);
  refuseDoubles(peers, source, problems, "URL", (peer) => peer.url);
  return peers;
}

function refuseDoubles(
  peers: readonly Peer[],
  source: string,
  problems: string[],
  what: string,
  of: (peer: Peer) => string,
): void {
  const seen = new Set<string>();
  for (const peer of peers) {
    if (seen.has(of(peer))) problems.push(`${source}: two members have the ${what} ${of(peer)}`);
    seen.add(of(peer));
  }
}

/** One member, or what is wrong with it. */
function parsePeer(text: string): Peer | string {
  const match = /^([^=]*)=(?:\[([^\]]*)\]|([^:@]*)):([^@]*)@(.*)$/s.exec(text);
  if (match === null) {
    return "a member is written id=host:port@http://host:port, which was not seen";
  }
  const [, id, ipv6, host, port, url] = match;
  if (!isNodeId(id)) {
    return `an id has 1 to 64 letters, digits, dots, dashes or underscores, not ${
      JSON.stringify(id)
    }`;
  }
  const peerHost = ipv6 ?? host;
  if (!isHost(peerHost)) return `${JSON.stringify(peerHost)} is not a host`;
  const peerPort = wholeNumber(port, 1, PORT_MAX);
  if (peerPort === null) return `${JSON.stringify(port)} is not a port (1 to ${PORT_MAX})`;
  const origin = parseOrigin(url);
  if (origin === null) {
    return `${JSON.stringify(url)} is not http:// or https:// and a host, with nothing behind them`;
  }
  return { id, peerHost, peerPort, url: origin };
}

/** The origin that `text` names, or null if it names anything else or more. */
export function parseOrigin(text: string): string | null {
  if (!URL.canParse(text)) return null;
  const url = new URL(text);
  if (url.protocol !== "http:" && url.protocol !== "https:") return null;
  const bare = url.pathname === "/" && url.search === "" && url.hash === "" &&
    url.username === "" && url.password === "";
  return bare ? url.origin : null;
}
