/**
 * Time in the harness: one real time, and nodes whose ticks only ever run late of it. What the cores say
 * in ticks, leases and staleness, is held against that.
 *
 * @module
 */
import { type Core, CORE_LIMITS, freshness, leaseTick, type NodeId } from "../../raft/mod.ts";
import type { Node } from "./harness_node.ts";
import { type Oracle, SafetyError } from "./oracle.ts";

/**
 * How long a lease may be trusted, in ticks of real time: a voter that answered stays with its leader for
 * `electionTicks` of its own, the first of which may come at once.
 */
const LEASE_TICKS = CORE_LIMITS.electionTicks - 1;

/** When one tick of a node was, and what was committed anywhere by then. */
interface Ticked {
  readonly at: number;
  readonly commitIndex: number;
}

export class Clocks {
  readonly #oracle: Oracle;
  readonly #ticked = new Map<NodeId, Ticked[]>();
  /** Until when processes stand still. */
  readonly #pausedTo = new Map<NodeId, number>();
  #now = 0;

  constructor(oracle: Oracle) {
    this.#oracle = oracle;
  }

  pass(ticks: number): void {
    this.#now += ticks;
  }

  pause(id: NodeId, ticks: number): void {
    this.#pausedTo.set(id, this.#now + ticks);
  }

  isPaused(id: NodeId): boolean {
    return this.#now < (this.#pausedTo.get(id) ?? 0);
  }

  resumeAll(): void {
    this.#pausedTo.clear();
  }

  /** A node has started: its ticks begin anew. */
  started(id: NodeId): void {
    this.#ticked.set(id, [this.#moment()]);
  }

  /** A node is about to count a tick. If it is too early for that, real time is moved on. */
  tick(id: NodeId): void {
    const ticks = this.#ticked.get(id)!;
    this.#now = Math.max(this.#now, ticks[ticks.length - 1].at + 1);
    ticks.push(this.#moment());
  }

  #moment(): Ticked {
    return { at: this.#now, commitIndex: this.#oracle.commitIndex };
  }

  holdsLease(core: Core): boolean {
    const tick = leaseTick(core);
    return tick !== null && this.#now - this.#ticked.get(core.id)![tick].at < LEASE_TICKS;
  }

  /** After each step of `core`, with all `nodes`. */
  check(core: Core, nodes: readonly Node[]): void {
    this.#checkFreshness(core);
    for (const { id, core: each } of nodes) {
      if (each === null || each.role !== "leader" || this.isPaused(id)) continue;
      if (each.commitIndex >= this.#oracle.commitIndex || !this.holdsLease(each)) continue;
      throw new SafetyError(
        `Lease: ${id} would read at ${each.commitIndex}, ${this.#oracle.commitIndex} is committed`,
      );
    }
  }

  /** What a core says of how fresh its log is must cover all that was committed anywhere at that time. */
  #checkFreshness(core: Core): void {
    const fresh = freshness(core);
    if (fresh === null) return;
    const { commitIndex } = this.#ticked.get(core.id)![fresh.tick];
    if (fresh.index >= commitIndex) return;
    throw new SafetyError(
      `Freshness: ${core.id} says ${fresh.index} as of tick ${fresh.tick}, when ${commitIndex} was`,
    );
  }
}
