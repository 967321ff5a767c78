/** The members of a virtual cluster: nowhere, but under addresses that differ, and how they ask to be let in. */
import type { MemberRequest } from "../../actors/service.ts";
import { type NodeAddress, nodeId } from "../../raft/types.ts";

export function addressOf(id: string): NodeAddress {
  return { id: nodeId(id), url: `http://${id}`, peer: `${id}:1` };
}

/** Asks for a member at its address: a voter, unless `changes` say something else. */
export function memberRequest(id: string, changes: Partial<MemberRequest> = {}): MemberRequest {
  const { url, peer } = addressOf(id);
  return { id, url, peer, role: "voter", replaces: null, clusterId: null, ...changes };
}
