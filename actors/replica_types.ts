/**
 * What goes into a replica, what it needs, and what it shows of itself.
 *
 * @module
 */
import type { AdminOutcome } from "./admin_types.ts";
import type { Captured } from "./capture.ts";
import type { ReplicaLimits, SnapshotLimits } from "./limits_replica.ts";
import type { State } from "./replica_state.ts";
import type {
  Consistency,
  ReplicaStatus,
  ServedRead,
  Watch,
  WatchRequest,
  WriteResult,
} from "./service.ts";
import type { Reply } from "./types.ts";
import type { Applied, Store } from "../kv/store.ts";
import type { ReadQuery } from "../kv/types.ts";
import type { Core } from "../raft/core.ts";
import type { Effect } from "../raft/effect.ts";
import type { HashReport, Message } from "../raft/message.ts";
import type {
  Configuration,
  Entry,
  GroupId,
  LogIndex,
  MembershipChange,
  NodeId,
  Role,
} from "../raft/types.ts";
import type { LogStore, Recovery } from "../storage/types.ts";
import type { Holding } from "../transport/types.ts";

export type ReplicaMessage =
  | { readonly type: "peer"; readonly from: NodeId; readonly message: Message | HashReport }
  | { readonly type: "tick" }
  /** There is work left over from the last turn. */
  | { readonly type: "continue" }
  /** News of the commit index has waited for long enough (outbox.ts). */
  | { readonly type: "news-due" }
  /** A leader has put off its own write for long enough (own_write.ts). */
  | { readonly type: "own-write-due" }
  /** Somebody knows of a later boot of this node: write something, to see whether the fence still holds. */
  | { readonly type: "prove-fence" }
  | {
    readonly type: "write";
    /** Set by the replica: until then, the write has certainly gone nowhere. */
    taken: boolean;
    /** Encoded by `encodeAtomicWrite`; the replica stamps it. */
    readonly command: Uint8Array;
    /** Of the monotonic clock, in ms. */
    readonly deadlineMs: number;
    readonly reply: Reply<WriteResult>;
  }
  | {
    readonly type: "read";
    readonly query: ReadQuery;
    readonly consistency: Consistency;
    readonly deadlineMs: number;
    readonly reply: Reply<ServedRead>;
  }
  | { readonly type: "watch"; readonly request: WatchRequest; readonly reply: Reply<Watch> }
  | {
    readonly type: "change";
    readonly change: MembershipChange;
    /** See AdminCommand. */
    readonly retried: boolean;
    readonly reply: Reply<AdminOutcome>;
  }
  /** Hand leadership to `to`, or (null) to the voter best prepared. */
  | { readonly type: "transfer"; readonly to: NodeId | null; readonly reply: Reply<AdminOutcome> }
  /** Whether this node must not lead: removed, or refused for its data (membership.ts). */
  | { readonly type: "outcast"; readonly outcast: boolean }
  /** Take a snapshot of the state now; the answer is its index. */
  | { readonly type: "take-snapshot"; readonly reply: Reply<number> }
  /** Work beside the turns has something to do in one (background.ts). */
  | { readonly type: "job"; readonly boot: number; readonly run: (state: State) => void }
  /** Copy the state, which must have applied `minIndex`. */
  | { readonly type: "capture"; readonly minIndex: number; readonly reply: Reply<Captured> };

/** What the replica tells its node, outside any request. */
export type ReplicaEvent =
  | ({ readonly type: "opened" } & Pick<Recovery, "boot" | "incarnation" | "peers" | "damage">)
  | {
    readonly type: "role";
    readonly role: Role;
    readonly term: number;
    readonly leader: NodeId | null;
  }
  | { readonly type: "repaired" }
  /**
   * Another configuration is in effect, or that one is committed. At the start all that the log holds are
   * told, in their order: a node that was removed is to know it.
   */
  | {
    readonly type: "configuration";
    readonly configuration: Configuration;
    readonly index: LogIndex;
    readonly committed: boolean;
  }
  /** A snapshot of the own state is current, and the log now begins behind `baseIndex`. */
  | {
    readonly type: "snapshot-taken";
    readonly index: LogIndex;
    readonly bytes: number;
    readonly tookMs: number;
    readonly baseIndex: LogIndex;
  }
  /** Writing a snapshot failed; it is tried again later. */
  | { readonly type: "snapshot-failed"; readonly index: LogIndex; readonly error: unknown }
  /** The current snapshot does not read back; another is taken in its place. */
  | { readonly type: "snapshot-corrupt"; readonly index: LogIndex; readonly error: unknown }
  /** The first chunk of it in this life of the replica; a transfer that goes on has more than one by now. */
  | {
    readonly type: "snapshot-receiving";
    readonly index: LogIndex;
    readonly from: NodeId;
    /** Chunks that are here, and how many there will be. */
    readonly received: number;
    readonly chunks: number;
  }
  /** A leader's snapshot took the place of this replica's log and state. */
  | { readonly type: "snapshot-installed"; readonly index: LogIndex; readonly from: NodeId }
  /** A leader's snapshot proved corrupt when it was here; it is fetched anew. */
  | {
    readonly type: "snapshot-refused";
    readonly index: LogIndex;
    readonly from: NodeId;
    readonly error: unknown;
  }
  /** As a leader: not all replicas came to one state hash at `index`. `agreed` is the majority's. */
  | {
    readonly type: "diverged";
    readonly index: number;
    readonly agreed: string | null;
    readonly reports: readonly { readonly id: NodeId; readonly hash: string }[];
  }
  /** What this replica has must not be built upon; it starts anew without it. */
  | { readonly type: "quarantined"; readonly reason: string }
  /** The disk has become full, or has room again. */
  | { readonly type: "disk"; readonly full: boolean };

/** One life of a replica, from a start to the next: what a simulator looks at. Not to be changed. */
export interface ReplicaLife {
  readonly core: Core;
  readonly store: Store;
  /** What the replica takes as committed, and what it knows to be durable here. */
  readonly commitIndex: LogIndex;
  readonly durableIndex: LogIndex;
}

/**
 * Sees what a replica does, step by step: for the simulator's invariants, and not for production. It is
 * called synchronously, must change nothing, and what it throws fails the turn.
 */
export interface ReplicaObserver {
  /** A life begins: its log is open, and nothing was carried out yet. */
  opened(life: ReplicaLife): void;
  /** One step of the core: its effects, just before they are carried out. */
  stepped(life: ReplicaLife, effects: readonly Effect[]): void;
  /** One entry was applied. */
  applied(life: ReplicaLife, entry: Entry, applied: Applied): void;
}

export interface ReplicaOptions {
  readonly id: NodeId;
  readonly group: GroupId;
  readonly configuration: Configuration;
  /** Makes the durable log; called at every start and restart. */
  readonly openLog: () => LogStore;
  /** One-way and unreliable; false if the message was certainly not sent. */
  readonly send: (to: NodeId, group: GroupId, message: Message | HashReport) => boolean;
  /** As a leader: what of the committed a peer has said to hold durably, and in which term. */
  readonly acknowledged?: (peer: NodeId, holding: Holding) => void;
  /** What was told so is to be made durable. */
  readonly keepAcknowledged?: () => void;
  /** Called outside of any turn's gate: what it tells is observation, never acknowledgement. */
  readonly onEvent: (event: ReplicaEvent) => void;
  /** In place of SNAPSHOT_LIMITS. */
  readonly snapshots?: Partial<SnapshotLimits>;
  /** In place of HASH_CHECK_MS. */
  readonly hashCheckMs?: number;
  /** In place of the defaults; for tests. */
  readonly limits?: Partial<ReplicaLimits>;
  /** For the simulator. */
  readonly observer?: ReplicaObserver;
}

/** A window into whichever life of the replica is running, for status pages. */
export interface ReplicaView {
  /** Null while the replica is starting, restarting or stopped. */
  status(): ReplicaStatus | null;
  /** How far the data go, as the latest life had them. */
  readonly holding: Holding;
  /** Whether its disk is full, so that it takes only deletes. */
  readonly diskFull: boolean;
}
