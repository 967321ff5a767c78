/**
 * This node's way to one peer: dials it, greets it, sends on the connection, and dials anew with
 * backoff when it is lost.
 *
 * While there is no connection messages are dropped at once. Raft sends again what still matters; a
 * queue of what no longer does would only delay that.
 *
 * @module
 */
import type { GroupId, NodeId } from "../raft/types.ts";
import type { PeerMessage } from "../raft/message.ts";
import type { Acquaintances } from "./acquaintances.ts";
import { backoffMs, Pause, type TcpEnv } from "./backoff.ts";
import { MalformedFrame } from "./bytes.ts";
import { type EncodedMessage, encodeParts } from "./codec.ts";
import type { Counters, PeerCounters } from "./counters.ts";
import type { DisconnectReason, EventCallback } from "./events.ts";
import { FRAME_HEADER_BYTES, setFrameLength } from "./frame.ts";
import { greet, HandshakeRefused, type HandshakeSelf, type Hello } from "./handshake.ts";
import type { TcpLimits } from "./limits.ts";
import { SendQueue, type SendQueueOwner } from "./send_queue.ts";
import { type Socket, type StreamNet, Unreached } from "./socket.ts";
import type { PeerAddress } from "./types.ts";

/** What all connections of one transport share. */
export interface TcpContext {
  readonly self: HandshakeSelf;
  readonly limits: TcpLimits;
  readonly env: TcpEnv;
  readonly net: StreamNet;
  readonly emit: EventCallback;
  readonly counters: Counters;
  readonly acquaintances: Acquaintances;
}

export class Outgoing {
  readonly address: PeerAddress;
  readonly #context: TcpContext;
  readonly #peer: NodeId;
  readonly #pause: Pause;
  #dialing: AbortController | null = null;
  #link: OutgoingLink | null = null;
  #closed = false;

  constructor(context: TcpContext, peer: NodeId, address: PeerAddress) {
    this.#context = context;
    this.#peer = peer;
    this.address = address;
    this.#pause = new Pause(context.env);
  }

  get connected(): boolean {
    return this.#link?.open === true;
  }

  get queuedBytes(): number {
    return this.#link?.queue.bytes ?? 0;
  }

  send(group: GroupId, message: PeerMessage): boolean {
    const { counters, limits } = this.#context;
    const link = this.#link;
    if (link === null || !link.open) return counters.drop(this.#peer, "not-connected");
    let parts: EncodedMessage;
    try {
      parts = encodeParts(group, message, FRAME_HEADER_BYTES);
    } catch {
      return counters.drop(this.#peer, "not-encodable");
    }
    const { head, tail } = parts;
    const bodyBytes = head.length - FRAME_HEADER_BYTES + (tail === null ? 0 : tail.length);
    if (bodyBytes > limits.frameBytesMax) return counters.drop(this.#peer, "too-large");
    setFrameLength(head, bodyBytes);
    if (!link.queue.push(head, tail)) return counters.drop(this.#peer, "queue-full");
    link.counters.dropping = null;
    return true;
  }

  /** Stays connected until `close`. Resolves once nothing of it is left. Never rejects. */
  async run(): Promise<void> {
    const { limits, env } = this.#context;
    let failures = 0;
    while (!this.#closed) {
      const link = await this.#connect();
      if (link === null) {
        failures += 1;
      } else {
        failures = 1;
        await link.run();
        this.#link = null;
      }
      if (!this.#closed) await this.#pause.wait(backoffMs(failures, limits, env.randomUint32()));
    }
  }

  /** The peer was just heard of: a wait for the next attempt ends now. */
  hurry(): void {
    this.#pause.end();
  }

  /** The peer may be another node by now: the next attempt begins at once, on a connection of its own. */
  renew(): void {
    this.#dialing?.abort();
    this.#link?.close("removed");
    this.#pause.end();
  }

  /** The peer's process was replaced: a connection to the earlier one leads nowhere. */
  outlived(boot: number): void {
    if (this.#link !== null && this.#link.boot < boot) this.#link.close("closed-by-peer");
  }

  /** Looks after the connection; `forgive` after this process itself stood still. */
  check(nowMs: number, forgive: boolean): void {
    this.#link?.check(nowMs, forgive);
  }

  close(reason: DisconnectReason): void {
    this.#closed = true;
    this.#dialing?.abort();
    this.#link?.close(reason);
    this.#link = null;
    this.#pause.end();
  }

  /** One attempt. Null if it failed, which has then been told. */
  async #connect(): Promise<OutgoingLink | null> {
    const { self, limits, env, net, emit, acquaintances } = this.#context;
    const dialing = this.#dialing = new AbortController();
    const deadline = env.setTimer(() => dialing.abort(), limits.handshakeMs);
    let socket: Socket | null = null;
    try {
      socket = await net.dial(this.address, dialing.signal);
      dialing.signal.addEventListener("abort", () => socket?.close());
      dialing.signal.throwIfAborted();
      // What it acknowledges from now on may overtake its welcome, which says how far it was before.
      const held = acquaintances.heldBy(this.#peer);
      const judge = (it: Hello) => acquaintances.judge(this.#peer, it, held);
      const hello = await greet(socket, self, this.#peer, judge);
      dialing.signal.throwIfAborted();
      const { boot, address } = hello;
      const other = judge(hello);
      if (other !== null) throw new HandshakeRefused(other, false, this.#peer);
      acquaintances.learn(this.#peer, hello);
      await acquaintances.settle();
      dialing.signal.throwIfAborted();
      const link = this.#link = new OutgoingLink(this.#context, this.#peer, boot, socket);
      emit({ type: "connected", peer: this.#peer, direction: "outgoing", boot, address });
      return link;
    } catch (error) {
      socket?.close();
      if (!this.#closed) this.#tellFailure(socket, error);
      return null;
    } finally {
      deadline.cancel();
      this.#dialing = null;
    }
  }

  #tellFailure(socket: Socket | null, error: unknown): void {
    const { emit } = this.#context;
    if (socket === null || error instanceof Unreached) {
      emit({ type: "unreachable", peer: this.#peer, error });
      return;
    }
    const refused = error instanceof HandshakeRefused;
    emit({
      type: "refused",
      direction: "outgoing",
      peer: this.#peer,
      remote: socket.remote,
      reason: refused ? error.reason : "unfinished",
      byPeer: refused && error.byPeer,
    });
  }
}

/** One connection that was welcomed. Nothing comes back on it but the answers to probes. */
class OutgoingLink implements SendQueueOwner {
  /** Of the process at the other end. */
  readonly boot: number;
  readonly queue: SendQueue;
  readonly counters: PeerCounters;
  readonly #context: TcpContext;
  readonly #peer: NodeId;
  readonly #socket: Socket;
  /** When the probe that is still unanswered was written. */
  #probedMs: number | null = null;
  #closed = false;

  constructor(context: TcpContext, peer: NodeId, boot: number, socket: Socket) {
    this.boot = boot;
    this.#context = context;
    this.#peer = peer;
    this.#socket = socket;
    this.counters = context.counters.of(peer);
    this.queue = new SendQueue(socket, context.limits, this.counters, this);
  }

  get open(): boolean {
    return !this.#closed;
  }

  /** Serves the connection to its end. Never rejects. */
  async run(): Promise<void> {
    await this.#listen();
    await this.queue.settled;
  }

  check(nowMs: number, forgive: boolean): void {
    if (this.#closed) return;
    if (forgive) {
      if (this.#probedMs !== null) this.#probedMs = nowMs;
      this.queue.forgive(nowMs);
    }
    const { silenceMs, writeStallMs } = this.#context.limits;
    const writingSinceMs = this.queue.writingSinceMs;
    if (writingSinceMs !== null && nowMs - writingSinceMs > writeStallMs) {
      this.close("write-stalled");
    } else if (this.#probedMs === null) {
      this.queue.probe();
    } else if (nowMs - this.#probedMs > silenceMs) {
      this.close("silent");
    }
  }

  close(reason: DisconnectReason): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#socket.close();
    const lost = this.queue.close();
    const { counters, emit } = this.#context;
    if (lost > 0) counters.drop(this.#peer, "connection-lost", lost);
    emit({ type: "disconnected", peer: this.#peer, direction: "outgoing", reason });
  }

  now(): number {
    return this.#context.env.now();
  }

  probeWritten(): void {
    this.#probedMs = this.now();
  }

  writeFailed(): void {
    this.close("socket-error");
  }

  /** Reads until the connection is lost, so that its loss is noticed. */
  async #listen(): Promise<void> {
    const buffer = new Uint8Array(64);
    try {
      while (true) {
        const read = await this.#socket.read(buffer);
        if (read === null) return this.close("closed-by-peer");
        if (buffer.subarray(0, read).some((byte) => byte !== 0)) return this.#malformed();
        this.#probedMs = null;
      }
    } catch {
      this.close("socket-error");
    }
  }

  #malformed(): void {
    const error = new MalformedFrame("Cannot read probe: it is not empty");
    this.#context.emit({ type: "malformed", peer: this.#peer, error });
    this.close("malformed");
  }
}
