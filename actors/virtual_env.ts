/**
 * A deterministic `Env`: virtual clocks, one heap of events ordered by (time, sequence), and a
 * seeded generator. The same seed and the same program give the same run. For tests and for the
 * simulator; it makes promises run, but real I/O stays outside its order.
 *
 * Source: sfc32 by Chris Doty-Humphrey (PractRand), seeded through splitmix32.
 *
 * @module
 */
import { setImmediate } from "node:timers";
import type { Env, Timer } from "./types.ts";

/** An `Env` whose time passes only when it is told to. */
export interface VirtualEnv extends Env {
  /** Runs what is ready now, and what that makes ready, promises included. Time stands still. */
  runUntilIdle(): Promise<void>;
  /** Lets `ms` pass: runs every event due in them, in order, promises between each two. */
  advance(ms: number): Promise<void>;
  /**
   * Runs events, promises between each two, until `untilMs` (then the clock stands there) or until `after`,
   * which is called behind each event and its promises, says false. @throws what `after` throws.
   */
  run(untilMs: number, after: () => boolean): Promise<void>;
  /** Runs the next event, moving the clock to it. False when there is none. Promises are left to the caller. */
  step(): boolean;
  /** When the next event is due; null when there is none. */
  nextAtMs(): number | null;
  /** Timers set and neither fired nor cancelled. */
  readonly timersPending: number;
  /** Callbacks deferred and not yet run. */
  readonly deferredPending: number;
}

export interface VirtualEnvOptions {
  /**
   * Has every promise reaction run that can, before it returns: only the host can do that. Without it `run`
   * goes through the host's event loop after each event, which costs about ten times as much.
   */
  readonly settle?: (() => void) | null;
}

/** The wall clock of a virtual world begins here, so that traces do not depend on the day. */
const WALL_START_MS = 1_700_000_000_000;

/**
 * A virtual environment.
 *
 * @param seed a whole number; only its low 32 bits count.
 * @example
 * ```ts
 * const env = virtualEnv(7);
 * let fired = false;
 * env.setTimer(() => fired = true, 100);
 * await env.advance(99); // fired is false
 * await env.advance(1); // fired is true
 * ```
 */
export function virtualEnv(seed: number, options: VirtualEnvOptions = {}): VirtualEnv {
  return new Virtual(seed, options.settle ?? null);
}

interface Entry {
  readonly atMs: number;
  readonly sequence: number;
  readonly callback: () => void;
  readonly isTimer: boolean;
  /** Its place in the heap; -1 once it has left. */
  place: number;
}

class Virtual implements VirtualEnv {
  #nowMs = 0;
  #sequence = 0;
  #timers = 0;
  readonly #heap = new EventHeap();
  readonly #random: () => number;
  readonly #settle: (() => void) | null;

  constructor(seed: number, settle: (() => void) | null) {
    this.#random = sfc32(seed);
    this.#settle = settle;
  }

  get timersPending(): number {
    return this.#timers;
  }

  get deferredPending(): number {
    return this.#heap.size - this.#timers;
  }

  now(): number {
    return this.#nowMs;
  }

  wallNowMs(): number {
    return WALL_START_MS + Math.floor(this.#nowMs);
  }

  randomUint32(): number {
    return this.#random();
  }

  setTimer(callback: () => void, delayMs: number): Timer {
    const entry = this.#push(callback, this.#nowMs + Math.max(0, delayMs), true);
    return {
      cancel: () => {
        if (this.#heap.remove(entry)) this.#timers--;
      },
    };
  }

  defer(callback: () => void): void {
    this.#push(callback, this.#nowMs, false);
  }

  nextAtMs(): number | null {
    return this.#heap.top()?.atMs ?? null;
  }

  step(): boolean {
    const entry = this.#heap.top();
    if (entry === null) return false;
    this.#heap.remove(entry);
    if (entry.isTimer) this.#timers--;
    this.#nowMs = entry.atMs;
    entry.callback();
    return true;
  }

  runUntilIdle(): Promise<void> {
    return this.advance(0);
  }

  advance(ms: number): Promise<void> {
    return this.#runInLaps(this.#nowMs + ms, () => true);
  }

  run(untilMs: number, after: () => boolean): Promise<void> {
    const settle = this.#settle;
    if (settle === null) return this.#runInLaps(untilMs, after);
    return new Promise((resolve, reject) => {
      // Out of any promise reaction: inside of one no other can be made to run.
      setImmediate(() => {
        try {
          settle();
          while (this.#stepUntil(untilMs)) {
            settle();
            if (!after()) break;
          }
          resolve();
        } catch (error) {
          reject(error);
        }
      });
    });
  }

  async #runInLaps(untilMs: number, after: () => boolean): Promise<void> {
    await promisesSettled();
    while (this.#stepUntil(untilMs)) {
      await promisesSettled();
      if (!after()) break;
    }
  }

  /** False if nothing is due until then, and the clock stands there. */
  #stepUntil(untilMs: number): boolean {
    const nextAtMs = this.nextAtMs();
    if (nextAtMs !== null && nextAtMs <= untilMs) return this.step();
    this.#nowMs = Math.max(this.#nowMs, untilMs);
    return false;
  }

  #push(callback: () => void, atMs: number, isTimer: boolean): Entry {
    if (isTimer) this.#timers++;
    const entry = { atMs, sequence: this.#sequence++, callback, isTimer, place: -1 };
    this.#heap.push(entry);
    return entry;
  }
}

/** A binary heap that knows where each entry is, so that a cancelled timer leaves at once. */
class EventHeap {
  readonly #entries: Entry[] = [];

  get size(): number {
    return this.#entries.length;
  }

  top(): Entry | null {
    return this.#entries.length === 0 ? null : this.#entries[0];
  }

  push(entry: Entry): void {
    this.#entries.push(entry);
    this.#up(this.#entries.length - 1, entry);
  }

  /** False when the entry is not in the heap. */
  remove(entry: Entry): boolean {
    const place = entry.place;
    if (place < 0) return false;
    entry.place = -1;
    const last = this.#entries.pop() as Entry;
    if (last !== entry) {
      this.#up(place, last);
      if (last.place === place) this.#down(place, last);
    }
    return true;
  }

  #up(from: number, entry: Entry): void {
    let place = from;
    while (place > 0) {
      const parent = (place - 1) >> 1;
      if (!isBefore(entry, this.#entries[parent])) break;
      this.#put(place, this.#entries[parent]);
      place = parent;
    }
    this.#put(place, entry);
  }

  #down(from: number, entry: Entry): void {
    let place = from;
    for (;;) {
      let child = 2 * place + 1;
      if (child >= this.#entries.length) break;
      if (
        child + 1 < this.#entries.length &&
        isBefore(this.#entries[child + 1], this.#entries[child])
      ) child++;
      if (!isBefore(this.#entries[child], entry)) break;
      this.#put(place, this.#entries[child]);
      place = child;
    }
    this.#put(place, entry);
  }

  #put(place: number, entry: Entry): void {
    this.#entries[place] = entry;
    entry.place = place;
  }
}

function isBefore(a: Entry, b: Entry): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.sequence < b.sequence);
}

/** Resolves after every promise reaction that can run has run: the host drains them between macrotasks. */
function promisesSettled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

function sfc32(seed: number): () => number {
  let mix = seed | 0;
  const word = () => {
    mix = (mix + 0x9e3779b9) | 0;
    let z = Math.imul(mix ^ (mix >>> 16), 0x21f0aaad);
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
    return (z ^ (z >>> 15)) | 0;
  };
  let a = word();
  let b = word();
  let c = word();
  let counter = 1;
  return () => {
    const sum = (a + b + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (((c << 21) | (c >>> 11)) + sum) | 0;
    return sum >>> 0;
  };
}
