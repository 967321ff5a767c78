/**
 * One session of the UDP transport, as a state machine: a stream of bytes each way between two ends,
 * reliable and in order, over datagrams that may be lost, doubled, late and out of order.
 *
 * Pure: time comes in as a number, datagrams come in and are asked for one by one. What was in the
 * datagrams is told by `readable`, `writable`, `state` and `dueMs`; nothing calls out. The ideas are QUIC's
 * (RFC 9000, RFC 9002) without its streams, versions, migration and keys.
 *
 * Not here: who may open a session (endpoint.ts), sockets and timers (net.ts), messages (../frame.ts).
 *
 * @module
 */
import type { Path } from "./congestion.ts";
import type { UdpLimits } from "./limits.ts";
import {
  type Ack,
  dataOverhead,
  type DataPacket,
  encodeAccept,
  encodeClose,
  encodeData,
  encodeOpen,
  type SessionId,
} from "./packet.ts";
import { ReceivedPackets } from "./received_packets.ts";
import { ReceiveStream } from "./receive_stream.ts";
import { Recovery } from "./recovery.ts";
import { SendStream } from "./send_stream.ts";

export type SessionState =
  /** Dialled, and not yet accepted. */
  | "opening"
  | "open"
  /** Closed here: what was written before is still being delivered. */
  | "closing"
  | "closed";

export interface SessionOptions {
  readonly limits: UdpLimits;
  readonly id: SessionId;
  /** The peer's end; null for a session that is dialled. */
  readonly peerId: SessionId | null;
  readonly path: Path;
  readonly nowMs: number;
}

export class Session {
  readonly id: SessionId;
  readonly #limits: UdpLimits;
  readonly #datagramBytes: number;
  readonly #sending: SendStream;
  readonly #receiving: ReceiveStream;
  readonly #received: ReceivedPackets;
  readonly #recovery: Recovery;
  #peerId: SessionId | null;
  #state: SessionState;
  #cookie: Uint8Array | null = null;
  /** When the next opening is due, and how long the one after that waits. */
  #openMs: number;
  #openRetryMs: number;
  #heardMs: number;
  #lingerMs = Infinity;
  #acceptOwed: boolean;
  #closeOwed = false;
  #isReset = false;
  /** The window or pacing held data back when last asked for a datagram. */
  #isLimited = false;
  #paceMs = Infinity;

  constructor({ limits, id, peerId, path, nowMs }: SessionOptions) {
    this.id = id;
    this.#limits = limits;
    this.#datagramBytes = path.datagramBytes;
    this.#peerId = peerId;
    this.#state = peerId === null ? "opening" : "open";
    this.#acceptOwed = peerId !== null;
    this.#openMs = peerId === null ? nowMs : Infinity;
    this.#openRetryMs = limits.openRetryMinMs;
    this.#heardMs = nowMs;
    // Both ends have the same window until an acknowledgement says otherwise.
    this.#sending = new SendStream(limits.sendBufferBytes, limits.receiveWindowBytes);
    this.#receiving = new ReceiveStream(limits.receiveWindowBytes, limits.receiveGapsMax);
    this.#received = new ReceivedPackets(limits.ackDelayMs);
    this.#recovery = new Recovery(limits, path, this.#sending, nowMs);
  }

  get state(): SessionState {
    return this.#state;
  }

  get peerId(): SessionId | null {
    return this.#peerId;
  }

  /** Bytes that can be read. */
  get readable(): number {
    return this.#receiving.available;
  }

  /** The peer will send no more, and all that came was read. */
  get isEnded(): boolean {
    return this.#receiving.isEnded || (this.#state === "closed" && !this.#isReset);
  }

  /** Bytes that can be written. */
  get writable(): number {
    return this.#state === "open" ? this.#sending.room : 0;
  }

  /** For tests and tuning. */
  get packetsUnderWay(): number {
    return this.#recovery.packetsUnderWay;
  }

  get window(): number {
    return this.#recovery.congestion.window;
  }

  /** When `tick` must be called at the latest; now if it is in the past. */
  get dueMs(): number {
    if (this.#state === "closed") return Infinity;
    const idleMs = this.#heardMs + this.#limits.idleMs;
    if (this.#state === "opening") return Math.min(this.#openMs, idleMs);
    return Math.min(
      idleMs,
      this.#lingerMs,
      this.#received.dueMs,
      this.#recovery.dueMs,
      this.#paceMs,
    );
  }

  /** Takes as much as there is room for, and gives its length. */
  write(data: Uint8Array): number {
    return this.#state === "open" ? this.#sending.write(data) : 0;
  }

  read(into: Uint8Array): number {
    return this.#receiving.read(into);
  }

  /** The listener wants proof of this node's address. */
  challenge(cookie: Uint8Array, nowMs: number): void {
    if (this.#state !== "opening" || this.#cookie !== null) return;
    this.#cookie = cookie.slice();
    this.#openMs = nowMs;
    this.#openRetryMs = this.#limits.openRetryMinMs;
  }

  /** The listener has opened its end. */
  accepted(peerId: SessionId, nowMs: number): void {
    if (this.#state !== "opening") return;
    this.#peerId = peerId;
    this.#state = "open";
    this.#openMs = Infinity;
    this.#heardMs = nowMs;
  }

  /** The dialler has asked again: its answer was lost. */
  reopened(): void {
    if (this.#state === "open") this.#acceptOwed = true;
  }

  /** Takes a packet of the peer. What cannot be right changes nothing. */
  receive(packet: DataPacket, nowMs: number): void {
    if (this.#state !== "open" && this.#state !== "closing") return;
    const { number, ack, segment, bytes, ping } = packet;
    // What is sent again has a new number: an old one is a copy, of the network's or somebody else's.
    if (!this.#received.isNew(number)) return;
    if (ack !== null) {
      if (!this.#recovery.onAck(ack, this.#isLimited, nowMs)) return;
      this.#sending.allow(ack.credit);
    }
    // What is written into a session that was closed here is read by nobody, but acknowledged.
    const isTaken = segment === null || this.#state === "closing" ||
      this.#receiving.accept(segment, bytes);
    if (!isTaken) return;
    this.#heardMs = nowMs;
    this.#received.note(number, segment !== null || ping, nowMs);
    if (this.#state === "closing") this.#endIfDelivered();
  }

  /** The peer, or its successor, says that its end is no more. What came before can still be read. */
  ended(isReset: boolean): void {
    this.#isReset = isReset;
    this.#end();
  }

  /** Ends both directions: what was written is delivered, if that is possible in time. Idempotent. */
  close(nowMs: number): void {
    if (this.#state === "closed" || this.#state === "closing") return;
    // A peer that has ended its stream reads no more either.
    const isOver = this.#receiving.isWhole;
    this.#receiving.release();
    if (this.#state === "opening") return this.#end();
    this.#state = "closing";
    this.#sending.end();
    this.#lingerMs = nowMs + this.#limits.lingerMs;
    if (isOver) this.#endWithClose();
    else this.#endIfDelivered();
  }

  /** Ends both directions at once; the peer is told so, if the one packet that says it arrives. */
  abort(): void {
    if (this.#state === "closed") return;
    if (this.#peerId === null) this.#end();
    else this.#endWithClose();
  }

  /** Time has passed. */
  tick(nowMs: number): void {
    if (this.#state === "closed") return;
    if (nowMs - this.#heardMs >= this.#limits.idleMs) {
      this.#isReset = true;
      return this.#end();
    }
    if (nowMs >= this.#lingerMs) return this.#endWithClose();
    this.#recovery.onTimeout(nowMs);
  }

  /** The next datagram to send, null if there is none for now. To be asked until it is null. */
  poll(nowMs: number): Uint8Array | null {
    this.#paceMs = Infinity;
    switch (this.#state) {
      case "opening":
        return this.#pollOpening(nowMs);
      case "closed":
        return this.#pollClosed();
      default:
        return this.#pollOpen(nowMs);
    }
  }

  #pollOpening(nowMs: number): Uint8Array | null {
    if (nowMs < this.#openMs) return null;
    this.#openMs = nowMs + this.#openRetryMs;
    this.#openRetryMs = Math.min(2 * this.#openRetryMs, this.#limits.openRetryMaxMs);
    // A cookie may have been too old, or made by a process before: every other opening asks anew.
    const cookie = this.#cookie;
    this.#cookie = null;
    return encodeOpen(this.id, cookie);
  }

  #pollClosed(): Uint8Array | null {
    if (!this.#closeOwed || this.#peerId === null) return null;
    this.#closeOwed = false;
    return encodeClose(this.#peerId, this.id);
  }

  #pollOpen(nowMs: number): Uint8Array | null {
    if (this.#acceptOwed && this.#peerId !== null) {
      this.#acceptOwed = false;
      return encodeAccept(this.#peerId, this.id);
    }
    if (this.#recovery.probes > 0) return this.#data(nowMs, true, true);
    if (this.#sending.isDue && !this.#recovery.isFull) {
      const { congestion } = this.#recovery;
      if (congestion.hasRoom) {
        const paceMs = congestion.paceMs(nowMs);
        if (paceMs <= nowMs) return this.#data(nowMs, true, false);
        this.#paceMs = paceMs;
      }
      this.#isLimited = true;
    } else {
      this.#isLimited = false;
    }
    // Of a credit that is lost the peer would never hear: it is asked to acknowledge it.
    if (this.#state === "open" && this.#receiving.isCreditDue) {
      return this.#data(nowMs, false, true);
    }
    if (this.#received.dueMs <= nowMs) return this.#data(nowMs, false, false);
    return null;
  }

  /** @param asks whether the packet wants an acknowledgement even if it carries no data. */
  #data(nowMs: number, withData: boolean, asks: boolean): Uint8Array {
    // Who only sends gets nothing but acknowledgements, and need not tell the other side of those.
    const ack = this.#received.isAsked || !withData ? this.#ack(nowMs) : null;
    const room = this.#datagramBytes - dataOverhead(ack?.ranges.length ?? 0);
    const segment = withData ? this.#sending.take(room) : null;
    const { nextNumber: number } = this.#recovery;
    const datagram = encodeData(
      { to: this.#peerId!, number, ack, segment, ping: asks && segment === null },
      (into) => segment === null ? undefined : this.#sending.copy(segment.offset, into),
    );
    this.#recovery.onSent(datagram.length, segment, segment !== null || asks, nowMs);
    return datagram;
  }

  #ack(nowMs: number): Ack | null {
    if (this.#received.isEmpty) return null;
    const { ranges, delayMs } = this.#received.ranges(nowMs);
    this.#received.told();
    this.#receiving.creditTold();
    return { credit: this.#receiving.credit, delayMs, ranges };
  }

  #endIfDelivered(): void {
    if (this.#sending.isDone) this.#end();
  }

  #endWithClose(): void {
    this.#end();
    this.#closeOwed = true;
  }

  #end(): void {
    this.#state = "closed";
    this.#sending.release();
    this.#recovery.release();
  }
}
