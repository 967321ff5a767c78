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
import type { Env } from "./types.ts";
import type { AppendRequest, Message } from "../raft/message.ts";
import type { NodeId } from "../raft/types.ts";

/** What was sent to a peer last, and what it has passed on. */
interface Told {
  term: number;
  commit: number;
  round: number;
  /** Commands of its clients are in the log up to here: it waits to hear that they are committed. */
  forwarded: number;
}

export class Outbox {
  readonly #send: (to: NodeId, message: Message) => boolean;
  readonly #env: Pick<Env, "now" | "setTimer">;
  readonly #wake: () => void;
  readonly #appends = new Map<NodeId, AppendRequest>();
  readonly #told = new Map<NodeId, Told>();
  /** Since when news has been waiting that is in `#appends`; null if none is. */
  #sinceMs: number | null = null;
  #isArmed = false;

  /** @param wake has a turn come soon. */
  constructor(
    send: (to: NodeId, message: Message) => boolean,
    env: Pick<Env, "now" | "setTimer">,
    wake: () => void,
  ) {
    this.#send = send;
    this.#env = env;
    this.#wake = wake;
  }

  /** False if the message was certainly not sent. */
  post(to: NodeId, message: Message): boolean {
    if (message.type !== "append-request") {
      // Whoever is told an index by it, such as that of a read, should not have to wait for the rest.
      this.#release(to);
      return this.#send(to, message);
    }
    const before = this.#appends.get(to);
    if (before !== undefined && !isSuperseded(before, message)) this.#release(to);
    this.#appends.set(to, message);
    return true;
  }

  /** A peer's commands were appended up to `index`. */
  forwarded(from: NodeId, index: number): void {
    this.#toldTo(from).forwarded = index;
  }

  /** Sends what still waits, but for news that may wait on. */
  flush(): void {
    if (this.#appends.size === 0) return;
    const nowMs = this.#env.now();
    const isDue = this.#sinceMs !== null && nowMs - this.#sinceMs >= NEWS_DELAY_MS;
    for (const [to, message] of this.#appends) {
      if (isDue || !this.#mayWait(to, message)) this.#release(to);
    }
    if (this.#appends.size === 0) {
      this.#sinceMs = null;
    } else {
      this.#sinceMs ??= nowMs;
      this.#arm();
    }
  }

  #release(to: NodeId): void {
    const message = this.#appends.get(to);
    if (message === undefined) return;
    this.#appends.delete(to);
    const told = this.#toldTo(to);
    told.term = message.term;
    told.commit = message.commit;
    told.round = message.round;
    this.#send(to, message);
  }

  /** Whether all that a message has to say is a later commit index, and nobody waits for that there. */
  #mayWait(to: NodeId, { term, entries, commit, round }: AppendRequest): boolean {
    const told = this.#toldTo(to);
    return entries.length === 0 && term === told.term && round === told.round &&
      commit > told.commit && told.forwarded <= told.commit;
  }

  #arm(): void {
    if (this.#isArmed) return;
    this.#isArmed = true;
    this.#env.setTimer(() => {
      this.#isArmed = false;
      if (this.#sinceMs !== null) this.#wake();
    }, NEWS_DELAY_MS);
  }

  #toldTo(peer: NodeId): Told {
    let told = this.#told.get(peer);
    if (told === undefined) {
      told = { term: 0, commit: 0, round: 0, forwarded: 0 };
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
