/**
 * A disk whose process dies: at one of its writes, before that lands or right after. Nothing is written
 * from then on, as by a dead process, until the disk is armed anew.
 *
 * @module
 */
import { GROUP_DEFAULT } from "../../raft/types.ts";
import { type Disk, diskAt } from "../../storage/disk.ts";
import type { Mark, MarkPlace } from "../../storage/mark.ts";
import { withKv } from "./places.ts";

/** Where a crash strikes: before or after the given write, from 0. */
export interface Crash {
  readonly write: number;
  readonly landed: boolean;
}

/** Which writes count: atomics of either database, or those and the writes of the mark. */
export type Counted = "atomics" | "atomics and marks";

/** The disk in a directory. Nothing happens to it before it is armed. */
export class MortalDisk implements Disk {
  readonly marks: MarkPlace;
  readonly reserve = null;
  readonly #disk: Disk;
  readonly #counted: Counted;
  #crash: Crash | null = null;
  #dead = false;
  /** Since it was armed. */
  writes = 0;

  constructor(directory: string, counted: Counted = "atomics") {
    this.#disk = diskAt(directory, GROUP_DEFAULT, 0);
    this.#counted = counted;
    const marks = this.#disk.marks!;
    this.marks = {
      read: () => marks.read(),
      create: async (content) => this.#mortalMark(await marks.create(content)),
    };
  }

  arm(crash: Crash | null): void {
    this.#crash = crash;
    this.#dead = false;
    this.writes = 0;
  }

  async openKv(): Promise<Deno.Kv> {
    return this.#mortalKv(await this.#disk.openKv());
  }

  async openChunkKv(): Promise<Deno.Kv> {
    return this.#mortalKv(await this.#disk.openChunkKv!());
  }

  async #strike<T>(write: () => Promise<T>): Promise<T> {
    if (this.#dead) throw new Error("crash: the process is dead");
    const strikes = this.writes++ === this.#crash?.write;
    if (strikes) this.#dead = true;
    if (strikes && !this.#crash!.landed) throw new Error("crash before landing");
    const result = await write();
    if (strikes) throw new Error("crash after landing");
    return result;
  }

  #mortalKv(kv: Deno.Kv): Deno.Kv {
    return withKv(kv, {
      atomic: () => {
        const atomic = kv.atomic();
        const commit = atomic.commit.bind(atomic);
        atomic.commit = () => this.#strike(commit);
        return atomic;
      },
    });
  }

  #mortalMark(mark: Mark): Mark {
    if (this.#counted === "atomics") return mark;
    return {
      write: (state, seq) => this.#strike(() => mark.write(state, seq)),
      repaired: () => mark.repaired(),
      close: () => mark.close(),
    };
  }
}
