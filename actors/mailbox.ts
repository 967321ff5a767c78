/**
 * A mailbox: two bounded lanes, each a ring of messages. It stores and hands over; it schedules
 * nothing and knows no actor.
 *
 * Limits hold in messages and in bytes, for each lane by itself, so a full user lane can neither
 * evict nor delay what is in the control lane.
 *
 * @module
 */
import { RING_CAPACITY_MIN } from "./limits.ts";
import type { Lane, MailboxLimits } from "./types.ts";

/** What becomes of a queued message when its turn has come. */
export type Admission = "deliver" | "expired" | "cancelled";

/** What travels with a message that is more than its content: an ask, a tick, a deadline. */
export interface Ticket {
  /** Asked once, when the message reaches the head of its lane. */
  admit(nowMs: number): Admission;
  /** The message will never be executed: its actor has stopped. */
  discard(): void;
}

/** Told about each message that leaves a lane without being executed. */
export type DropListener = (lane: Lane, message: unknown, why: "expired" | "cancelled") => void;

/** The deadline of a tell, in ms of the monotonic clock. */
export class Deadline implements Ticket {
  readonly #atMs: number;

  constructor(atMs: number) {
    this.#atMs = atMs;
  }

  admit(nowMs: number): Admission {
    return nowMs >= this.#atMs ? "expired" : "deliver";
  }

  discard(): void {}
}

export class Mailbox {
  readonly control: Ring;
  readonly user: Ring;

  constructor(limits: MailboxLimits) {
    this.control = new Ring(limits.controlMessagesMax, limits.controlBytesMax);
    this.user = new Ring(limits.userMessagesMax, limits.userBytesMax);
  }

  get isEmpty(): boolean {
    return this.control.depth === 0 && this.user.depth === 0;
  }

  hasRoom(lane: Lane, bytes: number): boolean {
    return (lane === "user" ? this.user : this.control).hasRoom(bytes);
  }

  /** False when the lane has no room. A message larger than the lane never has. */
  push(lane: Lane, message: unknown, ticket: Ticket | null, bytes: number): boolean {
    const ring = lane === "user" ? this.user : this.control;
    if (!ring.hasRoom(bytes)) return false;
    ring.push(message, ticket, bytes);
    return true;
  }

  /** Takes the next turn's messages out: control before user, at most `messagesMax`. */
  drain(messagesMax: number, nowMs: number, onDrop: DropListener): unknown[] {
    const batch: unknown[] = [];
    this.control.drain(batch, messagesMax, nowMs, "control", onDrop);
    this.user.drain(batch, messagesMax, nowMs, "user", onDrop);
    return batch;
  }

  /** Empties both lanes without executing anything. */
  clear(onMessage: (lane: Lane, message: unknown, ticket: Ticket | null) => void): void {
    this.control.clear((message, ticket) => onMessage("control", message, ticket));
    this.user.clear((message, ticket) => onMessage("user", message, ticket));
  }
}

/** A FIFO in parallel arrays, so that a queued message costs no object of its own. */
export class Ring {
  depth = 0;
  bytes = 0;
  #head = 0;
  #mask = RING_CAPACITY_MIN - 1;
  #messages: unknown[] = new Array(RING_CAPACITY_MIN).fill(undefined);
  #tickets: (Ticket | null)[] = new Array(RING_CAPACITY_MIN).fill(null);
  #sizes: number[] = new Array(RING_CAPACITY_MIN).fill(0);
  readonly #messagesMax: number;
  readonly #bytesMax: number;

  constructor(messagesMax: number, bytesMax: number) {
    this.#messagesMax = messagesMax;
    this.#bytesMax = bytesMax;
  }

  hasRoom(bytes: number): boolean {
    return this.depth < this.#messagesMax && this.bytes + bytes <= this.#bytesMax;
  }

  /** Takes the message whatever the limits say: they are the caller's to ask for. */
  push(message: unknown, ticket: Ticket | null, bytes: number): void {
    if (this.depth > this.#mask) this.#grow();
    const place = (this.#head + this.depth) & this.#mask;
    this.#messages[place] = message;
    this.#tickets[place] = ticket;
    this.#sizes[place] = bytes;
    this.depth++;
    this.bytes += bytes;
  }

  /** Moves messages to `batch` until it holds `messagesMax` or nothing is left. */
  drain(
    batch: unknown[],
    messagesMax: number,
    nowMs: number,
    lane: Lane,
    onDrop: DropListener,
  ): void {
    // Bounded by what is here now, since a drop's listener may send more.
    for (let left = this.depth; left > 0 && batch.length < messagesMax; left--) {
      const message = this.#messages[this.#head];
      const ticket = this.#tickets[this.#head];
      this.#shift();
      const admission = ticket === null ? "deliver" : ticket.admit(nowMs);
      if (admission === "deliver") batch.push(message);
      else onDrop(lane, message, admission);
    }
  }

  clear(onMessage: (message: unknown, ticket: Ticket | null) => void): void {
    for (let left = this.depth; left > 0; left--) {
      const message = this.#messages[this.#head];
      const ticket = this.#tickets[this.#head];
      this.#shift();
      onMessage(message, ticket);
    }
  }

  #shift(): void {
    const place = this.#head;
    this.#messages[place] = undefined;
    this.#tickets[place] = null;
    this.bytes -= this.#sizes[place];
    this.#head = (place + 1) & this.#mask;
    this.depth--;
  }

  #grow(): void {
    const capacity = this.#mask + 1;
    this.#messages = unrolled(this.#messages, this.#head, undefined);
    this.#tickets = unrolled(this.#tickets, this.#head, null);
    this.#sizes = unrolled(this.#sizes, this.#head, 0);
    this.#head = 0;
    this.#mask = 2 * capacity - 1;
  }
}

/** The same ring, twice as wide, with its head at zero. */
function unrolled<T>(ring: readonly T[], head: number, empty: T): T[] {
  const wide = new Array<T>(ring.length * 2).fill(empty);
  for (let i = 0; i < ring.length; i++) wide[i] = ring[(head + i) % ring.length];
  return wide;
}
