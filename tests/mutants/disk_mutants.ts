/**
 * Bugs in what is done about a disk that lost something: noticed, told, kept, and kept out of quorums.
 *
 * @module
 */
import { type Mutant, testsOf } from "./mutant.ts";

const MARK = "tests/storage/mark_test.ts";
const MINORITY = "tests/disk/minority_test.ts";
const MAJORITY = "tests/disk/majority_test.ts";
const OUTCAST = "tests/raft/outcast_test.ts";

export const DISK_MUTANTS: readonly Mutant[] = [
  {
    name: "wiped-node-stands-as-a-last-resort",
    breaks: "nodes that were wiped together do not begin anew (decision 0017)",
    file: "raft/election.ts",
    find: "if (core.damaged || isBlank(core) || !isElectable(core)) return;",
    replace: "if (core.damaged || !isElectable(core)) return;",
    caughtBy: testsOf(
      OUTCAST,
      "step() lets an outcast without a log neither stand, not even in the end, nor vote",
    ),
  },
  {
    name: "wiped-node-votes",
    breaks: "nodes that were wiped together do not begin anew (decision 0017)",
    file: "raft/election.ts",
    find: "if (core.damaged || isBlank(core) || members(core.configuration).length === 0) return;",
    replace: "if (core.damaged || members(core.configuration).length === 0) return;",
    caughtBy: testsOf(
      OUTCAST,
      "step() lets an outcast without a log neither stand, not even in the end, nor vote",
    ),
  },
  {
    name: "outcast-not-told-to-the-core",
    breaks: "nodes that were wiped together do not begin anew (decision 0017)",
    file: "actors/disk_full.ts",
    find: "standing: !outcast && !disk.isFull, outcast };",
    replace: "standing: !outcast && !disk.isFull };",
    caughtBy: testsOf(
      MAJORITY,
      "disk: a wiped directory, at 2 of 3: the cluster halts, says so, and does not lie",
    ),
  },
  {
    name: "damaged-opening-deletes",
    breaks: "nothing of damaged data is deleted before it is repaired (bug 9)",
    file: "storage/kv_log_store.ts",
    find: "if (!damaged) {\n      garbage.add(remove.log, log.garbage);",
    replace: "{\n      garbage.add(remove.log, log.garbage);",
    caughtBy: testsOf(
      MARK,
      "open() on damaged data deletes nothing that may be found missing, until it is repaired",
    ),
  },
  {
    name: "older-mark-believed",
    breaks: "a mark that is behind its log by more than a crash leaves is damage (bug 8)",
    file: "storage/mark.ts",
    find: "if (log.seq > state.seq + 1) {",
    replace: "if (false) {",
    caughtBy: testsOf(
      MINORITY,
      "disk: an older copy of the mark alone, at 1 of 3: the replica refuses, is repaired, and serves again",
    ),
  },
  {
    name: "damage-not-told",
    breaks: "a damaged replica says what it lacks",
    file: "actors/replica_state.ts",
    find: "damage: core.damaged ? damage : null,",
    replace: "damage: null,",
    caughtBy: testsOf(
      MINORITY,
      "disk: a log without its mark, at 1 of 3: the replica refuses, is repaired, and serves again",
    ),
  },
  {
    name: "repair-promised-without-a-leader",
    breaks: "a cluster that is halted says so",
    file: "actors/node_calls.ts",
    find: "whyDamaged(replica.damage, replica.leader !== null)",
    replace: "whyDamaged(replica.damage, true)",
    caughtBy: testsOf(
      MAJORITY,
      "disk: a log without its mark, at 3 of 3: the cluster halts, says so, and does not lie",
    ),
  },
  {
    name: "halt-not-told",
    breaks: "a cluster that is halted says so",
    file: "actors/halt.ts",
    find: "    this.#onHalted(why);\n",
    replace: "",
    caughtBy: testsOf(
      MAJORITY,
      "disk: a log without its mark, at 2 of 3: the cluster halts, says so, and does not lie",
    ),
  },
  {
    name: "vote-of-a-damaged-log-from-its-mark",
    breaks: "a damaged log goes on from the newer vote of log and mark (bug 1)",
    file: "storage/mark.ts",
    find: "const newer = a.term > b.term || (a.term === b.term && b.vote === null) ? a : b;",
    replace: "const newer = b;",
    caughtBy: testsOf(
      "tests/storage/mark_test.ts",
      "resumeDamaged() goes on from the newer term and vote of log and mark: no vote is given twice",
    ),
  },
  {
    name: "mark-of-a-newer-format-taken-for-broken",
    breaks: "a whole log is not damaged because an older version opens it",
    file: "storage/mark.ts",
    find: "if (!(error instanceof CorruptLog)) throw error;\n      broken = true;",
    replace: "broken = true;",
    caughtBy: testsOf(
      "tests/storage/mark_test.ts",
      "readSlots() refuses a mark of a newer format: it does not take it for a broken one",
    ),
  },
  {
    name: "failure-to-keep-a-chunk-passed-over",
    breaks: "a disk that fails ends the replica's life, also while it receives a snapshot",
    file: "actors/snapshot_receiving.ts",
    find: "} else if (!isGone(error)) throw error;",
    replace: "}",
    caughtBy: testsOf(
      "tests/actors/snapshot_transfer_test.ts",
      "snapshot transfer: a disk that fails in the middle of it ends the receiver's life, and the next goes on",
    ),
  },
  {
    name: "end-of-the-log-half-checked",
    breaks: "a log is only built on if it ends with the entries that its state says",
    file: "storage/recovery.ts",
    find: "if (end.lastIndex !== expected.lastIndex || !sameChain(end.chain, expected.chain)) {",
    replace: "if (end.lastIndex !== expected.lastIndex) {",
    caughtBy: testsOf(
      "tests/storage/disk_test.ts",
      "open() refuses a log that ends where its state says, but with other entries",
    ),
  },
];
