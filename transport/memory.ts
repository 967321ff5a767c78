/**
 * A network inside one process: for tests, and for clusters that are simulated.
 *
 * Messages go through the codec, so that replicas share nothing but bytes, and arrive later than
 * they were sent, in order unless a link was told otherwise. All time and randomness is injected.
 *
 * @module
 */
import type { GroupId, NodeId } from "../raft/types.ts";
import type { PeerMessage } from "../raft/message.ts";
import { Acquaintances, HOLDS_ALL, type Life } from "./acquaintances.ts";
import { decodeMessage, encodeMessage } from "./codec.ts";
import { Counters, safeEvents } from "./counters.ts";
import type { EventCallback, RefusalReason } from "./events.ts";
import { drawDelayMs, type Link, LinkTable, type MemoryEnv, processEnv } from "./memory_links.ts";
import { FRAME_BYTES_MAX, TRANSPORT_LIMITS, type TransportLimits } from "./limits.ts";
import type {
  MemoryNetwork,
  MemoryNetworkOptions,
  MemoryTransportOptions,
} from "./memory_types.ts";
import type { Holding, Peer, PeerHandler, PeerStats, Transport } from "./types.ts";

export type { Link, MemoryEnv } from "./memory_links.ts";
export type { MemoryNetwork, MemoryTransportOptions } from "./memory_types.ts";

/** Makes a network without nodes; by default on the process's own scheduler, clock and randomness. */
export function createMemoryNetwork(options: MemoryNetworkOptions = {}): MemoryNetwork {
  return new Network(options.env ?? processEnv(), options.keepsSent ?? false);
}

/** One message under way. */
interface Packet {
  readonly from: MemoryTransport;
  readonly to: NodeId;
  readonly bytes: Uint8Array;
  /** Set while the packet waits for its delay; not while its link is clogged. */
  timer: { cancel(): void } | null;
}

class Network implements MemoryNetwork {
  readonly env: MemoryEnv;
  readonly #nodes = new Map<NodeId, MemoryTransport>();
  readonly #links = new LinkTable();
  readonly #delayed = new Set<Packet>();
  #ready: Packet[] = [];
  #scheduled = false;

  readonly #keepsSent: boolean;

  constructor(env: MemoryEnv, keepsSent: boolean) {
    this.env = env;
    this.#keepsSent = keepsSent;
  }

  transport(id: NodeId, options: MemoryTransportOptions = {}): Transport {
    if (this.#nodes.has(id)) throw new Error(`Cannot make transport: node "${id}" has an open one`);
    const transport = new MemoryTransport(this, id, options);
    this.#nodes.set(id, transport);
    return transport;
  }

  setLink(from: NodeId, to: NodeId, change: Partial<Link>): void {
    this.#links.set(from, to, change);
    if (change.clogged === false) this.#unclog();
  }

  heal(): void {
    this.#links.heal();
    this.#unclog();
  }

  /** What waited in links that are clogged no more arrives, in its order. */
  #unclog(): void {
    for (const packet of this.#delayed) {
      if (packet.timer !== null || this.#link(packet.from.self, packet.to).clogged) continue;
      this.#delayed.delete(packet);
      this.#arrive(packet);
    }
  }

  reachable(from: NodeId, to: NodeId): boolean {
    const [sender, node] = [this.#nodes.get(from), this.#nodes.get(to)];
    return !this.#link(from, to).cut && sender !== undefined && node?.listening === true &&
      node.judge(sender) === null && sender.refusal(node) === null;
  }

  /** Makes a node known to its peers and them to it, as far as they reach each other, as dialling does. */
  greet(from: MemoryTransport): void {
    this.env.defer(() => {
      for (const peer of from.peers) {
        const node = this.#nodes.get(peer);
        if (node === undefined || !node.listening || !from.listening) continue;
        if (this.#link(from.self, peer).cut || this.#link(peer, from.self).cut) continue;
        // Both dial, so that either learns it before it has anything to say. Other refusals it may learn later.
        if (node.judge(from) === "older-data") from.answeredBy(node, "older-data");
        if (from.judge(node) === "older-data") node.answeredBy(from, "older-data");
        if (node.judge(from) !== null || from.refusal(node) !== null) continue;
        node.meet(from);
        // Each also ends what the other may have refused it for before.
        for (const [one, other] of [[from, node], [node, from]]) one.answeredBy(other, null);
      }
    });
  }

  /** Takes the packet as the link has it: lost, once or twice, now or later. */
  carry(from: MemoryTransport, to: NodeId, bytes: Uint8Array): void {
    const link = this.#link(from.self, to);
    if (link.cut || this.#chance(link.dropRate)) return;
    this.#schedule({ from, to, bytes, timer: null }, link);
    if (!this.#chance(link.duplicateRate)) return;
    // The copy has bytes of its own: two arrivals on a wire share no memory either.
    this.#schedule({ from, to, bytes: bytes.slice(), timer: null }, link);
  }

  /** Forgets a node and what is under way to and, unless that is kept, from it. */
  remove(transport: MemoryTransport): void {
    this.#nodes.delete(transport.self);
    const isLost = ({ from, to }: Packet) =>
      to === transport.self || from === transport && !this.#keepsSent;
    for (const packet of this.#delayed) {
      if (!isLost(packet)) continue;
      packet.timer?.cancel();
      this.#delayed.delete(packet);
      packet.from.released(packet.to, packet.bytes.length);
    }
    this.#ready = this.#ready.filter((packet) => {
      if (!isLost(packet)) return true;
      packet.from.released(packet.to, packet.bytes.length);
      return false;
    });
  }

  #link(from: NodeId, to: NodeId): Link {
    return this.#links.of(from, to);
  }

  #chance(rate: number): boolean {
    return rate > 0 && this.env.randomUint32() < rate * 2 ** 32;
  }

  #schedule(packet: Packet, link: Link): void {
    packet.from.taken(packet.to, packet.bytes.length);
    const delayMs = drawDelayMs(link, this.env);
    if (link.clogged) this.#delayed.add(packet);
    else if (delayMs > 0) {
      this.#delayed.add(packet);
      packet.timer = this.env.setTimer(() => {
        this.#delayed.delete(packet);
        this.#arrive(packet);
      }, delayMs);
    } else if (this.#chance(link.reorderRate)) {
      this.env.defer(() => this.#arrive(packet));
    } else {
      this.#arrive(packet);
    }
  }

  #arrive(packet: Packet): void {
    this.#ready.push(packet);
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.env.defer(() => this.#drain());
  }

  /** Delivers what had arrived before this call; answers to it come in the next one. */
  #drain(): void {
    this.#scheduled = false;
    const count = this.#ready.length;
    for (let i = 0; i < count; i++) {
      const packet = this.#ready.shift();
      if (packet === undefined) return;
      packet.from.released(packet.to, packet.bytes.length);
      this.#deliver(packet);
    }
  }

  #deliver({ from, to, bytes }: Packet): void {
    const node = this.#nodes.get(to);
    if (node === undefined || !node.listening || this.#link(from.self, to).cut) return;
    // As in a handshake: the listener judges first, and the dialler whom that welcomes.
    const refusal = node.judge(from);
    const isAnswered = !this.#link(to, from.self).cut;
    if (refusal !== null) node.refuse(from, refusal);
    if (isAnswered) from.answeredBy(node, refusal);
    if (refusal !== null || from.refusal(node) !== null) return;
    node.meet(from);
    node.receive(from.self, bytes);
  }
}

class MemoryTransport implements Transport {
  readonly self: NodeId;
  readonly #network: Network;
  readonly #start: { readonly incarnation: number; readonly boot: number };
  readonly #holding: () => Holding;
  readonly #limits: TransportLimits;
  readonly #emit: EventCallback;
  readonly #counters: Counters;
  readonly #acceptUnknown: () => boolean;
  readonly #queued = new Map<NodeId, { messages: number; bytes: number }>();
  readonly #refusedBy = new Set<NodeId>();
  readonly #acquaintances: Acquaintances;
  readonly #ownAddress: () => string | null;
  /** Who was heard, and in which life, since the start. */
  readonly #heard = new Map<NodeId, Life>();
  #peers: ReadonlyMap<NodeId, Peer> = new Map();
  #handler: PeerHandler | null = null;
  #closed = false;

  constructor(network: Network, self: NodeId, options: MemoryTransportOptions) {
    this.self = self;
    this.#network = network;
    this.#limits = { ...TRANSPORT_LIMITS, ...options.limits };
    this.#emit = safeEvents(options.onEvent);
    this.#counters = new Counters(this.#emit);
    this.#acceptUnknown = options.acceptUnknown ?? (() => false);
    this.#ownAddress = options.ownAddress ?? (() => null);
    this.#acquaintances = new Acquaintances(options);
    this.#start = { incarnation: options.incarnation ?? 1, boot: options.boot ?? 1 };
    this.#holding = options.holding ?? (() => HOLDS_ALL);
  }

  get life(): Life {
    return { ...this.#start, ...this.#holding() };
  }

  get peers(): Iterable<NodeId> {
    return this.#peers.keys();
  }

  get listening(): boolean {
    return this.#handler !== null && !this.#closed;
  }

  start(handler: PeerHandler): Promise<void> {
    if (this.#closed || this.#handler !== null) {
      return Promise.reject(new Error("Cannot start transport: it was started or closed before"));
    }
    this.#handler = handler;
    this.#network.greet(this);
    return Promise.resolve();
  }

  setPeers(peers: ReadonlyMap<NodeId, Peer>, asOf?: number): void {
    if (this.#closed) return;
    const wanted = new Map(peers);
    wanted.delete(this.self);
    this.#peers = wanted;
    if (this.listening) this.#network.greet(this);
    const strangers = this.#acceptUnknown();
    const isKept = (peer: NodeId) => strangers && this.#heard.has(peer);
    const anew = this.#acquaintances.setPeers(wanted, isKept, asOf);
    for (const peer of this.#heard.keys()) {
      if (anew.includes(peer) || !wanted.has(peer) && !strangers) this.#heard.delete(peer);
    }
  }

  send(to: NodeId, group: GroupId, message: PeerMessage): boolean {
    if (!this.#peers.has(to)) return this.#counters.drop(to, "unknown-peer");
    if (!this.listening) return this.#counters.drop(to, "not-connected");
    let bytes: Uint8Array;
    try {
      bytes = encodeMessage(group, message);
    } catch {
      return this.#counters.drop(to, "not-encodable");
    }
    if (bytes.length > FRAME_BYTES_MAX) return this.#counters.drop(to, "too-large");
    const queued = this.#queued.get(to);
    if (
      queued !== undefined && (queued.messages >= this.#limits.queueMessagesMax ||
        queued.bytes + bytes.length > this.#limits.queueBytesMax)
    ) return this.#counters.drop(to, "queue-full");
    const counters = this.#counters.of(to);
    counters.dropping = null;
    counters.sentMessages += 1;
    counters.sentBytes += bytes.length;
    this.#network.carry(this, to, bytes);
    return true;
  }

  acknowledged(peer: NodeId, holding: Holding): void {
    this.#acquaintances.acknowledged(peer, holding);
  }

  keepAcknowledged(): void {
    if (!this.#closed) this.#acquaintances.keepAcknowledged();
  }

  stats(): ReadonlyMap<NodeId, PeerStats> {
    const stats = new Map<NodeId, PeerStats>();
    for (const peer of this.#peers.keys()) this.#counters.of(peer);
    for (const [peer, counters] of this.#counters.entries()) {
      const connected = this.listening && this.#peers.has(peer) &&
        this.#network.reachable(this.self, peer);
      stats.set(peer, counters.snapshot(connected, this.#queued.get(peer)?.bytes ?? 0));
    }
    return stats;
  }

  close(): Promise<void> {
    if (!this.#closed) {
      this.#closed = true;
      this.#network.remove(this);
    }
    return Promise.resolve();
  }

  /** The network holds one more packet of this node. */
  taken(to: NodeId, bytes: number): void {
    const queued = this.#queued.get(to) ?? { messages: 0, bytes: 0 };
    queued.messages += 1;
    queued.bytes += bytes;
    this.#queued.set(to, queued);
  }

  released(to: NodeId, bytes: number): void {
    const queued = this.#queued.get(to);
    if (queued === undefined) return;
    queued.messages -= 1;
    queued.bytes -= bytes;
    if (queued.messages === 0) this.#queued.delete(to);
  }

  /** Why a sender is not heard; null if it is. */
  judge(from: MemoryTransport): RefusalReason | null {
    if (!this.#peers.has(from.self) && !this.#acceptUnknown()) return "unknown-sender";
    return this.refusal(from);
  }

  /** What speaks against another node's being who it was. */
  refusal(other: MemoryTransport): RefusalReason | null {
    return this.#acquaintances.judge(other.self, other.life);
  }

  /** Tells of a sender that is not heard. */
  refuse(from: MemoryTransport, reason: RefusalReason): void {
    const direction = "incoming";
    const peer = from.self;
    this.#emit({ type: "refused", direction, peer, remote: "memory", reason, byPeer: false });
  }

  /**
   * Hears a sender, for the first time in this life of it or again. What is new of it goes to the disk at
   * once, but is not waited for: that a crash comes before it is for tests of TCP.
   */
  meet(from: MemoryTransport): void {
    const { self: peer, life } = from;
    const before = this.#heard.get(peer);
    if (before?.boot === life.boot && before.incarnation === life.incarnation) return;
    this.#heard.set(peer, life);
    this.met(from);
    const { boot } = life;
    const address = from.#ownAddress();
    this.#emit({ type: "connected", direction: "incoming", peer, boot, address });
  }

  /**
   * A message has reached a peer that hears this node, or does not, or that this node will not have. A
   * refusal is told with each message in vain, as TCP tells it with each attempt to connect; a connection
   * only when it ends refusals.
   */
  answeredBy(node: MemoryTransport, refusal: RefusalReason | null): void {
    if (this.#closed) return;
    const direction = "outgoing";
    const peer = node.self;
    const reason = refusal ?? this.refusal(node);
    if (reason !== null) {
      this.#refusedBy.add(peer);
      const byPeer = refusal !== null;
      this.#emit({ type: "refused", direction, peer, remote: "memory", reason, byPeer });
      return;
    }
    this.met(node);
    if (this.#refusedBy.delete(peer)) {
      const { boot } = node.life;
      this.#emit({ type: "connected", direction, peer, boot, address: node.#ownAddress() });
    }
  }

  /** Remembers on what data another node runs. */
  met(other: MemoryTransport): void {
    this.#acquaintances.learn(other.self, other.life);
    if (this.#acquaintances.isSettled) return;
    this.#acquaintances.settle().catch(() => {}); // Tried again with what is learned next.
  }

  receive(from: NodeId, bytes: Uint8Array): void {
    if (this.#handler === null || this.#closed) return;
    const { group, message } = decodeMessage(bytes);
    const counters = this.#counters.of(from);
    counters.receivedMessages += 1;
    counters.receivedBytes += bytes.length;
    try {
      this.#handler(from, group, message);
    } catch (error) {
      this.#emit({ type: "handler-failed", peer: from, group, error });
    }
  }
}
