/**
 * How replicas of different nodes reach each other: one-way messages that may be lost, doubled,
 * delayed or reordered. Nothing here retries, and nothing throws into the sender.
 *
 * @module
 */
import type { GroupId, NodeId } from "../raft/types.ts";
import type { Message } from "../raft/message.ts";

/** Where a peer listens. */
export interface PeerAddress {
  readonly hostname: string;
  readonly port: number;
}

/** Receives what arrives. Called synchronously, one message at a time, in no promised order. */
export type PeerHandler = (from: NodeId, group: GroupId, message: Message) => void;

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
  /** Replaces the set of peers; connections to those no longer in it are closed. */
  setPeers(peers: ReadonlyMap<NodeId, PeerAddress>): void;
  /**
   * Queues one message. Never throws, never blocks. True if it was taken, which promises nothing;
   * false if it was dropped at once.
   */
  send(to: NodeId, group: GroupId, message: Message): boolean;
  stats(): ReadonlyMap<NodeId, PeerStats>;
  /** Stops listening, closes every connection. Idempotent. */
  close(): Promise<void>;
}
