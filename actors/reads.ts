/**
 * The linearizable reads that this node took and has not yet answered (ReadIndex, thesis 6.4), those
 * that are content with the leader's lease among them.
 *
 * A batch of reads waits first for the core to confirm an index, then for the store to have applied
 * it. A refused or lost attempt starts over under a fresh id, so that an answer meant for an older
 * attempt can never release a newer read.
 *
 * Not here: whether there is a lease (lease.ts), and reads of other kinds (session_reads.ts).
 *
 * @module
 */
import { NoLeader, Overloaded } from "./outcomes.ts";
import type { Consistency, ServedRead } from "./service.ts";
import type { Reply } from "./types.ts";
import type { ReadQuery } from "../kv/types.ts";
import { PENDING_READS_MAX, READ_RETRY_TICKS_MAX, READ_RETRY_TICKS_MIN } from "./limits_replica.ts";

/** Ids are 48-bit numbers: 2^16 boots of 2^32 attempts each. */
const BOOTS_DISTINCT = 2 ** 16;
const IDS_PER_BOOT = 2 ** 32;

export interface PendingRead {
  readonly query: ReadQuery;
  readonly reply: Reply<ServedRead>;
  /** Whether the leader's lease will do. */
  readonly lease: boolean;
  /** Of the monotonic clock, in ms. */
  readonly deadlineMs: number;
}

/** Reads that may be answered, and what was done for them. */
export interface ReadyReads {
  readonly reads: readonly PendingRead[];
  readonly served: Consistency["mode"];
}

/** An attempt to be begun with the core. */
export interface Attempt {
  readonly id: number;
  readonly lease: boolean;
}

interface Round {
  reads: PendingRead[];
  readonly lease: boolean;
  /** The attempts under way. All began after the reads were asked, so that any of them may answer. */
  readonly ids: Set<number>;
  ticks: number;
  retryTicks: number;
}

function newRound(reads: PendingRead[], lease: boolean): Round {
  return { reads, lease, ids: new Set(), ticks: 0, retryTicks: READ_RETRY_TICKS_MIN };
}

/** Moves the reads on: what is left is an empty round, which no later attempt can answer again. */
function takeReads(round: Round): PendingRead[] {
  const reads = round.reads;
  round.reads = [];
  return reads;
}

const NO_ATTEMPTS: readonly Attempt[] = [];
const NO_READS: readonly ReadyReads[] = [];

export class Reads {
  readonly #reject: (reply: Reply<ServedRead>, error: Error) => void;
  /** Those that need a round of messages, and those that may go by the lease: they share no round. */
  #queue: PendingRead[] = [];
  #leaseQueue: PendingRead[] = [];
  /**
   * Those that were refused: asked again at once, a node that is no leader any more and does not show it yet
   * (it has just started again) would be asked as fast as the network allows.
   */
  #refused: PendingRead[] = [];
  /** By the ids of their attempts. */
  readonly #rounds = new Map<number, Round>();
  /** Rounds that want another attempt. */
  #lost: Round[] = [];
  /** Confirmed, waiting for the store, in the order of their indexes. */
  #confirmed: { index: number; reads: PendingRead[]; served: Consistency["mode"] }[] = [];
  #nextId: number;
  #count = 0;
  #earliestDeadlineMs = Infinity;

  /**
   * @param boot how often this replica was started: ids must differ from those of earlier lives, too,
   * or a late answer to one of them could confirm a read at an index from before it was asked.
   */
  constructor(boot: number, reject: (reply: Reply<ServedRead>, error: Error) => void) {
    this.#nextId = (boot % BOOTS_DISTINCT) * IDS_PER_BOOT + 1;
    this.#reject = reject;
  }

  get size(): number {
    return this.#count;
  }

  admit(read: PendingRead): void {
    if (this.#count >= PENDING_READS_MAX) {
      this.#reject(
        read.reply,
        new Overloaded(`Cannot take the read: ${this.#count} reads wait already`),
      );
      return;
    }
    this.#count++;
    this.#enqueue(read);
    if (read.deadlineMs < this.#earliestDeadlineMs) this.#earliestDeadlineMs = read.deadlineMs;
  }

  /** Begins the attempts that are due: the core is to be asked under their ids. */
  begin(): readonly Attempt[] {
    const queued = this.#queue.length + this.#leaseQueue.length;
    if (queued === 0 && this.#lost.length === 0) return NO_ATTEMPTS;
    const due = this.#lost.filter((round) => round.reads.length > 0);
    this.#lost = [];
    if (this.#queue.length > 0) {
      due.push(newRound(this.#queue, false));
      this.#queue = [];
    }
    if (this.#leaseQueue.length > 0) {
      due.push(newRound(this.#leaseQueue, true));
      this.#leaseQueue = [];
    }
    return due.map((round) => this.#attempt(round));
  }

  /** The core confirmed `index` for the attempt `id`. `mayBeLease`: perhaps by a lease, where that will do. */
  confirmed(id: number, index: number, mayBeLease: boolean): void {
    const round = this.#rounds.get(id);
    if (round === undefined) return;
    for (const each of round.ids) this.#rounds.delete(each);
    const last = this.#confirmed[this.#confirmed.length - 1];
    const served = mayBeLease && round.lease ? "lease" : "linearizable";
    this.#confirmed.push({ index, reads: takeReads(round), served });
    // A later attempt may be confirmed at an earlier index after a change of leader.
    if (last !== undefined && last.index > index) {
      this.#confirmed.sort((a, b) => a.index - b.index);
    }
  }

  /**
   * The attempt `id` came to nothing: unless another is under way, its reads wait for the next, which begins
   * with a tick, or when another leader is found.
   */
  refused(id: number): void {
    const round = this.#rounds.get(id);
    if (round === undefined) return;
    this.#rounds.delete(id);
    round.ids.delete(id);
    if (round.ids.size > 0) return;
    this.#refused = this.#refused.concat(takeReads(round));
  }

  /** What was refused may be asked again: another leader was found, or a tick has passed. */
  askAgain(): void {
    if (this.#refused.length === 0) return;
    for (const read of this.#refused) this.#enqueue(read);
    this.#refused = [];
  }

  #enqueue(read: PendingRead): void {
    if (read.lease) this.#leaseQueue.push(read);
    else this.#queue.push(read);
  }

  /** Takes the reads that the store, having applied `index`, may answer. */
  takeReady(index: number): readonly ReadyReads[] {
    let count = 0;
    while (count < this.#confirmed.length && this.#confirmed[count].index <= index) {
      this.#count -= this.#confirmed[count].reads.length;
      count++;
    }
    return count === 0 ? NO_READS : this.#confirmed.splice(0, count);
  }

  /**
   * Time passes: ends what is overdue, and asks again where an answer seems lost. If this node
   * leads, nothing gets lost between it and its own core.
   */
  tick(nowMs: number, leads: boolean, hasLeader: boolean): void {
    if (nowMs >= this.#earliestDeadlineMs) this.#expire(nowMs, hasLeader);
    this.askAgain();
    if (leads || this.#rounds.size === 0) return;
    for (const round of new Set(this.#rounds.values())) {
      if (++round.ticks < round.retryTicks) continue;
      round.ticks = 0;
      round.retryTicks = Math.min(2 * round.retryTicks, READ_RETRY_TICKS_MAX);
      this.#lost.push(round);
    }
  }

  /** Ends everything with `error`. */
  abandon(error: Error): void {
    this.#filter(() => false, error);
  }

  #attempt(round: Round): Attempt {
    const id = this.#nextId++;
    round.ids.add(id);
    this.#rounds.set(id, round);
    return { id, lease: round.lease };
  }

  #expire(nowMs: number, hasLeader: boolean): void {
    this.#earliestDeadlineMs = Infinity;
    const error = hasLeader
      ? new NoLeader("Cannot read: the leader could not confirm its term before the deadline")
      : new NoLeader("Cannot read: no leader was found before the deadline");
    this.#filter((read) => {
      if (read.deadlineMs <= nowMs) return false;
      if (read.deadlineMs < this.#earliestDeadlineMs) this.#earliestDeadlineMs = read.deadlineMs;
      return true;
    }, error);
  }

  /** Keeps the reads that `keep` says, rejects the others. */
  #filter(keep: (read: PendingRead) => boolean, error: Error): void {
    const sift = (reads: PendingRead[]): PendingRead[] =>
      reads.filter((read) => {
        if (keep(read)) return true;
        this.#count--;
        this.#reject(read.reply, error);
        return false;
      });
    this.#queue = sift(this.#queue);
    this.#leaseQueue = sift(this.#leaseQueue);
    this.#refused = sift(this.#refused);
    for (const round of new Set(this.#rounds.values())) {
      round.reads = sift(round.reads);
      if (round.reads.length > 0) continue;
      for (const id of round.ids) this.#rounds.delete(id);
      round.ids.clear();
    }
    this.#confirmed = this.#confirmed
      .map((confirmed) => ({ ...confirmed, reads: sift(confirmed.reads) }))
      .filter(({ reads }) => reads.length > 0);
  }
}
