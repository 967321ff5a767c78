/**
 * As a follower: taking in a leader's snapshot (section 7). Each chunk is durable before its sender
 * hears of it. When all are there, a store is built of them beside the turns, which also verifies them;
 * only then does a turn put it in the place of log and state, in one atomic step on the disk.
 *
 * Until that step nothing of what this replica has is given up. What proves corrupt is dropped and
 * fetched anew.
 *
 * @module
 */
import {
  SNAPSHOT_QUEUE_MAX,
  SNAPSHOT_REFUSED_MS,
  SNAPSHOT_REFUSED_MS_MAX,
} from "./limits_replica.ts";
import { perform } from "./replica_effects.ts";
import { restoreStore } from "./restoring.ts";
import type { State } from "./replica_state.ts";
import { MalformedSnapshot } from "../kv/snapshot_reader.ts";
import type { Store } from "../kv/store.ts";
import type { SnapshotChunk } from "../raft/message.ts";
import { installVerdict } from "../raft/snapshots.ts";
import { step } from "../raft/step.ts";
import type { NodeId, SnapshotInfo } from "../raft/types.ts";
import { CorruptSnapshot, type SnapshotReceiver, StorageFull } from "../storage/types.ts";

interface Arrival {
  readonly from: NodeId;
  readonly chunk: SnapshotChunk;
}

/** A snapshot that is complete, and the store that was built of it: null while it is being built. */
interface Complete {
  readonly from: NodeId;
  readonly receiver: SnapshotReceiver;
  store: Store | null;
}

export class SnapshotReceiving {
  #queue: Arrival[] = [];
  #isKeeping = false;
  #complete: Complete | null = null;
  #isBuilding = false;
  /** The snapshot whose arrival was told. */
  #toldId: string | null = null;
  /** Snapshots in a row that proved corrupt; and until when no more is taken, on the monotonic clock. */
  #refusals = 0;
  #notBeforeMs = -Infinity;

  /** Whether a snapshot is being received, built or installed. */
  get isBusy(): boolean {
    return this.#isKeeping || this.#complete !== null;
  }

  /** Whether a turn is to install one now. */
  get isReady(): boolean {
    return this.#complete !== null && this.#complete.store !== null;
  }

  /** The core says that this is a chunk of its leader's snapshot, and ahead of all that is committed here. */
  arrived(state: State, from: NodeId, chunk: SnapshotChunk): void {
    const { disk, ctx: { env } } = state;
    if (this.#complete !== null) {
      const { info } = this.#complete.receiver;
      if (info.id === chunk.info.id) this.#reply(state, from, info, info.chunks);
      return;
    }
    if (disk.isFull || env.now() < this.#notBeforeMs) return;
    if (this.#queue.length >= SNAPSHOT_QUEUE_MAX) return; // Its sender did not wait for answers.
    this.#queue.push({ from, chunk });
    if (this.#isKeeping) return;
    this.#isKeeping = true;
    void state.background.start(() => this.#keepAll(state));
  }

  /**
   * In the commit of a turn, with nothing of the log on its way to the disk: puts the snapshot in the
   * place of log and state.
   */
  async install(state: State): Promise<void> {
    const { from, receiver, store } = this.#complete!;
    const { core } = state;
    const { info } = receiver;
    const verdict = installVerdict(core, info.meta);
    if (verdict === "stale") {
      this.#complete = null;
      await receiver.discard();
      return;
    }
    // What is being taken of the old state would only be in the way.
    await state.taking.cancel();
    const keptLog = verdict === "keep-log";
    await receiver.install(keptLog);
    this.#complete = null;
    this.#refusals = 0;
    state.store = store!;
    perform(state, step(core, { type: "installed", info, keptLog }));
    state.durableIndex = core.log.lastIndex;
    state.proposals.overtaken();
    state.watching.installed(info.meta.index);
    state.taking.installed(state, info);
    state.hashCheck.installed();
    state.options.onEvent({ type: "snapshot-installed", index: info.meta.index, from });
  }

  /** Keeps what has come, one chunk after the other. */
  async #keepAll(state: State): Promise<void> {
    const { background } = state;
    for (let arrival; (arrival = this.#queue.shift()) !== undefined;) {
      const { from, chunk } = arrival;
      try {
        const receiver = await this.#keep(state, chunk);
        background.check();
        if (receiver.next === receiver.info.chunks) {
          // From here on it must not be dropped in favour of another.
          this.#complete = { from, receiver, store: null };
          this.#queue = [];
        }
        background.inTurn((state) => this.#kept(state, from, receiver));
      } catch (error) {
        background.check();
        if (error instanceof StorageFull) background.inTurn((state) => state.disk.enter(state));
        else if (error instanceof CorruptSnapshot) {
          background.inTurn((state) => this.#refused(state, from, chunk.info, error));
        } else if (!isGone(error)) throw error;
      }
    }
    this.#isKeeping = false;
  }

  async #keep(state: State, { info, chunk, data }: SnapshotChunk): Promise<SnapshotReceiver> {
    const receiver = await state.log.snapshots.receive(info);
    if (receiver.next === chunk) await receiver.add(chunk, data);
    return receiver;
  }

  #kept(state: State, from: NodeId, receiver: SnapshotReceiver): void {
    const { info, next } = receiver;
    this.#reply(state, from, info, next);
    if (this.#toldId !== info.id) {
      this.#toldId = info.id;
      const { meta: { index }, chunks } = info;
      state.options.onEvent({ type: "snapshot-receiving", index, from, received: next, chunks });
    }
    if (this.#complete?.receiver !== receiver || this.#isBuilding) return;
    this.#isBuilding = true;
    void state.background.start(() => this.#build(state, from, receiver));
  }

  async #build(state: State, from: NodeId, receiver: SnapshotReceiver): Promise<void> {
    const { background } = state;
    const { info } = receiver;
    try {
      const read = (chunk: number) => receiver.read(chunk);
      const store = await restoreStore(info, read, () => background.breathe());
      background.inTurn(() => this.#built(store));
    } catch (error) {
      background.check();
      const isCorrupt = error instanceof CorruptSnapshot || error instanceof MalformedSnapshot;
      if (!isCorrupt && !isGone(error)) throw error;
      if (isCorrupt) await receiver.discard();
      background.inTurn((state) => {
        this.#complete = null;
        this.#isBuilding = false;
        if (isCorrupt) this.#refused(state, from, info, error);
      });
    }
  }

  /** The turn that runs this installs it. */
  #built(store: Store): void {
    this.#complete!.store = store;
    this.#isBuilding = false;
  }

  /** All of it was dropped. The first time it is fetched anew at once, then after ever longer waits. */
  #refused(state: State, from: NodeId, info: SnapshotInfo, error: Error): void {
    const waitMs = Math.min(this.#refusals * SNAPSHOT_REFUSED_MS, SNAPSHOT_REFUSED_MS_MAX);
    this.#refusals++;
    this.#notBeforeMs = state.ctx.env.now() + waitMs;
    state.options.onEvent({ type: "snapshot-refused", index: info.meta.index, from, error });
    this.#reply(state, from, info, 0);
  }

  /** Held until the turn is durable: it says that this replica is in that term. */
  #reply({ core, turn }: State, to: NodeId, { id, meta: { index } }: SnapshotInfo, next: number) {
    turn.hold(to, { type: "snapshot-reply", term: core.term, id, index, next });
  }
}

/** The replica has come as far by other means meanwhile, and has a snapshot of its own that is as late. */
function isGone(error: unknown): boolean {
  return error instanceof RangeError;
}
