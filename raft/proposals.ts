/**
 * Commands on their way into the log: appended by the leader, sent on by followers (section 8,
 * "clients"; thesis 6.2), refused otherwise.
 *
 * Not here: what became of a command. A forwarded one may be lost, or appended twice if it is sent
 * again; sessions in the state machine deal with both.
 *
 * @module
 */
import { appendAsLeader, type Core, emit, send } from "./core.ts";
import { ENTRY_HEADER_BYTES } from "./entry_codec.ts";
import type { Forward } from "./message.ts";
import { isVoter } from "./quorum.ts";
import { broadcast } from "./sending.ts";
import { EntryKind, type LogIndex, type NodeId } from "./types.ts";

/** Commands of this node's clients. All of them share one outcome. */
export function propose(core: Core, commands: readonly Uint8Array[]): void {
  const count = commands.length;
  if (count === 0) return;
  if (core.role === "leader") {
    if (takesProposals(core) && hasRoom(core, commands)) {
      const firstIndex = core.log.lastIndex + 1 as LogIndex;
      append(core, commands);
      emit(core, { type: "accepted", firstIndex, count, term: core.term });
      return;
    }
  } else if (core.leader !== null) {
    forward(core, core.leader, commands);
    emit(core, { type: "forwarded", to: core.leader, count });
    return;
  }
  emit(core, { type: "refused", count });
}

/** Commands from a follower. Who does not lead its term drops them: sent on again, they could circle. */
export function onForward(core: Core, { term, commands }: Forward): void {
  if (core.role !== "leader" || term !== core.term || commands.length === 0) return;
  if (takesProposals(core) && hasRoom(core, commands)) append(core, commands);
}

/** A leader that hands over, or leaves with its configuration, must not run ahead of the next one. */
function takesProposals(core: Core): boolean {
  return core.transfer === null && isVoter(core.configuration, core.id);
}

function append(core: Core, commands: readonly Uint8Array[]): void {
  appendAsLeader(core, EntryKind.Command, commands);
  broadcast(core);
}

/** A batch above the limit still gets its turn, when nothing else is uncommitted. */
function hasRoom(core: Core, commands: readonly Uint8Array[]): boolean {
  if (core.uncommittedBytes === 0) return true;
  let bytes = core.uncommittedBytes;
  for (const command of commands) bytes += ENTRY_HEADER_BYTES + command.length;
  return bytes <= core.limits.uncommittedBytesMax;
}

function forward(core: Core, leader: NodeId, commands: readonly Uint8Array[]): void {
  const { forwardBytesMax } = core.limits;
  let start = 0;
  let bytes = 0;
  for (let i = 0; i <= commands.length; i++) {
    const size = i < commands.length ? commands[i].length : Infinity;
    if (i > start && bytes + size > forwardBytesMax) {
      const chunk = start === 0 && i === commands.length ? commands : commands.slice(start, i);
      send(core, leader, { type: "forward", term: core.term, commands: chunk }, true);
      start = i;
      bytes = 0;
    }
    bytes += size;
  }
}
