/**
 * What commands that brought an idempotency key came to, so that a client may send one again, at any
 * node, and get the first one's answer.
 *
 * Replicated state under replicated time: remembered for a fixed span after the command was applied.
 *
 * @module
 */
import { binaryString } from "./binary_string.ts";
import { COMMAND_HEADER_BYTES } from "./command.ts";
import {
  IDEMPOTENCY_FORGOTTEN_PER_ENTRY_MAX,
  IDEMPOTENCY_KEYS_MAX,
  IDEMPOTENCY_TTL_MS,
} from "./limits.ts";
import { SegmentedQueue } from "./segmented_queue.ts";
import { ShardedMap } from "./sharded_map.ts";
import { addResult, ElementTag, type MultisetHash, removeResult } from "./state_hash.ts";
import type { ApplyResult } from "./types.ts";

/** What is remembered under a key. Immutable. */
export interface Remembered {
  /** The key's UTF-8 as a binary string. */
  readonly key: string;
  /** Of the command's body, 16 bytes as a binary string: whether another command under the same key is the same command. */
  readonly fingerprint: string;
  readonly result: ApplyResult;
  /** When it was applied, in replicated time. */
  readonly appliedMs: number;
}

/** See the module. */
export class Idempotency {
  readonly #hash: MultisetHash;
  readonly #keysMax: number;
  readonly #byKey = new ShardedMap<Remembered>();
  /** Oldest first: all are kept equally long, so what is due stands in front. */
  readonly #queue = new SegmentedQueue<Remembered>();
  /**
   * What is in the queue still, though its key was used again once it was due. At most one comes in
   * with an entry that forgets a thousand, so there are never more than a few thousand.
   */
  readonly #replaced = new Set<Remembered>();

  constructor(hash: MultisetHash, keysMax: number = IDEMPOTENCY_KEYS_MAX) {
    this.#hash = hash;
    this.#keysMax = keysMax;
  }

  get size(): number {
    return this.#byKey.size;
  }

  get full(): boolean {
    return this.#byKey.size >= this.#keysMax;
  }

  /** All that is remembered now, oldest first. What is remembered or forgotten later does not reach it. */
  capture(): Iterable<Remembered> {
    const queued = this.#queue.view();
    if (this.#replaced.size === 0) return queued;
    const replaced = new Set(this.#replaced);
    return { [Symbol.iterator]: () => Iterator.from(queued).filter((it) => !replaced.has(it)) };
  }

  /** Forgets what is due, up to a limit: what is then left of it counts as forgotten all the same. */
  forgetDue(nowMs: number): void {
    for (let left = IDEMPOTENCY_FORGOTTEN_PER_ENTRY_MAX; left > 0;) {
      const { oldest } = this.#queue;
      if (oldest === undefined || oldest.appliedMs + IDEMPOTENCY_TTL_MS > nowMs) return;
      this.#queue.shift();
      // Not counted: a replica that was restored from a snapshot does not have it in its queue.
      if (this.#replaced.delete(oldest)) continue;
      this.#drop(oldest);
      left--;
    }
  }

  /** What is remembered under a key at `nowMs`; undefined if nothing is, or no longer. */
  recall(key: string, nowMs: number): Remembered | undefined {
    const known = this.#byKey.get(key);
    return known === undefined || known.appliedMs + IDEMPOTENCY_TTL_MS <= nowMs ? undefined : known;
  }

  /** Remembers a result under a key under which {@linkcode recall} finds nothing. */
  remember(remembered: Remembered): void {
    const former = this.#byKey.get(remembered.key);
    if (former !== undefined) {
      this.#drop(former);
      this.#replaced.add(former);
    }
    this.#byKey.set(remembered.key, remembered);
    this.#queue.push(remembered);
    addRemembered(this.#hash, remembered);
  }

  /** Takes over what a snapshot says is remembered, oldest first; false if the key was there before. */
  restore(remembered: Remembered): boolean {
    if (this.#byKey.get(remembered.key) !== undefined) return false;
    this.remember(remembered);
    return true;
  }

  #drop(remembered: Remembered): void {
    this.#byKey.delete(remembered.key);
    const { key, fingerprint, result, appliedMs } = remembered;
    removeResult(this.#hash, ElementTag.Remembered, appliedMs, 0, result, `${fingerprint}${key}`);
  }
}

/** Adds what is remembered under a key to a state hash. */
export function addRemembered(hash: MultisetHash, remembered: Remembered): void {
  const { key, fingerprint, result, appliedMs } = remembered;
  addResult(hash, ElementTag.Remembered, appliedMs, 0, result, `${fingerprint}${key}`);
}

const ascii = /^[\0-\x7f]*$/;
const utf8Encoder = new TextEncoder();

/** The form in which keys are kept. */
export function idempotencyKey(text: string): string {
  return ascii.test(text) ? text : binaryString(utf8Encoder.encode(text));
}

/** Of a command's body; the header is the proposing node's and differs from node to node. */
export function fingerprintOf(hash: MultisetHash, command: Uint8Array): string {
  return hash.fingerprint(ElementTag.Command, command.subarray(COMMAND_HEADER_BYTES));
}
