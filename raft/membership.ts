/**
 * How the membership changes: by joint consensus whenever voters change (section 6, thesis 4.3), in one
 * plain entry for a learner.
 *
 * One change at a time, and it is under way until its last entry is committed. The leader appends the
 * joint configuration, by itself the new one once that is committed, and leaves office once that is
 * committed if it is not in it.
 *
 * Not here: when a learner has caught up (promotion.ts).
 *
 * @module
 */
import { hasCommittedOwnTerm } from "./commit.ts";
import { isConfigurationCommitted, isJoint } from "./configuration.ts";
import { encodeConfiguration } from "./configuration_codec.ts";
import { appendAsLeader, type Core, emit } from "./core.ts";
import { DEPARTURE_TIMEOUTS } from "./limits.ts";
import type { AppendReply } from "./message.ts";
import { isMember, isVoter, majority } from "./quorum.ts";
import { broadcast } from "./sending.ts";
import { retire } from "./stepping_down.ts";
import { trackMembers } from "./tracking.ts";
import {
  type ChangeRefusal,
  type Configuration,
  EntryKind,
  type LogIndex,
  type MembershipChange,
  type NodeId,
} from "./types.ts";

/** A change that an operator asked for; `change-result` answers. */
export function changeMembership(core: Core, id: number, change: MembershipChange): void {
  const reason = refusalOf(core, change);
  if (reason !== null) {
    emit(core, { type: "change-result", id, result: { status: "refused", reason } });
    return;
  }
  const index = core.log.lastIndex + 1 as LogIndex;
  appendConfiguration(core, changed(core.configuration, change, index));
  emit(core, { type: "change-result", id, result: { status: "appended", index } });
}

/** Whether a leader may begin a change of any kind now. */
export function mayChange(core: Core): boolean {
  return canChange(core) && isSettled(core);
}

/**
 * Before an entry of its own term is committed, a leader may not know what a former one has half
 * changed (Ongaro 2015, on single-server changes); with a handover ahead, the next leader would lack
 * the entry and not be elected.
 */
function canChange(core: Core): boolean {
  return hasCommittedOwnTerm(core) && core.transfer === null;
}

function isSettled(core: Core): boolean {
  return isConfigurationCommitted(core) && !isJoint(core.configuration);
}

function refusalOf(core: Core, change: MembershipChange): ChangeRefusal | null {
  if (core.role !== "leader") return "not-leader";
  if (!canChange(core)) return "not-ready";
  if (!isSettled(core)) return "change-in-progress";
  const { configuration } = core;
  if (change.type === "remove") {
    if (!isMember(configuration, change.id)) return "unknown-member";
    if (!configuration.voters.includes(change.id)) return null;
    const rest = configuration.voters.filter((voter) => voter !== change.id);
    if (rest.length === 0) return "last-voter";
    return isReachable(core, rest) ? null : "quorum-unreachable";
  }
  const { member, replaces } = change;
  if (isMember(configuration, member.id)) return "member-exists";
  const isUsed = configuration.addresses.some(({ url, peer }) => {
    return url === member.url || peer === member.peer;
  });
  if (isUsed) return "address-in-use";
  if (replaces === null) return null;
  if (!configuration.voters.includes(replaces)) return "unknown-member";
  const isTaken = configuration.promoting.some((each) => each.replaces === replaces);
  return isTaken ? "change-in-progress" : null;
}

/**
 * Whether a majority of `voters` has answered within an election timeout (or may yet, in a leader's first
 * one). A joint step towards voters that do not answer could neither be finished nor taken back.
 */
export function isReachable(core: Core, voters: readonly NodeId[]): boolean {
  let heard = 0;
  for (const voter of voters) {
    const heardTick = voter === core.id ? core.ticks : core.progress.get(voter)?.heardTick;
    if (heardTick !== undefined && core.ticks - heardTick < core.limits.electionTicks) heard++;
  }
  return heard >= majority(voters.length);
}

/** The configuration after the first entry of a change, which stands at `index`. */
function changed(
  configuration: Configuration,
  change: MembershipChange,
  index: LogIndex,
): Configuration {
  if (change.type === "remove") {
    const { id } = change;
    if (configuration.learners.includes(id)) return withoutLearner(configuration, id);
    return joint(configuration, configuration.voters.filter((voter) => voter !== id));
  }
  const { member, voter, replaces } = change;
  const { learners, promoting, addresses } = configuration;
  return {
    ...configuration,
    learners: [...learners, member.id],
    promoting: voter ? [...promoting, { id: member.id, replaces }] : promoting,
    addresses: [...addresses, { ...member, since: index }],
  };
}

function withoutLearner(configuration: Configuration, id: NodeId): Configuration {
  return withoutStrangers({
    ...configuration,
    learners: configuration.learners.filter((each) => each !== id),
  });
}

/** C_old,new: both sets of voters must agree. A voter that leaves can no longer be replaced by another. */
function joint(configuration: Configuration, voters: readonly NodeId[]): Configuration {
  const promoting = configuration.promoting.map((each) => {
    return each.replaces === null || voters.includes(each.replaces)
      ? each
      : { ...each, replaces: null };
  });
  return { ...configuration, voters, votersOutgoing: configuration.voters, promoting };
}

/** C_old,new in which a learner becomes a voter, and the one that it replaces leaves. */
export function withPromoted(configuration: Configuration, id: NodeId): Configuration {
  const promotion = configuration.promoting.find((each) => each.id === id);
  const stay = configuration.voters.filter((voter) => voter !== promotion?.replaces);
  const rest = {
    ...configuration,
    learners: configuration.learners.filter((each) => each !== id),
    promoting: configuration.promoting.filter((each) => each.id !== id),
  };
  return joint(rest, [...stay, id]);
}

/** C_new, the end of a joint configuration. */
function withoutOutgoing(configuration: Configuration): Configuration {
  return withoutStrangers({ ...configuration, votersOutgoing: [] });
}

function withoutStrangers(configuration: Configuration): Configuration {
  return {
    ...configuration,
    promoting: configuration.promoting.filter(({ id }) => configuration.learners.includes(id)),
    addresses: configuration.addresses.filter(({ id }) => isMember(configuration, id)),
  };
}

export function appendConfiguration(core: Core, configuration: Configuration): void {
  appendAsLeader(core, EntryKind.Configuration, [encodeConfiguration(configuration)]);
  trackMembers(core);
  broadcast(core);
}

/** Takes the next step of what is under way, if the last one is committed. */
export function advanceMembership(core: Core): void {
  if (core.role !== "leader" || !hasCommittedOwnTerm(core)) return;
  if (!isConfigurationCommitted(core)) return;
  for (const departure of core.departed.values()) departure.committedTick ??= core.ticks;
  if (isJoint(core.configuration)) {
    if (core.transfer === null) appendConfiguration(core, withoutOutgoing(core.configuration));
  } else if (!isVoter(core.configuration, core.id)) {
    retire(core);
  }
}

/** On each tick of a leader: goes on where a transfer held a change up, and forgets who left long ago. */
export function tickMembership(core: Core): void {
  advanceMembership(core);
  const graceTicks = DEPARTURE_TIMEOUTS * core.limits.electionTicks;
  for (const [id, { committedTick }] of core.departed) {
    if (committedTick !== null && core.ticks - committedTick >= graceTicks) forget(core, id);
  }
}

/** Whoever left is fed until it has acknowledged a message that told it so. */
export function releaseDeparted(core: Core, from: NodeId, reply: AppendReply): void {
  const departure = core.departed.get(from);
  if (departure === undefined || departure.committedTick === null || !reply.success) return;
  // What was sent in a later tick carried that commit index, and the reply says how much came with it.
  if (reply.index >= departure.index && reply.stamp > departure.committedTick) forget(core, from);
}

function forget(core: Core, id: NodeId): void {
  core.departed.delete(id);
  core.progress.delete(id);
}
