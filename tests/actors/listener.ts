/**
 * Somebody who watches: reads a watch to its end and notes what it is told.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import type { Watch, WatchEvent, WatchRequest } from "../../actors/service.ts";
import { decodeKey, encodeKey } from "../../kv/key_codec.ts";
import type { Change, Versionstamp } from "../../kv/types.ts";
import { compareVersionstamps } from "../../kv/versionstamp.ts";

/** Everything, from `since` on. */
export function everything(since: Versionstamp | null = null): WatchRequest {
  return { selection: { keys: [], prefixes: [encodeKey([])] }, since };
}

export class Listener {
  readonly events: WatchEvent[] = [];
  readonly watch: Watch;
  /** Where another watch would go on. */
  position: Versionstamp | null = null;
  isEnded = false;
  #isReading = true;
  #resume: (() => void) | null = null;

  constructor(watch: Watch) {
    this.watch = watch;
    void this.#read();
  }

  /** Everything told since the start but silence, as words. */
  get told(): string[] {
    return this.events.flatMap((event) => event.type === "progress" ? [] : [wordsOf(event)]);
  }

  /** What was told of keys, one word a write. */
  get changes(): string[] {
    return this.events.flatMap((event) => event.type === "changes" ? [wordsOf(event)] : []);
  }

  get gaps(): Extract<WatchEvent, { type: "compacted" }>[] {
    return this.events.filter((event) => event.type === "compacted");
  }

  /** Takes nothing until it goes on. */
  pause(): void {
    this.#isReading = false;
  }

  goOn(): void {
    this.#isReading = true;
    this.#resume?.();
  }

  close(): void {
    this.watch.close();
    this.goOn();
  }

  async #read(): Promise<void> {
    while (!this.isEnded) {
      if (!this.#isReading) await new Promise<void>((resolve) => this.#resume = resolve);
      this.#note(await this.watch.next());
    }
  }

  #note(event: WatchEvent): void {
    this.events.push(event);
    switch (event.type) {
      case "ended":
        this.isEnded = true;
        return;
      case "changes":
        assert(event.changes.length > 0, "an event tells of no change");
        for (const { versionstamp } of event.changes) {
          assertEquals(versionstamp, event.versionstamp, "an event is of one write");
        }
        return this.#comeTo(event.versionstamp, 1);
      case "compacted":
        assert(
          this.position === null || compareVersionstamps(event.since, this.position) >= 0,
          "a gap begins before what was told",
        );
        return this.#comeTo(event.position, 1);
      case "watching":
      case "progress":
        return this.#comeTo(event.position, 0);
    }
  }

  #comeTo(position: Versionstamp, least: 0 | 1): void {
    const steps = this.position === null ? 1 : compareVersionstamps(position, this.position);
    assert(steps >= least, `it went from ${text(this.position)} to ${text(position)}`);
    this.position = position;
  }
}

function wordsOf(event: WatchEvent): string {
  switch (event.type) {
    case "changes":
      return event.changes.map(changeText).join(" ");
    case "compacted":
      return "gap";
    default:
      return event.type;
  }
}

function changeText({ key, value }: Change): string {
  const name = decodeKey(key).join("/");
  return value === null ? `-${name}` : `${name}=${new TextDecoder().decode(value.data)}`;
}

function text(position: Versionstamp | null): string {
  return position === null ? "nowhere" : `${position.index}.${position.order}`;
}
