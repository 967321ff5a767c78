/**
 * A disk without room. The log keeps a reserve, which is released then (storage/types.ts), so that what
 * frees room can still be written: deletes, and the entries that keep the cluster going. Everything else
 * stays off this disk until the reserve can be made again.
 *
 * - Its own clients' writes are refused unless they only delete.
 * - As a follower it takes a leader's entries as far as they are such, and stays where it is before the
 *   first other one: connected, with its vote, and without its share in a quorum for what it lacks.
 * - It leads only if nobody else does; voters that pass writes on to it have room, and are to lead.
 *
 * @module
 */
import { DISK_FULL_SNAPSHOT_BYTES_MAX, RESERVE_RETRY_TICKS } from "./limits_replica.ts";
import { perform } from "./replica_effects.ts";
import type { State } from "./replica_state.ts";
import { CommandKind, commandKind } from "../kv/command.ts";
import { decodeWrite, MalformedCommand } from "../kv/command_decoder.ts";
import { isDeleteOnly } from "../kv/validate.ts";
import type { RaftLog } from "../raft/log.ts";
import type { Input } from "../raft/effect.ts";
import type { AppendRequest, Forward } from "../raft/message.ts";
import { isVoter } from "../raft/quorum.ts";
import { step } from "../raft/step.ts";
import { EntryKind, type NodeId } from "../raft/types.ts";

export class DiskFull {
  #isFull: boolean;
  #ticks = 0;
  #isTrying = false;

  /** @param isFull whether the log was opened without its reserve. */
  constructor(isFull: boolean) {
    this.#isFull = isFull;
  }

  get isFull(): boolean {
    return this.#isFull;
  }

  /** Something found the disk full. */
  enter(state: State): void {
    if (this.#isFull) return;
    this.#isFull = true;
    this.#ticks = 0;
    this.#changed(state);
  }

  /** Time passes: tries to make the reserve again. */
  tick(state: State): void {
    if (!this.#isFull || this.#isTrying || ++this.#ticks % RESERVE_RETRY_TICKS !== 0) return;
    this.#isTrying = true;
    const { background, log } = state;
    void background.start(async () => {
      const isThere = await log.reserve.restore();
      background.inTurn((state) => this.#tried(state, isThere));
    });
  }

  /** Whether a command may be written though the disk is full. */
  admits(command: Uint8Array): boolean {
    return !this.#isFull || freesRoom(command);
  }

  /** Whether a snapshot of this replica's own may be written: compaction frees room, but takes some first. */
  hasRoomFor(snapshotBytes: number): boolean {
    return !this.#isFull || snapshotBytes <= DISK_FULL_SNAPSHOT_BYTES_MAX;
  }

  /** An append, cut before the first entry that is not in the log yet and must not be written here. */
  admitted(log: RaftLog, request: AppendRequest): AppendRequest {
    if (!this.#isFull) return request;
    const end = request.entries.findIndex(({ index, term, kind, data }) =>
      kind === EntryKind.Command && !freesRoom(data) && !log.matches(index, term)
    );
    return end < 0 ? request : { ...request, entries: request.entries.slice(0, end) };
  }

  /**
   * What others passed on to this leader, without what must not be written. Who passes such on has room,
   * so this node gives its leadership away if that one may take it.
   */
  forwarded(state: State, from: NodeId, forward: Forward): Forward {
    const commands = forward.commands.filter((command) => this.admits(command));
    if (commands.length === forward.commands.length) return forward;
    if (isVoter(state.core.configuration, from)) this.#stand(state);
    return { ...forward, commands };
  }

  #tried(state: State, isThere: boolean): void {
    this.#isTrying = false;
    if (!isThere) return;
    this.#isFull = false;
    this.#changed(state);
  }

  #changed(state: State): void {
    state.options.onEvent({ type: "disk", full: this.#isFull });
    this.#stand(state);
  }

  #stand(state: State): void {
    perform(state, step(state.core, standInput(state)));
  }
}

/** Tells the core whether this node should lead: not if it is an outcast, nor while its disk is full. */
export function standInput({ disk, outcast }: State): Extract<Input, { type: "stand" }> {
  return { type: "stand", standing: !outcast && !disk.isFull, outcast };
}

/** Whether a command takes no room for long: it deletes, or is the system's own. */
function freesRoom(command: Uint8Array): boolean {
  if (commandKind(command) !== CommandKind.AtomicWrite) return true;
  try {
    return isDeleteOnly(decodeWrite(command));
  } catch (error) {
    if (error instanceof MalformedCommand) return false;
    throw error;
  }
}
