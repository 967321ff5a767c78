/**
 * The watchers of a run: each follows all keys at one node for a while, and goes on behind the last event
 * at another, whatever state that is in. What they are told is judged by the invariant `watches`.
 *
 * @module
 */
import { isOutcome } from "./clients.ts";
import { positionAfter, type Progress } from "./invariants/watches.ts";
import type { Machine } from "./machine.ts";
import { Dice } from "./random.ts";
import type { World } from "./world.ts";
import { NotCaughtUp } from "../../actors/outcomes.ts";
import type { Watch } from "../../actors/service.ts";
import { encodeKey } from "../../kv/key_codec.ts";

const WATCHERS = 2;
/** How long one stays at a node, in ms of virtual time. */
const STAY_MS_MIN = 20;
const STAY_MS_MAX = 1500;
const WATCHER_SALT = 0x3a7c;

/** Starts them; they go on as long as the run does. */
export function startWatchers(world: World): void {
  for (let at = 0; at < WATCHERS; at++) new Watcher(world, at);
}

class Watcher {
  readonly #world: World;
  readonly #dice: Dice;
  readonly #progress: Progress;
  /** Counts its visits: what an earlier one still brings is not heard. */
  #visit = 0;
  #watch: Watch | null = null;

  constructor(world: World, number: number) {
    this.#world = world;
    this.#dice = new Dice((world.schedule.seed * 31 + number + WATCHER_SALT) >>> 0);
    this.#progress = { name: `w${number + 1}`, position: null };
    this.#moveOn();
  }

  #moveOn(): void {
    this.#visit++;
    this.#watch?.close();
    this.#watch = null;
    const { running, env } = this.#world;
    if (running.length > 0) void this.#follow(this.#dice.pick(running), this.#visit);
    env.setTimer(() => this.#moveOn(), this.#dice.between(STAY_MS_MIN, STAY_MS_MAX));
  }

  async #follow(machine: Machine, visit: number): Promise<void> {
    const { process } = machine;
    if (process === null) return;
    // A process that has died may go on computing, and is heard by nobody.
    const isHeard = () => this.#visit === visit && machine.process === process;
    const { watch: eyes } = this.#world;
    try {
      const selection = { keys: [], prefixes: [encodeKey([])] };
      const since = this.#progress.position;
      const watch = await process.node.service.watch({ selection, since });
      if (!isHeard()) return watch.close();
      this.#watch = watch;
      for (;;) {
        const event = await watch.next();
        if (event.type === "ended" || !isHeard()) return;
        if (event.type === "compacted") this.#world.marks["watch-gap"]++;
        if (event.type === "watching" && since !== null) this.#world.marks["watch-went-on"]++;
        eyes.check("watches", () => eyes.watches.told(this.#progress, event));
        if (eyes.violation !== null) return;
        this.#progress.position = positionAfter(event);
      }
    } catch (error) {
      if (error instanceof NotCaughtUp) this.#world.marks["watch-waited"]++;
      if (!isHeard() || isOutcome(error as Error)) return;
      eyes.broken("outcomes", `watch() failed with ${(error as Error).stack}`);
    }
  }
}
