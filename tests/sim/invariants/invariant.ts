/**
 * What each invariant looks at. It hears of the moments that could break it, and says so by throwing.
 *
 * @module
 */
import type { ReplicaLife } from "../../../actors/replica_types.ts";
import type { Applied } from "../../../kv/store.ts";
import type { Effect } from "../../../raft/effect.ts";
import type { PeerMessage } from "../../../raft/message.ts";
import type { Entry, NodeId } from "../../../raft/types.ts";
import type { Machine } from "../machine.ts";

/** A promise of the system was seen broken. */
export class Broken extends Error {
  override readonly name = "Broken";
}

export type PersistEffect = Extract<Effect, { type: "persist" }>;
export type ConfigurationEffect = Extract<Effect, { type: "configuration" }>;

/** Every hook is optional. None may change anything that it is shown. */
export interface Invariant {
  readonly name: string;
  /** A life of a replica begins. */
  opened?(machine: Machine, life: ReplicaLife): void;
  /** The process is gone; its disk is as a restart would find it. */
  crashed?(machine: Machine): void;
  /** The disk was replaced by an empty one, or lost something. */
  damaged?(machine: Machine): void;
  persisted?(machine: Machine, life: ReplicaLife, effect: PersistEffect): void;
  /** `known`: the entry that was committed elsewhere under this index before; undefined for the first time. */
  committed?(machine: Machine, life: ReplicaLife, entry: Entry, known: Entry | undefined): void;
  /** After a step, while it leads. `isNew`: it did not before this step. */
  leading?(machine: Machine, life: ReplicaLife, isNew: boolean): void;
  configured?(machine: Machine, life: ReplicaLife, effect: ConfigurationEffect): void;
  sent?(machine: Machine, to: NodeId, message: PeerMessage): void;
  applied?(machine: Machine, life: ReplicaLife, entry: Entry, applied: Applied): void;
  /** The log's file on its disk has changed. */
  landed?(machine: Machine): void;
  /** After each event that touched the node, and the promises that it made. */
  settled?(machine: Machine, life: ReplicaLife): void;
}
