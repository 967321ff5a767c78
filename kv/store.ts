/**
 * The replicated state machine: log entries go in, in order, and the same state comes out on every
 * replica. A pure function of the log: it reads no clock, draws no random numbers and does no I/O.
 *
 * Each entry first moves replicated time, then removes keys that are due, then does what its command
 * says. Reads, checks and arithmetic do not see a due key, removed or not.
 *
 * @module
 */
import { refusal } from "./arithmetic.ts";
import { executeWrite, NO_CHANGES } from "./atomic.ts";
import { BTreeEngine } from "./btree_engine.ts";
import { ByteSlab, VALUE_SLABS } from "./byte_slab.ts";
import { CommandKind, commandLowWater, commandSequence, commandSession } from "./command.ts";
import { checkHeader, decodeWrite, MalformedCommand } from "./command_decoder.ts";
import type { Engine, StoredRecord } from "./engine.ts";
import { fingerprintOf, Idempotency, idempotencyKey, type Remembered } from "./idempotency.ts";
import { EXPIRED_KEYS_PER_ENTRY_MAX } from "./limits.ts";
import { isDue, Records } from "./records.ts";
import { addSession, Sessions, type SessionState } from "./sessions.ts";
import { ElementTag, MultisetHash } from "./state_hash.ts";
import type {
  ApplyResult,
  AtomicWrite,
  Change,
  EncodedKey,
  RangeQuery,
  ReadQuery,
  ReadResult,
  StateHash,
  StoredEntry,
} from "./types.ts";
import { COMMAND_ORDER, HOUSEKEEPING_ORDER } from "./versionstamp.ts";

/** A committed log entry, as far as the store needs to know it. */
export interface CommittedEntry {
  readonly index: number;
  /** The leader's stamp, in ms. */
  readonly timeMs: number;
  /** Not kept: values are copied out of it unless it is a buffer of their own. */
  readonly data: Uint8Array;
  /** False for the protocol's own entries: they move index and time, and nothing else. */
  readonly isCommand: boolean;
}

/** What applying an entry came to. */
export interface Applied {
  /** Of the command's header; 0 if it has none. */
  readonly session: number;
  readonly sequence: number;
  readonly result: ApplyResult;
  /** In order: first the keys that expired (order 0 of the entry), then what the command changed (order 1). */
  readonly changes: readonly Change[];
}

/** Entries were not applied one after the other: a bug in who applies them, and the state is worthless. */
export class OutOfOrder extends Error {
  override readonly name = "OutOfOrder";
}

/** For tests and other engines. */
export interface StoreOptions {
  readonly engine?: Engine;
  /** In place of `IDEMPOTENCY_KEYS_MAX`. Must be the same on all replicas. */
  readonly idempotencyKeysMax?: number;
}

/**
 * A store's state at one moment: the store goes on changing while it is read. It shares with the store
 * what has not changed since; whoever is done with it drops it.
 */
export interface StoreCapture {
  readonly timeMs: number;
  readonly stateHash: StateHash;
  /** Not to be changed. */
  readonly records: Engine;
  /** In no order that matters. */
  readonly sessions: readonly SessionState[];
  /** Oldest first. */
  readonly remembered: Iterable<Remembered>;
}

/** What a store consists of, for who restores one (snapshot_reader.ts). */
export interface StoreParts {
  readonly hash: MultisetHash;
  readonly records: Records;
  readonly sessions: Sessions;
  readonly idempotency: Idempotency;
  index: number;
  timeMs: number;
}

/** The parts of a store that has applied nothing. */
export function emptyParts(options: StoreOptions): StoreParts {
  const hash = new MultisetHash();
  return {
    hash,
    records: new Records(options.engine ?? BTreeEngine.empty(), hash),
    sessions: new Sessions(hash),
    idempotency: new Idempotency(hash, options.idempotencyKeysMax),
    index: 0,
    timeMs: 0,
  };
}

/** See the module. */
export class Store {
  readonly #hash: MultisetHash;
  readonly #records: Records;
  readonly #sessions: Sessions;
  readonly #idempotency: Idempotency;
  readonly #values = new ByteSlab(VALUE_SLABS);
  #index: number;
  #timeMs: number;

  /** @param parts taken over; options say nothing then. */
  constructor(options: StoreOptions = {}, parts: StoreParts = emptyParts(options)) {
    this.#hash = parts.hash;
    this.#records = parts.records;
    this.#sessions = parts.sessions;
    this.#idempotency = parts.idempotency;
    this.#index = parts.index;
    this.#timeMs = parts.timeMs;
  }

  /** The index of the last entry applied. */
  get index(): number {
    return this.#index;
  }

  /** Replicated time, in ms: the latest stamp of an entry applied. */
  get timeMs(): number {
    return this.#timeMs;
  }

  /** The number of records, those that are due but not yet removed included. */
  get size(): number {
    return this.#records.engine.size;
  }

  /**
   * Applies the next entry. Whatever its data, the outcome is a result and the same on every replica.
   *
   * @throws {OutOfOrder} if its index does not follow the last one's.
   */
  apply(entry: CommittedEntry): Applied {
    const { index, data } = entry;
    if (index !== this.#index + 1) {
      throw new OutOfOrder(`Cannot apply entry ${index}: the last one applied is ${this.#index}`);
    }
    this.#index = index;
    if (entry.timeMs > this.#timeMs) this.#timeMs = entry.timeMs;
    const expired = this.#housekeeping(index);
    if (!entry.isCommand) {
      const versionstamp = { index, order: COMMAND_ORDER };
      return {
        session: 0,
        sequence: 0,
        result: { status: "applied", versionstamp },
        changes: expired,
      };
    }
    const session = commandSession(data);
    const sequence = commandSequence(data);
    try {
      switch (checkHeader(data)) {
        case CommandKind.AtomicWrite:
          return this.#write(index, session, sequence, data, expired);
        case CommandKind.OpenSession:
          this.#sessions.open(session, this.#timeMs);
      }
    } catch (error) {
      if (!(error instanceof MalformedCommand)) throw error;
      return { session, sequence, result: refusal("malformed", error.message), changes: expired };
    }
    const versionstamp = { index, order: COMMAND_ORDER };
    return { session, sequence, result: { status: "applied", versionstamp }, changes: expired };
  }

  /** Answers a read from the state as it is. The entries share their bytes with the store. */
  read(query: ReadQuery): ReadResult {
    const results = query.type === "get"
      ? [query.keys.map((key) => this.#records.visible(key, this.#timeMs))]
      : query.ranges.map((range) => this.#scan(range));
    return { results, index: this.#index };
  }

  /** When the first key expires, in replicated time; null if none does. From then on a clock command is due. */
  nextExpiryMs(): number | null {
    return this.#records.nextExpiryMs();
  }

  /** When the first key is due that reads still show; null if none is. Reads that come later must not see it. */
  nextVisibleExpiryMs(): number | null {
    return this.#records.nextVisibleExpiryMs(this.#timeMs);
  }

  /** The hash of the whole state after the last entry. Costs a step for each open session. */
  hash(): StateHash {
    const hash = this.#hash.clone();
    for (const session of this.#sessions.entries()) addSession(hash, session);
    hash.add(ElementTag.ReplicatedTime, 0, this.#timeMs, 0, 0);
    return { index: this.#index, hash: hash.toHex() };
  }

  /**
   * The state as it is now, for a snapshot. Costs a step for each open session, and none for records,
   * results or idempotency keys; what is written while a capture is alive costs a copy at first touch.
   */
  capture(): StoreCapture {
    return {
      timeMs: this.#timeMs,
      stateHash: this.hash(),
      records: this.#records.engine.clone(),
      sessions: this.#sessions.capture(),
      remembered: this.#idempotency.capture(),
    };
  }

  /** All records in key order, those that are due but not yet removed included. */
  records(visit: (record: StoredRecord) => boolean): void {
    this.#records.engine.scan("" as EncodedKey, null, false, visit);
  }

  /** The open sessions, the longest idle first. */
  sessions(): IterableIterator<SessionState> {
    return this.#sessions.entries();
  }

  /** What is remembered under idempotency keys, oldest first. */
  remembered(): readonly Remembered[] {
    return [...this.#idempotency.capture()];
  }

  #housekeeping(index: number): readonly Change[] {
    const nowMs = this.#timeMs;
    this.#sessions.closeIdle(nowMs);
    this.#idempotency.forgetDue(nowMs);
    const nextMs = this.#records.nextExpiryMs();
    if (nextMs === null || nextMs > nowMs) return NO_CHANGES;
    const versionstamp = { index, order: HOUSEKEEPING_ORDER };
    const changes: Change[] = [];
    for (const key of this.#records.due(nowMs, EXPIRED_KEYS_PER_ENTRY_MAX)) {
      this.#records.remove(key);
      changes.push({ key, value: null, versionstamp });
    }
    return changes;
  }

  #write(
    index: number,
    session: number,
    sequence: number,
    data: Uint8Array,
    expired: readonly Change[],
  ): Applied {
    const lowWater = commandLowWater(data);
    const known = this.#sessions.recall(session, sequence, lowWater);
    if (known !== null) return { session, sequence, result: known, changes: expired };
    const write = decodeWrite(data, this.#values);
    const { result, changes } = write.idempotencyKey === null
      ? executeWrite(this.#records, write, { index, order: COMMAND_ORDER }, this.#timeMs)
      : this.#writeOnce(index, write, write.idempotencyKey, data);
    this.#sessions.remember(session, sequence, lowWater, result, this.#timeMs);
    const all = expired.length === 0
      ? changes
      : changes.length === 0
      ? expired
      : [...expired, ...changes];
    return { session, sequence, result, changes: all };
  }

  /** A write under an idempotency key: whatever it comes to, a refusal too, is its answer from then on. */
  #writeOnce(
    index: number,
    write: AtomicWrite,
    keyText: string,
    data: Uint8Array,
  ): { result: ApplyResult; changes: readonly Change[] } {
    const key = idempotencyKey(keyText);
    const fingerprint = fingerprintOf(this.#hash, data);
    const known = this.#idempotency.recall(key, this.#timeMs);
    if (known !== undefined) {
      const result = known.fingerprint === fingerprint ? known.result : refusal(
        "idempotency-key-reused",
        "The idempotency key was used before for another command",
      );
      return { result, changes: NO_CHANGES };
    }
    if (this.#idempotency.full) {
      const result = refusal("idempotency-full", "Too many idempotency keys are in use; try later");
      return { result, changes: NO_CHANGES };
    }
    const versionstamp = { index, order: COMMAND_ORDER };
    const executed = executeWrite(this.#records, write, versionstamp, this.#timeMs);
    this.#idempotency.remember({
      key,
      fingerprint,
      result: executed.result,
      appliedMs: this.#timeMs,
    });
    return executed;
  }

  #scan(range: RangeQuery): StoredEntry[] {
    const entries: StoredEntry[] = [];
    if (range.limit <= 0) return entries;
    this.#records.engine.scan(range.start, range.end, range.reverse, (record) => {
      if (!isDue(record, this.#timeMs)) entries.push(record);
      return entries.length < range.limit;
    });
    return entries;
  }
}
