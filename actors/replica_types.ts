/**
 * What goes into a replica, what it needs, and what it shows of itself.
 *
 * @module
 */
import type { AdminOutcome } from "./admin_types.ts";
import type { Captured } from "./capture.ts";
import type { Consistency, ReplicaStatus, ServedRead, WriteResult } from "./service.ts";
import type { Reply } from "./types.ts";
import type { ReadQuery } from "../kv/types.ts";
import type { HashReport, Message } from "../raft/message.ts";
import type {
  Configuration,
  GroupId,
  LogIndex,
  MembershipChange,
  NodeId,
  Role,
  Term,
} from "../raft/types.ts";
import type { LogStore } from "../storage/types.ts";

export type ReplicaMessage =
  | { readonly type: "peer"; readonly from: NodeId; readonly message: Message | HashReport }
  | { readonly type: "tick" }
  /** A leader's own write has ended: all up to `index`, of `term`, is durable unless it failed. */
  | {
    readonly type: "written";
    /** The life of the replica that began it; a later one knows nothing of it. */
    readonly boot: number;
    readonly index: LogIndex;
    readonly term: Term;
    readonly error: unknown;
  }
  /** There is work left over from the last turn. */
  | { readonly type: "continue" }
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
  | {
    readonly type: "change";
    readonly change: MembershipChange;
    /** See AdminCommand. */
    readonly retried: boolean;
    readonly reply: Reply<AdminOutcome>;
  }
  /** Hand leadership to `to`, or (null) to the voter best prepared. */
  | { readonly type: "transfer"; readonly to: NodeId | null; readonly reply: Reply<AdminOutcome> }
  /** Whether all other members take this node for a stranger: then it must not campaign. */
  | { readonly type: "outcast"; readonly outcast: boolean }
  /** Copy the state, which must have applied `minIndex`. */
  | { readonly type: "capture"; readonly minIndex: number; readonly reply: Reply<Captured> };

/** What the replica tells its node, outside any request. */
export type ReplicaEvent =
  | { readonly type: "opened"; readonly boot: number; readonly damage: string | null }
  | {
    readonly type: "role";
    readonly role: Role;
    readonly term: number;
    readonly leader: NodeId | null;
  }
  | { readonly type: "repaired" }
  /** Another configuration is in effect. */
  | { readonly type: "configuration"; readonly configuration: Configuration };

export interface ReplicaOptions {
  readonly id: NodeId;
  readonly group: GroupId;
  readonly configuration: Configuration;
  /** Makes the durable log; called at every start and restart. */
  readonly openLog: () => LogStore;
  /** One-way and unreliable; false if the message was certainly not sent. */
  readonly send: (to: NodeId, group: GroupId, message: Message) => boolean;
  /** Called outside of any turn's gate: what it tells is observation, never acknowledgement. */
  readonly onEvent: (event: ReplicaEvent) => void;
}

/** A window into whichever incarnation of the replica is running, for status pages. */
export interface ReplicaView {
  /** Null while the replica is starting, restarting or stopped. */
  status(): ReplicaStatus | null;
  /** Whether it may not trust its own log yet. */
  readonly damaged: boolean;
}
