/**
 * A watch is told what was applied, all of it, once and in order: but for the gaps that it is told of, and
 * which begin where it stands.
 *
 * What an entry changed is noted where it is applied first: that the others come to the same is state
 * machine safety.
 *
 * @module
 */
import { Broken, type Invariant } from "./invariant.ts";
import type { ReplicaLife } from "../../../actors/replica_types.ts";
import type { WatchEvent } from "../../../actors/service.ts";
import type { Applied } from "../../../kv/store.ts";
import type { Change, Versionstamp } from "../../../kv/types.ts";
import { compareVersionstamps, formatVersionstamp } from "../../../kv/versionstamp.ts";
import type { Entry } from "../../../raft/types.ts";
import type { Machine } from "../machine.ts";

/** All changes of one versionstamp. */
interface Written {
  readonly versionstamp: Versionstamp;
  readonly text: string;
}

/** How far one watcher has come, over all nodes that it watched at. */
export interface Progress {
  readonly name: string;
  position: Versionstamp | null;
}

type Told = Exclude<WatchEvent, { type: "ended" }>;

/** Where a watcher stands that was told something. */
export function positionAfter(event: Told): Versionstamp {
  return event.type === "changes" ? event.versionstamp : event.position;
}

export class Watches implements Invariant {
  readonly name = "watches";
  #appliedIndex = 0;
  readonly #written: Written[] = [];

  applied(_machine: Machine, _life: ReplicaLife, { index }: Entry, { changes }: Applied): void {
    if (index <= this.#appliedIndex) return;
    this.#appliedIndex = index;
    for (let at = 0; at < changes.length;) {
      const { versionstamp } = changes[at];
      const from = at;
      while (at < changes.length && changes[at].versionstamp.order === versionstamp.order) at++;
      this.#written.push({ versionstamp, text: textOf(changes.slice(from, at)) });
    }
  }

  /** A watcher of all keys, who stands at `progress`, was told something. @throws {Broken} */
  told(progress: Readonly<Progress>, event: Told): void {
    const { position } = progress;
    switch (event.type) {
      case "watching":
        if (position !== null && compareVersionstamps(position, event.position) !== 0) {
          this.#broken(progress, `goes on from ${formatVersionstamp(event.position)}`);
        }
        break;
      case "changes": {
        const next = this.#after(position!);
        const text = textOf(event.changes);
        if (next === undefined || next.text !== text) {
          this.#broken(progress, `was told of ${text}, and not of ${next?.text}`);
        }
        break;
      }
      case "progress":
        this.#silent(progress, event.position);
        break;
      case "compacted":
        this.#silent(progress, event.since);
        if (compareVersionstamps(event.position, event.since) < 0) {
          this.#broken(progress, `has a gap back to ${formatVersionstamp(event.position)}`);
        }
    }
  }

  /** Nothing happened up to `to`, as it was told. */
  #silent(progress: Progress, to: Versionstamp): void {
    if (compareVersionstamps(to, progress.position!) < 0) {
      this.#broken(progress, `went back to ${formatVersionstamp(to)}`);
    }
    const next = this.#after(progress.position!);
    if (next !== undefined && compareVersionstamps(next.versionstamp, to) <= 0) {
      this.#broken(progress, `was not told of ${next.text}`);
    }
  }

  #after(position: Versionstamp): Written | undefined {
    let [low, high] = [0, this.#written.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (compareVersionstamps(this.#written[middle].versionstamp, position) <= 0) low = middle + 1;
      else high = middle;
    }
    return this.#written[low];
  }

  #broken({ name, position }: Progress, what: string): never {
    const at = position === null ? "the start" : formatVersionstamp(position);
    throw new Broken(`watcher ${name} at ${at} ${what}`);
  }
}

function textOf(changes: readonly Change[]): string {
  const parts = changes.map(({ key, value }) =>
    `${JSON.stringify(key)}=${value === null ? "none" : value.data.toHex()}`
  );
  return `${formatVersionstamp(changes[0].versionstamp)} ${parts.join(" ")}`;
}
