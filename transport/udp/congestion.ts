/**
 * How much may be under way: NewReno as in RFC 9002 section 7, with pacing as in its section 7.7.
 *
 * @module
 */
import type { RoundTrip } from "./rtt.ts";

/** What is known of the way to a peer. */
export interface Path {
  /** Bytes of one datagram. */
  readonly datagramBytes: number;
  /** Bytes that may be under way, however well it goes. */
  readonly windowBytesMax: number;
  /**
   * It leads to this machine itself: there is no network to spare, so the window need not be found out, and
   * what is spread over a round trip that was long because a process waited for its turn is only late.
   */
  readonly isLocal: boolean;
}

/** What is told of a packet that counts as under way. */
export interface InFlight {
  readonly sentMs: number;
  readonly packetBytes: number;
}

/** Datagrams of the window at the start and at the least (section 7.2). */
const INITIAL_DATAGRAMS = 10;
const INITIAL_BYTES = 14_720;
const LEAST_DATAGRAMS = 2;
/** A little faster than the window, so that pacing alone never leaves it unused (section 7.7). */
const PACING_GAIN = 1.25;
/** The least that pacing lets through at once is what goes in so long: timers are no finer. */
const PACING_BURST_MS = 2;

export class Congestion {
  readonly #datagramBytes: number;
  readonly #windowMin: number;
  readonly #windowMax: number;
  readonly #isPaced: boolean;
  readonly #burstBytes: number;
  readonly #roundTrip: RoundTrip;
  #window: number;
  #threshold = Infinity;
  #underWay = 0;
  /** Losses of packets sent before it belong to what has halved the window already (section 7.3.2). */
  #recoveryMs = -Infinity;
  #budget: number;
  #budgetMs: number;

  constructor(
    { datagramBytes, windowBytesMax, isLocal }: Path,
    roundTrip: RoundTrip,
    nowMs: number,
  ) {
    this.#datagramBytes = datagramBytes;
    this.#windowMax = windowBytesMax;
    this.#roundTrip = roundTrip;
    this.#windowMin = LEAST_DATAGRAMS * datagramBytes;
    this.#isPaced = !isLocal;
    const initial = Math.max(this.#windowMin, INITIAL_BYTES);
    this.#window = isLocal ? windowBytesMax : Math.min(INITIAL_DATAGRAMS * datagramBytes, initial);
    this.#burstBytes = this.#budget = INITIAL_DATAGRAMS * datagramBytes;
    this.#budgetMs = nowMs;
  }

  get window(): number {
    return this.#window;
  }

  get underWay(): number {
    return this.#underWay;
  }

  /** Whether the window lets another datagram out. */
  get hasRoom(): boolean {
    return this.#underWay + this.#datagramBytes <= this.#window || this.#underWay === 0;
  }

  /** When pacing lets another datagram out: `nowMs` or before for now. */
  paceMs(nowMs: number): number {
    if (!this.#isPaced) return nowMs;
    this.#refill(nowMs);
    const missing = this.#datagramBytes - this.#budget;
    return missing <= 0 ? nowMs : nowMs + missing / this.#bytesPerMs();
  }

  onSent(packetBytes: number, nowMs: number): void {
    this.#underWay += packetBytes;
    if (!this.#isPaced) return;
    this.#refill(nowMs);
    this.#budget -= packetBytes;
  }

  /** @param wasLimited whether the window, and not a lack of data, had held the sender back. */
  onAcked({ sentMs, packetBytes }: InFlight, wasLimited: boolean): void {
    this.#underWay -= packetBytes;
    // A window that was not used has proven nothing (section 7.8).
    if (!wasLimited || sentMs <= this.#recoveryMs) return;
    if (this.#window < this.#threshold) this.#window += packetBytes;
    else this.#window += this.#datagramBytes * packetBytes / this.#window;
    this.#window = Math.min(this.#window, this.#windowMax);
  }

  onLost({ sentMs, packetBytes }: InFlight, nowMs: number): void {
    this.#underWay -= packetBytes;
    if (sentMs <= this.#recoveryMs) return;
    this.#recoveryMs = nowMs;
    this.#window = Math.max(this.#windowMin, this.#window / 2);
    this.#threshold = this.#window;
  }

  /** For so long nothing has come through that all that was learned is void (section 7.6). */
  onPersistent(): void {
    this.#window = this.#windowMin;
    this.#recoveryMs = -Infinity;
  }

  #bytesPerMs(): number {
    return PACING_GAIN * this.#window / Math.max(this.#roundTrip.smoothedMs, 0.01);
  }

  #refill(nowMs: number): void {
    const perMs = this.#bytesPerMs();
    const most = Math.max(this.#burstBytes, perMs * PACING_BURST_MS);
    this.#budget = Math.min(most, this.#budget + perMs * Math.max(0, nowMs - this.#budgetMs));
    this.#budgetMs = Math.max(this.#budgetMs, nowMs);
  }
}
