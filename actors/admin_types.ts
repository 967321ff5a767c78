/**
 * What administration says between a node, its replica and the leader's node.
 *
 * @module
 */
import type { MemberStatus } from "./service.ts";
import { members } from "../raft/quorum.ts";
import type {
  ChangeRefusal,
  Configuration,
  MembershipChange,
  NodeId,
  TransferRefusal,
} from "../raft/types.ts";

/** What only the leader can do. */
export type AdminCommand =
  | {
    readonly op: "change";
    readonly change: MembershipChange;
    /** An earlier attempt may have happened: what this asks for, found done, is a success. */
    readonly retried: boolean;
  }
  | { readonly op: "transfer"; readonly to: NodeId | null };

/** Why nothing was changed, for good reasons. */
export type AdminRefusalOfCore =
  | Exclude<ChangeRefusal | TransferRefusal, "not-leader" | "not-ready">
  | "transfer-failed";

/** Each of them in words. */
export const REFUSALS: Readonly<Record<AdminRefusalOfCore, string>> = {
  "change-in-progress": "another change of members is in progress",
  "member-exists": "there is a member of this id",
  "address-in-use": "another member has this peer address or URL",
  "unknown-member": "there is no such member",
  "last-voter": "nobody would be left to vote",
  "quorum-unreachable": "no majority of those that would be left to vote can be reached",
  "transfer-in-progress": "leadership is being handed over already",
  "not-a-voter": "it does not vote",
  "target-unreachable": "the leader has not heard of it lately",
  "target-lagging": "its log is too far behind",
  "transfer-failed": "it did not take over in time",
};

/** What became of a command at the replica that was asked. */
export type AdminOutcome =
  /** Committed: these are the members now. */
  | { readonly status: "changed"; readonly members: readonly MemberStatus[] }
  | { readonly status: "moved"; readonly leader: NodeId }
  | { readonly status: "refused"; readonly reason: AdminRefusalOfCore }
  /** Certainly not done: another node leads, or this one cannot yet. */
  | { readonly status: "not-now" }
  /** The leadership was lost in between: it may have been done, or still be. */
  | { readonly status: "lost" };

/**
 * The members of a configuration, as operators see them.
 *
 * @param votersBefore the voters of the last configuration that was committed and not joint; null if that is not
 * known. A voter that is none of them cannot be counted on yet: without it, they alone decide.
 */
export function membersOf(
  configuration: Configuration,
  votersBefore: readonly NodeId[] | null = null,
): MemberStatus[] {
  const { voters, votersOutgoing, addresses } = configuration;
  const counted = votersBefore ?? (votersOutgoing.length === 0 ? voters : votersOutgoing);
  const byId = new Map(addresses.map((address) => [address.id, address]));
  return members(configuration).map((id) => ({
    id,
    url: byId.get(id)?.url ?? "",
    peer: byId.get(id)?.peer ?? "",
    role: roleOf(configuration, id, counted),
  }));
}

function roleOf(
  { voters, votersOutgoing, promoting }: Configuration,
  id: NodeId,
  counted: readonly NodeId[],
): MemberStatus["role"] {
  if (voters.includes(id)) return counted.includes(id) ? "voter" : "joining";
  if (votersOutgoing.includes(id)) return "leaving";
  return promoting.some((promotion) => promotion.id === id) ? "joining" : "learner";
}
