/**
 * What a session has sent and not yet heard of: acknowledgement, loss by packet and time threshold, and
 * the probe timeout (RFC 9002 section 6 and appendix A, with one packet number space).
 *
 * @module
 */
import { Congestion, type Path } from "./congestion.ts";
import type { UdpLimits } from "./limits.ts";
import type { Ack, Segment } from "./packet.ts";
import { RoundTrip } from "./rtt.ts";

/** Later packets that must come before one counts as lost (section 6.1.1). */
const PACKET_THRESHOLD = 3;
/** Probes at each timeout (section 6.2.4). */
const PROBES = 2;
/**
 * Timeouts in a row after which the window is the least there is, if packets were lost (section 7.6.1). If
 * none were, the peer's process stood still: that says nothing of the way to it.
 */
const PERSISTENT_TIMEOUTS = 3;

/** A packet that asks for an acknowledgement, which all others than bare acknowledgements do. */
interface SentPacket {
  readonly number: number;
  readonly sentMs: number;
  readonly packetBytes: number;
  readonly segment: Segment | null;
  /** A probe carries the segment already: its loss is none of the segment. */
  isReplaced: boolean;
}

/** What becomes of the segments of packets. */
export interface RecoveryOwner {
  onAcked(segment: Segment): void;
  onLost(segment: Segment): void;
}

export class Recovery {
  readonly congestion: Congestion;
  readonly #limits: UdpLimits;
  readonly #owner: RecoveryOwner;
  readonly #roundTrip: RoundTrip;
  /** In the order of their numbers. */
  readonly #sent = new Map<number, SentPacket>();
  #nextNumber = 0;
  #highestAcked = -1;
  #lossMs = Infinity;
  #lastSentMs = 0;
  #timeouts = 0;
  /** Probes that may be sent whatever the window says. */
  #probes = 0;

  constructor(limits: UdpLimits, path: Path, owner: RecoveryOwner, nowMs: number) {
    this.#limits = limits;
    this.#owner = owner;
    this.#roundTrip = new RoundTrip(limits);
    this.congestion = new Congestion(path, this.#roundTrip, nowMs);
  }

  get nextNumber(): number {
    return this.#nextNumber;
  }

  get probes(): number {
    return this.#probes;
  }

  get isFull(): boolean {
    return this.#sent.size >= this.#limits.sentPacketsMax;
  }

  get packetsUnderWay(): number {
    return this.#sent.size;
  }

  /** When `onTimeout` must be called; never while nothing is under way. */
  get dueMs(): number {
    if (this.#lossMs < Infinity) return this.#lossMs;
    if (this.#sent.size === 0) return Infinity;
    const waitMs = this.#roundTrip.probeMs * 2 ** Math.min(this.#timeouts, 20);
    return this.#lastSentMs + Math.min(waitMs, this.#limits.probeMaxMs);
  }

  /** Notes a packet under the next number. One that asks for nothing is not heard of again. */
  onSent(packetBytes: number, segment: Segment | null, asks: boolean, nowMs: number): void {
    const number = this.#nextNumber++;
    if (!asks) return;
    if (this.#probes > 0) this.#probes -= 1;
    this.#sent.set(number, {
      number,
      sentMs: nowMs,
      packetBytes,
      segment,
      isReplaced: false,
    });
    this.#lastSentMs = nowMs;
    this.congestion.onSent(packetBytes, nowMs);
  }

  /**
   * Takes an acknowledgement. False if it names a packet that was never sent.
   *
   * @param wasLimited as for {@linkcode Congestion.onAcked}.
   */
  onAck({ ranges, delayMs }: Ack, wasLimited: boolean, nowMs: number): boolean {
    const highest = ranges[0]![1];
    if (highest >= this.#nextNumber) return false;
    const acked = this.#named(ranges);
    const newest = acked.at(-1);
    if (newest === undefined) return true;
    if (newest.number === highest) this.#roundTrip.sample(nowMs - newest.sentMs, delayMs);
    this.#highestAcked = Math.max(this.#highestAcked, newest.number);
    for (const packet of acked) {
      this.#sent.delete(packet.number);
      this.congestion.onAcked(packet, wasLimited);
      if (packet.segment !== null) this.#owner.onAcked(packet.segment);
    }
    const wasPersistent = this.#timeouts >= PERSISTENT_TIMEOUTS;
    this.#timeouts = 0;
    this.#probes = 0;
    const underWay = this.#sent.size;
    this.#detectLost(nowMs);
    if (wasPersistent && this.#sent.size < underWay) this.congestion.onPersistent();
    return true;
  }

  onTimeout(nowMs: number): void {
    if (this.#lossMs <= nowMs) return this.#detectLost(nowMs);
    if (this.#sent.size === 0 || this.dueMs > nowMs) return;
    this.#timeouts += 1;
    this.#probes = PROBES;
    this.#lastSentMs = nowMs;
    // The oldest again: what everything else waits for. They stay under way until they are known lost.
    let replaced = 0;
    for (const packet of this.#sent.values()) {
      if (replaced === PROBES) break;
      if (packet.segment === null || packet.isReplaced) continue;
      packet.isReplaced = true;
      replaced += 1;
      this.#owner.onLost(packet.segment);
    }
  }

  release(): void {
    this.#sent.clear();
    this.#lossMs = Infinity;
    this.#probes = 0;
  }

  /** Those of the packets under way that the ranges name, upwards. */
  #named(ranges: Ack["ranges"]): SentPacket[] {
    const acked: SentPacket[] = [];
    let at = ranges.length - 1;
    for (const packet of this.#sent.values()) {
      while (at >= 0 && ranges[at]![1] < packet.number) at -= 1;
      if (at < 0) break;
      if (ranges[at]![0] <= packet.number) acked.push(packet);
    }
    return acked;
  }

  #detectLost(nowMs: number): void {
    const lossMs = this.#roundTrip.lossMs;
    this.#lossMs = Infinity;
    for (const packet of this.#sent.values()) {
      if (packet.number > this.#highestAcked) break;
      const isFarBehind = packet.number <= this.#highestAcked - PACKET_THRESHOLD;
      if (isFarBehind || packet.sentMs + lossMs <= nowMs) {
        this.#sent.delete(packet.number);
        this.congestion.onLost(packet, nowMs);
        if (packet.segment !== null && !packet.isReplaced) this.#owner.onLost(packet.segment);
      } else {
        this.#lossMs = Math.min(this.#lossMs, packet.sentMs + lossMs);
      }
    }
  }
}
