/**
 * The linearizable reads that wait at one core. Plain state; the rules are in read_index.ts.
 *
 * @module
 */
import type { LogIndex, NodeId } from "./types.ts";

/** One batch of reads at the leader. */
export interface PendingRead {
  /** The follower that asked; null for this node's own clients. */
  readonly from: NodeId | null;
  readonly id: number;
}

export interface Reads {
  /** As a leader: the last round of heartbeats begun in this term, counted from 1. */
  round: number;
  /** As a leader: the reads that `round` is to confirm. */
  confirming: PendingRead[];
  /** The commit index when `round` began. */
  index: LogIndex;
  /** As a leader: those that wait for the next round. */
  waiting: PendingRead[];
  /** As a follower: ids asked of the leader, oldest first, with the tick of asking. */
  readonly asked: Map<number, number>;
}

export function createReads(): Reads {
  return { round: 0, confirming: [], index: 0 as LogIndex, waiting: [], asked: new Map() };
}
