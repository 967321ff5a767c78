/**
 * The role changes that end a leadership or begin one (figure 4). Campaigning is in election.ts.
 *
 * @module
 */
import { appendAsLeader, type Core, resetElectionTimer, setTerm } from "./core.ts";
import { entryBytes } from "./entry_codec.ts";
import { refuseReads } from "./read_index.ts";
import { broadcast } from "./sending.ts";
import { trackMembers, trackNobody } from "./tracking.ts";
import { endTransfer } from "./transfer.ts";
import { EntryKind, type LogIndex, type NodeId, type Term } from "./types.ts";

const NO_DATA = new Uint8Array(0);

/**
 * Follows `leader` (null: nobody yet) in `term`, which is not below the present one, and gives `vote` if
 * there is one to give. A mere follower's election timer runs on: only a leader heard or a vote granted resets it (figure 2), or candidates with
 * stale logs could keep a good one from standing.
 */
export function becomeFollower(
  core: Core,
  term: Term,
  leader: NodeId | null,
  vote: NodeId | null = null,
): void {
  const changed = core.term !== term || core.leader !== leader;
  endTransfer(core, term > core.term);
  if (core.role !== "follower") resetElectionTimer(core);
  core.role = "follower";
  core.leader = leader;
  core.votes.clear();
  trackNobody(core);
  core.uncommittedBytes = 0;
  if (term > core.term || (vote !== null && vote !== core.vote)) setTerm(core, term, vote);
  if (changed) refuseReads(core);
}

/** Takes office: empties what it knows of followers and appends a no-op of its term (sections 5.2 and 8). */
export function becomeLeader(core: Core): void {
  // A vote of another came for a request that left after our term and vote were durable.
  core.termDurable = core.votes.size > 1;
  core.role = "leader";
  core.leader = core.id;
  core.votes.clear();
  const next = core.log.lastIndex + 1 as LogIndex;
  core.termStartIndex = next;
  core.reads.round = 0;
  core.stamps.handedOver = false;
  trackMembers(core);
  core.uncommittedBytes = 0;
  for (let index = core.commitIndex + 1; index < next; index++) {
    core.uncommittedBytes += entryBytes(core.log.entry(index as LogIndex));
  }
  appendAsLeader(core, EntryKind.NoOp, [NO_DATA]);
  broadcast(core);
}
