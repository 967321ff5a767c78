/**
 * What goes into the core and what comes out: plain data, in order.
 *
 * The shell that runs the core (actors/replica.ts) merges the `persist` effects of one turn into one
 * durable commit, sends what may leave early, and holds the rest until that commit has resolved.
 *
 * @module
 */
import type {
  ChangeRefusal,
  Configuration,
  Entry,
  HardState,
  LogIndex,
  MembershipChange,
  NodeId,
  Role,
  SnapshotInfo,
  Term,
  TransferRefusal,
} from "./types.ts";
import type { Message, SnapshotChunk, SnapshotReply } from "./message.ts";

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
  | {
    readonly type: "read";
    readonly id: number;
    /** Content with the leader's lease, where it has one; otherwise a round confirms it, as always. */
    readonly lease: boolean;
  }
  /**
   * A turn's commit has resolved. `index` and `term` are those of the last entry that it wrote: all
   * entries up to there are durable. Not needed after a commit that wrote none.
   */
  | { readonly type: "persisted"; readonly index: LogIndex; readonly term: Term }
  /**
   * Whether the leader may trust its clock from here on. After a clock jump the shell says false, and
   * true again once a lease's time has passed; leases are void in between.
   */
  | { readonly type: "lease-clock"; readonly trusted: boolean }
  /** A membership change; `change-result` answers under the same id. */
  | {
    readonly type: "change";
    readonly id: number;
    readonly change: MembershipChange;
    readonly timeMs: number;
  }
  /** Hand leadership to `to`, or (null) to the voter best prepared; `transfer-result` answers. */
  | {
    readonly type: "transfer";
    readonly id: number;
    readonly to: NodeId | null;
    readonly timeMs: number;
  }
  /**
   * Whether this node should lead (with a full disk it should not). Told no, it gives up leadership, and
   * stands for election only after all others had several chances. The only voter leads on.
   *
   * `outcast` (false if left out) says that the others take it for one that was removed or lost its data.
   * With an empty log it then neither votes nor stands at all.
   */
  | { readonly type: "stand"; readonly standing: boolean; readonly outcast?: boolean }
  /** The log up to `index`, which is applied and in a durable snapshot, is no longer on disk. */
  | { readonly type: "compacted"; readonly index: LogIndex }
  /**
   * A leader's snapshot is installed: durable, current, and the replica's state. `keptLog` says that
   * the disk kept the entries behind it (they follow it: section 7); otherwise the log is empty now.
   */
  | { readonly type: "installed"; readonly info: SnapshotInfo; readonly keptLog: boolean };

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
  | { readonly type: "repaired" }
  /**
   * Another configuration is in effect here: appended, brought back by a truncation, or installed. The
   * shell must reach its members from now on, and those who left for a while, since a leader goes on
   * feeding them. Said again when it is committed.
   */
  | {
    readonly type: "configuration";
    readonly configuration: Configuration;
    readonly index: LogIndex;
    readonly committed: boolean;
  }
  /** Who asked learns where the change stands in the log, or why there is none. */
  | {
    readonly type: "change-result";
    readonly id: number;
    readonly result:
      | { readonly status: "appended"; readonly index: LogIndex }
      | { readonly status: "refused"; readonly reason: ChangeRefusal };
  }
  | {
    readonly type: "transfer-result";
    readonly id: number;
    readonly result:
      /** Another node has taken up a later term at the leader's request. */
      | { readonly status: "moved"; readonly to: NodeId }
      | { readonly status: "refused"; readonly reason: TransferRefusal }
      /** The target did not take over in time; this node goes on leading. */
      | { readonly status: "timed-out"; readonly to: NodeId };
  }
  /** As a leader: `to` lacks entries that are no longer in the log. Said again until it has caught up. */
  | { readonly type: "snapshot-needed"; readonly to: NodeId }
  /** As a follower: a chunk of the leader's snapshot, ahead of all that is committed here. Keep it, and reply. */
  | { readonly type: "snapshot-chunk"; readonly from: NodeId; readonly chunk: SnapshotChunk }
  /** As a leader: how far a follower is with the snapshot that it is sent. */
  | { readonly type: "snapshot-reply"; readonly from: NodeId; readonly reply: SnapshotReply };
