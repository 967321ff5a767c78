/**
 * Faults over any transport: what is sent through it, or heard through it, is lost, doubled, delayed,
 * reordered or cut off as a table of directed links says, which may be changed at any time. For tests: no
 * option of a node leads here.
 *
 * The faults are those of messages. What a transport does by itself (greetings, probes, acknowledgements)
 * goes on, so that a link that is cut here looks to both ends like a network that swallows everything, not
 * like a connection that breaks.
 *
 * All time and randomness is injected; in a virtual world a run repeats.
 *
 * @module
 */
import type { PeerMessage } from "../raft/message.ts";
import type { GroupId, NodeId } from "../raft/types.ts";
import { Counters, safeEvents } from "./counters.ts";
import type { EventCallback } from "./events.ts";
import { type FaultCounts, noFaults, Wire, type WireOwner } from "./faulty_wire.ts";
import { COUNTED_PEERS_MAX, HELD_LIMITS, type TransportLimits } from "./limits.ts";
import type { LinkTable, MemoryEnv } from "./memory_links.ts";
import type { Holding, Peer, PeerHandler, PeerStats, Transport } from "./types.ts";

export type { FaultCounts } from "./faulty_wire.ts";

/**
 * Where a link's faults happen: as its sender sends, as its receiver hears, or at both ends. Of two ends
 * that share a table one should do, or rates and delays count twice.
 */
export type FaultySide = "sender" | "receiver" | "both";

export interface FaultyOptions {
  readonly env: MemoryEnv;
  /** Of links to and from this node, and of any others. May be shared, and changed at any time. */
  readonly links: LinkTable;
  /** `"sender"` unless told. */
  readonly side?: FaultySide;
  /** Of what is held back of one direction of one link; HELD_LIMITS unless told. */
  readonly limits?: Partial<TransportLimits>;
  /** Is told of messages that were dropped because too much was held, and of handlers that failed later. */
  readonly onEvent?: EventCallback;
}

export interface FaultyTransport extends Transport {
  /** How often each fault was injected. */
  readonly injected: Readonly<FaultCounts>;
}

/**
 * Puts faults over a transport, which belongs to the result from then on.
 *
 * The counters are those of a network that has these faults: a message that was lost or is under way counts
 * as sent and not as received, a double once as sent and twice as received. Bytes that `transport` has not
 * counted itself are those of the message without its frame. A link that is cut is not connected.
 *
 * @example
 * ```ts
 * const links = new LinkTable();
 * const transport = faultyTransport(network.transport(nodeId("n1")), { env, links });
 * links.set(nodeId("n1"), nodeId("n2"), { dropRate: 0.1, delayMs: 20 });
 * ```
 */
export function faultyTransport(transport: Transport, options: FaultyOptions): FaultyTransport {
  return new Faulty(transport, options);
}

class Faulty implements FaultyTransport {
  readonly self: NodeId;
  readonly injected = noFaults();
  readonly #inner: Transport;
  readonly #env: MemoryEnv;
  readonly #links: LinkTable;
  readonly #limits: TransportLimits;
  readonly #emit: EventCallback;
  readonly #atSender: boolean;
  readonly #atReceiver: boolean;
  /** What is to be added to the counters of the transport itself. */
  readonly #counters: Counters;
  readonly #outgoing = new Map<NodeId, Wire>();
  readonly #incoming = new Map<NodeId, Wire>();
  /** Since when each peer is a member, as far as is known; null until peers were set. */
  #peers: ReadonlyMap<NodeId, number> | null = null;
  #handler: PeerHandler | null = null;
  #closed = false;

  constructor(inner: Transport, options: FaultyOptions) {
    const { side = "sender" } = options;
    this.self = inner.self;
    this.#inner = inner;
    this.#env = options.env;
    this.#links = options.links;
    this.#limits = { ...HELD_LIMITS, ...options.limits };
    this.#emit = safeEvents(options.onEvent);
    this.#counters = new Counters(this.#emit);
    this.#atSender = side !== "receiver";
    this.#atReceiver = side !== "sender";
  }

  start(handler: PeerHandler): Promise<void> {
    if (!this.#atReceiver) return this.#inner.start(handler);
    this.#handler ??= handler;
    return this.#inner.start((from, group, message) => this.#hear(from, group, message));
  }

  setPeers(peers: ReadonlyMap<NodeId, Peer>, asOf?: number): void {
    const before = this.#peers ?? new Map<NodeId, number>();
    const after = new Map<NodeId, number>();
    for (const [peer, { since = 0 }] of peers) {
      after.set(peer, Math.max(since, before.get(peer) ?? 0));
    }
    for (const wires of [this.#outgoing, this.#incoming]) {
      for (const [peer, wire] of wires) {
        // Under a higher index it is another node of that name: what is under way is not to or from it.
        if (after.has(peer) && after.get(peer) === (before.get(peer) ?? 0)) continue;
        wire.end();
        wires.delete(peer);
      }
    }
    this.#peers = after;
    this.#inner.setPeers(peers, asOf);
  }

  send(to: NodeId, group: GroupId, message: PeerMessage): boolean {
    // To nobody there is no link; the transport itself refuses that, and counts it.
    const isLinked = this.#atSender && !this.#closed && to !== this.self &&
      (this.#peers === null || this.#peers.has(to));
    if (!isLinked) return this.#inner.send(to, group, message);
    switch (this.#wireTo(to)?.take(group, message) ?? "full") {
      case "full":
        return this.#counters.drop(to, "queue-full");
      case "refused":
        return false;
      case "passed":
      case "held":
      case "lost": // Which the sender of a message does not learn.
        this.#counters.of(to).dropping = null;
        return true;
    }
  }

  acknowledged(peer: NodeId, holding: Holding): void {
    this.#inner.acknowledged(peer, holding);
  }

  keepAcknowledged(): void {
    this.#inner.keepAcknowledged();
  }

  stats(): ReadonlyMap<NodeId, PeerStats> {
    const stats = new Map(this.#inner.stats());
    for (const [peer, it] of stats) {
      const more = this.#counters.of(peer);
      stats.set(peer, {
        connected: it.connected && !(this.#atSender && this.#links.of(this.self, peer).cut),
        sentMessages: it.sentMessages + more.sentMessages,
        sentBytes: it.sentBytes + more.sentBytes,
        receivedMessages: it.receivedMessages + more.receivedMessages,
        receivedBytes: it.receivedBytes + more.receivedBytes,
        dropped: it.dropped + more.dropped,
        queuedBytes: it.queuedBytes + (this.#outgoing.get(peer)?.heldBytes ?? 0),
      });
    }
    return stats;
  }

  close(): Promise<void> {
    this.#closed = true;
    for (const wires of [this.#outgoing, this.#incoming]) {
      for (const wire of wires.values()) wire.end();
      wires.clear();
    }
    return this.#inner.close();
  }

  #hear(from: NodeId, group: GroupId, message: PeerMessage): void {
    if (!this.#closed) this.#wireFrom(from)?.take(group, message);
  }

  #wireTo(peer: NodeId): Wire | null {
    return wireOf(this.#outgoing, peer, () => ({
      ...this.#surroundings(this.self, peer),
      pass: (group, message, fate) => {
        const isTaken = this.#inner.send(peer, group, message);
        // A message that was held has been counted, and a copy is none of its own.
        if (fate.wasHeld || fate.isCopy && isTaken) this.#count(peer, "sent", -1, -fate.bytes);
        if (fate.isCopy && !isTaken) this.#counters.of(peer).dropped -= 1;
        return isTaken;
      },
      kept: (bytes) => this.#count(peer, "sent", 1, bytes),
      overflowed: () => {}, // `send` tells.
    }));
  }

  #wireFrom(peer: NodeId): Wire | null {
    const uncount = (bytes: number) => this.#count(peer, "received", -1, -bytes);
    return wireOf(this.#incoming, peer, () => ({
      ...this.#surroundings(peer, this.self),
      pass: (group, message, { isCopy, wasHeld, bytes }) => {
        if (isCopy || wasHeld) {
          this.#count(peer, "received", 1, bytes);
          this.#deliverLate(peer, group, message);
        } else {
          this.#handler?.(peer, group, message);
        }
        return true;
      },
      kept: uncount,
      overflowed: uncount,
    }));
  }

  #surroundings(from: NodeId, to: NodeId) {
    const link = () => this.#links.of(from, to);
    return { env: this.#env, limits: this.#limits, counts: this.injected, link };
  }

  #count(peer: NodeId, what: "sent" | "received", messages: number, bytes: number): void {
    const counters = this.#counters.of(peer);
    counters[`${what}Messages`] += messages;
    counters[`${what}Bytes`] += bytes;
  }

  /** Outside of the transport's own delivery, which would tell of a handler that throws. */
  #deliverLate(from: NodeId, group: GroupId, message: PeerMessage): void {
    try {
      this.#handler?.(from, group, message);
    } catch (error) {
      this.#emit({ type: "handler-failed", peer: from, group, error });
    }
  }
}

/** The wire of a peer; null if there are too many to keep another, which loses what it would carry. */
function wireOf(
  wires: Map<NodeId, Wire>,
  peer: NodeId,
  owner: () => WireOwner,
): Wire | null {
  const known = wires.get(peer);
  if (known !== undefined || wires.size >= COUNTED_PEERS_MAX) return known ?? null;
  const wire = new Wire(owner());
  wires.set(peer, wire);
  return wire;
}
