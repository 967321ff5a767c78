/**
 * Whom a node talks to, and whether it belongs: the node's view of the configuration in effect.
 *
 * The peers are the members; while this node is none of them, also the seeds that it was given, and for
 * a while those that were removed, so that they can learn it. A node that was removed while it was
 * away learns it from the others, who all refuse it as a stranger.
 *
 * @module
 */
import { membersOf } from "./admin_types.ts";
import { REMOVED_PEER_MS } from "./limits_replica.ts";
import type { MemberStatus } from "./service.ts";
import type { Env, Timer } from "./types.ts";
import type { Configuration, MemberAddress, NodeId } from "../raft/types.ts";
import { isMember, members } from "../raft/quorum.ts";
import type { PeerAddress } from "../transport/types.ts";

export interface MembershipOptions {
  readonly self: NodeId;
  readonly env: Env;
  /** What the log has no other configuration before. */
  readonly founding: Configuration;
  /** Who can be asked to let this node in, as far as it was known at the start. */
  readonly seeds: readonly MemberAddress[];
  readonly setPeers: (peers: ReadonlyMap<NodeId, PeerAddress>) => void;
  /** All members take this node for a stranger, or no longer do. */
  readonly onOutcast: (outcast: boolean) => void;
}

export class Membership {
  readonly #options: MembershipOptions;
  #configuration: Configuration;
  #seeds: readonly MemberAddress[];
  /** Who left the configuration lately, with the timer that ends their grace. */
  readonly #removed = new Map<NodeId, { address: PeerAddress; timer: Timer }>();
  /** Who refused this node as a stranger since it was last welcome there. */
  readonly #refusedBy = new Set<NodeId>();
  #wasMember: boolean;
  #outcast = false;

  constructor(options: MembershipOptions) {
    this.#options = options;
    this.#configuration = options.founding;
    this.#seeds = options.seeds;
    this.#wasMember = isMember(options.founding, options.self);
  }

  /** The members, as operators see them. */
  get members(): readonly MemberStatus[] {
    return membersOf(this.#configuration);
  }

  /** Whether nothing is known of who the members are: then whoever speaks is heard. */
  get isBlank(): boolean {
    return members(this.#configuration).length === 0;
  }

  /** Null if this node belongs to the cluster, otherwise what keeps it from that. */
  get notMember(): string | null {
    if (this.#outcast) return "this node was removed from the cluster";
    if (isMember(this.#configuration, this.#options.self)) return null;
    return this.#wasMember
      ? "this node was removed from the cluster"
      : "this node is not a member of the cluster yet";
  }

  /** Another configuration is in effect. */
  adopt(configuration: Configuration): void {
    const before = addressesOf(this.#configuration);
    this.#configuration = configuration;
    if (isMember(configuration, this.#options.self)) this.#wasMember = true;
    const now = addressesOf(configuration);
    for (const [id, address] of before) {
      if (!now.has(id) && id !== this.#options.self) this.#linger(id, address);
    }
    for (const id of now.keys()) this.#forget(id);
    for (const id of this.#refusedBy) if (!now.has(id)) this.#refusedBy.delete(id);
    this.apply();
    this.#judge();
  }

  /** Tells the transport whom to talk to. */
  apply(): void {
    const { self, setPeers } = this.#options;
    const peers = addressesOf(this.#configuration);
    for (const [id, { address }] of this.#removed) peers.set(id, address);
    if (!isMember(this.#configuration, self)) {
      for (const { id, peer } of this.#seeds) if (!peers.has(id)) peers.set(id, peerAddress(peer));
    }
    peers.delete(self);
    setPeers(peers);
  }

  /** The members are others by now, as somebody says who is one: matters while this node is none. */
  reseed(seeds: readonly MemberAddress[]): void {
    this.#seeds = seeds;
    this.apply();
  }

  /** A peer refused this node as one that it does not know. */
  refusedBy(peer: NodeId): void {
    if (!isMember(this.#configuration, peer)) return;
    this.#refusedBy.add(peer);
    this.#judge();
  }

  /** A peer took this node's connection. */
  welcomedBy(peer: NodeId): void {
    if (this.#refusedBy.delete(peer)) this.#judge();
  }

  stop(): void {
    for (const { timer } of this.#removed.values()) timer.cancel();
    this.#removed.clear();
  }

  /** Keeps talking to who was removed, so that it hears of it. */
  #linger(id: NodeId, address: PeerAddress): void {
    this.#forget(id);
    const timer = this.#options.env.setTimer(() => {
      this.#removed.delete(id);
      this.apply();
    }, REMOVED_PEER_MS);
    this.#removed.set(id, { address, timer });
  }

  #forget(id: NodeId): void {
    this.#removed.get(id)?.timer.cancel();
    this.#removed.delete(id);
  }

  /** One member that is away, or was not heard of the change, proves nothing: all must agree. */
  #judge(): void {
    const others = members(this.#configuration).filter((id) => id !== this.#options.self);
    const outcast = others.length > 0 && others.every((id) => this.#refusedBy.has(id));
    if (outcast === this.#outcast) return;
    this.#outcast = outcast;
    this.#options.onOutcast(outcast);
  }
}

function addressesOf(configuration: Configuration): Map<NodeId, PeerAddress> {
  return new Map(configuration.addresses.map(({ id, peer }) => [id, peerAddress(peer)]));
}

/** Of `host:port`, where an IPv6 host stands in brackets. */
export function peerAddress(peer: string): PeerAddress {
  const colon = peer.lastIndexOf(":");
  return {
    hostname: peer.slice(0, colon).replace(/^\[(.*)\]$/, "$1"),
    port: Number(peer.slice(colon + 1)),
  };
}
