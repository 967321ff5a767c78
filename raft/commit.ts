/**
 * The leader's commit rule (sections 5.3 and 5.4.2).
 *
 * @module
 */
import { isConfigurationCommitted, tellConfiguration } from "./configuration.ts";
import { type Core, emit } from "./core.ts";
import { entryBytes } from "./entry_codec.ts";
import { quorumValue } from "./quorum.ts";
import type { LogIndex } from "./types.ts";

/**
 * Moves the commit index to the highest entry of this term that a quorum holds durably; true if it
 * moved. Entries of former terms are never committed by counting copies, only along with one of this
 * term (figure 8).
 */
export function advanceCommit(core: Core): boolean {
  const index = quorumValue(core.configuration, (voter) => {
    if (voter === core.id) return core.durableIndex;
    const peer = core.progress.get(voter);
    return peer !== undefined && peer.counts ? peer.match : 0;
  }) as LogIndex;
  if (index <= core.commitIndex || index < core.termStartIndex) return false;
  for (let at = core.commitIndex + 1; at <= index; at++) {
    core.uncommittedBytes -= entryBytes(core.log.entry(at as LogIndex));
  }
  setCommit(core, index);
  return true;
}

/** Whether a leader has committed an entry of its own term, and so knows what is committed (section 8). */
export function hasCommittedOwnTerm(core: Core): boolean {
  return core.commitIndex >= core.termStartIndex;
}

export function setCommit(core: Core, index: LogIndex): void {
  const wasSettled = isConfigurationCommitted(core);
  core.commitIndex = index;
  emit(core, { type: "commit", index });
  if (!wasSettled && isConfigurationCommitted(core)) tellConfiguration(core);
}
