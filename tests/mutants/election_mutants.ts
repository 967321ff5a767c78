/**
 * Bugs in elections: terms, votes, rehearsals, and what a damaged replica may say.
 *
 * @module
 */
import { type Mutant, testsOf } from "./mutant.ts";

const PAPER = "tests/raft/paper_election_test.ts";

export const ELECTION_MUTANTS: readonly Mutant[] = [
  {
    name: "vote-not-persisted",
    breaks: "a vote is on the disk before it is told (Raft 5.2, bug 1)",
    file: "raft/core.ts",
    find: "const hardState = { term, vote, commit: core.commitIndex };",
    replace: "const hardState = { term, vote: null, commit: core.commitIndex };",
    caughtBy: testsOf(PAPER, "step() keeps its vote over a restart (5.2, bug 1)"),
  },
  {
    name: "term-not-persisted",
    breaks: "a term is on the disk before anything is said in it (Raft 5.1, bug 1)",
    file: "raft/core.ts",
    find: 'emit(core, { type: "persist", hardState, truncateFrom: null, entries: [] });',
    replace:
      'if (vote !== null) emit(core, { type: "persist", hardState, truncateFrom: null, entries: [] });',
    caughtBy: testsOf(
      PAPER,
      "step() adopts a higher term from a append-request and persists it (5.1)",
    ),
  },
  {
    name: "vote-told-early",
    breaks: "a vote waits for the disk (Raft 5.2, bug 2)",
    file: "raft/election.ts",
    find: 'send(core, from, { type: "vote-reply", term, pre: request.pre, granted }, false);',
    replace: 'send(core, from, { type: "vote-reply", term, pre: request.pre, granted }, true);',
    caughtBy: testsOf(PAPER, "step() grants one vote per term, to the first who asks (5.2)"),
  },
  {
    name: "two-grants-in-one-term",
    breaks: "one vote a term (Raft 5.2, bug 1)",
    file: "raft/election.ts",
    find: "return request.term > core.term || core.vote === null || core.vote === from;",
    replace: "return true;",
    caughtBy: testsOf(PAPER, "step() grants one vote per term, to the first who asks (5.2)"),
  },
  {
    name: "vote-for-a-stale-log",
    breaks: "only a candidate whose log is up to date gets a vote (Raft 5.4.1)",
    file: "raft/election.ts",
    find: "const granted = isFree(core, from, request) && isUpToDate(core, request);",
    replace: "const granted = isFree(core, from, request);",
    caughtBy: testsOf(
      "tests/raft/figures_test.ts",
      "figure 7: the leader of term 8 gets the votes it may get, and makes all logs its own",
    ),
  },
  {
    name: "vote-for-a-shorter-log",
    breaks: "within one term the longer log wins (Raft 5.4.1)",
    file: "raft/election.ts",
    find: "(lastTerm === log.lastTerm && lastIndex >= log.lastIndex)",
    replace: "(lastTerm === log.lastTerm && lastIndex >= log.lastIndex - 1)",
    caughtBy: testsOf(
      "tests/raft/figures_test.ts",
      "figure 7: the leader of term 8 gets the votes it may get, and makes all logs its own",
    ),
  },
  {
    name: "vote-against-a-heard-leader",
    breaks: "a voter stands by the leader that it hears (thesis 4.2.3, 6.4.1; bug 26)",
    file: "raft/election.ts",
    find: "if (!request.transfer && hearsLeader(core)) return;",
    replace: "",
    caughtBy: testsOf(
      "tests/raft/stickiness_test.ts",
      "step() stands by its leader for an election timeout",
    ),
  },
  {
    name: "heard-leader-forgotten-at-a-restart",
    breaks: "a restarted voter may have heard a leader just before (thesis 6.4.1; bug 20)",
    file: "raft/core.ts",
    find: "leaderHeardTick: hardState.term > 0 ? 0 : -Infinity,",
    replace: "leaderHeardTick: -Infinity,",
    caughtBy: testsOf(
      "tests/raft/stickiness_test.ts",
      "step() votes for nobody just after a restart: it forgot whom it heard",
    ),
  },
  {
    name: "no-rehearsal",
    breaks: "who cannot win raises no term (thesis 9.6; bug 26)",
    file: "raft/election.ts",
    find: `  core.votes.set(core.id, true);
  if (voteResult(core.configuration, core.votes) === "won") standForElection(core);
  else requestVotes(core);`,
    replace: `  core.votes.set(core.id, true);
  standForElection(core);`,
    caughtBy: testsOf(
      "tests/raft/pre_vote_test.ts",
      "step() stays in its term for ever while nobody grants its rehearsals (bug 26)",
    ),
  },
  {
    name: "rehearsal-refused-for-good",
    breaks: "a candidate behind in terms catches up from a refusal (bug 27)",
    file: "raft/step.ts",
    find: 'return !(message.type === "vote-reply" && message.pre && message.granted);',
    replace: 'return !(message.type === "vote-reply" && message.pre);',
    caughtBy: testsOf(
      "tests/raft/pre_vote_test.ts",
      "step() moves to the term of a voter that refused a rehearsal for being behind (bug 27)",
    ),
  },
  {
    name: "votes-of-a-former-term",
    breaks: "a vote counts in its own term only (Raft 5.1, bug 16)",
    file: "raft/election.ts",
    find:
      "if (pre ? reply.granted && reply.term !== core.term + 1 : reply.term !== core.term) return;",
    replace: "if (pre && reply.granted && reply.term !== core.term + 1) return;",
    caughtBy: testsOf(PAPER, "step() ignores votes of an older term (5.1)"),
  },
  {
    name: "no-op-missing-on-election",
    breaks: "a new leader appends an entry of its own term (Raft 8)",
    file: "raft/roles.ts",
    find: "appendAsLeader(core, EntryKind.NoOp, [NO_DATA]);",
    replace: "core.termStartIndex = core.log.lastIndex;",
    caughtBy: testsOf(
      PAPER,
      "step() as a new leader appends a no-op of its term and sends it to all at once (5.2, 8)",
    ),
  },
  {
    name: "appends-before-the-term-is-durable",
    breaks: "nothing is said in a term that a crash could take back (Raft 5.2, bug 1)",
    file: "raft/roles.ts",
    find: "core.termDurable = core.votes.size > 1;",
    replace: "core.termDurable = true;",
    caughtBy: testsOf(
      PAPER,
      "step() sends nothing early before the term of a leader with its own vote only is durable",
    ),
  },
  {
    name: "damaged-replica-votes",
    breaks: "who lost acknowledged entries cannot judge logs (bugs 6, 7)",
    file: "raft/election.ts",
    find: "if (core.damaged || isBlank(core) || members(core.configuration).length === 0) return;",
    replace: "if (isBlank(core) || members(core.configuration).length === 0) return;",
    caughtBy: testsOf(
      "tests/raft/repair_test.ts",
      "step() lets a damaged replica neither vote nor campaign",
    ),
  },
  {
    name: "damaged-replica-counts",
    breaks: "who lost acknowledged entries gives nothing to a quorum (bugs 6, 7)",
    file: "raft/append.ts",
    find: `    success: true,
    index,
    conflictIndex: 0 as LogIndex,
    conflictTerm: 0 as Term,
    round,
    stamp,
    sent: sentStamp(core),
    counts: !core.damaged,`,
    replace: `    success: true,
    index,
    conflictIndex: 0 as LogIndex,
    conflictTerm: 0 as Term,
    round,
    stamp,
    sent: sentStamp(core),
    counts: true,`,
    caughtBy: testsOf(
      "tests/raft/repair_test.ts",
      "step() says that the answers of a damaged replica do not count",
    ),
  },
  {
    name: "repaired-by-a-leader-from-before",
    breaks: "only a leader elected after the loss can make a replica whole (decision 0003)",
    file: "raft/core.ts",
    find: "setTerm(core, nextTerm(core.term), null);",
    replace: "setTerm(core, core.term, core.vote);",
    caughtBy: testsOf(
      "tests/raft/repair_test.ts",
      "createCore() moves a damaged replica to a new term without a vote, and trusts no commit",
    ),
  },
  {
    name: "election-on-the-time-of-its-rehearsal",
    breaks: "a candidate starts its election timer anew (Raft 5.2, figure 2)",
    file: "raft/election.ts",
    find: "resetElectionTimer(core);\n  setTerm(",
    replace: "setTerm(",
    caughtBy: testsOf(
      "tests/raft/pre_vote_test.ts",
      "step() counts anew from its rehearsal on: the election has a whole timeout (5.2)",
    ),
  },
  {
    name: "leader-of-term-zero-heard",
    breaks: "nobody stands for or leads term 0 (Raft 5.2)",
    file: "raft/validate.ts",
    find: "return message.term > 0 && isChunk(message);",
    replace: "return isChunk(message);",
    caughtBy: testsOf(
      "tests/raft/forged_test.ts",
      "step() hears no candidate and no leader of term 0, which nobody ever stood for",
    ),
  },
];
