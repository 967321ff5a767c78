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
   * One that is added again later may come on new data, under any boot number.
   */
  setPeers(peers: ReadonlyMap<NodeId, PeerAddress>): void;
  /**
   * Queues one message. Never throws, never blocks. True if it was taken, which promises nothing;
   * false if it was dropped at once.
   */
  send(to: NodeId, group: GroupId, message: PeerMessage): boolean;
  stats(): ReadonlyMap<NodeId, PeerStats>;
  /** Stops listening, closes every connection. Idempotent. */
  close(): Promise<void>;
}
