/**
 * What must hold in one core after every step. Tests and the simulator call it; a running replica does
 * not pay for it. What must hold across replicas is for those to check.
 *
 * @module
 */
import { isElectable, latestConfiguration } from "./configuration.ts";
import type { Core } from "./core.ts";
import { entryBytes } from "./entry_codec.ts";
import { members } from "./quorum.ts";
import { InvariantError, type LogIndex } from "./types.ts";

/** @throws {InvariantError} naming the first rule that does not hold. */
export function checkInvariants(core: Core): void {
  const { log, commitIndex, durableIndex } = core;
  hold(core, commitIndex <= log.lastIndex, `commit ${commitIndex} is past the log's end`);
  hold(core, commitIndex >= log.baseIndex, `commit ${commitIndex} was cut off`);
  hold(core, durableIndex <= log.lastIndex, `durable ${durableIndex} is past the log's end`);
  hold(core, log.lastTerm <= core.term, `the log ends in the later term ${log.lastTerm}`);
  hold(core, core.outbox.length === 0, "effects were left behind");
  const follows = core.role === "follower";
  hold(core, follows || !core.damaged, "a damaged replica campaigns");
  hold(core, follows || isElectable(core), "a non-voter campaigns");
  hold(core, (core.role === "leader") === (core.leader === core.id), `its leader: ${core.leader}`);
  hold(core, follows || core.role === "pre-candidate" || core.vote === core.id, "no own vote");
  const latest = latestConfiguration(core);
  hold(core, core.configuration === latest.configuration, "its configuration is not the latest");
  hold(core, latest.index <= log.lastIndex, `configuration ${latest.index} is past the log's end`);
  if (core.role === "leader") checkLeader(core);
  else {
    const tracked = core.progress.size + core.departed.size + core.promotions.size;
    hold(core, tracked === 0, "a follower keeps progress");
    hold(core, core.transfer === null, "a follower hands over");
    const { confirming, waiting } = core.reads;
    hold(core, confirming.length + waiting.length === 0, "a follower confirms reads");
  }
}

function checkLeader(core: Core): void {
  const { log, reads, limits } = core;
  hold(core, reads.asked.size === 0, "a leader asks for reads");
  const started = core.termStartIndex;
  hold(
    core,
    started <= log.baseIndex || log.term(started) === core.term,
    "its first entry is of another term",
  );
  let uncommittedBytes = 0;
  for (let index = core.commitIndex + 1; index <= log.lastIndex; index++) {
    uncommittedBytes += entryBytes(log.entry(index as LogIndex));
  }
  hold(core, core.uncommittedBytes === uncommittedBytes, `uncommitted ${core.uncommittedBytes}`);
  for (const id of members(core.configuration)) {
    hold(core, id === core.id || core.progress.has(id), `no progress of ${id}`);
  }
  for (const peer of core.progress.values()) {
    const at = `progress of ${peer.id}:`;
    hold(core, peer.match < peer.next, `${at} match ${peer.match}, next ${peer.next}`);
    hold(core, peer.next <= log.lastIndex + 1, `${at} next ${peer.next} is past the log's end`);
    hold(core, !peer.probing || peer.inflight.count === 0, `${at} probing with appends in flight`);
    hold(core, peer.inflight.count <= limits.inflightMessagesMax, `${at} the window is overrun`);
    hold(core, peer.next > log.baseIndex, `${at} next ${peer.next} was cut off`);
    hold(core, !peer.paused || (peer.probing && peer.probeSent), `${at} paused, but not probed`);
    hold(core, peer.stamp <= core.ticks, `${at} stamp ${peer.stamp} is to come`);
    hold(core, peer.round <= peer.roundSent, `${at} round ${peer.round} was not asked`);
    hold(core, peer.roundSent <= reads.round, `${at} round ${peer.roundSent} has not begun`);
  }
}

function hold(core: Core, condition: boolean, what: string): void {
  if (!condition) {
    throw new InvariantError(`Broken in ${core.id}, ${core.role} of term ${core.term}: ${what}`);
  }
}
