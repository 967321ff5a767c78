/**
 * How a replica whose disk lost acknowledged data becomes whole again. The argument for its safety is
 * in docs/decisions/0003-raft-core.md.
 *
 * It started one term above all it remembers (createCore), so whoever leads now was elected after the
 * loss and without its vote. It neither votes nor stands, and its answers say that they do not count.
 *
 * @module
 */
import { type Core, emit, setTerm } from "./core.ts";
import type { LogIndex } from "./types.ts";

/**
 * Declares a damaged follower whole once it holds the entry at the leader's commit index, and that is
 * of the leader's own term. Only this leader made entries of its term, so the logs are equal up to there
 * (log matching), and there lies every entry that this replica can have helped to commit. With its
 * health it takes up its vote, and gives it to the leader at once, so that no vote it may have forgotten
 * can be given a second time.
 */
export function repairIfComplete(core: Core, leaderCommit: LogIndex): void {
  if (!core.damaged || !core.log.matches(leaderCommit, core.term)) return;
  core.damaged = false;
  setTerm(core, core.term, core.leader);
  emit(core, { type: "repaired" });
}
