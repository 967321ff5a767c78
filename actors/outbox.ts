/**
 * The messages of a turn that may leave before its commit. Appends wait for the end of the drain,
 * since often an empty one (news of the commit index) is followed by one with entries that says all
 * of it and more; everything else leaves at once.
 *
 * @module
 */
import type { AppendRequest, Message } from "../raft/message.ts";
import type { NodeId } from "../raft/types.ts";

export class Outbox {
  readonly #send: (to: NodeId, message: Message) => boolean;
  readonly #appends = new Map<NodeId, AppendRequest>();

  constructor(send: (to: NodeId, message: Message) => boolean) {
    this.#send = send;
  }

  /** False if the message was certainly not sent. */
  post(to: NodeId, message: Message): boolean {
    if (message.type !== "append-request") return this.#send(to, message);
    const before = this.#appends.get(to);
    if (before !== undefined && !isSuperseded(before, message)) this.#send(to, before);
    this.#appends.set(to, message);
    return true;
  }

  /** Sends what still waits. */
  flush(): void {
    if (this.#appends.size === 0) return;
    for (const [to, message] of this.#appends) this.#send(to, message);
    this.#appends.clear();
  }
}

/** Whether `next` says all that the empty append `before` says, and more. */
function isSuperseded(before: AppendRequest, next: AppendRequest): boolean {
  return before.entries.length === 0 && before.term === next.term &&
    before.prevIndex <= next.prevIndex && before.commit <= next.commit &&
    before.round <= next.round;
}
