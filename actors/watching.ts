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
import { NotCaughtUp } from "./outcomes.ts";
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

  /** @param index of the last entry that the store has applied. */
  constructor(index: number, env: Pick<Env, "setTimer" | "defer">) {
    this.#env = env;
    this.#feed = new ChangeFeed(index);
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

  /** @throws {NotCaughtUp} if `since` lies behind what is applied here. */
  open({ selection, since }: WatchRequest): FeedWatch {
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

  /** The replica ends: so do its watches. */
  end(): void {
    for (const watch of [...this.#watchers.all()]) watch.close();
  }
}
