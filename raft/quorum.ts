/**
 * Majorities over a configuration. In a joint configuration both sets of voters must agree (section 6);
 * learners never count.
 *
 * @module
 */
import type { Configuration, NodeId } from "./types.ts";

export type VoteResult = "won" | "lost" | "pending";

/** What a majority needs of `size` voters. */
export function majority(size: number): number {
  return Math.floor(size / 2) + 1;
}

export function isVoter(configuration: Configuration, id: NodeId): boolean {
  return configuration.voters.includes(id) || configuration.votersOutgoing.includes(id);
}

export function isMember(configuration: Configuration, id: NodeId): boolean {
  return isVoter(configuration, id) || configuration.learners.includes(id);
}

/** Whether nobody else votes. */
export function isOnlyVoter({ voters, votersOutgoing }: Configuration, id: NodeId): boolean {
  const isId = (voter: NodeId) => voter === id;
  return voters.length > 0 && voters.every(isId) && votersOutgoing.every(isId);
}

/** Everybody in it, once. */
export function members(configuration: Configuration): NodeId[] {
  const { voters, votersOutgoing, learners } = configuration;
  return [...new Set([...voters, ...votersOutgoing, ...learners])];
}

/** What the votes given so far (true: granted) come to. */
export function voteResult(
  configuration: Configuration,
  votes: ReadonlyMap<NodeId, boolean>,
): VoteResult {
  const incoming = voteResultOf(configuration.voters, votes);
  if (configuration.votersOutgoing.length === 0) return incoming;
  const outgoing = voteResultOf(configuration.votersOutgoing, votes);
  if (incoming === "lost" || outgoing === "lost") return "lost";
  return incoming === "won" && outgoing === "won" ? "won" : "pending";
}

function voteResultOf(
  voters: readonly NodeId[],
  votes: ReadonlyMap<NodeId, boolean>,
): VoteResult {
  let granted = 0;
  let refused = 0;
  for (const voter of voters) {
    const vote = votes.get(voter);
    if (vote === true) granted++;
    else if (vote === false) refused++;
  }
  const needed = majority(voters.length);
  if (granted >= needed) return "won";
  return voters.length - refused < needed ? "lost" : "pending";
}

/**
 * The highest number that a quorum has reached: the commit index when `valueOf` gives each voter's match
 * index. Without any voter nothing is ever reached, which is -Infinity.
 */
export function quorumValue(
  configuration: Configuration,
  valueOf: (voter: NodeId) => number,
): number {
  const incoming = quorumValueOf(configuration.voters, valueOf);
  if (configuration.votersOutgoing.length === 0) return incoming;
  return Math.min(incoming, quorumValueOf(configuration.votersOutgoing, valueOf));
}

function quorumValueOf(voters: readonly NodeId[], valueOf: (voter: NodeId) => number): number {
  if (voters.length === 0) return -Infinity;
  const values: number[] = [];
  for (const voter of voters) {
    const value = valueOf(voter);
    // Insertion in descending order: voters are few.
    let at = values.push(value) - 1;
    for (; at > 0 && values[at - 1] < value; at--) values[at] = values[at - 1];
    values[at] = value;
  }
  return values[majority(voters.length) - 1];
}
