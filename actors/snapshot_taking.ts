/**
 * Snapshots of this replica's own state (section 7): when one is due, and how it is written without
 * anybody having to wait. The state is captured in a turn, which costs next to nothing; encoding and
 * writing go on beside the turns, a chunk at a time, with pauses that grow with what a chunk costs.
 *
 * Once it is current, the log is cut off behind it, but for a tail: a follower that was away for a
 * moment is cheaper fed from the log, and one that is being sent a snapshot needs what follows that.
 *
 * @module
 */
import {
  SNAPSHOT_JITTER,
  SNAPSHOT_PACE,
  SNAPSHOT_REST_MS_MAX,
  SNAPSHOT_RETRY_MS,
  type SnapshotLimits,
  TICK_MS,
} from "./limits_replica.ts";
import { AdminRefused, NotServing, StorageExhausted } from "./outcomes.ts";
import { perform } from "./replica_effects.ts";
import type { State } from "./replica_state.ts";
import type { Reply } from "./types.ts";
import { encodeSnapshot } from "../kv/snapshot_encoder.ts";
import type { StoreCapture } from "../kv/store.ts";
import { entryBytes } from "../raft/entry_codec.ts";
import { knowsMembersAt, snapshotMeta } from "../raft/snapshots.ts";
import { step } from "../raft/step.ts";
import type { Entry, LogIndex, SnapshotInfo, SnapshotMeta } from "../raft/types.ts";
import { SNAPSHOT_CHUNK_BYTES_MAX } from "../storage/limits.ts";
import { Fenced, type SnapshotWriter, StorageFull } from "../storage/types.ts";

/** One snapshot in the making. */
interface Work {
  readonly meta: SnapshotMeta;
  /** What had been applied since the last snapshot when the state was captured. */
  readonly entries: number;
  readonly bytes: number;
  readonly done: Promise<void>;
}

export class SnapshotTaking {
  readonly #limits: SnapshotLimits;
  /** From 1: replicas that apply the same entries need not take their snapshots at the same time. */
  readonly #spread: number;
  /** Applied since the last snapshot. */
  #entries = 0;
  #bytes = 0;
  #work: Work | null = null;
  #cancelled = false;
  #reply: Reply<number> | null = null;
  /** After a failure: not before this, on the monotonic clock. */
  #notBeforeMs = -Infinity;

  /** @param random a whole number in [0, 2^32). */
  constructor(limits: SnapshotLimits, random: number) {
    this.#limits = limits;
    this.#spread = 1 + SNAPSHOT_JITTER * random / 2 ** 32;
  }

  /** An entry was applied. */
  applied(entry: Entry): void {
    this.#entries++;
    this.#bytes += entryBytes(entry);
  }

  /** Begins a snapshot if one is due. */
  takeIfDue(state: State): void {
    const { entriesMax } = this.#limits;
    if (this.#entries < entriesMax * this.#spread && this.#bytes < this.#bytesMax(state)) return;
    if (this.#work !== null || state.ctx.env.now() < this.#notBeforeMs) return;
    if (state.receiving.isBusy || this.#refusal(state) !== null) return;
    this.#begin(state);
  }

  /** Begins one because a follower needs it, unless one is in the making. */
  takeForFollower(state: State): void {
    if (this.#work !== null || this.#refusal(state) !== null) return;
    if (state.ctx.env.now() >= this.#notBeforeMs) this.#begin(state);
  }

  /** Takes one now, for an operator. The answer is its index. */
  takeOnDemand(state: State, reply: Reply<number>): void {
    const { ctx, log, store } = state;
    const refusal = this.#refusal(state);
    if (this.#work !== null) {
      const busy = "Cannot take a snapshot: one is in the making";
      ctx.failEarly(reply, new AdminRefused("snapshot-in-progress", busy));
    } else if (refusal !== null) {
      ctx.failEarly(reply, refusal);
    } else if (log.snapshots.current?.meta.index === store.index && !state.sending.isDistrusted) {
      ctx.replyEarly(reply, store.index);
    } else {
      this.#reply = reply;
      this.#begin(state);
    }
  }

  /** Gives up what is in the making; resolves once nothing of it goes on. */
  async cancel(): Promise<void> {
    if (this.#work === null) return;
    this.#cancelled = true;
    await this.#work.done;
    this.#work = null;
  }

  /** A leader's snapshot is this replica's state now. */
  installed(state: State, { meta }: SnapshotInfo): void {
    this.#entries = 0;
    this.#bytes = 0;
    this.#answer((reply) => state.ctx.replyEarly(reply, meta.index));
  }

  /** Never smaller than the state itself: what is written for snapshots stays a fraction of all writes. */
  #bytesMax({ log }: State): number {
    return Math.max(this.#limits.bytesMax, log.snapshots.current?.bytes ?? 0) * this.#spread;
  }

  /** Why none can be taken now; null if one can. */
  #refusal({ core, store, disk, log }: State): Error | null {
    if (core.damaged || store.index === 0 || !knowsMembersAt(core, store.index as LogIndex)) {
      return new NotServing("Cannot take a snapshot: this replica is not whole yet");
    }
    if (!disk.hasRoomFor(log.snapshots.current?.bytes ?? 0)) {
      return new StorageExhausted("Cannot take a snapshot: the disk is full");
    }
    return null;
  }

  #begin(state: State): void {
    const { core, store, background } = state;
    const capture = store.capture();
    const meta = snapshotMeta(core, store.index as LogIndex, capture.timeMs);
    this.#cancelled = false;
    const done = background.start(() => this.#write(state, capture, meta));
    this.#work = { meta, entries: this.#entries, bytes: this.#bytes, done };
  }

  async #write(state: State, capture: StoreCapture, meta: SnapshotMeta): Promise<void> {
    const { log, background, ctx: { env } } = state;
    const startedMs = env.now();
    const writer = await log.snapshots.create(meta);
    const isWritten = await this.#writeChunks(state, writer, capture);
    background.check();
    if (!isWritten) return;
    // The switch speaks for this disk: a leader may have applied what only the others have written yet.
    while (state.durableIndex < meta.index && !this.#cancelled) await background.pause(TICK_MS);
    if (this.#cancelled) {
      await writer.abort();
      return;
    }
    const { info, baseIndex } = await writer.finish(this.#compactTo(state, meta.index));
    const tookMs = env.now() - startedMs;
    background.inTurn((state) => this.#finished(state, info, baseIndex, tookMs));
  }

  /** False if it was given up, or failed for a reason that leaves the log unharmed. */
  async #writeChunks(
    state: State,
    writer: SnapshotWriter,
    capture: StoreCapture,
  ): Promise<boolean> {
    const { background, ctx: { env } } = state;
    const chunks = encodeSnapshot(capture, SNAPSHOT_CHUNK_BYTES_MAX);
    let applied = state.store.index;
    try {
      while (!this.#cancelled) {
        const startMs = env.now();
        const { done, value } = chunks.next();
        if (done) return true;
        await writer.add(value as Uint8Array);
        const restMs = Math.min(SNAPSHOT_PACE * (env.now() - startMs), SNAPSHOT_REST_MS_MAX);
        const isIdle = state.store.index === applied;
        applied = state.store.index;
        if (isIdle || restMs < 1) await background.breathe();
        else await background.pause(restMs);
      }
      await writer.abort();
    } catch (error) {
      background.check();
      await writer.abort();
      if (error instanceof Fenced) throw error;
      background.inTurn((state) => this.#failed(state, error));
    }
    return false;
  }

  /** Where the log may be cut off: before the tail, and before what followers need that are sent a snapshot. */
  #compactTo({ core: { log }, sending }: State, index: LogIndex): LogIndex {
    const { tailEntries, tailBytes } = this.#limits;
    const firstIndex = Math.max(log.baseIndex, index - tailEntries);
    let to = index;
    let bytes = 0;
    while (to > firstIndex) {
      bytes += entryBytes(log.entry(to));
      if (bytes > tailBytes) break;
      to = to - 1 as LogIndex;
    }
    return Math.max(log.baseIndex, Math.min(to, sending.hold())) as LogIndex;
  }

  #finished(state: State, info: SnapshotInfo, baseIndex: LogIndex, tookMs: number): void {
    const work = this.#work;
    // An install has made the work one of the past, after the switch.
    if (work !== null && work.meta === info.meta) {
      this.#work = null;
      this.#entries -= work.entries;
      this.#bytes -= work.bytes;
    }
    state.sending.renewed();
    perform(state, step(state.core, { type: "compacted", index: baseIndex }));
    const { meta: { index }, bytes } = info;
    state.options.onEvent({ type: "snapshot-taken", index, bytes, tookMs, baseIndex });
    this.#answer((reply) => state.ctx.replyEarly(reply, index));
  }

  #failed(state: State, error: unknown): void {
    const index = this.#work?.meta.index ?? 0 as LogIndex;
    this.#work = null;
    this.#notBeforeMs = state.ctx.env.now() + SNAPSHOT_RETRY_MS;
    if (error instanceof StorageFull) state.disk.enter(state);
    state.options.onEvent({ type: "snapshot-failed", index, error });
    const failure = error instanceof StorageFull
      ? new StorageExhausted("Cannot take a snapshot: the disk is full")
      : new NotServing("Cannot take a snapshot: writing it failed");
    this.#answer((reply) => state.ctx.failEarly(reply, failure));
  }

  #answer(answer: (reply: Reply<number>) => void): void {
    if (this.#reply !== null && !this.#reply.settled) answer(this.#reply);
    this.#reply = null;
  }
}
