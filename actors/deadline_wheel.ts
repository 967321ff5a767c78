/**
 * A hashed timing wheel for the deadlines of asks: adding and removing one is a few pointer
 * writes, and all of them together arm one timer of the environment, or none when nothing waits.
 * Deadlines are kept in slots of DEADLINE_SLOT_MS: never early, late by at most a slot.
 *
 * Source: G. Varghese and A. Lauck, "Hashed and Hierarchical Timing Wheels" (1987), scheme 6.
 *
 * @module
 */
import { DEADLINE_SLOT_MS, DEADLINE_SLOTS } from "./limits.ts";
import type { Env, Timer } from "./types.ts";

const MASK = DEADLINE_SLOTS - 1;

/** What may lie on the wheel; the wheel owns these fields while it does. */
export interface Deadlined {
  /** The slot number since the clock's zero by whose end it is due; -1 while not on the wheel. */
  dueSlot: number;
  wheelPrevious: Deadlined | null;
  wheelNext: Deadlined | null;
  /** Called once it is due, after it has left the wheel. */
  expire(): void;
}

export class DeadlineWheel {
  #size = 0;
  #timer: Timer | null = null;
  #armedSlot = 0;
  /** Every slot up to this one has been swept. */
  #sweptSlot = 0;
  readonly #heads: (Deadlined | null)[] = new Array(DEADLINE_SLOTS).fill(null);
  readonly #env: Env;

  constructor(env: Env) {
    this.#env = env;
  }

  /** How many wait. */
  get size(): number {
    return this.#size;
  }

  get isArmed(): boolean {
    return this.#timer !== null;
  }

  add(item: Deadlined, nowMs: number, dueMs: number): void {
    if (this.#size === 0) this.#sweptSlot = Math.floor(nowMs / DEADLINE_SLOT_MS);
    const slot = Math.max(Math.ceil(dueMs / DEADLINE_SLOT_MS), this.#sweptSlot + 1);
    item.dueSlot = slot;
    const place = slot & MASK;
    const head = this.#heads[place];
    item.wheelNext = head;
    if (head !== null) head.wheelPrevious = item;
    this.#heads[place] = item;
    this.#size++;
    if (this.#timer === null || slot < this.#armedSlot) this.#arm(slot, nowMs);
  }

  remove(item: Deadlined): void {
    if (item.dueSlot < 0) return;
    this.#unlink(item);
    if (this.#size === 0) this.#disarm();
  }

  #unlink(item: Deadlined): void {
    const { wheelPrevious, wheelNext } = item;
    if (wheelPrevious !== null) wheelPrevious.wheelNext = wheelNext;
    else this.#heads[item.dueSlot & MASK] = wheelNext;
    if (wheelNext !== null) wheelNext.wheelPrevious = wheelPrevious;
    item.wheelPrevious = null;
    item.wheelNext = null;
    item.dueSlot = -1;
    this.#size--;
  }

  #arm(slot: number, nowMs: number): void {
    this.#timer?.cancel();
    this.#armedSlot = slot;
    this.#timer = this.#env.setTimer(this.#sweep, Math.max(0, slot * DEADLINE_SLOT_MS - nowMs));
  }

  #disarm(): void {
    this.#timer?.cancel();
    this.#timer = null;
  }

  readonly #sweep = (): void => {
    this.#timer = null;
    const nowMs = this.#env.now();
    const nowSlot = Math.floor(nowMs / DEADLINE_SLOT_MS);
    const due: Deadlined[] = [];
    // After a pause longer than one round every slot is looked at once.
    const from = Math.max(this.#sweptSlot + 1, nowSlot - MASK);
    for (let slot = from; slot <= nowSlot; slot++) {
      for (let item = this.#heads[slot & MASK]; item !== null; item = item.wheelNext) {
        if (item.dueSlot <= nowSlot) due.push(item);
      }
    }
    for (const item of due) this.#unlink(item);
    this.#sweptSlot = Math.max(this.#sweptSlot, nowSlot);
    this.#armNext(nowMs);
    // Last, since whoever hears of it may ask again.
    for (const item of due) item.expire();
  };

  /** Arms for the next slot that is not empty; what lies there may be a round later, which costs one early wake. */
  #armNext(nowMs: number): void {
    if (this.#size === 0) return;
    let slot = this.#sweptSlot + 1;
    while (this.#heads[slot & MASK] === null) slot++;
    this.#arm(slot, nowMs);
  }
}
