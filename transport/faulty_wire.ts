/**
 * One direction of one link with its faults: loses, doubles, delays and reorders what it is given, and
 * hands on the rest. What it holds back it holds as bytes, so that neither end can change it meanwhile.
 *
 * Not here: which wires there are, and the counters of a transport (faulty.ts).
 *
 * @module
 */
import type { PeerMessage } from "../raft/message.ts";
import type { GroupId } from "../raft/types.ts";
import { decodeMessage, encodeMessage } from "./codec.ts";
import { REORDER_HOLD_MS, type TransportLimits } from "./limits.ts";
import { drawDelayMs, type Link, type MemoryEnv } from "./memory_links.ts";

/** How often each fault was injected since the start. */
export interface FaultCounts {
  /** Messages lost by chance, and those lost because the link was cut. */
  dropped: number;
  cut: number;
  duplicated: number;
  /** Messages that waited for their delay. */
  delayed: number;
  /** Messages held back for a later one. */
  reordered: number;
  /** Messages lost because too much was held already. */
  overflowed: number;
}

export function noFaults(): FaultCounts {
  return { dropped: 0, cut: 0, duplicated: 0, delayed: 0, reordered: 0, overflowed: 0 };
}

/** What a wire needs of its surroundings. */
export interface WireOwner {
  readonly env: MemoryEnv;
  readonly limits: TransportLimits;
  readonly counts: FaultCounts;
  /** How the link behaves now. */
  link(): Link;
  /** Hands a message on; false if it was refused. */
  pass(group: GroupId, message: PeerMessage, fate: Fate): boolean;
  /** A message, not a copy, is held from now on, or lost. */
  kept(bytes: number): void;
  /** A message, not a copy, was not taken for want of room. */
  overflowed(bytes: number): void;
}

/** What is known of a message that is handed on. */
export interface Fate {
  readonly isCopy: boolean;
  readonly wasHeld: boolean;
  /** 0 unless it is a copy or was held. */
  readonly bytes: number;
}

/** What became of a message for now. */
export type Taken = "passed" | "refused" | "lost" | "held" | "full";

const AT_ONCE: Fate = { isCopy: false, wasHeld: false, bytes: 0 };

interface Held {
  readonly bytes: Uint8Array;
  readonly isCopy: boolean;
  timer: { cancel(): void };
}

export class Wire {
  readonly #owner: WireOwner;
  readonly #delayed = new Set<Held>();
  /** Waits for the next message to pass. */
  readonly #overtaken = new Set<Held>();
  #heldBytes = 0;
  #ended = false;

  constructor(owner: WireOwner) {
    this.#owner = owner;
  }

  get heldBytes(): number {
    return this.#heldBytes;
  }

  take(group: GroupId, message: PeerMessage): Taken {
    const { counts } = this.#owner;
    const link = this.#owner.link();
    const isLost = link.cut || this.#chance(link.dropRate);
    const isDoubled = !isLost && this.#chance(link.duplicateRate);
    const isLate = link.delayMs > 0 || link.jitterMs > 0 || link.tailMs > 0;
    const waits = isLate || link.reorderRate > 0;
    if (!isLost && !isDoubled && !waits) return this.#passNow(group, message);
    let bytes: Uint8Array;
    try {
      bytes = encodeMessage(group, message);
    } catch {
      // A defect of the sender, for the transport to tell.
      return this.#passNow(group, message);
    }
    if (isLost) {
      counts[link.cut ? "cut" : "dropped"] += 1;
      this.#owner.kept(bytes.length);
      return "lost";
    }
    const taken = this.#carry(bytes, link, () => this.#passNow(group, message), false);
    if (isDoubled) {
      counts.duplicated += 1;
      // The copy has bytes of its own: two arrivals on a wire share no memory.
      const copy = bytes.slice();
      this.#carry(copy, link, () => {
        this.#handOn(copy, { isCopy: true, wasHeld: false, bytes: copy.length });
        return "passed";
      }, true);
    }
    return taken;
  }

  /** Loses what is held. Nothing that was taken before passes any more. */
  end(): void {
    this.#ended = true;
    for (const held of [...this.#delayed, ...this.#overtaken]) this.#forget(held);
  }

  #carry(bytes: Uint8Array, link: Link, passNow: () => Taken, isCopy: boolean): Taken {
    const { env, counts } = this.#owner;
    // The handler of the original may have ended this wire.
    if (this.#ended) return "lost";
    const delayMs = drawDelayMs(link, env);
    if (delayMs > 0) {
      return this.#hold(bytes, isCopy, this.#delayed, delayMs, () => counts.delayed++);
    }
    if (!this.#chance(link.reorderRate)) return passNow();
    return this.#hold(bytes, isCopy, this.#overtaken, REORDER_HOLD_MS, () => counts.reordered++);
  }

  #hold(
    bytes: Uint8Array,
    isCopy: boolean,
    among: Set<Held>,
    ms: number,
    count: () => void,
  ): Taken {
    const { env, limits, counts } = this.#owner;
    const messages = this.#delayed.size + this.#overtaken.size;
    if (
      messages >= limits.queueMessagesMax || this.#heldBytes + bytes.length > limits.queueBytesMax
    ) {
      counts.overflowed += 1;
      if (!isCopy) this.#owner.overflowed(bytes.length);
      return "full";
    }
    const held: Held = { bytes, isCopy, timer: env.setTimer(() => this.#release(held), ms) };
    among.add(held);
    this.#heldBytes += bytes.length;
    count();
    if (!isCopy) this.#owner.kept(bytes.length);
    return "held";
  }

  #passNow(group: GroupId, message: PeerMessage): Taken {
    const isTaken = this.#owner.pass(group, message, AT_ONCE);
    // Those that were to be overtaken now are.
    for (const held of [...this.#overtaken]) this.#release(held);
    return isTaken ? "passed" : "refused";
  }

  #release(held: Held): void {
    // The handler of the message before may have ended this wire.
    if (this.#ended || !this.#forget(held)) return;
    const { bytes, isCopy } = held;
    if (this.#owner.link().cut) {
      this.#owner.counts.cut += 1;
      return;
    }
    this.#handOn(bytes, { isCopy, wasHeld: true, bytes: bytes.length });
  }

  #handOn(bytes: Uint8Array, fate: Fate): void {
    if (this.#ended) return;
    const { group, message } = decodeMessage(bytes);
    this.#owner.pass(group, message, fate);
  }

  #forget(held: Held): boolean {
    if (!this.#delayed.delete(held) && !this.#overtaken.delete(held)) return false;
    held.timer.cancel();
    this.#heldBytes -= held.bytes.length;
    return true;
  }

  #chance(rate: number): boolean {
    return rate > 0 && this.#owner.env.randomUint32() < rate * 2 ** 32;
  }
}
