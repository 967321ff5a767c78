/**
 * Whom a node talks to, and whether it belongs: the node's view of the configuration in effect.
 *
 * The peers are the members; while this node is none of them, also the seeds that it was given, and for
 * a while those that were removed, so that they can learn it. A node that was removed while it was
 * away learns it from the others, who all refuse it as a stranger.
 *
 * A node that was away while all the others were replaced knows nobody who could tell it. So after some
 * time without a leader it hears strangers of its cluster, and answers them where they say that they are.
 *
 * @module
 */
import { membersOf } from "./admin_types.ts";
import { LEADERLESS_MS, REMOVED_PEER_MS, STRANGERS_MAX } from "./limits_replica.ts";
import type { MemberStatus } from "./service.ts";
import type { Env, Timer } from "./types.ts";
import type { Configuration, NodeAddress, NodeId } from "../raft/types.ts";
import { isMember, members } from "../raft/quorum.ts";
import type { Peer, PeerAddress } from "../transport/types.ts";

/** The refusals that say something of this node's place in the cluster. */
export type Refusal = "unknown-sender" | DataRefusal;
type DataRefusal = "other-data" | "older-data";

/** The refusal, if it is one of {@linkcode Refusal}. */
export function isRefusal(reason: string): reason is Refusal {
  return reason === "unknown-sender" || isDataRefusal(reason);
}

function isDataRefusal(reason: string): reason is DataRefusal {
  return reason === "other-data" || reason === "older-data";
}

export interface MembershipOptions {
  readonly self: NodeId;
  readonly env: Env;
  /** What the log has no other configuration before. */
  readonly founding: Configuration;
  /** Who can be asked to let this node in, as far as it was known at the start. */
  readonly seeds: readonly NodeAddress[];
  /** For the transport's method of that name. */
  readonly setPeers: (peers: ReadonlyMap<NodeId, Peer>, asOf: number) => void;
  /** Whether this node must not lead: all members take it for a stranger, or one for a node without its data. */
  readonly onOutcast: (outcast: boolean) => void;
}

export class Membership {
  readonly #options: MembershipOptions;
  #configuration: Configuration;
  /** Those of the last configuration that was committed and not joint; null if this node knows of none. */
  #votersBefore: readonly NodeId[] | null;
  #seeds: readonly NodeAddress[];
  /** Who left the configuration lately, with the timer that ends their grace. */
  readonly #removed = new Map<NodeId, { peer: Peer; timer: Timer }>();
  /** Why a member refused this node since it was last welcome there. */
  readonly #refusedBy = new Map<NodeId, Refusal>();
  /** The log index of the configuration in effect if it is committed, and 0 before it is. */
  #settledIndex = 0;
  /** Who was heard while no leader was known, and is no member as far as this node knows. */
  readonly #strangers = new Map<NodeId, PeerAddress>();
  #leaderlessMs: number | null;
  #wasMember: boolean;
  /** Whether the log has been read, which may tell of others than the founders. */
  #isTold = false;
  #outcast = false;

  constructor(options: MembershipOptions) {
    this.#options = options;
    this.#configuration = options.founding;
    const { voters } = options.founding;
    this.#votersBefore = voters.length === 0 ? null : voters;
    this.#seeds = options.seeds;
    this.#leaderlessMs = options.env.now();
    this.#wasMember = isMember(options.founding, options.self);
  }

  /** The members, as operators see them; none before the log has told who they are. */
  get members(): readonly MemberStatus[] {
    return this.#isTold ? membersOf(this.#configuration, this.#votersBefore) : [];
  }

  /** Whether nothing is known of who the members are, or they seem to be others by now. */
  get hearsStrangers(): boolean {
    if (members(this.#configuration).length === 0) return true;
    const sinceMs = this.#leaderlessMs;
    return sinceMs !== null && this.#options.env.now() - sinceMs >= LEADERLESS_MS;
  }

  /** Where the others reach this node, as `host:port`; null if no configuration says. */
  get ownAddress(): string | null {
    const { self } = this.#options;
    return this.#configuration.addresses.find(({ id }) => id === self)?.peer ?? null;
  }

  /** What was told last (see `onOutcast`). */
  get isOutcast(): boolean {
    return this.#outcast;
  }

  /**
   * Whether this node runs on an older copy of its data, as a member has found. Then it must neither vote
   * nor acknowledge, not even to those that cannot tell: it would stand for what it has forgotten.
   */
  get isOlderCopy(): boolean {
    return this.#refuserOf("older-data") !== null;
  }

  /** Null if this node belongs to the cluster, otherwise what keeps it from that. */
  get notMember(): string | null {
    const other = this.#refuserOf("other-data");
    if (other !== null) {
      return `${other} knows this node with other data: its directory was lost or replaced. Remove ` +
        "it from the cluster and let it join on an empty directory (docs/operations.md)";
    }
    const older = this.#refuserOf("older-data");
    if (older !== null) {
      return `${older} knows that this node has acknowledged more than it holds: its directory is an ` +
        "older copy. Remove it from the cluster and let it join on an empty directory " +
        "(docs/operations.md)";
    }
    if (this.#outcast) return "this node was removed from the cluster";
    if (isMember(this.#configuration, this.#options.self)) return null;
    return this.#wasMember
      ? "this node was removed from the cluster"
      : "this node is not a member of the cluster yet";
  }

  /**
   * Why no leader will do anything for this node; null if one may, as for a node that is yet to join. While a
   * leader is heard, being refused by others proves nothing.
   */
  get forsaken(): string | null {
    const isHeld = isMember(this.#configuration, this.#options.self);
    const isCutOff = isHeld ? this.#outcast && this.#leaderlessMs !== null : this.#wasMember;
    return isCutOff ? this.notMember : null;
  }

  /** Another configuration is in effect, the one at `index` of the log, or that one is committed now. */
  adopt(configuration: Configuration, index: number, committed: boolean): void {
    const before = peersOf(this.#configuration);
    this.#configuration = configuration;
    this.#isTold = true;
    this.#settledIndex = committed ? index : 0;
    if (committed && configuration.votersOutgoing.length === 0) {
      this.#votersBefore = configuration.voters;
    }
    if (isMember(configuration, this.#options.self)) this.#wasMember = true;
    const now = peersOf(configuration);
    for (const [id, peer] of before) {
      if (!now.has(id) && id !== this.#options.self) this.#linger(id, peer);
    }
    for (const id of now.keys()) {
      this.#forget(id);
      this.#strangers.delete(id);
    }
    for (const id of this.#refusedBy.keys()) if (!now.has(id)) this.#refusedBy.delete(id);
    this.apply();
    this.#judge();
  }

  /** Tells the transport whom to talk to. */
  apply(): void {
    const { self, setPeers } = this.#options;
    const peers = new Map<NodeId, Peer>(this.#strangers);
    for (const [id, peer] of peersOf(this.#configuration)) peers.set(id, peer);
    for (const [id, { peer }] of this.#removed) peers.set(id, peer);
    if (!isMember(this.#configuration, self)) {
      for (const { id, peer } of this.#seeds) if (!peers.has(id)) peers.set(id, peerAddress(peer));
    }
    peers.delete(self);
    setPeers(peers, this.#settledIndex);
  }

  /** The members are others by now, as somebody says who is one: matters while this node is none. */
  reseed(seeds: readonly NodeAddress[]): void {
    this.#seeds = seeds;
    this.apply();
  }

  /** Who leads, as far as this node knows. */
  led(leader: NodeId | null): void {
    if (leader === null) {
      this.#leaderlessMs ??= this.#options.env.now();
      return;
    }
    this.#leaderlessMs = null;
    if (this.#strangers.size === 0 || !isMember(this.#configuration, leader)) return;
    this.#strangers.clear();
    this.apply();
  }

  /** Somebody is heard, who says where it can be answered. */
  heard(id: NodeId, peer: string): void {
    if (isMember(this.#configuration, id) || !this.hearsStrangers) return;
    if (!this.#strangers.has(id) && this.#strangers.size >= STRANGERS_MAX) return;
    this.#strangers.set(id, peerAddress(peer));
    this.apply();
  }

  /** A peer refused this node: as one that it does not know, or that it knows with other or newer data. */
  refusedBy(peer: NodeId, reason: Refusal): void {
    // A node that joins has no members yet, but may have lost the data of one.
    if (!isDataRefusal(reason) && !isMember(this.#configuration, peer)) return;
    this.#refusedBy.set(peer, reason);
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
  #linger(id: NodeId, peer: Peer): void {
    this.#forget(id);
    const timer = this.#options.env.setTimer(() => {
      this.#removed.delete(id);
      this.apply();
    }, REMOVED_PEER_MS);
    this.#removed.set(id, { peer, timer });
  }

  #forget(id: NodeId): void {
    this.#removed.get(id)?.timer.cancel();
    this.#removed.delete(id);
  }

  #refuserOf(reason: DataRefusal): NodeId | null {
    for (const [id, it] of this.#refusedBy) if (it === reason) return id;
    return null;
  }

  /**
   * That this node was removed, one member that is away or has not heard of the change does not prove: all
   * must agree. That its data are not what they were, one can tell.
   */
  #judge(): void {
    const others = members(this.#configuration).filter((id) => id !== this.#options.self);
    const removed = others.length > 0 && others.every((id) => this.#refusedBy.has(id));
    const outcast = removed || [...this.#refusedBy.values()].some(isDataRefusal);
    if (outcast === this.#outcast) return;
    this.#outcast = outcast;
    this.#options.onOutcast(outcast);
  }
}

function peersOf({ addresses }: Configuration): Map<NodeId, Peer> {
  return new Map(addresses.map(({ id, peer, since }) => [id, { ...peerAddress(peer), since }]));
}

/** Of `host:port`, where an IPv6 host stands in brackets. */
export function peerAddress(peer: string): PeerAddress {
  const colon = peer.lastIndexOf(":");
  return {
    hostname: peer.slice(0, colon).replace(/^\[(.*)\]$/, "$1"),
    port: Number(peer.slice(colon + 1)),
  };
}
