/**
 * The writes that this node took from its clients and has not yet seen applied.
 *
 * Each is stamped with (session, sequence) and proposed again after a change of leader, or when it
 * seems lost, until this replica applies it or its deadline passes: the store remembers sequences
 * (Raft section 8, thesis 6.3), so a write happens once however often it is proposed.
 *
 * Not here: talking to the core. The replica moves commands between the two.
 *
 * @module
 */
import { Draining, NoLeader, OutcomeUnknown, Overloaded } from "./outcomes.ts";
import type { Reply } from "./types.ts";
import type { WriteResult } from "./service.ts";
import type { ApplyResult } from "../kv/types.ts";
import { encodeOpenSession, stampCommand } from "../kv/command.ts";
import {
  PENDING_WRITE_BYTES_MAX,
  PENDING_WRITES_MAX,
  PROPOSE_BYTES_MAX,
  REPROPOSE_TICKS_MAX,
  REPROPOSE_TICKS_MIN,
} from "./limits_replica.ts";

/** One write, from the client's request to its answer. Times are of the monotonic clock, in ms. */
interface PendingWrite {
  sequence: number;
  /** Encoded; shared with the log once proposed, and from then on never changed. */
  command: Uint8Array;
  readonly reply: Reply<WriteResult>;
  readonly deadlineMs: number;
  /** Whether a copy was handed to some leader: then a missing answer means nothing. */
  proposed: boolean;
}

/** How a write's wait ends; the replica routes it to the reply. */
export interface Answers {
  resolve(reply: Reply<WriteResult>, result: WriteResult): void;
  reject(reply: Reply<WriteResult>, error: Error): void;
}

export class Proposals {
  readonly #answers: Answers;
  readonly #randomSession: () => number;
  #session: number;
  #sessionState: "closed" | "opening" | "open" = "closed";
  #nextSequence = 1;
  /** By sequence, and in its order: a sequence is only ever added at the end. */
  readonly #pending = new Map<number, PendingWrite>();
  #pendingBytes = 0;
  /** What the next `take` hands out. */
  #queue: PendingWrite[] = [];
  #taken: PendingWrite[] = [];
  #tookSession = false;
  #ticksSinceAttempt = 0;
  #retryTicks = REPROPOSE_TICKS_MIN;
  #earliestDeadlineMs = Infinity;

  constructor(randomSession: () => number, answers: Answers) {
    this.#randomSession = randomSession;
    this.#session = randomSession();
    this.#answers = answers;
  }

  get size(): number {
    return this.#pending.size;
  }

  /** Whether `take` has more to hand out. */
  get hasQueue(): boolean {
    return this.#sessionState === "open" && this.#queue.length > 0;
  }

  /** Whether the session still has to be opened, which needs a leader but no client. */
  get wantsSession(): boolean {
    return this.#sessionState === "closed";
  }

  /** Takes on a write, or refuses it because too much is under way. */
  admit(command: Uint8Array, reply: Reply<WriteResult>, deadlineMs: number): void {
    if (
      this.#pending.size >= PENDING_WRITES_MAX ||
      this.#pendingBytes + command.length > PENDING_WRITE_BYTES_MAX
    ) {
      const error = new Overloaded(
        `Cannot take the write: ${this.#pending.size} writes (${this.#pendingBytes} bytes) wait already`,
      );
      this.#answers.reject(reply, error);
      return;
    }
    const write = { sequence: this.#nextSequence++, command, reply, deadlineMs, proposed: false };
    this.#pending.set(write.sequence, write);
    this.#pendingBytes += command.length;
    this.#queue.push(write);
    if (deadlineMs < this.#earliestDeadlineMs) this.#earliestDeadlineMs = deadlineMs;
  }

  /**
   * The commands to propose now, up to a turn's limit; `outcome` must follow. Without an open
   * session that is the command which opens one.
   */
  take(): Uint8Array[] {
    if (this.#sessionState === "opening") return [];
    if (this.#sessionState === "closed") {
      this.#tookSession = true;
      return [encodeOpenSession(this.#session)];
    }
    if (this.#queue.length === 0) return [];
    const lowWater = this.#lowWater();
    const commands: Uint8Array[] = [];
    let bytes = 0;
    let count = 0;
    for (const write of this.#queue) {
      if (bytes > 0 && bytes + write.command.length > PROPOSE_BYTES_MAX) break;
      bytes += write.command.length;
      count++;
      // One that was proposed before is in somebody's log: its bytes may not change any more.
      if (!write.proposed) {
        stampCommand(write.command, this.#session, write.sequence, lowWater);
      }
      commands.push(write.command);
    }
    this.#taken = count === this.#queue.length ? this.#queue : this.#queue.slice(0, count);
    this.#queue = count === this.#queue.length ? [] : this.#queue.slice(count);
    return commands;
  }

  /** Says where the commands of the last `take` went: to a leader (this one or another), or nowhere. */
  outcome(handedOver: boolean): void {
    if (this.#tookSession) {
      this.#tookSession = false;
      if (handedOver) this.#sessionState = "opening";
      this.#ticksSinceAttempt = 0;
      return;
    }
    const taken = this.#taken;
    this.#taken = [];
    if (handedOver) {
      for (const write of taken) write.proposed = true;
      this.#ticksSinceAttempt = 0;
    } else if (taken.length > 0) {
      this.#queue = this.#queue.length === 0 ? taken : taken.concat(this.#queue);
    }
  }

  /** Proposes everything anew that is not applied yet: the leader changed, or copies may be lost. */
  retryAll(): void {
    if (this.#sessionState === "opening") this.#sessionState = "closed";
    this.#queue = [...this.#pending.values()];
    this.#ticksSinceAttempt = 0;
  }

  /** A leader was found or lost: the first retries may come soon again. */
  leaderChanged(): void {
    this.#retryTicks = REPROPOSE_TICKS_MIN;
    this.retryAll();
  }

  /** An entry of this node's session was applied here. */
  applied(session: number, sequence: number, result: ApplyResult): void {
    if (session !== this.#session) return;
    const write = this.#pending.get(sequence);
    if (write === undefined) return;
    if (result.status === "session-unknown") return this.#reopen();
    this.#retryTicks = REPROPOSE_TICKS_MIN;
    this.#remove(write);
    if (result.status === "stale") {
      // Only what nobody waits for is below the low-water mark; so this would be a bug's trace.
      this.#answers.reject(write.reply, unknown("the store has forgotten its sequence"));
    } else {
      this.#answers.resolve(write.reply, result);
    }
  }

  /** The command that opens this node's session was applied here. */
  sessionOpened(session: number): void {
    if (session !== this.#session || this.#sessionState === "open") return;
    this.#sessionState = "open";
    this.#queue = [...this.#pending.values()];
  }

  /** Time passes: ends what is overdue, and proposes again what seems lost. `local`: this node leads. */
  tick(nowMs: number, local: boolean, hasLeader: boolean): void {
    if (nowMs >= this.#earliestDeadlineMs) this.#expire(nowMs, hasLeader);
    if (++this.#ticksSinceAttempt < this.#retryTicks) return;
    this.#ticksSinceAttempt = 0;
    if (local) return; // Nothing gets lost between a leader and its own log.
    if (this.#pending.size === 0 && this.#sessionState !== "opening") return;
    this.#retryTicks = Math.min(this.#retryTicks * 2, REPROPOSE_TICKS_MAX);
    this.retryAll();
  }

  /** Ends everything: what was never handed over is refused, the rest is unknown. */
  abandon(): void {
    for (const write of this.#pending.values()) {
      const error = write.proposed
        ? unknown("the node stopped while it waited")
        : new Draining("Cannot write: the node is shutting down");
      this.#answers.reject(write.reply, error);
    }
    this.#pending.clear();
    this.#queue = [];
    this.#pendingBytes = 0;
  }

  /**
   * The store does not know the session (it expired). Every entry passes through this replica in
   * order, so no earlier copy of these writes was applied, and no later one can be, since a session
   * id is never opened twice: they may start over under a new one.
   */
  #reopen(): void {
    this.#session = this.#randomSession();
    this.#sessionState = "closed";
    const writes = [...this.#pending.values()];
    this.#pending.clear();
    this.#queue = [];
    for (const write of writes) {
      write.sequence = this.#nextSequence++;
      if (write.proposed) write.command = write.command.slice();
      write.proposed = false;
      this.#pending.set(write.sequence, write);
    }
  }

  #lowWater(): number {
    for (const sequence of this.#pending.keys()) return sequence;
    return this.#nextSequence;
  }

  #remove(write: PendingWrite): void {
    this.#pending.delete(write.sequence);
    this.#pendingBytes -= write.command.length;
  }

  #expire(nowMs: number, hasLeader: boolean): void {
    let earliestMs = Infinity;
    let removed = false;
    for (const write of this.#pending.values()) {
      if (write.deadlineMs > nowMs) {
        if (write.deadlineMs < earliestMs) earliestMs = write.deadlineMs;
        continue;
      }
      removed = true;
      this.#remove(write);
      this.#answers.reject(write.reply, overdue(write.proposed, hasLeader));
    }
    this.#earliestDeadlineMs = earliestMs;
    if (removed) this.#queue = this.#queue.filter((write) => this.#pending.has(write.sequence));
  }
}

function overdue(proposed: boolean, hasLeader: boolean): Error {
  if (proposed) return unknown("its deadline passed after it was proposed");
  if (hasLeader) return new Overloaded("Cannot write: the leader took no more before the deadline");
  return new NoLeader("Cannot write: no leader was found before the deadline");
}

function unknown(why: string): OutcomeUnknown {
  return new OutcomeUnknown(`Cannot tell whether the write was applied: ${why}`);
}
