/**
 * Log matching (Raft, figure 3), by induction: an index and a term name one entry with one predecessor.
 *
 * @module
 */
import { sameEntry } from "../ledger.ts";
import { Broken, type Invariant, type PersistEffect } from "./invariant.ts";
import type { ReplicaLife } from "../../../actors/replica_types.ts";
import type { Entry, LogIndex } from "../../../raft/types.ts";
import type { PeerMessage } from "../../../raft/message.ts";
import type { NodeId } from "../../../raft/types.ts";
import type { Machine } from "../machine.ts";

interface Known {
  readonly entry: Entry;
  readonly prevTerm: number;
}

/** Index and term in one number: both stay small in a run. */
const TERMS_MAX = 2 ** 20;

export class LogMatching implements Invariant {
  readonly name = "log-matching";
  readonly #known = new Map<number, Known>();
  readonly #termsSent = new Set<number>();

  persisted({ id }: Machine, { core }: ReplicaLife, { entries }: PersistEffect): void {
    let prevTerm = -1;
    for (const entry of entries) {
      // What a step appended, a later one of the same turn cannot have changed yet.
      if (prevTerm < 0) prevTerm = core.log.term(entry.index - 1 as LogIndex);
      const key = entry.index * TERMS_MAX + entry.term;
      const known = this.#known.get(key);
      if (known === undefined) this.#known.set(key, { entry, prevTerm });
      else if (known.prevTerm !== prevTerm || !sameEntry(known.entry, entry)) {
        throw new Broken(`${id} holds another entry ${entry.index} of term ${entry.term}`);
      }
      prevTerm = entry.term;
    }
  }

  sent(_machine: Machine, _to: NodeId, message: PeerMessage): void {
    if (message.type === "append-request") this.#termsSent.add(message.term);
  }

  /** Entries of a term that is on no disk and was told to nobody never were. */
  crashed({ disk }: Machine): void {
    const { term } = disk.hardState;
    for (const [key, { entry }] of this.#known) {
      if (entry.term > term && !this.#termsSent.has(entry.term)) this.#known.delete(key);
    }
  }
}
