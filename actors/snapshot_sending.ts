/**
 * As a leader: feeding its snapshot to followers that lack what was cut off (section 7), a few chunks
 * ahead of what each has made durable. The follower says which chunk it wants next, so that after a
 * crash of either side the transfer goes on where it was.
 *
 * A transfer lasts until the core finds that the follower has caught up, or it got no further for long:
 * one that is alive may still take nothing (a full disk, say). Who still needs a snapshot then goes to the
 * end of the queue. Meanwhile its snapshot stays readable, and what follows that in the log stays there,
 * within bounds.
 *
 * @module
 */
import {
  SNAPSHOT_GIVE_UP_TICKS,
  SNAPSHOT_HOLDS_MAX,
  SNAPSHOT_PROBE_TICKS,
  SNAPSHOT_QUEUE_TICKS,
  SNAPSHOT_RESEND_TICKS,
  SNAPSHOT_SENDINGS_MAX,
  SNAPSHOT_WINDOW,
} from "./limits_replica.ts";
import type { State } from "./replica_state.ts";
import type { Core } from "../raft/core.ts";
import type { SnapshotReply } from "../raft/message.ts";
import type { NodeId, SnapshotInfo } from "../raft/types.ts";
import { CorruptSnapshot } from "../storage/types.ts";

interface Transfer {
  readonly to: NodeId;
  readonly info: SnapshotInfo;
  /** What the follower wants next, as far as it said; all of them once it has everything. */
  wanted: number;
  /** What is to be sent next; at most a window ahead. */
  next: number;
  /** The last tick in which the follower got further, or was sent something anew. */
  movedTick: number;
  /** The most that it ever had: what it lost is no progress when it is made up for. */
  most: number;
  /** The last tick in which it had more than ever, or said that it is at work on all of them. */
  progressTick: number;
  /** How often the log was kept from being cut off for it. */
  holds: number;
  /** Whether chunks are being read for it: one after the other, so that they leave in order. */
  isReading: boolean;
}

export class SnapshotSending {
  readonly #transfers = new Map<NodeId, Transfer>();
  /** Who needs a snapshot and gets none yet, first come first, with the last tick in which that was so. */
  readonly #queue = new Map<NodeId, number>();
  /** The current snapshot does not read back: another must be taken before anything is sent. */
  #distrusted = false;

  /** Whether the current snapshot was found corrupt. */
  get isDistrusted(): boolean {
    return this.#distrusted;
  }

  get size(): number {
    return this.#transfers.size;
  }

  /** The core says that `to` needs a snapshot. It says so again as long as that is so. */
  needed(state: State, to: NodeId): void {
    const { core, log: { snapshots } } = state;
    if (this.#transfers.has(to) || !this.#isNext(to, core.ticks)) return;
    const info = snapshots.current;
    if (info === null || this.#distrusted) {
      state.taking.takeForFollower(state);
      return;
    }
    snapshots.pin(info);
    const ticks = { movedTick: core.ticks, progressTick: core.ticks };
    const transfer = {
      to,
      info,
      wanted: 0,
      next: 0,
      most: 0,
      ...ticks,
      holds: 0,
      isReading: false,
    };
    this.#queue.delete(to);
    this.#transfers.set(to, transfer);
    this.#pump(state, transfer);
  }

  /** A follower says how far it is. */
  replied(state: State, from: NodeId, { id, index, next }: SnapshotReply): void {
    const transfer = this.#transfers.get(from);
    if (transfer === undefined) return;
    const { info } = transfer;
    if (id !== info.id || index !== info.meta.index || next > info.chunks) return;
    const { ticks } = state.core;
    const wasComplete = transfer.wanted === info.chunks;
    if (next > transfer.most || wasComplete && next === info.chunks) {
      transfer.most = next;
      transfer.progressTick = ticks;
    }
    if (next === transfer.wanted) return;
    // It had all of them, and found them corrupt. Others come first, if there are any.
    if (wasComplete) return this.#end(state, transfer);
    // Behind what it had: it lost what was not durable, or found it corrupt. Ahead: it had it before.
    if (next < transfer.wanted || next > transfer.next) transfer.next = next;
    transfer.wanted = next;
    transfer.movedTick = ticks;
    this.#pump(state, transfer);
  }

  /** Time passes: sends again what seems lost, and ends what is of no use any more. */
  tick(state: State): void {
    if (this.#transfers.size === 0) return;
    const { core } = state;
    for (const transfer of this.#transfers.values()) {
      if (!isOfUse(core, transfer)) {
        this.#end(state, transfer);
        continue;
      }
      const { info, wanted } = transfer;
      const isComplete = wanted === info.chunks;
      const patienceTicks = isComplete ? SNAPSHOT_PROBE_TICKS : SNAPSHOT_RESEND_TICKS;
      if (core.ticks - transfer.movedTick < patienceTicks) continue;
      transfer.movedTick = core.ticks;
      // One that has everything builds its state from it. Should that fail, its answer says so.
      transfer.next = isComplete ? wanted - 1 : wanted;
      this.#pump(state, transfer);
    }
  }

  /**
   * The log is about to be cut off: what transfers need of it begins behind the index given (Infinity:
   * nothing). One that has been waited for too often is waited for no more, and will have to start over.
   */
  hold(): number {
    let index = Infinity;
    for (const transfer of this.#transfers.values()) {
      if (transfer.holds >= SNAPSHOT_HOLDS_MAX) continue;
      transfer.holds++;
      index = Math.min(index, transfer.info.meta.index);
    }
    return index;
  }

  /** There is a new snapshot. */
  renewed(): void {
    this.#distrusted = false;
  }

  /** Whether the follower may be sent a snapshot now. It keeps its place in the queue as long as it asks. */
  #isNext(to: NodeId, ticks: number): boolean {
    this.#queue.set(to, ticks);
    let ahead = 0;
    for (const [id, askedTick] of this.#queue) {
      if (id === to) break;
      if (ticks - askedTick < SNAPSHOT_QUEUE_TICKS) ahead++;
      else this.#queue.delete(id);
    }
    return this.#transfers.size + ahead < SNAPSHOT_SENDINGS_MAX;
  }

  #pump(state: State, transfer: Transfer): void {
    if (transfer.isReading || !this.#mayGoOn(transfer)) return;
    transfer.isReading = true;
    void state.background.start(() => this.#send(state, transfer));
  }

  #mayGoOn(transfer: Transfer): boolean {
    const { to, info, wanted, next } = transfer;
    return this.#transfers.get(to) === transfer &&
      next < Math.min(info.chunks, wanted + SNAPSHOT_WINDOW);
  }

  /** Reads and sends chunks, as far as the window allows meanwhile. */
  async #send({ background, log }: State, transfer: Transfer): Promise<void> {
    const { to, info } = transfer;
    while (this.#mayGoOn(transfer)) {
      const chunk = transfer.next++;
      try {
        const data = await log.snapshots.read(info, chunk);
        background.inTurn(({ options, core }) => {
          if (this.#transfers.get(to) !== transfer || core.role !== "leader") return;
          const message = { type: "snapshot-chunk", term: core.term, info, chunk, data } as const;
          // Lost or refused, it is sent again.
          options.send(to, options.group, message);
        });
      } catch (error) {
        background.check();
        if (this.#transfers.get(to) !== transfer) break;
        if (!(error instanceof CorruptSnapshot)) throw error;
        background.inTurn((state) => this.#foundCorrupt(state, info, error));
        break;
      }
    }
    transfer.isReading = false;
  }

  /** The state itself is in memory: another one is taken of it when the follower is next said to need one. */
  #foundCorrupt(state: State, info: SnapshotInfo, error: CorruptSnapshot): void {
    for (const transfer of this.#transfers.values()) {
      if (transfer.info === info) this.#end(state, transfer);
    }
    if (state.log.snapshots.current !== info || this.#distrusted) return;
    this.#distrusted = true;
    state.options.onEvent({ type: "snapshot-corrupt", index: info.meta.index, error });
  }

  #end(state: State, transfer: Transfer): void {
    this.#transfers.delete(transfer.to);
    state.log.snapshots.release(transfer.info);
  }
}

/**
 * Not once the follower has caught up, or is gone, or got no further for long; and not if the log no
 * longer has what follows the snapshot: then a newer one must be sent.
 */
function isOfUse(core: Core, { to, info, progressTick }: Transfer): boolean {
  const isPaused = core.role === "leader" && core.progress.get(to)?.paused === true;
  return isPaused && info.meta.index >= core.log.baseIndex &&
    core.ticks - progressTick < SNAPSHOT_GIVE_UP_TICKS;
}
