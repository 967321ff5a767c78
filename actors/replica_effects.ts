/**
 * Carrying out what the core asks for: the one place that knows every effect.
 *
 * @module
 */
import type { State } from "./replica_state.ts";
import type { Effect } from "../raft/effect.ts";
import { step } from "../raft/step.ts";
import type { LogIndex } from "../raft/types.ts";

type EffectOf<T extends Effect["type"]> = Extract<Effect, { type: T }>;

/**
 * Carries out effects in order. Answers whether proposals among them may have reached a leader: if
 * any message that forwards them was taken by the transport, all of them count as handed over.
 */
export function perform(state: State, effects: readonly Effect[]): boolean {
  let handedOver = false;
  state.options.observer?.stepped(state, effects);
  for (const effect of effects) {
    switch (effect.type) {
      case "persist":
        onPersist(state, effect);
        break;
      case "send":
        handedOver = onSend(state, effect) || handedOver;
        break;
      case "commit":
        state.commitIndex = effect.index;
        break;
      case "read-ready":
        // How another node confirmed it, its answer does not say.
        state.reads.confirmed(effect.id, effect.index, state.core.role !== "leader");
        break;
      case "read-refused":
        state.reads.refused(effect.id);
        break;
      case "accepted":
        handedOver = true;
        break;
      case "forwarded": // Whether the transport took it is what counts.
      case "refused":
        break;
      case "status":
        onStatus(state, effect);
        break;
      case "repaired":
        state.turn.repaired = true;
        state.options.onEvent({ type: "repaired" });
        break;
      case "configuration":
        state.options.onEvent(effect);
        break;
      case "change-result":
        state.administration.changeResult(state, effect.id, effect.result);
        break;
      case "transfer-result":
        state.administration.transferResult(state, effect.id, effect.result);
        break;
      case "snapshot-needed":
        state.sending.needed(state, effect.to);
        break;
      case "snapshot-reply":
        state.sending.replied(state, effect.from, effect.reply);
        break;
      case "snapshot-chunk":
        state.receiving.arrived(state, effect.from, effect.chunk);
        break;
    }
  }
  return handedOver;
}

/** Proposes a command of the system's own; gives its index if this node leads and takes it, else null. */
export function proposeAsLeader(state: State, command: Uint8Array): LogIndex | null {
  if (state.core.role !== "leader") return null;
  const timeMs = state.clock.nowMs();
  const effects = step(state.core, { type: "propose", commands: [command], timeMs });
  perform(state, effects);
  const accepted = effects.find((effect) => effect.type === "accepted");
  return accepted === undefined ? null : accepted.firstIndex;
}

function onPersist(state: State, effect: EffectOf<"persist">): void {
  state.turn.persist(effect);
  const from = effect.truncateFrom;
  if (from !== null) state.durableIndex = Math.min(state.durableIndex, from - 1) as LogIndex;
}

/** True if proposals went out with it. */
function onSend(state: State, { to, message, early }: EffectOf<"send">): boolean {
  if (!early) {
    state.turn.hold(to, message);
    return false;
  }
  return state.outbox.post(to, message) && message.type === "forward";
}

function onStatus(state: State, { role, term, leader }: EffectOf<"status">): void {
  const isNews = leader !== state.leaderKnown || term !== state.leaderTerm;
  state.leaderKnown = leader;
  state.leaderTerm = term;
  if (isNews && leader !== null) {
    state.proposals.leaderChanged();
    state.reads.askAgain();
  }
  state.options.onEvent({ type: "role", role, term, leader });
}
