/**
 * Nothing is sent that its receiver would take for noise or an attack and ignore, for ever if need be.
 *
 * @module
 */
import { Broken, type Invariant } from "./invariant.ts";
import type { PeerMessage } from "../../../raft/message.ts";
import type { NodeId } from "../../../raft/types.ts";
import { isWellFormed } from "../../../raft/validate.ts";
import type { Machine } from "../machine.ts";

export class WellFormed implements Invariant {
  readonly name = "well-formed";

  sent({ id }: Machine, to: NodeId, message: PeerMessage): void {
    switch (message.type) {
      case "admin-request":
      case "admin-reply":
      case "hash-report":
        return; // Not the protocol's.
    }
    if (isWellFormed(message)) return;
    throw new Broken(`${id} sends ${to} a ${message.type} that is not well-formed`);
  }
}
