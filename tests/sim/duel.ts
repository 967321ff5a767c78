/**
 * Leaders that take turns, each with entries that the others do not have: whoever leads is cut off, and
 * whoever was cut off before it is let back in. That is how figure 8 comes about, which random partitions
 * hardly ever do: an entry that a leader of a later term has brought to a quorum by counting copies is
 * overwritten by the one between, whose own entry is of a later term still.
 *
 * A leader that is left with uncommitted entries of former terms may first bring them to a quorum, and is cut
 * off before anything of its own term can follow.
 *
 * @module
 */
import type { Machine } from "./machine.ts";
import type { Moment } from "./schedule.ts";
import type { World } from "./world.ts";

export class Duel {
  readonly #world: World;
  readonly #untilMs: number;
  /** Who is cut off. */
  #out: Machine | null = null;

  constructor(world: World, ms: number) {
    this.#world = world;
    this.#untilMs = world.env.now() + ms;
    const { leader } = world;
    if (leader !== null) this.#swap(leader);
  }

  /** At a moment of a machine: at once, so that nothing of what it just did reaches the others. */
  moment(machine: Machine, moment: Moment): void {
    if (machine === this.#out || this.#world.env.now() > this.#untilMs) return;
    if (moment === "prior-entry") {
      this.#world.marks["leader-cut-with-prior-entry"]++;
      this.#swap(machine);
    } else if (moment === "election" && !leadsOn(machine)) this.#swap(machine);
  }

  #swap(machine: Machine): void {
    if (this.#out !== null) this.#world.isolate(this.#out, false);
    this.#world.isolate(machine, true);
    this.#out = machine;
    this.#world.trace.tell(`DUEL cuts off ${machine.id}`);
  }
}

/** Whether a leader has entries of former terms that it does not know to be committed. */
function leadsOn({ life }: Machine): boolean {
  if (life === null) return false;
  const { core } = life;
  return core.termStartIndex > core.commitIndex + 1;
}
