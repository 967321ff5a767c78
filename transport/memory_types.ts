/**
 * The network in memory, as who uses it sees it.
 *
 * @module
 */
import type { NodeId } from "../raft/types.ts";
import type { EventCallback } from "./events.ts";
import type { TransportLimits } from "./limits.ts";
import type { Link, MemoryEnv } from "./memory_links.ts";
import type { IdentityOptions, StrangerOptions, Transport } from "./types.ts";

export interface MemoryNetworkOptions {
  /** The process's own scheduler, clock and randomness unless told. */
  readonly env?: MemoryEnv;
  /** Whether what a node has sent still arrives when the node is gone, as it may on a real network; false unless told. */
  readonly keepsSent?: boolean;
}

export interface MemoryTransportOptions extends StrangerOptions, IdentityOptions {
  /** How often the node was started on its data, and which data those are; 1 if nothing is said. */
  readonly boot?: number;
  readonly incarnation?: number;
  readonly limits?: Partial<TransportLimits>;
  readonly onEvent?: EventCallback;
}

export interface MemoryNetwork {
  /**
   * The transport of one node. After it was closed, the next call gives a new one: a restart.
   *
   * @throws {Error} if the node has one that is open.
   */
  transport(id: NodeId, options?: MemoryTransportOptions): Transport;
  /** Changes what is named of the link from one node to another; the other direction stays. */
  setLink(from: NodeId, to: NodeId, change: Partial<Link>): void;
  /** Makes every link perfect again. */
  heal(): void;
}
