/**
 * The watches of one life of a replica: feeds them with what it applies, and tells each when one of its
 * keys is among that.
 *
 * What is told was committed and applied here, so it waits for no turn's commit. A state that was found to
 * differ from the majority's is told to nobody: it is never published.
 *
 * Not here: what a watch does with what it is told (watch.ts), and how many there may be (watch_places.ts).
 *
 * @module
 */
import { WATCH_STALE_MS } from "./limits_replica.ts";
import { NotCaughtUp, TooStale } from "./outcomes.ts";
import type { WatchRequest } from "./service.ts";
import type { Env } from "./types.ts";
import { FeedWatch } from "./watch.ts";
import { ChangeFeed } from "../kv/change_feed.ts";
import type { Change } from "../kv/types.ts";
import { Watchers } from "../kv/watchers.ts";

export class Watching {
  readonly #env: Pick<Env, "setTimer" | "defer">;
  readonly #feed: ChangeFeed;
  readonly #watchers = new Watchers<FeedWatch>();
  /**
   * The state lacks nothing that was acknowledged before this, on the monotonic clock. At the start nobody
   * knows: it counts as fresh until there has been time to hear of a leader.
   */
  #freshMs: number;
  #nowMs: number;

  /** @param index of the last entry that the store has applied. */
  constructor(index: number, env: Pick<Env, "now" | "setTimer" | "defer">) {
    this.#env = env;
    this.#nowMs = this.#freshMs = env.now();
    this.#feed = new ChangeFeed(index);
  }

  /** How many there are. */
  get size(): number {
    return this.#watchers.size;
  }

  /** Hot path: an entry was applied, and changed this. */
  applied(index: number, changes: readonly Change[]): void {
    this.#feed.append(index, changes);
  }

  /** Hot path: shows what was applied. */
  publish(): void {
    const { head, end } = this.#feed;
    const from = this.#feed.publish();
    if (this.#watchers.size === 0 || this.#feed.end === end) return;
    for (let at = from; at < this.#feed.end; at++) {
      const { key } = this.#feed.at(at)!;
      this.#watchers.visit(key, (watch) => watch.changed(at, head));
    }
  }

  /** A leader's snapshot took the state's place: nobody knows what has changed in between. */
  installed(index: number): void {
    const { head } = this.#feed;
    this.#feed.reset(index);
    for (const watch of this.#watchers.all()) watch.overtaken(head);
  }

  /**
   * Notes how old the state may be; null if that is not known now, as after a clock jump. Ends all watches
   * once it may be too old: whether nothing happens or nothing is heard, they could not tell.
   */
  noteAge(nowMs: number, stalenessMs: number | null): void {
    this.#nowMs = nowMs;
    if (stalenessMs !== null) this.#freshMs = Math.max(this.#freshMs, nowMs - stalenessMs);
    if (this.#isStale) this.end();
  }

  /**
   * @throws {TooStale} if this state may be too old to be watched.
   * @throws {NotCaughtUp} if `since` lies behind what is applied here.
   */
  open({ selection, since }: WatchRequest): FeedWatch {
    if (this.#isStale) throw new TooStale("Cannot watch: no leader was heard for too long");
    const { head } = this.#feed;
    if (since !== null && since.index > head.index) {
      throw new NotCaughtUp(
        `Cannot watch from index ${since.index}: this replica has applied ${head.index}`,
      );
    }
    const watchers = this.#watchers;
    const watch = new FeedWatch(this.#feed, selection, since, this.#env, (closed) => {
      watchers.delete(closed);
    });
    watchers.add(watch, selection);
    return watch;
  }

  /** Ends all watches, as the replica does when it ends. */
  end(): void {
    for (const watch of [...this.#watchers.all()]) watch.close();
  }

  get #isStale(): boolean {
    return this.#nowMs - this.#freshMs > WATCH_STALE_MS;
  }
}
