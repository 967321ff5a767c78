/**
 * The part of the oracle that watches who is a member, and who is asked to lead.
 *
 * @module
 */
import type { Configuration, Core, Effect, LogIndex, NodeId, Role } from "../../raft/mod.ts";
import { isMember } from "../../raft/quorum.ts";

type EffectOf<T extends Effect["type"]> = Extract<Effect, { type: T }>;

/** A core after the step before. */
interface Seen {
  readonly configuration: Configuration;
  readonly role: Role;
}

/** How often something happened that a run with changes should have met. */
export const NO_MEMBER_MARKS = {
  /** Learners added, and joint configurations in which a voter came, or left. */
  added: 0,
  promoted: 0,
  removed: 0,
  /** A leader that left by its own entry. */
  leadersRemoved: 0,
  /** Leaderships that began in a joint configuration. */
  jointLeaders: 0,
  /** Configurations that a truncation took back. */
  undone: 0,
  moved: 0,
  notMoved: 0,
};

export class MembersOracle {
  readonly #marks: typeof NO_MEMBER_MARKS;
  readonly #seen = new Map<NodeId, Seen>();
  readonly #configuredAt = new Map<NodeId, LogIndex>();
  readonly #transfers = new Set<string>();

  constructor(marks: typeof NO_MEMBER_MARKS) {
    this.#marks = marks;
  }

  /** The sets of voters that had to agree to what `core` committed in the step that it has just taken. */
  halves(core: Core): readonly (readonly NodeId[])[] {
    const { voters, votersOutgoing } = this.#seen.get(core.id)?.configuration ?? core.configuration;
    return votersOutgoing.length === 0 ? [voters] : [voters, votersOutgoing];
  }

  /** After each step. What is wrong with it, or null. */
  stepped(core: Core, effects: readonly Effect[]): string | null {
    const seen = this.#seen.get(core.id);
    for (const effect of effects) {
      if (effect.type === "configuration") {
        const wrong = this.#configured(core, effect);
        if (wrong !== null) return wrong;
      } else if (effect.type === "transfer-result") {
        const { id, result } = effect;
        if (!this.#transfers.delete(`${core.id}/${id}`)) return `Transfer ${id} is answered twice`;
        this.#marks[result.status === "moved" ? "moved" : "notMoved"]++;
      }
    }
    const { configuration, role } = core;
    const isJoint = configuration.votersOutgoing.length > 0;
    if (role === "leader" && seen?.role !== "leader" && isJoint) this.#marks.jointLeaders++;
    const leaves = role !== "leader" && !isMember(configuration, core.id);
    if (seen?.role === "leader" && leaves) this.#marks.leadersRemoved++;
    this.#seen.set(core.id, { configuration, role });
    return null;
  }

  /** Voters change through a joint configuration only, one change after the other. */
  #configured(core: Core, { configuration, index }: EffectOf<"configuration">): string | null {
    if (index < (this.#configuredAt.get(core.id) ?? 0)) this.#marks.undone++;
    this.#configuredAt.set(core.id, index);
    const at = core.configurations.findIndex((each) => each.index === index);
    // What comes in a snapshot may skip any number of changes, as does who knew nothing.
    const before = core.configurations[at - 1]?.configuration;
    if (before === undefined || before.voters.length === 0) return null;
    const { voters, votersOutgoing } = configuration;
    const isJoint = votersOutgoing.length > 0;
    const follows = isJoint
      ? before.votersOutgoing.length === 0 && `${votersOutgoing}` === `${before.voters}`
      : `${voters}` === `${before.voters}`;
    if (!follows) return `One change at a time: ${index}`;
    for (const { id, since } of configuration.addresses) {
      const added = before.addresses.find((each) => each.id === id)?.since ?? index;
      if (since !== added) return `Who was added at ${added} stays that one: ${id}, not ${since}`;
    }
    if (core.role !== "leader" || index <= core.commitIndex) return null;
    if (configuration.learners.length > before.learners.length) this.#marks.added++;
    if (isJoint && voters.some((id) => !votersOutgoing.includes(id))) this.#marks.promoted++;
    if (votersOutgoing.some((id) => !voters.includes(id))) this.#marks.removed++;
    return null;
  }

  crashed(id: NodeId): void {
    this.#seen.delete(id);
    this.#configuredAt.delete(id);
    for (const key of this.#transfers) if (key.startsWith(`${id}/`)) this.#transfers.delete(key);
  }

  transferAsked(node: NodeId, id: number): void {
    this.#transfers.add(`${node}/${id}`);
  }

  /** Transfers that were asked of living nodes and are not answered. */
  get open(): number {
    return this.#transfers.size;
  }
}
