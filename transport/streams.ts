/**
 * A transport over byte streams: each node dials each peer and sends on the connection it dialled; what
 * it receives comes on the connections it accepted. Whose streams they are (TCP's, or those of sessions
 * over UDP) it is told.
 *
 * Two connections for each pair cost two sockets, and spare the rules by which two nodes that dial
 * each other at once would have to agree on one. See docs/decisions/0006-transport.md.
 *
 * Not here: secrecy and proof of identity (TLS, later), and repeating what was on a connection that was
 * lost (Raft does that).
 *
 * @module
 */
import type { GroupId, NodeId } from "../raft/types.ts";
import type { PeerMessage } from "../raft/message.ts";
import { Acquaintances, HOLDS_ALL } from "./acquaintances.ts";
import { Pause, type TcpEnv } from "./backoff.ts";
import { assertNumber, isName } from "./bytes.ts";
import { Counters, safeEvents } from "./counters.ts";
import type { EventCallback, RefusalReason } from "./events.ts";
import type { Hello } from "./handshake.ts";
import { Incoming, type IncomingOwner } from "./incoming.ts";
import { TCP_LIMITS, type TcpLimits } from "./limits.ts";
import { Outgoing, type TcpContext } from "./outgoing.ts";
import type { Socket, SocketListener, StreamNet } from "./socket.ts";
import type {
  Holding,
  IdentityOptions,
  Peer,
  PeerAddress,
  PeerHandler,
  PeerStats,
  StrangerOptions,
  Transport,
} from "./types.ts";

export type { TcpEnv } from "./backoff.ts";

export interface StreamTransportOptions extends StrangerOptions, IdentityOptions {
  readonly self: NodeId;
  /** 1 to 64 characters of `[A-Za-z0-9._-]`; nodes of another cluster are refused. */
  readonly clusterId: string;
  /** How often this node was started on its data; peers refuse a lower one than they have seen. */
  readonly boot: number;
  /** Which data those are: drawn at random when they began. Peers refuse another than they have seen. */
  readonly incarnation: number;
  /** Port 0 takes a free one, which `address` tells. */
  readonly listen: PeerAddress;
  /** The first set of peers; the node itself may be in it. */
  readonly peers?: ReadonlyMap<NodeId, Peer>;
  readonly env: TcpEnv;
  readonly onEvent?: EventCallback;
  readonly limits?: Partial<TcpLimits>;
}

export interface StreamTransport extends Transport {
  /** Where it listens; null before `start`. */
  readonly address: PeerAddress | null;
}

/**
 * Makes a transport over the streams of `net`. It does nothing before `start`.
 *
 * @throws {RangeError} if the cluster id, the node id or the boot number cannot be sent.
 */
export function createStreamTransport(
  options: StreamTransportOptions,
  net: StreamNet,
): StreamTransport {
  return new PeerStreams(options, net);
}

class PeerStreams implements StreamTransport, IncomingOwner {
  readonly self: NodeId;
  readonly #context: TcpContext;
  readonly #listen: PeerAddress;
  /** Every loop that is running; `close` waits for them. */
  readonly #loops = new Set<Promise<void>>();
  readonly #outgoing = new Map<NodeId, Outgoing>();
  readonly #incoming = new Map<NodeId, Incoming>();
  readonly #greeting = new Set<Incoming>();
  readonly #acceptPause: Pause;
  readonly #acceptUnknown: () => boolean;
  #peers: ReadonlyMap<NodeId, Peer> = new Map();
  #handler: PeerHandler | null = null;
  #listener: SocketListener | null = null;
  #checkTimer: { cancel(): void } | null = null;
  #closed = false;

  constructor(options: StreamTransportOptions, net: StreamNet) {
    const { self, clusterId, boot, incarnation, env, known, remember, ownAddress } = options;
    if (!isName(self)) throw new RangeError(`Cannot make transport: bad node id "${self}"`);
    if (!isName(clusterId)) {
      throw new RangeError(`Cannot make transport: bad cluster id "${clusterId}"`);
    }
    assertNumber(boot);
    assertNumber(incarnation);
    const emit = safeEvents(options.onEvent);
    this.self = self;
    this.#listen = options.listen;
    this.#acceptPause = new Pause(env);
    this.#acceptUnknown = options.acceptUnknown ?? (() => false);
    this.#context = {
      self: {
        id: self,
        clusterId,
        boot,
        incarnation,
        address: ownAddress ?? (() => null),
        holding: options.holding ?? (() => HOLDS_ALL),
      },
      limits: { ...TCP_LIMITS, ...options.limits },
      env,
      net,
      emit,
      counters: new Counters(emit),
      acquaintances: new Acquaintances({
        known,
        remember,
        onNewer: (peer, boot) => {
          this.#incoming.get(peer)?.outlived(boot);
          this.#outgoing.get(peer)?.outlived(boot);
        },
      }),
    };
    if (options.peers !== undefined) this.setPeers(options.peers);
  }

  get address(): PeerAddress | null {
    return this.#listener?.address ?? null;
  }

  // deno-lint-ignore require-await -- a failure to listen must reject, not throw.
  async start(handler: PeerHandler): Promise<void> {
    if (this.#closed || this.#handler !== null) {
      throw new Error("Cannot start transport: it was started or closed before");
    }
    const listener = this.#context.net.listen(this.#listen);
    this.#listener = listener;
    this.#handler = handler;
    this.#track(this.#accept(listener));
    this.#checkLater();
    this.#dialAll();
  }

  setPeers(peers: ReadonlyMap<NodeId, Peer>, asOf?: number): void {
    if (this.#closed) return;
    const wanted = new Map(peers);
    wanted.delete(this.self);
    const before = this.#peers;
    this.#peers = wanted;
    for (const [peer, outgoing] of this.#outgoing) {
      const address = wanted.get(peer);
      if (address !== undefined && sameAddress(address, outgoing.address)) continue;
      this.#outgoing.delete(peer);
      outgoing.close("removed");
    }
    const strangers = this.#acceptUnknown();
    for (const [peer, incoming] of this.#incoming) {
      if (wanted.has(peer) || strangers && !before.has(peer)) continue;
      this.#incoming.delete(peer);
      incoming.close("removed");
    }
    const isKept = (peer: NodeId) => this.#incoming.has(peer);
    const anew = this.#context.acquaintances.setPeers(wanted, isKept, asOf);
    for (const peer of anew) {
      this.#incoming.get(peer)?.close("removed");
      this.#incoming.delete(peer);
      this.#outgoing.get(peer)?.renew();
    }
    if (this.#handler !== null) this.#dialAll();
  }

  #dialAll(): void {
    for (const [peer, address] of this.#peers) {
      if (this.#outgoing.has(peer)) continue;
      const outgoing = new Outgoing(this.#context, peer, address);
      this.#outgoing.set(peer, outgoing);
      this.#track(outgoing.run());
    }
  }

  send(to: NodeId, group: GroupId, message: PeerMessage): boolean {
    const outgoing = this.#outgoing.get(to);
    if (outgoing !== undefined) return outgoing.send(group, message);
    return this.#context.counters.drop(to, this.#peers.has(to) ? "not-connected" : "unknown-peer");
  }

  acknowledged(peer: NodeId, holding: Holding): void {
    this.#context.acquaintances.acknowledged(peer, holding);
  }

  keepAcknowledged(): void {
    if (!this.#closed) this.#context.acquaintances.keepAcknowledged();
  }

  stats(): ReadonlyMap<NodeId, PeerStats> {
    const { counters } = this.#context;
    for (const peer of this.#peers.keys()) counters.of(peer);
    const stats = new Map<NodeId, PeerStats>();
    for (const [peer, counts] of counters.entries()) {
      const outgoing = this.#outgoing.get(peer);
      stats.set(
        peer,
        counts.snapshot(outgoing?.connected ?? false, outgoing?.queuedBytes ?? 0),
      );
    }
    return stats;
  }

  async close(): Promise<void> {
    if (!this.#closed) {
      this.#closed = true;
      this.#checkTimer?.cancel();
      this.#acceptPause.end();
      this.#listener?.close();
      for (const outgoing of this.#outgoing.values()) outgoing.close("closing");
      for (const incoming of [...this.#incoming.values(), ...this.#greeting]) {
        incoming.close("closing");
      }
      this.#outgoing.clear();
      this.#incoming.clear();
    }
    await Promise.all(this.#loops);
    await this.#context.net.close();
  }

  judge(hello: Hello): RefusalReason | null {
    const { from } = hello;
    if (!this.#peers.has(from) && !this.#takesStranger(from)) return "unknown-sender";
    return this.#context.acquaintances.judge(from, hello);
  }

  async remember(hello: Hello): Promise<void> {
    const { acquaintances } = this.#context;
    // Of a stranger there is nothing to remember before it is heard, and after that.
    if (this.#peers.has(hello.from)) acquaintances.learn(hello.from, hello);
    await acquaintances.settle();
  }

  adopt(connection: Incoming, hello: Hello): boolean {
    if (this.judge(hello) !== null) return false;
    const peer = hello.from;
    this.#greeting.delete(connection);
    this.#context.acquaintances.learn(peer, hello);
    this.#incoming.get(peer)?.close("replaced");
    this.#incoming.set(peer, connection);
    this.#outgoing.get(peer)?.hurry();
    return true;
  }

  deliver(from: NodeId, group: GroupId, message: PeerMessage): void {
    if (this.#closed || this.#handler === null) return;
    try {
      this.#handler(from, group, message);
    } catch (error) {
      this.#context.emit({ type: "handler-failed", peer: from, group, error });
    }
  }

  #takesStranger(id: NodeId): boolean {
    if (id === this.self || !this.#acceptUnknown()) return false;
    if (this.#incoming.has(id)) return true;
    let strangers = 0;
    for (const peer of this.#incoming.keys()) if (!this.#peers.has(peer)) strangers += 1;
    return strangers < this.#context.limits.strangersMax;
  }

  async #accept(listener: SocketListener): Promise<void> {
    while (!this.#closed) {
      let socket: Socket;
      try {
        socket = await listener.accept();
      } catch (error) {
        if (this.#closed) return;
        // Out of descriptors, or the dialler has gone: neither is mended by trying at once.
        this.#context.emit({ type: "accept-failed", error });
        await this.#acceptPause.wait(this.#context.limits.backoffMinMs);
        continue;
      }
      this.#serve(socket);
    }
  }

  #serve(socket: Socket): void {
    const { limits, emit } = this.#context;
    if (this.#closed) return socket.close();
    if (this.#greeting.size >= limits.handshakesMax) {
      const remote = socket.remote;
      emit({
        type: "refused",
        direction: "incoming",
        peer: null,
        remote,
        reason: "busy",
        byPeer: false,
      });
      return socket.close();
    }
    const incoming = new Incoming(this.#context, this, socket);
    this.#greeting.add(incoming);
    this.#track(incoming.run().then(() => this.#forget(incoming)));
  }

  #forget(incoming: Incoming): void {
    this.#greeting.delete(incoming);
    for (const [peer, current] of this.#incoming) {
      if (current !== incoming) continue;
      this.#incoming.delete(peer);
      // Whoever is no peer could otherwise fill the memory with names.
      if (!this.#peers.has(peer)) this.#context.acquaintances.forget(peer);
    }
  }

  #checkLater(): void {
    const { env, limits } = this.#context;
    const setMs = env.now();
    this.#checkTimer = env.setTimer(() => {
      const nowMs = env.now();
      // A process that was stopped, or busy, for so long must not blame its peers for the silence.
      const lateMs = nowMs - setMs - limits.probeMs;
      const forgive = lateMs > Math.min(limits.silenceMs, limits.writeStallMs) / 2;
      for (const outgoing of this.#outgoing.values()) outgoing.check(nowMs, forgive);
      for (const incoming of this.#incoming.values()) incoming.check(nowMs, forgive);
      this.#checkLater();
    }, limits.probeMs);
  }

  #track(loop: Promise<void>): void {
    this.#loops.add(loop);
    void loop.then(() => this.#loops.delete(loop));
  }
}

function sameAddress(a: PeerAddress, b: PeerAddress): boolean {
  return a.hostname === b.hostname && a.port === b.port;
}
