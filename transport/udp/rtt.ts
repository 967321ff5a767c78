/**
 * The round trip time, estimated as in RFC 9002 section 5.
 *
 * @module
 */
import type { UdpLimits } from "./limits.ts";

/** The coarsest that a timer of the host is (RFC 9002 section 6.1.2, kGranularity). */
export const GRANULARITY_MS = 1;

export class RoundTrip {
  readonly #limits: UdpLimits;
  #smoothedMs: number;
  #variationMs: number;
  #minMs = Infinity;
  #latestMs: number;

  constructor(limits: UdpLimits) {
    this.#limits = limits;
    this.#smoothedMs = this.#latestMs = limits.initialRttMs;
    this.#variationMs = limits.initialRttMs / 2;
  }

  get smoothedMs(): number {
    return this.#smoothedMs;
  }

  get minMs(): number {
    return this.#minMs;
  }

  /** How long after a later one a packet may come before it is lost (section 6.1.2). */
  get lossMs(): number {
    return Math.max(9 / 8 * Math.max(this.#smoothedMs, this.#latestMs), GRANULARITY_MS);
  }

  /** How long an acknowledgement may fail to come before it is asked for again (section 6.2.1). */
  get probeMs(): number {
    const { probeMinMs, ackDelayMs } = this.#limits;
    const variationMs = Math.max(4 * this.#variationMs, GRANULARITY_MS);
    return Math.max(probeMinMs, this.#smoothedMs + variationMs + ackDelayMs);
  }

  /** A packet was acknowledged so long after it was sent; the peer says for how long it kept that back. */
  sample(latestMs: number, delayMs: number): void {
    const isFirst = this.#minMs === Infinity;
    this.#latestMs = latestMs;
    this.#minMs = Math.min(this.#minMs, latestMs);
    if (isFirst) {
      this.#smoothedMs = latestMs;
      this.#variationMs = latestMs / 2;
      return;
    }
    const keptMs = Math.min(delayMs, this.#limits.ackDelayMs);
    const adjustedMs = latestMs >= this.#minMs + keptMs ? latestMs - keptMs : latestMs;
    const deviationMs = Math.abs(this.#smoothedMs - adjustedMs);
    this.#variationMs = 3 / 4 * this.#variationMs + 1 / 4 * deviationMs;
    this.#smoothedMs = 7 / 8 * this.#smoothedMs + 1 / 8 * adjustedMs;
  }
}
