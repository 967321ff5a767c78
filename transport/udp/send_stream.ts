/**
 * The sending half of a session's stream: what was written and is not yet acknowledged, which of it has
 * to be sent, and in which order: what was lost first (RFC 9000 section 13.3: data are sent again in new
 * packets, never the packets themselves).
 *
 * @module
 */
import type { Segment } from "./packet.ts";
import { RangeSet } from "./ranges.ts";
import { Ring } from "./ring.ts";

export class SendStream {
  readonly #ring: Ring;
  readonly #size: number;
  /** Offsets above `#base` that were acknowledged, and those that are to be sent again. */
  readonly #acked = new RangeSet(Infinity);
  readonly #lost = new RangeSet(Infinity);
  /** All below is acknowledged. */
  #base = 0;
  /** All below was sent once. */
  #next = 0;
  #written = 0;
  #credit: number;
  #ended = false;
  #finSent = false;
  #finAcked = false;

  /** @param credit how far the peer lets the stream reach before it has said so. */
  constructor(size: number, credit: number) {
    this.#size = size;
    this.#ring = new Ring(size);
    this.#credit = credit;
  }

  /** Bytes that can be written now. */
  get room(): number {
    return this.#ended ? 0 : this.#size - (this.#written - this.#base);
  }

  /** Whether a call of `take` would give something. */
  get isDue(): boolean {
    return this.#lost.count > 0 || this.#next < Math.min(this.#written, this.#credit) ||
      this.#finDue;
  }

  /** Whether only the peer's credit holds back what was written. */
  get isBlocked(): boolean {
    return this.#lost.count === 0 && this.#next < this.#written && this.#next >= this.#credit;
  }

  /** Whether the peer has all, the end included. */
  get isDone(): boolean {
    return this.#finAcked && this.#base === this.#written;
  }

  /** Whether the peer has everything that was written. */
  get isDelivered(): boolean {
    return this.#base === this.#written;
  }

  get #finDue(): boolean {
    return this.#ended && !this.#finSent && !this.#finAcked && this.#next === this.#written;
  }

  /** Copies as much as there is room for, and gives its length. */
  write(data: Uint8Array): number {
    const length = Math.min(this.room, data.length);
    if (length > 0) this.#ring.write(this.#written, data.subarray(0, length));
    this.#written += length;
    return length;
  }

  /** Nothing more will be written. */
  end(): void {
    this.#ended = true;
  }

  /** The peer takes the stream up to there; a lower credit than before is an old one. */
  allow(credit: number): void {
    this.#credit = Math.max(this.#credit, credit);
  }

  /** The next piece to send, at most so many bytes of it; null if nothing is due. */
  take(lengthMax: number): Segment | null {
    if (this.#lost.count > 0) {
      const offset = this.#lost.start(0);
      const length = Math.min(lengthMax, this.#lost.end(0) - offset);
      this.#lost.remove(offset, offset + length);
      return this.#segment(offset, length);
    }
    const offset = this.#next;
    const length = Math.min(lengthMax, Math.min(this.#written, this.#credit) - offset);
    if (length > 0) {
      this.#next += length;
      return this.#segment(offset, length);
    }
    return this.#finDue ? this.#segment(offset, 0) : null;
  }

  #segment(offset: number, length: number): Segment {
    const fin = this.#ended && offset + length === this.#written;
    if (fin) this.#finSent = true;
    return { offset, length, fin };
  }

  copy(offset: number, into: Uint8Array): void {
    this.#ring.read(offset, into);
  }

  onAcked({ offset, length, fin }: Segment): void {
    if (fin) this.#finAcked = true;
    const end = offset + length;
    this.#lost.remove(offset, end);
    if (length === 0 || end <= this.#base) return;
    this.#acked.add(Math.max(offset, this.#base), end);
    if (this.#acked.start(0) > this.#base) return;
    this.#base = this.#acked.end(0);
    this.#acked.removeLowest();
  }

  /** To be sent again, but for what came all the same. */
  onLost({ offset, length, fin }: Segment): void {
    if (fin) this.#finSent = false;
    const end = offset + length;
    this.#lost.add(Math.max(offset, this.#base), end);
    for (let at = 0; at < this.#acked.count && this.#acked.start(at) < end; at++) {
      this.#lost.remove(this.#acked.start(at), this.#acked.end(at));
    }
  }

  release(): void {
    this.#ring.release();
    this.#lost.clear();
    this.#acked.clear();
  }
}
