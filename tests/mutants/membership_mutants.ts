/**
 * Bugs in changes of membership, transfers, snapshots and compaction, as far as the core decides them.
 *
 * @module
 */
import { type Mutant, testsOf } from "./mutant.ts";

const MEMBERSHIP = "tests/raft/membership_test.ts";
const REMOVAL = "tests/raft/removal_test.ts";
const TRANSFER = "tests/raft/transfer_test.ts";
const SNAPSHOT = "tests/raft/snapshot_test.ts";
const COMPACTION = "tests/raft/compaction_test.ts";

export const MEMBERSHIP_MUTANTS: readonly Mutant[] = [
  {
    name: "joint-commit-by-one-majority",
    breaks: "both sets of voters must have a joint configuration's entries (Raft 6)",
    file: "raft/quorum.ts",
    find: "return Math.min(incoming, quorumValueOf(configuration.votersOutgoing, valueOf));",
    replace: "return incoming;",
    caughtBy: testsOf(
      MEMBERSHIP,
      "step() removes a voter through a joint configuration, each half committed (6)",
    ),
  },
  {
    name: "joint-election-by-one-majority",
    breaks: "both sets of voters must elect a leader while they are joint (Raft 6)",
    file: "raft/quorum.ts",
    find: 'return incoming === "won" && outgoing === "won" ? "won" : "pending";',
    replace: "return incoming;",
    caughtBy: testsOf(
      "tests/raft/members_test.ts",
      "step() needs majorities of both configurations while they are joint (6)",
    ),
  },
  {
    name: "learner-counted",
    breaks: "learners never count for a quorum (thesis 4.2.1)",
    file: "raft/quorum.ts",
    find: "const incoming = quorumValueOf(configuration.voters, valueOf);",
    replace:
      "const incoming = quorumValueOf([...configuration.voters, ...configuration.learners], valueOf);",
    caughtBy: testsOf(
      "tests/raft/paper_replication_test.ts",
      "step() never counts a learner for commit",
    ),
  },
  {
    name: "voters-changed-in-one-step",
    breaks: "voters change through a joint configuration (Raft 6, bug 25)",
    file: "raft/membership.ts",
    find: "return { ...configuration, voters, votersOutgoing: configuration.voters, promoting };",
    replace: "return withoutStrangers({ ...configuration, voters, promoting });",
    caughtBy: testsOf(
      MEMBERSHIP,
      "step() removes a voter through a joint configuration, each half committed (6)",
    ),
  },
  {
    name: "change-while-one-is-in-progress",
    breaks: "one change at a time (Raft 6)",
    file: "raft/membership.ts",
    find: 'if (!isSettled(core)) return "change-in-progress";',
    replace: "",
    caughtBy: testsOf(
      MEMBERSHIP,
      "step() makes one change at a time, until its last entry is committed",
    ),
  },
  {
    name: "change-before-the-no-op-commits",
    breaks:
      "nothing changes before an entry of the leader's term is committed (Ongaro 2015, bug 25)",
    file: "raft/membership.ts",
    find: "return hasCommittedOwnTerm(core) && core.transfer === null;",
    replace: "return core.transfer === null;",
    caughtBy: testsOf(
      MEMBERSHIP,
      "step() changes nothing before an entry of the leader's term is committed (bug 25)",
    ),
  },
  {
    name: "removed-leader-leads-on",
    breaks: "a leader that is out of the configuration leaves office (Raft 6)",
    file: "raft/membership.ts",
    find: "} else if (!isVoter(core.configuration, core.id)) {\n    retire(core);",
    replace: "",
    caughtBy: testsOf(
      REMOVAL,
      "step() that leads but is removed does not count itself, hands over and steps down (6)",
    ),
  },
  {
    name: "removed-node-votes-for-itself",
    breaks: "who is out for good does not stand (Raft 6, bug 26)",
    file: "raft/configuration.ts",
    find: "return !isConfigurationCommitted(core) &&",
    replace: "return true ||",
    caughtBy: testsOf(
      REMOVAL,
      "step() that is out of the configuration stays out of elections once that is committed",
    ),
  },
  {
    name: "configuration-survives-its-truncation",
    breaks: "the latest configuration in the log is in effect, and none that left it (Raft 6)",
    file: "raft/configuration.ts",
    find: "while (configurations.length > 1 && latestConfiguration(core).index >= truncateFrom) {",
    replace:
      "while (false && configurations.length > 1 && latestConfiguration(core).index >= truncateFrom) {",
    caughtBy: testsOf(
      MEMBERSHIP,
      "step() takes C_old,new for what it is only while it is in the log: a truncation undoes it",
    ),
  },
  {
    name: "strangers-get-no-vote",
    breaks: "a voter votes for whom it does not know to be a member (thesis 4.2.2, bug 28)",
    file: "raft/step.ts",
    find: `    case "snapshot-chunk":
    case "vote-request":
    case "timeout-now":
      return true;`,
    replace: `    case "snapshot-chunk":
    case "timeout-now":
      return true;
    case "vote-request":
      return false;`,
    caughtBy: testsOf(
      "tests/raft/promotion_test.ts",
      "step() votes for a candidate that it does not know to be a member (bug 28)",
    ),
  },
  {
    name: "transfer-to-who-lacks-entries",
    breaks: "the target is asked when it has durably all that the leader has (thesis 3.10, bug 29)",
    file: "raft/transfer.ts",
    find: "if (peer.match < core.log.lastIndex) return;",
    replace: "",
    caughtBy: testsOf(
      TRANSFER,
      "step() waits until the target has durably what it lacks (bug 29)",
    ),
  },
  {
    name: "proposals-during-a-transfer",
    breaks: "who hands over takes no proposals (thesis 3.10)",
    file: "raft/proposals.ts",
    find: "return core.transfer === null && isVoter(core.configuration, core.id);",
    replace: "return isVoter(core.configuration, core.id);",
    caughtBy: testsOf(
      TRANSFER,
      "step() takes no proposals while it hands over, and takes them again when it gives up",
    ),
  },
  {
    name: "install-keeps-a-conflicting-log",
    breaks: "a log that contradicts the snapshot is dropped (Raft 7)",
    file: "raft/snapshots.ts",
    find: 'return core.log.matches(meta.index, meta.term) ? "keep-log" : "drop-log";',
    replace: 'return core.log.lastIndex >= meta.index ? "keep-log" : "drop-log";',
    caughtBy: testsOf(
      SNAPSHOT,
      "installVerdict() drops a log that ends before the snapshot, or differs there (7)",
    ),
  },
  {
    name: "install-forgets-the-configuration",
    breaks: "a snapshot's configuration takes the place of the one before (Raft 7, bug 32)",
    file: "raft/snapshots.ts",
    find: "installConfiguration(core, meta);",
    replace: "",
    caughtBy: testsOf(
      SNAPSHOT,
      "step() forgets the members that it knew when it installs a snapshot (bug 32)",
    ),
  },
  {
    name: "snapshot-with-a-later-configuration",
    breaks: "a snapshot holds the configuration of its own index (Raft 7)",
    file: "raft/snapshots.ts",
    find: "const { configuration } = configurationAt(core, index);",
    replace: "const { configuration } = core;",
    caughtBy: testsOf(
      COMPACTION,
      "snapshotMeta() describes the state at any index that is committed, from the log's base on",
    ),
  },
  {
    name: "founders-by-the-list-of-today",
    breaks: "a majority is counted by the founders until the members change (Raft 6)",
    file: "cli/founders.ts",
    find: "if (known !== null && known.clusterId !== clusterId) return listed;",
    replace: 'if (known?.clusterId !== "") return listed;',
    caughtBy: testsOf(
      "tests/cli/join_test.ts",
      "prepareStart() of a founder with data keeps to those that it founded its cluster with",
    ),
  },
  {
    name: "snapshot-without-its-members",
    breaks: "a snapshot says who the members are, or nobody can take it in (Raft 7)",
    file: "raft/snapshots.ts",
    find: "return configurationAt(core, index).configuration.voters.length > 0;",
    replace: "return index >= 0 && core.commitIndex >= 0;",
    caughtBy: testsOf(
      "tests/actors/snapshot_test.ts",
      "snapshots: a node that joins takes none of a time from which it does not know the members",
    ),
  },
  {
    name: "snapshot-of-what-is-not-committed",
    breaks: "only what is committed goes into a snapshot (Raft 7)",
    file: "raft/snapshots.ts",
    find: "if (index > core.commitIndex) {\n    throw new InvariantError(\n      `Cannot take",
    replace: "if (index > core.log.lastIndex) {\n    throw new InvariantError(\n      `Cannot take",
    caughtBy: testsOf(
      COMPACTION,
      "snapshotMeta() describes the state at any index that is committed, from the log's base on",
    ),
  },
  {
    name: "compaction-of-what-is-not-committed",
    breaks: "only what is committed is cut off (Raft 7)",
    file: "raft/snapshots.ts",
    find: "if (index > core.commitIndex) {\n    throw new InvariantError(\n      `Cannot compact",
    replace:
      "if (index > core.log.lastIndex) {\n    throw new InvariantError(\n      `Cannot compact",
    caughtBy: testsOf(
      COMPACTION,
      "step() throws if the disk has cut off what is not committed",
    ),
  },
  {
    name: "configuration-in-which-nobody-votes-heard",
    breaks: "an append with a configuration that no cluster can have is not heard",
    file: "raft/validate.ts",
    find: "return decodeConfiguration(data).voters.length > 0;",
    replace: "return decodeConfiguration(data).voters.length >= 0;",
    caughtBy: testsOf(
      "tests/raft/forged_test.ts",
      "step() hears of no configuration in which nobody votes, by append or by snapshot",
    ),
  },
  {
    name: "gap-between-snapshot-and-log",
    breaks: "a replica does not start over a gap (bug 34)",
    file: "raft/log.ts",
    find: "if (built.matches(index as LogIndex, term as Term)) return built;",
    replace: "return built;",
    caughtBy: testsOf(
      COMPACTION,
      "createCore() throws if the log begins behind the snapshot (bug 34)",
    ),
  },
];
