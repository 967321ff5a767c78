/**
 * The counters of one transport, by peer, and the edge that turns drops into events.
 *
 * @module
 */
import type { NodeId } from "../raft/types.ts";
import type { DropReason, EventCallback, TransportEvent } from "./events.ts";
import { COUNTED_PEERS_MAX } from "./limits.ts";
import type { PeerStats } from "./types.ts";

/** Counters since the start of the transport; they outlive connections and membership. */
export class PeerCounters {
  sentMessages = 0;
  sentBytes = 0;
  receivedMessages = 0;
  receivedBytes = 0;
  dropped = 0;
  /** The reason of the run of drops that is going on. */
  dropping: DropReason | null = null;

  snapshot(connected: boolean, queuedBytes: number): PeerStats {
    return {
      connected,
      sentMessages: this.sentMessages,
      sentBytes: this.sentBytes,
      receivedMessages: this.receivedMessages,
      receivedBytes: this.receivedBytes,
      dropped: this.dropped,
      queuedBytes,
    };
  }
}

/** All peers' counters. Bounded, since names of unknown peers come from the sender. */
export class Counters {
  readonly #peers = new Map<NodeId, PeerCounters>();
  readonly #emit: EventCallback;

  constructor(emit: EventCallback) {
    this.#emit = emit;
  }

  of(peer: NodeId): PeerCounters {
    let counters = this.#peers.get(peer);
    if (counters === undefined) {
      counters = new PeerCounters();
      if (this.#peers.size < COUNTED_PEERS_MAX) this.#peers.set(peer, counters);
    }
    return counters;
  }

  /** Counts messages as lost. Gives false, for `send` to return. */
  drop(peer: NodeId, reason: DropReason, messages = 1): false {
    const counters = this.of(peer);
    counters.dropped += messages;
    if (counters.dropping !== reason) {
      counters.dropping = reason;
      this.#emit({ type: "dropped", peer, reason });
    }
    return false;
  }

  entries(): IterableIterator<[NodeId, PeerCounters]> {
    return this.#peers.entries();
  }
}

/** Makes a callback that can neither throw into the transport nor be missing. */
export function safeEvents(onEvent: EventCallback | undefined): EventCallback {
  if (onEvent === undefined) return () => {};
  return (event: TransportEvent) => {
    try {
      onEvent(event);
    } catch (error) {
      // The observer is broken, not the transport: show it where every uncaught error shows.
      reportError(error);
    }
  };
}
