/**
 * Which packets of a session have come, and when that must be acknowledged (RFC 9000 section 13.2).
 *
 * @module
 */
import { ACK_RANGES_MAX } from "./limits.ts";
import { RangeSet } from "./ranges.ts";

/** How far a packet number may be ahead of all before: further is no loss, but nonsense. */
const JUMP_MAX = 2 ** 24;
/** Packets that one range of an acknowledgement names at most; what lies lower was acknowledged long ago. */
const RANGE_MAX = 2 ** 31;
/** Packets that ask for an acknowledgement until one is sent without waiting. */
const ASKED_MAX = 2;

export class ReceivedPackets {
  readonly #delayMs: number;
  readonly #numbers = new RangeSet(ACK_RANGES_MAX);
  /** Below it nothing is known any more, and nothing is taken. */
  #floor = 0;
  #highest = -1;
  #highestMs = 0;
  #asked = 0;
  #dueMs = Infinity;

  constructor(delayMs: number) {
    this.#delayMs = delayMs;
  }

  /** When an acknowledgement must leave; never while nobody waits for one. */
  get dueMs(): number {
    return this.#dueMs;
  }

  get isEmpty(): boolean {
    return this.#highest < 0;
  }

  /** Whether a packet has asked for an acknowledgement that was not sent since. */
  get isAsked(): boolean {
    return this.#asked > 0;
  }

  /** Whether this number can be a packet that has not come before. */
  isNew(number: number): boolean {
    return number >= this.#floor && number <= this.#highest + JUMP_MAX &&
      !this.#numbers.has(number);
  }

  /** Notes a packet that {@linkcode isNew}. `asks` says that it wants an acknowledgement. */
  note(number: number, asks: boolean, nowMs: number): void {
    while (!this.#numbers.add(number, number + 1)) {
      this.#floor = this.#numbers.end(0);
      if (number < this.#floor) return;
      this.#numbers.removeLowest();
    }
    const isNext = number === this.#highest + 1;
    if (number > this.#highest) {
      this.#highest = number;
      this.#highestMs = nowMs;
    }
    if (!asks) return;
    this.#asked += 1;
    // Out of order: the sender must learn of a loss soon, and that it was none.
    if (!isNext || this.#asked >= ASKED_MAX) this.#dueMs = nowMs;
    else this.#dueMs = Math.min(this.#dueMs, nowMs + this.#delayMs);
  }

  /** The ranges to acknowledge, downwards, and how long the highest has waited. */
  ranges(nowMs: number): { ranges: [number, number][]; delayMs: number } {
    const ranges: [number, number][] = [];
    for (let at = this.#numbers.count - 1; at >= 0; at--) {
      const [low, high] = [this.#numbers.start(at), this.#numbers.end(at) - 1];
      ranges.push([Math.max(low, high - RANGE_MAX), high]);
      if (high - low > RANGE_MAX) break;
    }
    return { ranges, delayMs: nowMs - this.#highestMs };
  }

  /** An acknowledgement has left. */
  told(): void {
    this.#asked = 0;
    this.#dueMs = Infinity;
  }
}
