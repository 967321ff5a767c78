/**
 * One node of the harness: its disk, and what lives from a start to a crash.
 *
 * @module
 */
import type { Core, Input, NodeId } from "../../raft/mod.ts";
import type { Applied, Disk } from "./harness_disk.ts";
import type { SnapshotShell } from "./harness_snapshots.ts";

export interface Node {
  readonly id: NodeId;
  readonly disk: Disk;
  core: Core | null;
  /** What the state machine of its present life has applied. */
  applied: Applied;
  shell: SnapshotShell;
  inbox: Input[];
  /** Names reads, changes and transfers, over all its lives. */
  idNext: number;
}

export function hasWork({ inbox, shell }: Node): boolean {
  return inbox.length > 0 || shell.installDue;
}
