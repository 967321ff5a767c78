/**
 * The messages of a turn that may leave before its commit. Appends wait for the end of the drain,
 * since often an empty one (news of the commit index) is followed by one with entries that says all
 * of it and more; everything else leaves at once.
 *
 * News that nobody is known to wait for goes on waiting for such a one after the turn, for NEWS_DELAY_MS.
 * Under a steady load the next append is sooner: then each write costs a follower one message and one
 * answer instead of two.
 *
 * @module
 */
import { NEWS_DELAY_MS } from "./limits_replica.ts";
import type { ReplicaMessage } from "./replica_types.ts";
import type { Ctx } from "./types.ts";
import type { AppendRequest, Message } from "../raft/message.ts";
import type { LogIndex, NodeId, Term } from "../raft/types.ts";

/** What a peer was told last, and what it waits to hear. */
interface Told {
  term: Term;
  /** The highest commit index that it can have learned: not beyond what it was sent. */
  commit: LogIndex;
  round: number;
  /** Its clients' writes and reads wait for it to know that all up to here is committed. */
  awaited: LogIndex;
}

export class Outbox {
  readonly #send: (to: NodeId, message: Message) => boolean;
  readonly #ctx: Ctx<ReplicaMessage>;
  readonly #appends = new Map<NodeId, AppendRequest>();
  /** An entry for each node that was a member in this life of the replica. */
  readonly #told = new Map<NodeId, Told>();
  /** Whether a timer runs that will have a turn come for the news that waits in `#appends`. */
  #isArmed = false;
  /** Whether it has fired, and what still waits must go with this turn. */
  #isDue = false;

  constructor(send: (to: NodeId, message: Message) => boolean, ctx: Ctx<ReplicaMessage>) {
    this.#send = send;
    this.#ctx = ctx;
  }

  /** False if the message was certainly not sent. */
  post(to: NodeId, message: Message): boolean {
    if (message.type !== "append-request") {
      // Whoever is told an index by it should not have to wait for the rest, now or when it has the entries.
      this.#release(to);
      if (message.type === "read-reply") this.awaits(to, message.index);
      return this.#send(to, message);
    }
    const before = this.#appends.get(to);
    if (before !== undefined && !isSuperseded(before, message)) this.#release(to);
    this.#appends.set(to, message);
    return true;
  }

  /** A peer's clients wait for it to hear that all up to `index` is committed. */
  awaits(peer: NodeId, index: LogIndex): void {
    const told = this.#toldTo(peer);
    if (index > told.awaited) told.awaited = index;
  }

  /** The timer has fired: nothing that waits now may wait on. */
  due(): void {
    this.#isArmed = false;
    this.#isDue = true;
  }

  /** Sends what still waits, but for news that may wait on. */
  flush(): void {
    for (const [to, message] of this.#appends) {
      if (this.#isDue || !this.#mayWait(to, message)) this.#release(to);
    }
    this.#isDue = false;
    if (this.#appends.size > 0) this.#arm();
  }

  #release(to: NodeId): void {
    const message = this.#appends.get(to);
    if (message === undefined) return;
    this.#appends.delete(to);
    const told = this.#toldTo(to);
    const lastIndex = message.prevIndex + message.entries.length;
    told.term = message.term;
    told.commit = Math.min(message.commit, lastIndex) as LogIndex;
    told.round = message.round;
    this.#send(to, message);
  }

  /** Whether all that a message has to say is a later commit index, and nobody waits for that there. */
  #mayWait(to: NodeId, { term, entries, commit, round }: AppendRequest): boolean {
    const told = this.#toldTo(to);
    return entries.length === 0 && term === told.term && round === told.round &&
      commit > told.commit && told.awaited <= told.commit;
  }

  #arm(): void {
    if (this.#isArmed) return;
    this.#isArmed = true;
    this.#ctx.setTimer({ type: "news-due" }, { delayMs: NEWS_DELAY_MS });
  }

  #toldTo(peer: NodeId): Told {
    let told = this.#told.get(peer);
    if (told === undefined) {
      told = { term: 0 as Term, commit: 0 as LogIndex, round: 0, awaited: 0 as LogIndex };
      this.#told.set(peer, told);
    }
    return told;
  }
}

/** Whether `next` says all that the empty append `before` says, and more. */
function isSuperseded(before: AppendRequest, next: AppendRequest): boolean {
  return before.entries.length === 0 && before.term === next.term &&
    before.prevIndex <= next.prevIndex && before.commit <= next.commit &&
    before.round <= next.round;
}
