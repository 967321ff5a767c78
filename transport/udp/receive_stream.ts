/**
 * The receiving half of a session's stream: puts the pieces in order, each byte once, in a window of
 * fixed size.
 *
 * @module
 */
import type { Segment } from "./packet.ts";
import { RangeSet } from "./ranges.ts";
import { Ring } from "./ring.ts";

export class ReceiveStream {
  readonly #ring: Ring;
  readonly #window: number;
  /** Offsets from `#read` on that have come. */
  readonly #held: RangeSet;
  #read = 0;
  #end: number | null = null;
  /** The highest offset at which bytes have come. */
  #highest = 0;
  #told = 0;

  constructor(window: number, gapsMax: number) {
    this.#window = window;
    this.#ring = new Ring(window);
    this.#held = new RangeSet(gapsMax);
    this.#told = window;
  }

  /** Bytes that can be read now. */
  get available(): number {
    return this.#held.count > 0 && this.#held.start(0) === this.#read
      ? this.#held.end(0) - this.#read
      : 0;
  }

  /** Whether the peer has ended the stream and all of it was read. */
  get isEnded(): boolean {
    return this.#end === this.#read;
  }

  /** Whether the peer has ended the stream and all of it is here. */
  get isWhole(): boolean {
    return this.#end !== null && this.#end === this.#read + this.available;
  }

  /** How far the peer may go. */
  get credit(): number {
    return this.#read + this.#window;
  }

  /** Whether the peer should hear of the credit, without waiting for a packet that tells it by the way. */
  get isCreditDue(): boolean {
    return this.#end === null && this.credit - this.#told >= this.#window / 4;
  }

  creditTold(): void {
    this.#told = this.credit;
  }

  /**
   * Takes a piece. False if it cannot: it lies beyond the credit, leaves too many gaps, or contradicts
   * where the stream ends. Then its packet must count as one that never came.
   */
  accept({ offset, length, fin }: Segment, data: Uint8Array): boolean {
    const end = offset + length;
    if (end > this.credit) return false;
    if (this.#end !== null && (end > this.#end || (fin && end !== this.#end))) return false;
    if (fin && end < this.#highest) return false;
    const from = Math.max(offset, this.#read);
    if (from < end) {
      // What is to be read next leaves no gap, and is all that a peer may have room to send again.
      if (!this.#held.add(from, end, from === this.#read ? 1 : 0)) return false;
      this.#ring.write(from, data.subarray(from - offset));
    }
    if (fin) this.#end = end;
    this.#highest = Math.max(this.#highest, end);
    return true;
  }

  /** Moves what is there, as far as there is room for it, and gives its length. */
  read(into: Uint8Array): number {
    const length = Math.min(into.length, this.available);
    if (length === 0) return 0;
    this.#ring.read(this.#read, into.subarray(0, length));
    this.#held.remove(this.#read, this.#read + length);
    this.#read += length;
    return length;
  }

  release(): void {
    this.#ring.release();
    this.#held.clear();
  }
}
