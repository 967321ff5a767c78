/**
 * Backups: a consistent copy of the state as a stream of bytes, made while the replica goes on.
 *
 * The copy is encoded a chunk at a time, when the reader asks for more: a slow reader costs the memory
 * of what changes meanwhile, and nothing else. So there are few at a time, and one that nobody reads any
 * more is cut off.
 *
 * Not here: the form of the file (kv/backup_file.ts), and reading one.
 *
 * @module
 */
import type { Captured } from "./capture.ts";
import { BACKUP_CHUNK_BYTES, BACKUP_STALL_MS, BACKUPS_MAX } from "./limits_replica.ts";
import { NotServing, Overloaded } from "./outcomes.ts";
import type { Backup } from "./service.ts";
import type { Env, Timer } from "./types.ts";
import { encodeBackup } from "../kv/backup_file.ts";
import { encodeSnapshot } from "../kv/snapshot_encoder.ts";

/** What a backup says of where it comes from. */
export interface BackupOrigin {
  readonly clusterId: string;
  readonly createdBy: string;
}

export class Backups {
  readonly #env: Pick<Env, "setTimer">;
  /** Those that are being made, each with what ends it. */
  readonly #running = new Map<ReadableStreamDefaultController<Uint8Array>, () => void>();
  #count = 0;

  constructor(env: Pick<Env, "setTimer">) {
    this.#env = env;
  }

  /**
   * Takes one of the places; gives the function that frees it, which may be called more than once.
   *
   * @throws {Overloaded} if there is none.
   */
  admit(): () => void {
    if (this.#count >= BACKUPS_MAX) {
      throw new Overloaded(`Cannot make a backup: ${BACKUPS_MAX} are being made already`);
    }
    this.#count++;
    let held = true;
    return () => {
      if (held) this.#count--;
      held = false;
    };
  }

  /** Streams what was captured; `release` is called when the stream ends, however it does. */
  stream({ capture, term }: Captured, origin: BackupOrigin, release: () => void): Backup {
    const { stateHash, timeMs } = capture;
    const header = { ...origin, index: stateHash.index, term, timeMs, stateHash: stateHash.hash };
    const parts = encodeBackup(header, encodeSnapshot(capture, BACKUP_CHUNK_BYTES));
    const running = this.#running;
    let controller: ReadableStreamDefaultController<Uint8Array>;
    const waitForReader = () =>
      this.#env.setTimer(() => {
        controller.error(
          new NotServing(`Cannot go on with the backup: not read for ${BACKUP_STALL_MS} ms`),
        );
        end();
      }, BACKUP_STALL_MS);
    let stall: Timer | null = null;
    const end = () => {
      stall?.cancel();
      running.delete(controller);
      release();
    };
    const body = new ReadableStream<Uint8Array>({
      start(started) {
        controller = started;
        running.set(started, end);
        stall = waitForReader();
      },
      pull() {
        stall?.cancel();
        const { done, value } = parts.next();
        if (!done) {
          controller.enqueue(value);
          stall = waitForReader();
          return;
        }
        end();
        controller.close();
      },
      cancel: end,
    }, { highWaterMark: 0 });
    return { stateHash, body };
  }

  /** Cuts off those that are being made: what their readers have is no whole backup, and says so. */
  stop(): void {
    for (const [controller, end] of [...this.#running]) {
      controller.error(new NotServing("Cannot go on with the backup: the node is shutting down"));
      end();
    }
  }
}
