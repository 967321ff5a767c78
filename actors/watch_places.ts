/**
 * The watches of a node: how many there may be, where they may go on, and their end when the node goes. They
 * outlive requests, so a node that stops ends them first of all; whoever watches goes on at another node.
 *
 * @module
 */
import { WATCH_PLACE_MS, WATCHES_MAX } from "./limits_replica.ts";
import { AheadOfCluster, Draining, NotCaughtUp, Overloaded } from "./outcomes.ts";
import {
  type CallOptions,
  type Consistency,
  LINEARIZABLE,
  type ServedRead,
  type Watch,
} from "./service.ts";

/**
 * Waits until this replica has applied `index`, where a watch is to go on. Whoever was told of that place was
 * told what was committed, which a linearizable read sees: if that ends before it, nobody was told.
 *
 * @param read reads nothing, so that its answer only says how far a state is.
 * @throws {NotCaughtUp} if it was not applied in time; {AheadOfCluster} if the cluster has never come to it.
 */
export async function comeTo(
  index: number,
  read: (consistency: Consistency, options: CallOptions) => Promise<ServedRead>,
  options: CallOptions,
): Promise<void> {
  try {
    await read({ mode: "session", minIndex: index }, options);
  } catch (error) {
    if (!(error instanceof NotCaughtUp)) throw error;
    const judged = { deadlineMs: WATCH_PLACE_MS, signal: options.signal };
    // Without a leader nobody knows: then it is as if nobody had asked.
    const committed = await read(LINEARIZABLE, judged).catch(() => null);
    if (committed === null || committed.index >= index) throw error;
    throw new AheadOfCluster(
      `Cannot watch from index ${index}: the cluster has come to ${committed.index}`,
    );
  }
}

export class WatchPlaces {
  readonly #open = new Set<Watch>();
  #taken = 0;
  #isClosed = false;

  get size(): number {
    return this.#taken;
  }

  /**
   * Opens a watch in one of the places, which is free again once the watch is closed.
   *
   * @throws {Overloaded} if there is no place; {Draining} if the node goes; what `open` throws.
   */
  async take(open: () => Promise<Watch>): Promise<Watch> {
    if (this.#isClosed) throw new Draining("Cannot watch: the node is shutting down");
    if (this.#taken >= WATCHES_MAX) {
      throw new Overloaded(`Cannot watch: there are ${WATCHES_MAX} watches already`);
    }
    this.#taken++;
    let watch: Watch;
    try {
      watch = await open();
    } catch (error) {
      this.#taken--;
      throw error;
    }
    const place: Watch = {
      take: () => watch.take(),
      next: () => watch.next(),
      close: () => {
        if (this.#open.delete(place)) this.#taken--;
        watch.close();
      },
    };
    this.#open.add(place);
    // It may have been opened while the node began to go.
    if (this.#isClosed) place.close();
    return place;
  }

  /** Ends all, and takes no more. */
  close(): void {
    this.#isClosed = true;
    for (const watch of [...this.#open]) watch.close();
  }
}
