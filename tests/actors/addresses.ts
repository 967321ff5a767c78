/** Where the members of a virtual cluster are: nowhere, but under names that differ. */
import { type NodeAddress, nodeId } from "../../raft/types.ts";

export function addressOf(id: string): NodeAddress {
  return { id: nodeId(id), url: `http://${id}`, peer: `${id}:1` };
}
