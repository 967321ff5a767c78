/**
 * What goes into the core and what comes out: plain data, in order.
 *
 * The shell that runs the core (actors/replica.ts) merges the `persist` effects of one turn into one
 * durable commit, sends what may leave early, and holds the rest until that commit has resolved.
 *
 * @module
 */
import type { Entry, HardState, LogIndex, NodeId, Role, Term } from "./types.ts";
import type { Message } from "./message.ts";

/**
 * `timeMs` is the replica's wall clock in milliseconds since the epoch. The core uses it for one
 * thing only: a leader stamps the entries it appends with it, never below the stamp before.
 */
export type Input =
  /** One unit of time has passed. */
  | { readonly type: "tick"; readonly timeMs: number }
  | {
    readonly type: "message";
    readonly from: NodeId;
    readonly message: Message;
    readonly timeMs: number;
  }
  /** Commands of this node's clients. */
  | { readonly type: "propose"; readonly commands: readonly Uint8Array[]; readonly timeMs: number }
  /**
   * A batch of linearizable reads, under one id that this node never uses again, restarts included: a
   * late answer of an earlier life must not pass for this one's.
   */
  | { readonly type: "read"; readonly id: number }
  /**
   * A turn's commit has resolved. `index` and `term` are those of the last entry that it wrote: all
   * entries up to there are durable. Not needed after a commit that wrote none.
   */
  | { readonly type: "persisted"; readonly index: LogIndex; readonly term: Term };

export type Effect =
  /**
   * Make durable, atomically and in this order: forget all entries from `truncateFrom`, append
   * `entries`, replace the hard state.
   */
  | {
    readonly type: "persist";
    readonly hardState: HardState | null;
    readonly truncateFrom: LogIndex | null;
    readonly entries: readonly Entry[];
  }
  /** `early` messages claim nothing about this node's disk and may overtake this turn's commit. */
  | {
    readonly type: "send";
    readonly to: NodeId;
    readonly message: Message;
    readonly early: boolean;
  }
  /** Everything up to and including `index` is committed. Apply it, but not before it is durable here. */
  | { readonly type: "commit"; readonly index: LogIndex }
  /** The reads under `id` may be answered from any state that has applied `index`. */
  | { readonly type: "read-ready"; readonly id: number; readonly index: LogIndex }
  /** The reads under `id` will get no answer from this attempt; ask again under a fresh id. */
  | { readonly type: "read-refused"; readonly id: number }
  /** The commands were appended here, by this leader, as entries `firstIndex`… of `term`. */
  | {
    readonly type: "accepted";
    readonly firstIndex: LogIndex;
    readonly count: number;
    readonly term: Term;
  }
  /** The commands were sent on to `to`; whether they arrive is open. */
  | { readonly type: "forwarded"; readonly to: NodeId; readonly count: number }
  /** The commands went nowhere, because no leader is known or it takes none: certainly not appended. */
  | { readonly type: "refused"; readonly count: number }
  /** Role, term or known leader changed. */
  | {
    readonly type: "status";
    readonly role: Role;
    readonly term: Term;
    readonly leader: NodeId | null;
  }
  /** A damaged replica holds again all it ever acknowledged and has taken up its vote (see AppendReply.counts). */
  | { readonly type: "repaired" };
