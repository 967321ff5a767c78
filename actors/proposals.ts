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
  REPROPOSE_SCAN_TICKS,
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
  /** Copies handed to some leader. From the first on, a missing answer means nothing. */
  attempts: number;
  /** The tick of the last attempt. */
  attemptTick: number;
  /** Whether the next `take`s will hand it out. */
  queued: boolean;
  /** Whether a snapshot took the place of entries among which copies of it may have been. */
  overtaken: boolean;
  /** Whether it was answered; if it is queued still, it need not be proposed again. */
  done: boolean;
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
  #sessionAttemptTick = 0;
  #tick = 0;
  #earliestDeadlineMs = Infinity;

  readonly #proposeBytesMax: number;

  constructor(
    randomSession: () => number,
    answers: Answers,
    proposeBytesMax: number = PROPOSE_BYTES_MAX,
  ) {
    this.#proposeBytesMax = proposeBytesMax;
    this.#randomSession = randomSession;
    this.#session = randomSession();
    this.#answers = answers;
  }

  get size(): number {
    return this.#pending.size;
  }

  /** Writes that wait to be handed out; those that were answered meanwhile may be among them. */
  get queued(): number {
    return this.#queue.length;
  }

  /** Whether `take` has more to hand out. */
  get hasQueue(): boolean {
    return this.#sessionState === "open" && this.#queue.length > 0;
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
    const write: PendingWrite = {
      sequence: this.#nextSequence++,
      command,
      reply,
      deadlineMs,
      attempts: 0,
      attemptTick: 0,
      queued: true,
      overtaken: false,
      done: false,
    };
    this.#pending.set(write.sequence, write);
    this.#pendingBytes += command.length;
    this.#queue.push(write);
    if (deadlineMs < this.#earliestDeadlineMs) this.#earliestDeadlineMs = deadlineMs;
  }

  /**
   * The commands to propose now, up to a batch's bytes; `outcome` must follow. Without an open
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
    const taken: PendingWrite[] = [];
    for (const write of this.#queue) {
      count++;
      if (write.done) continue;
      if (bytes > 0 && bytes + write.command.length > this.#proposeBytesMax) {
        count--;
        break;
      }
      bytes += write.command.length;
      // One that was proposed before is in somebody's log: its bytes may not change any more.
      if (write.attempts === 0) {
        stampCommand(write.command, this.#session, write.sequence, lowWater);
      }
      taken.push(write);
      commands.push(write.command);
    }
    this.#taken = taken;
    this.#queue = count === this.#queue.length ? [] : this.#queue.slice(count);
    return commands;
  }

  /** Says where the commands of the last `take` went: to a leader (this one or another), or nowhere. */
  outcome(handedOver: boolean): void {
    if (this.#tookSession) {
      this.#tookSession = false;
      this.#sessionAttemptTick = this.#tick;
      if (handedOver) this.#sessionState = "opening";
      return;
    }
    const taken = this.#taken;
    this.#taken = [];
    if (!handedOver) {
      this.#queue = this.#queue.length === 0 ? taken : taken.concat(this.#queue);
      return;
    }
    for (const write of taken) {
      write.attempts++;
      write.attemptTick = this.#tick;
      write.queued = false;
    }
  }

  /** A leader was found: proposes everything anew that is not applied yet. */
  leaderChanged(): void {
    if (this.#sessionState === "opening") this.#sessionState = "closed";
    this.#requeue(() => true);
  }

  /**
   * A snapshot took the place of entries that this replica has not applied. Copies of its writes may be
   * among them, so they are proposed again: the session, which is in the snapshot, knows what became of
   * them.
   */
  overtaken(): void {
    for (const write of this.#pending.values()) write.overtaken ||= write.attempts > 0;
    this.leaderChanged();
  }

  /** An entry of this node's session was applied here. */
  applied(session: number, sequence: number, result: ApplyResult): void {
    if (session !== this.#session) return;
    const write = this.#pending.get(sequence);
    if (write === undefined) return;
    if (result.status === "session-unknown") return this.#reopen();
    this.#remove(write);
    if (result.status === "stale") {
      // Nobody waits for what is below its own low-water mark. But a session that has more results
      // than the store remembers loses the older half, and with them what this one came to.
      this.#answers.reject(write.reply, unknown("the store has forgotten its sequence"));
    } else {
      this.#answers.resolve(write.reply, result);
    }
  }

  /** The command that opens this node's session was applied here. */
  sessionOpened(session: number): void {
    if (session !== this.#session || this.#sessionState === "open") return;
    this.#sessionState = "open";
    this.#requeue(() => true);
  }

  /** Time passes: ends what is overdue, and proposes again what seems lost. `leads`: this node does. */
  tick(nowMs: number, leads: boolean, hasLeader: boolean): void {
    this.#tick++;
    if (nowMs >= this.#earliestDeadlineMs) this.#expire(nowMs, hasLeader);
    // Nothing gets lost between a leader and its own log.
    if (leads || this.#tick % REPROPOSE_SCAN_TICKS !== 0) return;
    const isLost = (tick: number, attempts: number) =>
      this.#tick - tick >= Math.min(REPROPOSE_TICKS_MIN * attempts, REPROPOSE_TICKS_MAX);
    if (this.#sessionState === "opening" && isLost(this.#sessionAttemptTick, 1)) {
      this.#sessionState = "closed";
    }
    this.#requeue((write) => !write.queued && isLost(write.attemptTick, write.attempts));
  }

  /** Ends everything: what was never handed over is refused, the rest is unknown. */
  abandon(): void {
    for (const write of this.#pending.values()) {
      const error = write.attempts > 0
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
   * id is never opened twice: they may start over under a new one. But for those that a snapshot may
   * have overtaken: the session may have expired after one of their copies.
   */
  #reopen(): void {
    this.#session = this.#randomSession();
    this.#sessionState = "closed";
    const writes = [...this.#pending.values()];
    this.#pending.clear();
    this.#queue = [];
    for (const write of writes) {
      if (write.overtaken) {
        this.#pendingBytes -= write.command.length;
        write.done = true;
        this.#answers.reject(
          write.reply,
          unknown("its session expired while this node was behind"),
        );
        continue;
      }
      write.sequence = this.#nextSequence++;
      if (write.attempts > 0) write.command = write.command.slice();
      write.attempts = 0;
      write.queued = false;
      this.#pending.set(write.sequence, write);
    }
  }

  /** Queues, beside what is queued already, the pending writes that `isDue` says, in their order. */
  #requeue(isDue: (write: PendingWrite) => boolean): void {
    let found = false;
    for (const write of this.#pending.values()) {
      if (write.queued || !isDue(write)) continue;
      write.queued = true;
      found = true;
    }
    if (found) this.#queue = [...this.#pending.values()].filter((write) => write.queued);
  }

  #lowWater(): number {
    for (const sequence of this.#pending.keys()) return sequence;
    return this.#nextSequence;
  }

  #remove(write: PendingWrite): void {
    write.done = true;
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
      this.#answers.reject(write.reply, overdue(write.attempts > 0, hasLeader));
    }
    this.#earliestDeadlineMs = earliestMs;
    // Without a leader nothing is taken from the queue, which would keep what nobody waits for any more.
    if (removed) this.#queue = this.#queue.filter((write) => !write.done);
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
