/**
 * How a node gets into a running cluster: over HTTP, by asking any of its nodes.
 *
 * Not here: what being a member means. A node that was taken in is a learner until it has caught up,
 * which is the leader's business.
 *
 * @module
 */
import { UsageError } from "./args.ts";
import type { NodeConfig } from "./config.ts";
import { answerJson, CallFailed, type ClusterClient, jsonCall } from "./kvctl/client.ts";
import { JOIN_PAUSE_MS } from "./limits.ts";
import { isMember, type Member } from "./members_file.ts";
import { pause } from "./pause.ts";
import { hostAndPort } from "./peers.ts";

/** A member with the part that it plays. */
export interface RankedMember extends Member {
  readonly role: string;
}

/** A running cluster, as one of its nodes sees it. */
export interface Target {
  readonly clusterId: string;
  readonly members: readonly RankedMember[];
}

/** The cluster will not have this node, however often it asks. */
export class JoinRefused extends UsageError {
  override readonly name = "JoinRefused";

  constructor(message: string) {
    super([message]);
  }
}

/**
 * Asks who the members are.
 *
 * @throws {CallFailed}
 */
export async function askTarget(client: ClusterClient): Promise<Target> {
  const content = answerJson(await client.call({ method: "GET", path: "/v1/cluster" }));
  const { clusterId, members } = (content ?? {}) as Record<string, unknown>;
  if (typeof clusterId === "string" && Array.isArray(members) && members.every(isMember)) {
    return { clusterId, members: members as RankedMember[] };
  }
  throw new CallFailed("unexpected", null, "the answer is not a Kvorum node's view of its cluster");
}

/**
 * Makes sure that the cluster to be joined is the one that was meant.
 *
 * @throws {JoinRefused}
 */
export function requireCluster(target: Target, clusterId: string | null): void {
  if (clusterId === null || target.clusterId === clusterId) return;
  throw new JoinRefused(`the cluster to join is ${target.clusterId}, not ${clusterId}`);
}

/** What a node on an empty directory brings along. */
export interface Candidate {
  readonly config: NodeConfig;
  readonly client: ClusterClient;
  /** Called before this node asks to be taken in, so that it can be known later that it did. */
  readonly onAsk: (target: Target) => void;
  /** Takes a sentence when what is waited for changes. */
  readonly say: (text: string) => void;
  readonly signal: AbortSignal;
}

/**
 * Asks to be taken in until the cluster has done so; waits while it has no leader, or another change
 * is under way.
 *
 * @returns the cluster with this node in it; null if `signal` ended the wait.
 * @throws {JoinRefused}
 */
export async function joinCluster(candidate: Candidate): Promise<Target | null> {
  let said = "";
  while (!candidate.signal.aborted) {
    const outcome = await tryToJoin(candidate);
    if (typeof outcome !== "string") return outcome;
    if (outcome !== said) candidate.say(outcome);
    said = outcome;
    await pause(JOIN_PAUSE_MS, candidate.signal);
  }
  return null;
}

/** One attempt; gives what has to pass before the next one if it came to nothing. */
async function tryToJoin({ config, client, onAsk }: Candidate): Promise<Target | string> {
  const { self, joining, clusterId } = config;
  if (joining === null) throw new Error(`Cannot join: ${config.id} founds its cluster`);
  const member = { id: self.id, url: self.url, peer: hostAndPort(self.peerHost, self.peerPort) };
  try {
    const target = await askTarget(client);
    requireCluster(target, clusterId);
    const present = target.members.find(({ id }) => id === self.id);
    if (present !== undefined) {
      requireBlank(present, member);
      onAsk(target);
      return target;
    }
    onAsk(target);
    const request = {
      ...member,
      role: joining.role,
      clusterId: target.clusterId,
      ...(joining.replaces === null ? {} : { replaces: joining.replaces }),
    };
    const answer = answerJson(await client.call(jsonCall("POST", "/v1/cluster/members", request)));
    const { members } = (answer ?? {}) as Record<string, unknown>;
    if (Array.isArray(members) && members.every(isMember)) {
      return { clusterId: target.clusterId, members: members as RankedMember[] };
    }
    return "the answer is not a Kvorum node's";
  } catch (error) {
    if (error instanceof CallFailed && passes(error)) return error.message;
    if (error instanceof CallFailed) throw new JoinRefused(error.message);
    throw error;
  }
}

/** A learner counts for nothing, so it may begin with nothing. A voter may not: it may have acknowledged much. */
function requireBlank(present: RankedMember, member: Member): void {
  if (present.url !== member.url || present.peer !== member.peer) {
    throw new JoinRefused(
      `${member.id} is a member already, at ${present.url} and ${present.peer}: not this node`,
    );
  }
  if (present.role === "learner" || present.role === "joining") return;
  throw new JoinRefused(
    `${member.id} is a voter already, and this directory has nothing of what it acknowledged: ` +
      `remove it first (kvctl members remove ${member.id})`,
  );
}

/** Whether the same request may be taken later. */
function passes({ code, status }: CallFailed): boolean {
  // The view that said it was no member was old, or an earlier attempt came through: the next look tells.
  if (code === "member-exists" || code === "change-in-progress") return true;
  return status === null || status >= 500;
}
