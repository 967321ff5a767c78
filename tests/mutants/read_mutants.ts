/**
 * Bugs in reads and leases.
 *
 * @module
 */
import { type Mutant, testsOf } from "./mutant.ts";

const READ_INDEX = "tests/raft/read_index_test.ts";
const READS = "tests/actors/reads_test.ts";
const LEASE = "tests/raft/lease_test.ts";
const CONSISTENCY = "tests/actors/consistency_test.ts";
const LEASE_BOUND = "tests/actors/lease_bound_test.ts";
const LAST_READ_BEFORE_FIRST_VOTE =
  "lease: the last read by it comes before the first vote that another node could get (bug 20)";

export const READ_MUTANTS: readonly Mutant[] = [
  {
    name: "read-index-before-own-commit",
    breaks: "a leader does not know what is committed before its own entry is (Raft 8, bug 17)",
    file: "raft/read_index.ts",
    find: "if (!hasCommittedOwnTerm(core)) return false;",
    replace: "",
    caughtBy: testsOf(
      READ_INDEX,
      "step() lets a read wait until an entry of the leader's own term is committed (8, bug 17)",
    ),
  },
  {
    name: "read-confirmed-by-an-earlier-round",
    breaks: "a read is confirmed by messages sent after it was asked (thesis 6.4)",
    file: "raft/read_index.ts",
    find: "return round >= core.reads.round;",
    replace: "return round >= core.reads.round - 1;",
    caughtBy: testsOf(
      READ_INDEX,
      "step() confirms a read by answers to its own round only, of its own term, refusals included",
    ),
  },
  {
    name: "read-joins-a-round-under-way",
    breaks: "reads that come while a round is on the way wait for the next (thesis 6.4)",
    file: "raft/read_index.ts",
    find: "core.reads.waiting.push(pending);",
    replace:
      "(core.reads.confirming.length > 0 ? core.reads.confirming : core.reads.waiting).push(pending);",
    caughtBy: testsOf(
      READ_INDEX,
      "step() gathers the reads that come while a round is on the way, for the next one",
    ),
  },
  {
    name: "reads-survive-their-leader",
    breaks: "a deposed leader answers no read that waited (bug 19)",
    file: "raft/roles.ts",
    find: "if (changed) refuseReads(core);",
    replace: "",
    caughtBy: testsOf(
      READ_INDEX,
      "step() refuses all waiting reads when it stops leading, and answers none of them (bug 19)",
    ),
  },
  {
    name: "late-read-reply-believed",
    breaks: "an answer of a former term or leader is void (bug 19)",
    file: "raft/read_index.ts",
    find: "if (reply.term !== core.term || from !== core.leader) return;",
    replace: "",
    caughtBy: testsOf(
      READ_INDEX,
      "step() refuses a follower's reads on a new leader or term; late answers are void (bug 19)",
    ),
  },
  {
    name: "refusal-of-an-old-append-echoes-its-round",
    breaks: "a round of a former term confirms nothing in this one (bugs 14, 19)",
    file: "raft/append.ts",
    find: "refuse(core, from, NO_APPEND, 0 as LogIndex, 0 as Term);",
    replace: "refuse(core, from, request, 0 as LogIndex, 0 as Term);",
    caughtBy: testsOf(
      READ_INDEX,
      "step() confirms nothing by an answer in its own term to what it sent in a former one",
    ),
  },
  {
    name: "retried-read-reuses-its-id",
    breaks: "an attempt that is refused starts over under a fresh id (bug 18)",
    file: "actors/reads.ts",
    find: "round.ids.delete(id);\n    if (round.ids.size > 0) return;",
    replace: "round.ids.delete(id);\n    this.#nextId = id;\n    if (round.ids.size > 0) return;",
    caughtBy: testsOf(READS, "Reads starts a refused attempt over under a fresh id (bug 18)"),
  },
  {
    name: "read-ids-begin-anew-with-each-boot",
    breaks: "no id of an earlier life is used again (bug 18)",
    file: "actors/reads.ts",
    find: "this.#nextId = (boot % BOOTS_DISTINCT) * IDS_PER_BOOT + 1;",
    replace: "this.#nextId = 1;",
    caughtBy: testsOf(READS, "Reads never uses an id of an earlier boot (bug 18)"),
  },
  {
    name: "read-from-a-state-not-yet-applied",
    breaks: "a read waits until its index is applied (thesis 6.4, bug 22)",
    file: "actors/reads.ts",
    find: "while (count < this.#confirmed.length && this.#confirmed[count].index <= index) {",
    replace: "while (count < this.#confirmed.length) {",
    caughtBy: testsOf(READS, "Reads releases a batch once its index is applied, and not before"),
  },
  {
    name: "lease-without-drift",
    breaks:
      "a lease is shorter than what voters wait, by what clocks may drift (thesis 6.4.1, bug 20)",
    file: "actors/limits_replica.ts",
    find: "export const LEASE_MS = 150;",
    replace: "export const LEASE_MS = 161;",
    caughtBy: testsOf(LEASE_BOUND, LAST_READ_BEFORE_FIRST_VOTE),
  },
  {
    name: "standstills-not-counted",
    breaks:
      "a short time that the monotonic clock stood still counts for leases and staleness (bug 20)",
    file: "actors/tick_clock.ts",
    find: "this.#missedMs += apartMs;",
    replace: "this.#missedMs += 0;",
    caughtBy: testsOf(
      CONSISTENCY,
      "reads: a leader that is suspended for moments, again and again, serves nothing old (bug 20)",
      "reads: an eventual read counts the time that its node did not see pass",
    ),
  },
  {
    name: "lease-outlasts-the-ticks-at-once",
    breaks:
      "what ticks may come at once is taken off what voters wait before it bounds the lease (bug 20)",
    file: "actors/limits_replica.ts",
    find: "export const TICKS_AT_ONCE_MAX = HEARTBEAT_TICKS;",
    replace: "export const TICKS_AT_ONCE_MAX = HEARTBEAT_TICKS + 1;",
    caughtBy: testsOf(LEASE_BOUND, LAST_READ_BEFORE_FIRST_VOTE),
  },
  {
    name: "lease-of-voters-who-soon-forget",
    breaks:
      "a voter stands by a leader for the whole of an election timeout (thesis 4.2.3, bug 20)",
    file: "raft/election.ts",
    find:
      'return core.role === "leader" || core.ticks - core.leaderHeardTick < core.limits.electionTicks;',
    replace:
      'return core.role === "leader" || core.ticks - core.leaderHeardTick < core.limits.electionTicks - 1;',
    caughtBy: testsOf(LEASE_BOUND, LAST_READ_BEFORE_FIRST_VOTE),
  },
  {
    name: "lease-of-a-stopped-clock",
    breaks: "after a clock jump there is no lease (bug 20)",
    file: "raft/lease.ts",
    find: "if (!clockTrusted || handedOver) return null;",
    replace: "if (handedOver) return null;",
    caughtBy: testsOf(
      LEASE,
      "leaseTick() is null while the shell does not trust its clock (bug 20)",
    ),
  },
  {
    name: "lease-kept-during-a-transfer",
    breaks: "who asked another to take over has no lease (thesis 6.4.1, bug 21)",
    file: "raft/lease.ts",
    find: "if (!clockTrusted || handedOver) return null;",
    replace: "if (!clockTrusted) return null;",
    caughtBy: testsOf(
      LEASE,
      "leaseTick() is null for the rest of a term in which another node was asked to take over (bug 21)",
    ),
  },
  {
    name: "lease-before-own-commit",
    breaks: "there is no lease before the leader knows what is committed (Raft 8, bug 17)",
    file: "raft/lease.ts",
    find: "return tick >= 0 && hasCommittedOwnTerm(core) ? tick : null;",
    replace: "return tick >= 0 ? tick : null;",
    caughtBy: testsOf(
      LEASE,
      "leaseTick() is null before an entry of the leader's own term is committed (8, bug 17)",
    ),
  },
  {
    name: "lease-of-one-voter",
    breaks: "a lease counts from what a quorum has answered (thesis 6.4.1)",
    file: "raft/lease.ts",
    find: "return voter === core.id ? core.ticks : core.progress.get(voter)?.stamp ?? -Infinity;",
    replace: "return core.ticks;",
    caughtBy: testsOf(LEASE, "leaseTick() is the latest tick that a quorum has answered"),
  },
  {
    name: "leader-without-a-quorum-leads-on",
    breaks: "who hears no quorum steps down (thesis 6.2, bug 26)",
    file: "raft/election.ts",
    find:
      "if (core.ticks - heard >= core.limits.electionTicks) becomeFollower(core, core.term, null);",
    replace: "",
    caughtBy: testsOf(
      "tests/raft/pre_vote_test.ts",
      "step() steps down as leader when it has heard no quorum for an election timeout (thesis 6.2)",
    ),
  },
  {
    name: "linearizable-read-by-lease",
    breaks: "only a read that is content with a lease is answered by it, a follower's too",
    file: "actors/lease.ts",
    find: "if (message.lease && message.term === state.core.term && holdsLease(state)) {",
    replace: "if (message.term === state.core.term && holdsLease(state)) {",
    caughtBy: testsOf(
      CONSISTENCY,
      "reads: a follower's linearizable read waits for a round, whatever lease the leader has",
    ),
  },
  {
    name: "lease-without-end",
    breaks: "a lease is over in time, whatever the leader still believes (thesis 6.4.1, bug 20)",
    file: "actors/lease.ts",
    find: "return timeMs !== null && nowMs - timeMs < LEASE_MS;",
    replace: "return timeMs !== null;",
    caughtBy: testsOf(
      CONSISTENCY,
      "reads: a lease ends in time, whatever the leader still believes",
    ),
  },
  {
    name: "clock-jump-not-watched",
    breaks: "after a clock jump a leader does without leases for a while (bug 20)",
    file: "actors/lease.ts",
    find: "const trusted = nowMs - state.ticks.jumpedMs >= LEASE_MS;",
    replace: "const trusted = true;",
    caughtBy: testsOf(
      CONSISTENCY,
      "reads: without a lease a lease read is done as linearizable, and says so",
    ),
  },
];
