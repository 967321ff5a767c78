/**
 * The changes and transfers that this replica was asked for as a leader, until it is known what became
 * of them. A change counts as done once it is committed, a removal once nothing is left of the member.
 *
 * Not here: the rules (raft/), and who asks whom (admin.ts).
 *
 * @module
 */
import { type AdminOutcome, membersOf } from "./admin_types.ts";
import { ADMIN_PENDING_MAX } from "./limits_replica.ts";
import { Overloaded } from "./outcomes.ts";
import { perform } from "./replica_effects.ts";
import type { State } from "./replica_state.ts";
import type { Reply } from "./types.ts";
import { isConfigurationCommitted, latestConfiguration } from "../raft/configuration.ts";
import type { Effect } from "../raft/effect.ts";
import { isMember } from "../raft/quorum.ts";
import { step } from "../raft/step.ts";
import type { Configuration, MembershipChange, NodeId, Term } from "../raft/types.ts";

type ChangeResult = Extract<Effect, { type: "change-result" }>["result"];
type TransferResult = Extract<Effect, { type: "transfer-result" }>["result"];

interface Pending {
  readonly reply: Reply<AdminOutcome>;
  /** The term in which it was asked: under another, what was appended may be gone. */
  readonly term: Term;
  /** Null for a transfer. */
  readonly change: MembershipChange | null;
  /** Where the change stands in the log; null before the core has said so. */
  index: number | null;
}

export class Administration {
  readonly #pending = new Map<number, Pending>();
  #nextId = 1;

  /** Asks the core for a change of members. */
  change(state: State, change: MembershipChange, retried: boolean, reply: Reply<AdminOutcome>) {
    const id = this.#admit(state, change, reply);
    if (id === null) return;
    const { core } = state;
    if (retried && core.role === "leader" && isDone(core.configuration, change)) {
      this.#pending.get(id)!.index = latestConfiguration(core).index;
      return;
    }
    const timeMs = state.clock.nowMs();
    perform(state, step(core, { type: "change", id, change, timeMs }));
  }

  /** Asks the core to hand leadership over. */
  transfer(state: State, to: NodeId | null, reply: Reply<AdminOutcome>): void {
    const { core } = state;
    if (core.role === "leader" && to === core.id) {
      state.ctx.reply(reply, { status: "moved", leader: to });
      return;
    }
    const id = this.#admit(state, null, reply);
    if (id === null) return;
    const timeMs = state.clock.nowMs();
    perform(state, step(core, { type: "transfer", id, to, timeMs }));
  }

  /** The core's answer to a change. */
  changeResult(state: State, id: number, result: ChangeResult): void {
    const pending = this.#pending.get(id);
    if (pending === undefined) return;
    if (result.status === "appended") {
      pending.index = result.index;
      return;
    }
    const { reason } = result;
    const outcome: AdminOutcome = reason === "not-leader" || reason === "not-ready"
      ? { status: "not-now" }
      : { status: "refused", reason };
    this.#end(state, id, outcome);
  }

  /** The core's answer to a transfer. */
  transferResult(state: State, id: number, result: TransferResult): void {
    if (!this.#pending.has(id)) return;
    this.#end(state, id, outcomeOf(result));
  }

  /** After steps: answers what is decided now. */
  settle(state: State): void {
    if (this.#pending.size === 0) return;
    const { core, commitIndex } = state;
    for (const [id, pending] of this.#pending) {
      const { change, index, term, reply } = pending;
      if (reply.settled) this.#pending.delete(id);
      else if (core.term === term && index !== null && change !== null) {
        const isCommitted = change.type === "add"
          ? commitIndex >= index
          : isConfigurationCommitted(core) && isDone(core.configuration, change);
        if (isCommitted) {
          this.#end(state, id, { status: "changed", members: membersOf(core.configuration) });
          continue;
        }
      }
      if (core.term !== term || core.role !== "leader") this.#end(state, id, { status: "lost" });
    }
  }

  #admit(state: State, change: MembershipChange | null, reply: Reply<AdminOutcome>): number | null {
    if (this.#pending.size >= ADMIN_PENDING_MAX) {
      state.ctx.fail(reply, new Overloaded("Cannot administrate: too many requests are under way"));
      return null;
    }
    const id = this.#nextId++;
    this.#pending.set(id, { reply, term: state.core.term, change, index: null });
    return id;
  }

  #end(state: State, id: number, outcome: AdminOutcome): void {
    const pending = this.#pending.get(id);
    if (pending === undefined) return;
    this.#pending.delete(id);
    if (!pending.reply.settled) state.ctx.replyEarly(pending.reply, outcome);
  }
}

function outcomeOf(result: TransferResult): AdminOutcome {
  switch (result.status) {
    case "moved":
      return { status: "moved", leader: result.to };
    case "timed-out":
      return { status: "refused", reason: "transfer-failed" };
    case "refused":
      return result.reason === "not-leader" || result.reason === "not-ready"
        ? { status: "not-now" }
        : { status: "refused", reason: result.reason };
  }
}

/** Whether `configuration` is what the change asks for, whoever made it so. */
function isDone(configuration: Configuration, change: MembershipChange): boolean {
  if (change.type === "remove") return !isMember(configuration, change.id);
  const { id, url, peer } = change.member;
  const address = configuration.addresses.find((member) => member.id === id);
  if (address === undefined || address.url !== url || address.peer !== peer) return false;
  const willVote = configuration.voters.includes(id) ||
    configuration.promoting.some((promotion) => promotion.id === id);
  return isMember(configuration, id) && willVote === change.voter;
}
