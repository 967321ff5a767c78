/**
 * One simulated machine: a disk and clocks, which outlive the processes that run on it.
 *
 * @module
 */
import { NodeEnv } from "../actors/node_env.ts";
import type { ProcessEnv } from "./process_env.ts";
import type { Node } from "../../actors/node.ts";
import type { ReplicaLife } from "../../actors/replica_types.ts";
import type { Env } from "../../actors/types.ts";
import type { NodeId } from "../../raft/types.ts";
import { MemoryDisk } from "../../storage/memory_log_store.ts";
import type { Transport } from "../../transport/types.ts";

/** One run of the node's program. */
export interface Process {
  readonly node: Node;
  readonly env: ProcessEnv;
  /** Null until the log is open. */
  transport: Transport | null;
}

export class Machine {
  readonly id: NodeId;
  /** Its position in the schedule. */
  readonly at: number;
  readonly clock: NodeEnv;
  disk: MemoryDisk;
  process: Process | null = null;
  /** The life of its replica that is running. */
  life: ReplicaLife | null = null;
  /** Whether it is started with the founders' configuration. */
  isFounder: boolean;
  /**
   * Whether data that it acknowledged may be missing, and the quorum has not mended that: it counts as one of
   * those that can be lost together.
   */
  isSuspect = false;
  /** Its disk was lost, or does not read back: it is of no use before it was removed and has joined again. */
  isOutcast = false;
  /** No member, and with nothing on its disk that counts: it may join. */
  isFree: boolean;
  /** Whether its disk was ever damaged: then what it acknowledged need not be on it. */
  wasDamaged = false;
  /** Whether the schedule has it stand still. */
  isStopped = false;
  /** It is down for good: no restart that was planned counts. */
  isDead = false;
  /** How often it was asked to be let in: whoever is, is not switched off for an earlier removal. */
  additions = 0;
  /** Raised by each start and crash, so that an earlier plan can be told. */
  epoch = 0;

  constructor(at: number, id: NodeId, world: Env, isFounder: boolean, disk: MemoryDisk) {
    this.at = at;
    this.id = id;
    this.clock = new NodeEnv(world);
    this.disk = disk;
    this.isFounder = isFounder;
    this.isFree = !isFounder;
  }

  get isRunning(): boolean {
    return this.process !== null;
  }
}
