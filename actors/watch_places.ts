/**
 * The watches of a node: how many there may be, and their end when the node goes. They outlive requests,
 * so a node that stops ends them first of all; whoever watches goes on at another node.
 *
 * @module
 */
import { WATCHES_MAX } from "./limits_replica.ts";
import { Draining, Overloaded } from "./outcomes.ts";
import type { Watch } from "./service.ts";

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
