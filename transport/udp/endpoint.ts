/**
 * All sessions of one UDP socket: finds the one that a datagram is for, opens those that are dialled or
 * ask to be opened, and answers whom nobody knows. Pure: see session.ts.
 *
 * Whoever sends from an address that it does not receive at gets one answer, smaller than what it sent,
 * and leaves nothing behind. A packet counts only if it names a session and comes from where that is.
 *
 * @module
 */
import type { Path } from "./congestion.ts";
import { Cookies } from "./cookies.ts";
import type { UdpLimits } from "./limits.ts";
import {
  type DataPacket,
  decodePacket,
  encodeCookie,
  encodeReset,
  type Packet,
  RESET_BYTES,
  type SessionId,
} from "./packet.ts";
import { Session } from "./session.ts";

/** Where datagrams go to and come from: an address, not a name. */
export interface Remote {
  readonly hostname: string;
  readonly port: number;
}

export interface EndpointOwner {
  /** To be sent once; it may be lost. */
  reply(datagram: Uint8Array, remote: Remote): void;
  /** Somebody has opened a session. */
  accepted(session: Session, remote: Remote): void;
  /** A packet has changed a session. */
  changed(session: Session): void;
}

export interface EndpointOptions {
  readonly limits: UdpLimits;
  readonly owner: EndpointOwner;
  /** 32 random bytes. */
  readonly cookieKey: Uint8Array;
  /** Draws a session's id: below 2^48, and not to be guessed. */
  readonly drawId: () => SessionId;
}

interface Entry {
  readonly session: Session;
  readonly remote: string;
  readonly isAccepted: boolean;
  /** Under which `#byPeer` has it. */
  peerKey: string | null;
}

export class Endpoint {
  readonly #limits: UdpLimits;
  readonly #owner: EndpointOwner;
  readonly #cookies: Cookies;
  readonly #drawId: () => SessionId;
  readonly #byId = new Map<SessionId, Entry>();
  /** By the address and the id of the other end. */
  readonly #byPeer = new Map<string, Entry>();
  /** Sessions that others opened and that have ended, and until when a cookie could open them again. */
  readonly #buried = new Map<string, number>();
  #accepting = true;
  #accepted = 0;
  #replies: number;
  #repliesMs = -Infinity;

  constructor({ limits, owner, cookieKey, drawId }: EndpointOptions) {
    this.#limits = limits;
    this.#owner = owner;
    this.#cookies = new Cookies(cookieKey, limits.cookieMs);
    this.#drawId = drawId;
    this.#replies = limits.repliesPerSecondMax;
  }

  get sessions(): number {
    return this.#byId.size;
  }

  /** For tests: what is remembered of sessions that have ended. */
  get buried(): number {
    return this.#buried.size;
  }

  /** Begins a session; null if there are too many. */
  dial(remote: Remote, nowMs: number): Session | null {
    return this.#open(remote, null, nowMs);
  }

  /** From now on nobody else may open sessions. */
  stopAccepting(): void {
    this.#accepting = false;
  }

  /** Forgets a session that is closed. */
  forget(session: Session, nowMs: number): void {
    const entry = this.#byId.get(session.id);
    if (entry?.session !== session) return;
    this.#byId.delete(session.id);
    if (entry.isAccepted) this.#accepted -= 1;
    if (entry.peerKey === null) return;
    this.#byPeer.delete(entry.peerKey);
    this.#bury(entry.peerKey, nowMs);
  }

  /** Takes a datagram. Never throws, whatever it is. */
  receive(datagram: Uint8Array, remote: Remote, nowMs: number): void {
    const packet = decodePacket(datagram);
    if (packet === null) return;
    const from = keyOf(remote);
    if (packet.type === "open") return this.#opening(packet, remote, from, nowMs);
    if (packet.type === "reset") return this.#reset(packet.to, from);
    const entry = this.#byId.get(packet.to);
    if (entry === undefined) {
      // Whoever goes on with a process that is no more should know; a close says that it does.
      if (packet.type === "data" && datagram.length > RESET_BYTES) {
        this.#reply(encodeReset(packet.to), remote, nowMs);
      }
      return;
    }
    if (entry.remote !== from) return;
    this.#forSession(entry, packet, nowMs);
  }

  #forSession(
    entry: Entry,
    packet: DataPacket | Extract<Packet, { type: "cookie" | "accept" | "close" }>,
    nowMs: number,
  ): void {
    const { session } = entry;
    switch (packet.type) {
      case "data":
        session.receive(packet, nowMs);
        break;
      case "cookie":
        session.challenge(packet.cookie, nowMs);
        break;
      case "accept":
        if (session.state !== "opening") return;
        session.accepted(packet.from, nowMs);
        this.#name(entry, packet.from);
        break;
      case "close":
        if (session.peerId !== packet.from) return;
        session.ended(false);
    }
    this.#owner.changed(session);
  }

  #opening(
    { from, cookie }: Extract<Packet, { type: "open" }>,
    remote: Remote,
    address: string,
    nowMs: number,
  ): void {
    const peerKey = `${address} ${from}`;
    const known = this.#byPeer.get(peerKey);
    if (known !== undefined) {
      known.session.reopened();
      return this.#owner.changed(known.session);
    }
    if (!this.#accepting || this.#accepted >= this.#limits.acceptedMax) return;
    if (cookie === null || !this.#cookies.isValid(cookie, address, from, nowMs)) {
      return this.#reply(
        encodeCookie(from, this.#cookies.make(address, from, nowMs)),
        remote,
        nowMs,
      );
    }
    if (this.#buried.has(peerKey)) return;
    const session = this.#open(remote, from, nowMs);
    if (session !== null) this.#owner.accepted(session, remote);
  }

  #open(remote: Remote, peerId: SessionId | null, nowMs: number): Session | null {
    if (this.#byId.size >= this.#limits.sessionsMax) return null;
    let id = this.#drawId();
    // 0 is nobody's: openings are addressed to it.
    while (id === 0 || this.#byId.has(id)) id = this.#drawId();
    const session = new Session({
      limits: this.#limits,
      id,
      peerId,
      path: this.#path(remote),
      nowMs,
    });
    const isAccepted = peerId !== null;
    const entry = { session, remote: keyOf(remote), isAccepted, peerKey: null };
    this.#byId.set(id, entry);
    if (isAccepted) {
      this.#accepted += 1;
      this.#name(entry, peerId);
    }
    return session;
  }

  #path({ hostname }: Remote): Path {
    const { datagramBytesMax, loopbackDatagramBytesMax, loopbackWindowBytesMax } = this.#limits;
    return isLoopback(hostname)
      ? {
        datagramBytes: loopbackDatagramBytesMax,
        windowBytesMax: loopbackWindowBytesMax,
        isLocal: true,
      }
      : { datagramBytes: datagramBytesMax, windowBytesMax: Infinity, isLocal: false };
  }

  #name(entry: Entry, peerId: SessionId): void {
    entry.peerKey = `${entry.remote} ${peerId}`;
    this.#byPeer.set(entry.peerKey, entry);
  }

  /** Only who had the packet can name the peer's id, which this node never says but in packets to it. */
  #reset(peerId: SessionId, from: string): void {
    const entry = this.#byPeer.get(`${from} ${peerId}`);
    if (entry === undefined) return;
    entry.session.ended(true);
    this.#owner.changed(entry.session);
  }

  #bury(peerKey: string, nowMs: number): void {
    for (const [key, untilMs] of this.#buried) {
      if (untilMs > nowMs && this.#buried.size < this.#limits.buriedMax) break;
      this.#buried.delete(key);
    }
    this.#buried.set(peerKey, nowMs + this.#limits.cookieMs);
  }

  #reply(datagram: Uint8Array, remote: Remote, nowMs: number): void {
    if (nowMs - this.#repliesMs >= 1000) {
      this.#replies = this.#limits.repliesPerSecondMax;
      this.#repliesMs = nowMs;
    }
    if (this.#replies <= 0) return;
    this.#replies -= 1;
    this.#owner.reply(datagram, remote);
  }
}

export function keyOf({ hostname, port }: Remote): string {
  return `${hostname}:${port}`;
}

/** An address in the one form in which datagrams are said to come from it: that of RFC 5952 for IPv6. */
export function canonical(address: string): string {
  return address.includes(":") ? new URL(`http://[${address}]`).hostname.slice(1, -1) : address;
}

/** Whether an address is this machine's own, by any path of which large datagrams come whole. */
export function isLoopback(hostname: string): boolean {
  return /^127\.\d+\.\d+\.\d+$/.test(hostname) || hostname === "::1";
}
