/** Where the members of a virtual cluster are: nowhere, but under names that differ. */
import { type MemberAddress, nodeId } from "../../raft/types.ts";

export function addressOf(id: string): MemberAddress {
  return { id: nodeId(id), url: `http://${id}`, peer: `${id}:1` };
}
