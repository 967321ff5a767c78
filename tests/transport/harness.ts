/**
 * What the tests of the transports share: conditions with a deadline, a clock that only the test
 * moves, messages to send, and records of what came of it.
 *
 * @module
 */
import { AssertionError } from "@std/assert";
import type { AppendRequest, PeerMessage, ReadRequest, SnapshotChunk } from "../../raft/message.ts";
import {
  type Entry,
  EntryKind,
  GROUP_DEFAULT,
  type GroupId,
  logIndex,
  type NodeId,
  nodeId,
  term,
} from "../../raft/types.ts";
import type { TransportEvent } from "../../transport/events.ts";
import type { PeerHandler } from "../../transport/types.ts";

const DEADLINE_MS = 5000;

/** Resolves once the condition holds. @throws {AssertionError} after the deadline. */
export async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
): Promise<void> {
  const endMs = performance.now() + DEADLINE_MS;
  while (true) {
    const holds = condition();
    // What holds now is not waited for.
    if (holds === true || holds !== false && await holds) return;
    if (performance.now() > endMs) throw new AssertionError(`Timed out waiting until ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

/** The process's own clock, with jitter left out. */
export function realEnv() {
  return {
    now: () => performance.now(),
    setTimer: (callback: () => void, delayMs: number) => {
      const id = setTimeout(callback, delayMs);
      return { cancel: () => clearTimeout(id) };
    },
    defer: (callback: () => void) => void setImmediate(callback),
    randomUint32: () => 0,
  };
}

/** A clock that stands still until the test moves it. Timers and deferred callbacks run in order. */
export class ManualEnv {
  /** The delay of every timer that was set. */
  readonly delaysMs: number[] = [];
  readonly #timers = new Set<{ dueMs: number; callback: () => void }>();
  #deferred: (() => void)[] = [];
  #nowMs = 0;
  #random: () => number;

  constructor(random: () => number = () => 0) {
    this.#random = random;
  }

  get pendingTimers(): number {
    return this.#timers.size;
  }

  now(): number {
    return this.#nowMs;
  }

  setTimer(callback: () => void, delayMs: number): { cancel(): void } {
    this.delaysMs.push(delayMs);
    const timer = { dueMs: this.#nowMs + delayMs, callback };
    this.#timers.add(timer);
    return { cancel: () => this.#timers.delete(timer) };
  }

  defer(callback: () => void): void {
    this.#deferred.push(callback);
  }

  randomUint32(): number {
    return this.#random();
  }

  /** Runs what is deferred, and what that defers, to the end. */
  settle(): void {
    while (this.#deferred.length > 0) {
      const callbacks = this.#deferred;
      this.#deferred = [];
      for (const callback of callbacks) callback();
    }
  }

  /** Moves the clock from timer to timer. */
  advance(ms: number): void {
    const endMs = this.#nowMs + ms;
    while (true) {
      let next: { dueMs: number; callback: () => void } | null = null;
      for (const timer of this.#timers) if (next === null || timer.dueMs < next.dueMs) next = timer;
      if (next === null || next.dueMs > endMs) break;
      this.#timers.delete(next);
      this.#nowMs = Math.max(this.#nowMs, next.dueMs);
      next.callback();
    }
    this.#nowMs = endMs;
  }

  /** Moves the clock at once, as if the process had been stopped meanwhile: due timers run late. */
  jump(ms: number): void {
    this.#nowMs += ms;
    this.advance(0);
  }
}

/** A small generator for tests that must run the same way each time (xorshift32). */
export function seeded(seed: number): () => number {
  let state = seed | 0 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
}

export interface Received {
  readonly from: NodeId;
  readonly group: GroupId;
  readonly message: PeerMessage;
}

/** A handler that keeps what it gets. */
export class Inbox {
  readonly received: Received[] = [];
  readonly handler: PeerHandler = (from, group, message) => {
    this.received.push({ from, group, message });
  };

  /** The `id` of each read request, in the order of arrival. */
  get ids(): number[] {
    return this.received.flatMap(({ message }) =>
      message.type === "read-request" ? [message.id] : []
    );
  }
}

/** Keeps events, and finds the first of a type. */
export class EventLog {
  readonly events: TransportEvent[] = [];
  readonly record = (event: TransportEvent): void => void this.events.push(event);

  of<T extends TransportEvent["type"]>(type: T): Extract<TransportEvent, { type: T }>[] {
    return this.events.filter((event) => event.type === type) as Extract<
      TransportEvent,
      { type: T }
    >[];
  }
}

export const N1 = nodeId("n1");
export const N2 = nodeId("n2");
export const N3 = nodeId("n3");
export const GROUP = GROUP_DEFAULT;

/** A small message that can be told from others. */
export function ping(id: number): ReadRequest {
  return { type: "read-request", term: term(1), id, lease: false };
}

/** An append request of entries 1 to `count`, each with so many bytes of data. */
export function append(count: number, dataBytes: number): AppendRequest {
  return {
    type: "append-request",
    term: term(7),
    prevIndex: logIndex(0),
    prevTerm: term(0),
    commit: logIndex(0),
    round: 3,
    stamp: 11,
    echo: 9,
    entries: entriesFrom(1, count, dataBytes),
  };
}

export function entriesFrom(first: number, count: number, dataBytes: number): Entry[] {
  return Array.from({ length: count }, (_, i) => ({
    term: term(7),
    index: logIndex(first + i),
    timeMs: 1_700_000_000_000 + i,
    kind: EntryKind.Command,
    data: new Uint8Array(dataBytes).map((_, at) => first + i + at),
  }));
}

/** A chunk of a snapshot with so many bytes, which can be told from others. */
export function snapshotChunk(chunk: number, dataBytes: number): SnapshotChunk {
  const address = (id: string) => ({
    id: nodeId(id),
    url: `http://${id}:8001`,
    peer: `${id}:9001`,
    since: logIndex(id === "n3" ? 900 : 0),
  });
  return {
    type: "snapshot-chunk",
    term: term(7),
    info: {
      meta: {
        index: logIndex(1000),
        term: term(6),
        timeMs: 1_700_000_000_000,
        configuration: {
          voters: [N1, N2],
          votersOutgoing: [N1],
          learners: [N3],
          promoting: [{ id: N3, replaces: N1 }],
          addresses: ["n1", "n2", "n3"].map(address),
        },
      },
      id: "0123456789abcdef",
      chunks: 1000,
      bytes: 1_000_000,
    },
    chunk,
    data: new Uint8Array(dataBytes).map((_, at) => chunk + at),
  };
}
