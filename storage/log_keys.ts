/**
 * Where the values of a group are, in the database of its log and in that of its snapshots' chunks.
 * The names differ, so that one database can be both.
 *
 * @module
 */
import type { GroupId } from "../raft/types.ts";

/** The keys of a group. */
export class LogKeys {
  readonly boot: Deno.KvKey;
  readonly identity: Deno.KvKey;
  readonly state: Deno.KvKey;
  /** What is remembered of the other members. */
  readonly peers: Deno.KvKey;
  /** The record of the current snapshot. */
  readonly snapshot: Deno.KvKey;
  readonly quarantine: Deno.KvKey;
  readonly log: Deno.KvKey;
  /** Beside the chunks: the fence, which is of the log's boot number. */
  readonly chunkBoot: Deno.KvKey;
  /** Beside the chunks: the record of the snapshot on its way in. */
  readonly incoming: Deno.KvKey;
  readonly chunks: Deno.KvKey;

  constructor(group: GroupId) {
    this.boot = ["raft", group, "boot"];
    this.identity = ["raft", group, "identity"];
    this.state = ["raft", group, "state"];
    this.peers = ["raft", group, "peers"];
    this.snapshot = ["raft", group, "snapshot"];
    this.quarantine = ["raft", group, "quarantine"];
    this.log = ["raft", group, "log"];
    this.chunkBoot = ["raft", group, "chunk-boot"];
    this.incoming = ["raft", group, "incoming"];
    this.chunks = ["raft", group, "chunk"];
  }

  /** One part of the block that begins at `firstIndex`. */
  part(epoch: number, firstIndex: number, part: number): Deno.KvKey {
    return [...this.log, epoch, firstIndex, part];
  }

  chunksOf(serial: number): Deno.KvKey {
    return [...this.chunks, serial];
  }

  chunk(serial: number, chunk: number): Deno.KvKey {
    return [...this.chunks, serial, chunk];
  }
}

/** Whether a part of a key is a number of ours. */
export function isWhole(part: Deno.KvKeyPart): part is number {
  return typeof part === "number" && Number.isSafeInteger(part) && part >= 0;
}
