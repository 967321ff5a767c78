/**
 * One watch: a place in the replica's change feed, and the events from there on.
 *
 * It has no queue. What it has not yet told lies in the feed, which all watches share and which is
 * bounded; a reader that is slower than what happens falls out of the feed at last, and is told so. While
 * there is nothing to tell it has no place of its own either, but stands at the feed's head.
 *
 * @module
 */
import { WATCH_HEARTBEAT_MS, WATCH_SCAN_CHANGES_MAX } from "./limits_replica.ts";
import type { Watch, WatchEvent } from "./service.ts";
import type { Env, Timer } from "./types.ts";
import type { ChangeFeed } from "../kv/change_feed.ts";
import type { Change, Versionstamp } from "../kv/types.ts";
import { compareVersionstamps } from "../kv/versionstamp.ts";
import { type Selection, selects } from "../kv/watchers.ts";

const ENDED: WatchEvent = { type: "ended" };

export class FeedWatch implements Watch {
  readonly selection: Selection;
  readonly #feed: ChangeFeed;
  readonly #env: Pick<Env, "setTimer" | "defer">;
  readonly #onClose: (watch: FeedWatch) => void;
  /** The next change to look at; null at the head, where whatever comes next is told by `changed`. */
  #sequence: number | null;
  /** All up to here was told, or concerns other keys; at the head, the feed knows better. */
  #position: Versionstamp;
  #isAnnounced = false;
  /** Where a gap begins that is to be told. */
  #gapFrom: Versionstamp | null = null;
  #isEnded = false;
  /** Lets `next` look again. */
  #wake: (() => void) | null = null;

  /** @param since null to begin at the feed's head. */
  constructor(
    feed: ChangeFeed,
    selection: Selection,
    since: Versionstamp | null,
    env: Pick<Env, "setTimer" | "defer">,
    onClose: (watch: FeedWatch) => void,
  ) {
    this.#feed = feed;
    this.selection = selection;
    this.#env = env;
    this.#onClose = onClose;
    this.#position = since ?? feed.head;
    this.#sequence = since === null ? null : feed.after(since);
    if (since !== null && this.#sequence === null) this.#gapFrom = since;
  }

  get position(): Versionstamp {
    const isAtHead = this.#isAnnounced && this.#sequence === null && this.#gapFrom === null;
    return isAtHead ? this.#feed.head : this.#position;
  }

  take(): WatchEvent | null {
    if (this.#isEnded) return ENDED;
    if (!this.#isAnnounced) {
      this.#isAnnounced = true;
      return { type: "watching", position: this.#position };
    }
    if (this.#sequence !== null) return this.#scan(this.#sequence);
    return this.#gapFrom === null ? null : this.#tellGap(this.#gapFrom);
  }

  async next(): Promise<WatchEvent> {
    for (;;) {
      const event = this.take();
      if (event !== null) return event;
      if (this.#sequence !== null) {
        // More to look at than one look may take: let everybody else go on in between.
        await new Promise<void>((resolve) => this.#env.defer(resolve));
      } else if (await this.#isSilent()) {
        return { type: "progress", position: this.position };
      }
    }
  }

  close(): void {
    this.#isEnded = true;
    this.#onClose(this);
    this.#wake?.();
  }

  /** A change of a watched key was published, when the feed's head was at `head` before. */
  changed(sequence: number, head: Versionstamp): void {
    // Otherwise it comes to this change by itself, or has a gap to tell that reaches behind it.
    if (this.#sequence === null && this.#gapFrom === null) {
      this.#sequence = sequence;
      if (this.#isAnnounced) this.#position = head;
    }
    this.#wake?.();
  }

  /** Another state has taken the place of the feed's, whose head was at `head`. */
  overtaken(head: Versionstamp): void {
    this.#gapFrom ??= this.#sequence === null && this.#isAnnounced ? head : this.#position;
    this.#sequence = null;
    this.#wake?.();
  }

  /** The next event from a sequence on; null if there is none among as many changes as one look may take. */
  #scan(from: number): WatchEvent | null {
    const end = Math.min(this.#feed.end, from + WATCH_SCAN_CHANGES_MAX);
    for (let at = from; at < end; at++) {
      const change = this.#feed.at(at);
      if (change === null) return this.#tellGap(this.#position);
      if (!selects(this.selection, change.key)) continue;
      const changes = this.#rest(change, at);
      this.#position = change.versionstamp;
      return { type: "changes", versionstamp: change.versionstamp, changes };
    }
    if (end > from) this.#position = this.#feed.at(end - 1)?.versionstamp ?? this.#position;
    this.#sequence = end === this.#feed.end ? null : end;
    return null;
  }

  /** All that the write behind a change did to watched keys. */
  #rest(first: Change, at: number): readonly Change[] {
    const changes = [first];
    let next = at + 1;
    for (;; next++) {
      const change = this.#feed.at(next);
      if (change === null) break;
      if (compareVersionstamps(change.versionstamp, first.versionstamp) !== 0) break;
      if (selects(this.selection, change.key)) changes.push(change);
    }
    this.#sequence = next;
    return changes;
  }

  /** Says that changes may be lacking, and goes on at the head. */
  #tellGap(since: Versionstamp): WatchEvent {
    this.#gapFrom = null;
    this.#sequence = null;
    this.#position = this.#feed.head;
    return { type: "compacted", since, position: this.#position };
  }

  /** Waits until there may be something to tell; true if there was nothing for a while. */
  #isSilent(): Promise<boolean> {
    return new Promise((resolve) => {
      const end = (isSilent: boolean) => {
        timer.cancel();
        this.#wake = null;
        resolve(isSilent);
      };
      const timer: Timer = this.#env.setTimer(() => end(true), WATCH_HEARTBEAT_MS);
      this.#wake = () => end(false);
    });
  }
}
