/**
 * One vote a term (Raft 5.2), as the others hear it: whatever a node crashed and forgot.
 *
 * @module
 */
import { Broken, type Invariant } from "./invariant.ts";
import type { PeerMessage } from "../../../raft/message.ts";
import type { NodeId } from "../../../raft/types.ts";
import type { Machine } from "../machine.ts";

export class OneVote implements Invariant {
  readonly name = "one-vote";
  readonly #votes = new Map<string, NodeId>();

  sent({ id }: Machine, to: NodeId, message: PeerMessage): void {
    if (message.type === "vote-request" && !message.pre) this.#vote(id, message.term, id);
    if (message.type !== "vote-reply" || message.pre || !message.granted) return;
    this.#vote(id, message.term, to);
  }

  /** Under an old name, another node begins. */
  damaged({ id, disk }: Machine): void {
    if (disk.commits > 0) return;
    for (const key of this.#votes.keys()) if (key.startsWith(`${id}/`)) this.#votes.delete(key);
  }

  #vote(id: NodeId, term: number, candidate: NodeId): void {
    const key = `${id}/${term}`;
    const known = this.#votes.get(key);
    if (known === undefined) this.#votes.set(key, candidate);
    else if (known !== candidate) {
      throw new Broken(`${id} votes in term ${term} for ${known} and for ${candidate}`);
    }
  }
}
