/**
 * What a shell does with snapshots, in small: it sends them chunk by chunk in a window, goes on from what
 * the receiver says it has, and keeps what comes in on its disk.
 *
 * @module
 */
import {
  type Core,
  type Effect,
  type LogIndex,
  type Message,
  type NodeId,
  snapshotMeta,
  type SnapshotReply,
} from "../../raft/mod.ts";
import {
  type Applied,
  chunkOf,
  type Disk,
  receiveChunk,
  type StoredSnapshot,
  storeSnapshot,
} from "./harness_disk.ts";

const WINDOW_CHUNKS = 2;

export class SnapshotShell {
  readonly #disk: Disk;
  readonly #post: (to: NodeId, message: Message) => void;
  /** Pinned: what is being sent stays readable, though another snapshot becomes current. */
  readonly #sending = new Map<NodeId, { readonly snapshot: StoredSnapshot; next: number }>();
  /** The snapshot that came in is complete, and to be installed in a turn of its own. */
  installDue: boolean;

  constructor(disk: Disk, post: (to: NodeId, message: Message) => void) {
    this.#disk = disk;
    this.#post = post;
    this.installDue = isComplete(disk);
  }

  /** What the effects of a turn ask for, once its commit is done. `corrupts` says so of each chunk kept. */
  perform(core: Core, applied: Applied, effects: readonly Effect[], corrupts: () => boolean): void {
    for (const effect of effects) {
      if (effect.type === "snapshot-needed") this.begin(core, applied, effect.to);
      else if (effect.type === "snapshot-reply") this.#goOn(core, effect.from, effect.reply);
      else if (effect.type === "snapshot-chunk") {
        const { info, chunk, data } = effect.chunk;
        const kept = corrupts() ? data.map((byte) => byte ^ 1) : data;
        const next = receiveChunk(this.#disk, info, chunk, kept);
        this.installDue = isComplete(this.#disk);
        this.#reply(core, effect.from, next);
      }
    }
    if (core.role !== "leader") this.#sending.clear();
  }

  /** On each tick: chunks and replies get lost. */
  tick(core: Core): void {
    for (const to of this.#sending.keys()) this.#sendWindow(core, to);
  }

  /** What came in proved corrupt: it is wanted from the beginning. */
  refused(core: Core): void {
    this.installDue = false;
    if (core.leader !== null) this.#reply(core, core.leader, 0);
  }

  /** Begins to send, unless what is being sent will do. */
  begin(core: Core, applied: Applied, to: NodeId): void {
    const known = this.#sending.get(to)?.snapshot.applied.index ?? -1;
    if (core.role !== "leader" || known >= core.log.baseIndex) return;
    const stored = this.#disk.snapshot;
    if (stored === null || stored.applied.index < core.log.baseIndex) {
      throw new Error(`Cannot send a snapshot: none reaches ${core.log.baseIndex}`);
    }
    this.#sending.set(to, { snapshot: stored, next: 0 });
    // The state may be a better one by now.
    if (applied.index > stored.applied.index && applied.digest % 2 === 0) {
      const meta = snapshotMeta(core, applied.index, core.log.entry(applied.index).timeMs);
      storeSnapshot(this.#disk, meta, applied, 0 as LogIndex);
      this.#sending.set(to, { snapshot: this.#disk.snapshot!, next: 0 });
    }
    this.#sendWindow(core, to);
  }

  #goOn(core: Core, from: NodeId, reply: SnapshotReply): void {
    const sending = this.#sending.get(from);
    if (sending === undefined || sending.snapshot.info.id !== reply.id) return;
    if (reply.next >= sending.snapshot.info.chunks) {
      this.#sending.delete(from);
      return;
    }
    sending.next = reply.next;
    this.#sendWindow(core, from);
  }

  /** A chunk claims the term that it names: only for who leads at this moment. */
  #sendWindow(core: Core, to: NodeId): void {
    if (core.role !== "leader") return;
    const { snapshot, next } = this.#sending.get(to)!;
    const { info } = snapshot;
    for (let chunk = next; chunk < Math.min(next + WINDOW_CHUNKS, info.chunks); chunk++) {
      const data = chunkOf(snapshot, chunk);
      this.#post(to, { type: "snapshot-chunk", term: core.term, info, chunk, data });
    }
  }

  #reply({ term }: Core, to: NodeId, next: number): void {
    const { id, meta: { index } } = this.#disk.incoming!.info;
    this.#post(to, { type: "snapshot-reply", term, id, index, next });
  }
}

function isComplete({ incoming }: Disk): boolean {
  return incoming !== null && incoming.chunks.length === incoming.info.chunks;
}
