/**
 * How replicas of different nodes reach each other: one-way messages that may be lost, doubled,
 * delayed or reordered. Nothing here retries, and nothing throws into the sender.
 *
 * @module
 */
import type { GroupId, NodeId } from "../raft/types.ts";
import type { PeerMessage } from "../raft/message.ts";

/** Where a peer listens. */
export interface PeerAddress {
  readonly hostname: string;
  readonly port: number;
}

/** A peer, and since when it is a member. */
export interface Peer extends PeerAddress {
  /**
   * The log index of the configuration that added it, 0 for a founder; none if it is no member. Under a
   * higher one than before it is another node of the same name, that may come on other data. A lower one
   * comes from an older configuration, and changes nothing.
   */
  readonly since?: number;
}

/** How far somebody's data go. */
export interface Holding {
  /** The highest term. */
  readonly term: number;
  /** Of the last entry of the log. */
  readonly lastIndex: number;
}

/** What is remembered of a member (see acquaintances.ts). */
export interface KnownPeer {
  readonly incarnation: number;
  readonly boot: number;
  readonly since: number;
  /** What it has acknowledged to this node, so that its data can never again hold less; 0 for nothing. */
  readonly heldTerm: number;
  readonly heldIndex: number;
}

/** Receives what arrives. Called synchronously, one message at a time, in no promised order. */
export type PeerHandler = (from: NodeId, group: GroupId, message: PeerMessage) => void;

/** What every transport can be told of senders that are not among its peers. */
export interface StrangerOptions {
  /**
   * Whether to hear a node of the same cluster that is not among the peers: for a node that cannot
   * know yet who they are. Asked when such a node greets, and by `setPeers`. It can be answered only
   * once it is a peer. Nobody unknown is heard without this.
   */
  readonly acceptUnknown?: () => boolean;
}

/** What every transport says and remembers of who is who. */
export interface IdentityOptions {
  /** What was remembered at the last start. */
  readonly known?: ReadonlyMap<NodeId, KnownPeer>;
  /**
   * Makes durable what is remembered of the members, in place of what was before. A member that shows
   * something new is heard once that has resolved; if it rejects, at another attempt.
   */
  readonly remember?: (known: ReadonlyMap<NodeId, KnownPeer>) => Promise<void>;
  /** Where others reach this node, as `host:port`; null if it does not know. Asked at each greeting. */
  readonly ownAddress?: () => string | null;
  /** How far this node's data go. Asked at each greeting; who does not say is believed to hold everything. */
  readonly holding?: () => Holding;
}

/** Counters since the start, and gauges, by peer. */
export interface PeerStats {
  readonly connected: boolean;
  readonly sentMessages: number;
  readonly sentBytes: number;
  readonly receivedMessages: number;
  readonly receivedBytes: number;
  /** Messages not sent: queue full, no connection, unknown peer. */
  readonly dropped: number;
  readonly queuedBytes: number;
}

export interface Transport {
  readonly self: NodeId;
  /** Starts to listen. @throws if the address cannot be had. */
  start(handler: PeerHandler): Promise<void>;
  /**
   * Replaces the set of peers, at any time; connections to and from those no longer in it are closed.
   * One that is added again later may come on new data, under any boot number. What was remembered of
   * others than these, before the start too, is forgotten, unless they became members at or after the log
   * index `asOf` (all are forgotten if there is none): then these peers do not prove that they left.
   */
  setPeers(peers: ReadonlyMap<NodeId, Peer>, asOf?: number): void;
  /**
   * Queues one message. Never throws, never blocks. True if it was taken, which promises nothing;
   * false if it was dropped at once.
   */
  send(to: NodeId, group: GroupId, message: PeerMessage): boolean;
  /** A member has acknowledged so much to this node, durably. One that shows less later is refused. */
  acknowledged(peer: NodeId, holding: Holding): void;
  /** Makes durable what was acknowledged since it was asked last, if anything: not for each, but now and then. */
  keepAcknowledged(): void;
  stats(): ReadonlyMap<NodeId, PeerStats>;
  /** Stops listening, closes every connection. Idempotent. */
  close(): Promise<void>;
}
