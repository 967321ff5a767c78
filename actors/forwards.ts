/**
 * Commands that followers passed on, gathered by a leader until its next batch.
 *
 * A batch has a limit in bytes: what is larger keeps a disk busy for longer than followers wait for
 * a heartbeat. What does not fit stays here for the next one; what exceeds the room here is dropped,
 * and proposed again by its node.
 *
 * @module
 */
import { FORWARDS_BYTES_MAX, PROPOSE_BYTES_MAX } from "./limits_replica.ts";
import type { Forward } from "../raft/message.ts";
import type { NodeId } from "../raft/types.ts";

interface Gathered {
  readonly from: NodeId;
  readonly message: Forward;
  readonly bytes: number;
}

export class Forwards {
  #queue: Gathered[] = [];
  #bytes = 0;

  get size(): number {
    return this.#queue.length;
  }

  /** False if there was no room. */
  add(from: NodeId, message: Forward): boolean {
    const bytes = message.commands.reduce((sum, command) => sum + command.length, 0);
    if (this.#queue.length > 0 && this.#bytes + bytes > FORWARDS_BYTES_MAX) return false;
    this.#queue.push({ from, message, bytes });
    this.#bytes += bytes;
    return true;
  }

  /** Takes the oldest, up to a batch's bytes; at least one, if there is any. */
  take(): readonly { readonly from: NodeId; readonly message: Forward }[] {
    let count = 0;
    let bytes = 0;
    for (const each of this.#queue) {
      if (count > 0 && bytes + each.bytes > PROPOSE_BYTES_MAX) break;
      bytes += each.bytes;
      count++;
    }
    this.#bytes -= bytes;
    return this.#queue.splice(0, count);
  }
}
