/**
 * A network of datagrams in virtual time, for the pure parts of the UDP transport: it loses, doubles,
 * delays and reorders what is sent, and drops what is larger than its path carries.
 *
 * @module
 */
import { Endpoint, type EndpointOwner, keyOf, type Remote } from "../../transport/udp/endpoint.ts";
import { UDP_LIMITS, type UdpLimits } from "../../transport/udp/limits.ts";
import type { Session } from "../../transport/udp/session.ts";
import { seeded } from "./harness.ts";

export interface Fate {
  /** Shares of 1. */
  readonly drop: number;
  readonly duplicate: number;
  readonly delayMs: number;
  /** Up to so much more, for each datagram anew: that reorders. */
  readonly jitterMs: number;
  readonly datagramBytesMax: number;
}

export const PERFECT: Fate = {
  drop: 0,
  duplicate: 0,
  delayMs: 1,
  jitterMs: 0,
  datagramBytesMax: 65_507,
};

interface Flight {
  readonly atMs: number;
  readonly from: Remote;
  readonly to: Remote;
  readonly datagram: Uint8Array;
}

export class DatagramNetwork {
  nowMs = 0;
  fate: Fate;
  /** Every datagram that was sent, while it is kept. */
  readonly sent: { from: Remote; to: Remote; datagram: Uint8Array }[] = [];
  datagrams = 0;
  bytes = 0;
  largest = 0;
  readonly random: () => number;
  readonly #nodes = new Map<string, VirtualNode>();
  readonly #cut = new Set<string>();
  #flights: Flight[] = [];
  #paused: VirtualNode | null = null;

  constructor(seed: number, fate: Partial<Fate> = {}) {
    this.random = seeded(seed);
    this.fate = { ...PERFECT, ...fate };
  }

  /** A node at an address; in the place of the one before, if there was one. */
  node(hostname: string, limits: Partial<UdpLimits> = {}): VirtualNode {
    const node = new VirtualNode(this, { hostname, port: 9000 }, { ...UDP_LIMITS, ...limits });
    this.#nodes.set(keyOf(node.remote), node);
    return node;
  }

  /** Loses everything on the way from one to the other. */
  cut(from: VirtualNode, to: VirtualNode): void {
    this.#cut.add(`${keyOf(from.remote)} ${keyOf(to.remote)}`);
  }

  /** What is sent to the node waits, as in its socket while its process stands still. */
  pause(node: VirtualNode): void {
    this.#paused = node;
  }

  /** Ends the cut from one to the other, and whatever pause there is. */
  restore(from: VirtualNode, to: VirtualNode): void {
    this.#cut.delete(`${keyOf(from.remote)} ${keyOf(to.remote)}`);
    this.#paused = null;
  }

  send(from: Remote, to: Remote, datagram: Uint8Array): void {
    this.sent.push({ from, to, datagram });
    this.datagrams += 1;
    this.bytes += datagram.length;
    this.largest = Math.max(this.largest, datagram.length);
    if (this.#cut.has(`${keyOf(from)} ${keyOf(to)}`)) return;
    if (datagram.length > this.fate.datagramBytesMax) return;
    if (this.#chance(this.fate.drop)) return;
    const copies = this.#chance(this.fate.duplicate) ? 2 : 1;
    for (let i = 0; i < copies; i++) {
      const delayMs = this.fate.delayMs + this.fate.jitterMs * this.random() / 2 ** 32;
      this.#flights.push({ atMs: this.nowMs + delayMs, from, to, datagram });
    }
  }

  /** Lets time pass until the condition holds; false if it does not within so long. */
  run(withinMs: number, condition: () => boolean = () => false): boolean {
    const endMs = this.nowMs + withinMs;
    // What was written or read since the last call has to leave.
    for (const node of this.#nodes.values()) if (node !== this.#paused) node.tick();
    while (!condition()) {
      const nextMs = this.#nextMs();
      if (nextMs > endMs) {
        this.nowMs = endMs;
        return condition();
      }
      this.nowMs = Math.max(this.nowMs, nextMs);
      this.#step();
    }
    return true;
  }

  #nextMs(): number {
    let nextMs = Infinity;
    for (const { atMs, to } of this.#flights) {
      if (!this.#isPaused(to)) nextMs = Math.min(nextMs, atMs);
    }
    for (const node of this.#nodes.values()) {
      if (node !== this.#paused) nextMs = Math.min(nextMs, node.dueMs);
    }
    return nextMs;
  }

  #step(): void {
    const isDue = ({ atMs, to }: Flight) => atMs <= this.nowMs && !this.#isPaused(to);
    const due = this.#flights.filter(isDue);
    this.#flights = this.#flights.filter((flight) => !isDue(flight));
    due.sort((a, b) => a.atMs - b.atMs);
    for (const { from, to, datagram } of due) this.#nodes.get(keyOf(to))?.receive(datagram, from);
    for (const node of this.#nodes.values()) if (node !== this.#paused) node.tick();
  }

  #isPaused(to: Remote): boolean {
    return this.#paused !== null && keyOf(to) === keyOf(this.#paused.remote);
  }

  #chance(rate: number): boolean {
    return rate > 0 && this.random() < rate * 2 ** 32;
  }
}

/** One end of a session, which reads all that comes unless told otherwise. */
export class Pipe {
  readonly session: Session;
  readonly received: number[] = [];
  reads = true;
  #unwritten: Uint8Array = new Uint8Array();

  constructor(session: Session) {
    this.session = session;
  }

  write(data: Uint8Array): void {
    const all = new Uint8Array(this.#unwritten.length + data.length);
    all.set(this.#unwritten);
    all.set(data, this.#unwritten.length);
    this.#unwritten = all;
  }

  get unwritten(): number {
    return this.#unwritten.length;
  }

  move(): void {
    const buffer = new Uint8Array(8192);
    while (this.reads && this.session.readable > 0) {
      this.received.push(...buffer.subarray(0, this.session.read(buffer)));
    }
    this.#unwritten = this.#unwritten.subarray(this.session.write(this.#unwritten));
  }
}

export class VirtualNode implements EndpointOwner {
  readonly remote: Remote;
  readonly endpoint: Endpoint;
  readonly accepts: Pipe[] = [];
  readonly #network: DatagramNetwork;
  readonly #pipes = new Map<Session, { pipe: Pipe; to: Remote }>();

  constructor(network: DatagramNetwork, remote: Remote, limits: UdpLimits) {
    this.#network = network;
    this.remote = remote;
    this.endpoint = new Endpoint({
      limits,
      owner: this,
      cookieKey: new Uint8Array(32).map(() => network.random()),
      drawId: () => network.random() * 2 ** 16 + (network.random() >>> 16),
    });
  }

  get dueMs(): number {
    let dueMs = Infinity;
    for (const session of this.#pipes.keys()) dueMs = Math.min(dueMs, session.dueMs);
    return dueMs;
  }

  dial(node: VirtualNode): Pipe {
    const session = this.endpoint.dial(node.remote, this.#network.nowMs);
    if (session === null) throw new Error("too many sessions");
    return this.#add(session, node.remote);
  }

  receive(datagram: Uint8Array, from: Remote): void {
    this.endpoint.receive(datagram, from, this.#network.nowMs);
  }

  tick(): void {
    for (const session of this.#pipes.keys()) {
      if (session.dueMs <= this.#network.nowMs) session.tick(this.#network.nowMs);
      this.flush(session);
    }
  }

  reply(datagram: Uint8Array, remote: Remote): void {
    this.#network.send(this.remote, remote, datagram);
  }

  accepted(session: Session, remote: Remote): void {
    this.accepts.push(this.#add(session, remote));
    this.flush(session);
  }

  changed(session: Session): void {
    this.flush(session);
  }

  flush(session: Session): void {
    const entry = this.#pipes.get(session);
    if (entry === undefined) return;
    entry.pipe.move();
    while (true) {
      const datagram = session.poll(this.#network.nowMs);
      if (datagram === null) break;
      this.#network.send(this.remote, entry.to, datagram);
    }
    if (session.state !== "closed") return;
    this.#pipes.delete(session);
    this.endpoint.forget(session, this.#network.nowMs);
  }

  #add(session: Session, to: Remote): Pipe {
    const pipe = new Pipe(session);
    this.#pipes.set(session, { pipe, to });
    this.flush(session);
    return pipe;
  }
}

/** Bytes that differ from each other at most places. */
export function bytesFrom(seed: number, length: number): Uint8Array {
  const random = seeded(seed);
  return new Uint8Array(length).map(() => random());
}

/** Two nodes with a session between them: what the first dialled, and what the second accepted. */
export function pair(network: DatagramNetwork, limits: Partial<UdpLimits> = {}) {
  const [a, b] = [network.node("10.0.0.1", limits), network.node("10.0.0.2", limits)];
  const dialled = a.dial(b);
  if (!network.run(60_000, () => dialled.session.state === "open" && b.accepts.length === 1)) {
    throw new Error("they did not connect");
  }
  return { a, b, dialled, accepted: b.accepts[0] };
}
