/**
 * Bugs in replication and commitment: the consistency check, acknowledgements, quorums, figure 8.
 *
 * @module
 */
import { type Mutant, testsOf } from "./mutant.ts";

const PAPER = "tests/raft/paper_replication_test.ts";
const PARTS = "tests/raft/parts_test.ts";

export const LOG_MUTANTS: readonly Mutant[] = [
  {
    name: "figure-8",
    breaks: "entries of former terms are not committed by counting copies (Raft 5.4.2, bug 12)",
    file: "raft/commit.ts",
    find: "if (index <= core.commitIndex || index < core.termStartIndex) return false;",
    replace: "if (index <= core.commitIndex) return false;",
    caughtBy: testsOf(
      "tests/raft/figures_test.ts",
      "figure 8 (c): an entry of term 2 on a majority is not committed by the leader of term 4",
    ),
  },
  {
    name: "commit-beyond-what-matches",
    breaks: "a follower commits no further than the append has proved (figure 2)",
    file: "raft/append.ts",
    find: "const commit = Math.min(request.commit, lastIndex) as LogIndex;",
    replace: "const commit = Math.min(request.commit, core.log.lastIndex) as LogIndex;",
    caughtBy: testsOf(
      PAPER,
      "step() commits min(9, last new entry) of an append with 1 (figure 2)",
    ),
  },
  {
    name: "quorum-of-half",
    breaks: "a majority is more than half (Raft 5.2)",
    file: "raft/quorum.ts",
    find: "return Math.floor(size / 2) + 1;",
    replace: "return Math.ceil(size / 2);",
    caughtBy: testsOf(PARTS, "quorumValue() is the highest number that a quorum has reached"),
  },
  {
    name: "quorum-scan-unsorted",
    breaks: "the quorum's index is that of the sorted matches (bug 15)",
    file: "raft/quorum.ts",
    find: "for (; at > 0 && values[at - 1] < value; at--) values[at] = values[at - 1];",
    replace: "",
    caughtBy: testsOf(
      PAPER,
      "step() commits the index that the majority has reached, not the latest that somebody has (bug 15)",
    ),
  },
  {
    name: "stale-append-truncates",
    breaks: "an old append takes nothing back that matches (Raft 5.3, bug 13)",
    file: "raft/append.ts",
    find:
      "while (known < entries.length && log.matches(entries[known].index, entries[known].term)) known++;",
    replace: "",
    caughtBy: testsOf(
      PAPER,
      "step() skips entries that it has, and truncates nothing for an old append (5.3, bug 13)",
    ),
  },
  {
    name: "append-without-its-predecessor",
    breaks: "an append is taken behind a matching entry only (Raft 5.3, bug 10)",
    file: "raft/append.ts",
    find: "if (!core.log.matches(prevIndex, prevTerm)) {",
    replace: "if (prevIndex > core.log.lastIndex) {",
    caughtBy: testsOf(
      PAPER,
      "step() refuses an append after an entry of another term and names that term's start (5.3)",
    ),
  },
  {
    name: "append-into-a-gap",
    breaks: "an append behind the log's end is refused (Raft 5.3, bug 10)",
    file: "raft/append.ts",
    find: "if (!core.log.matches(prevIndex, prevTerm)) {",
    replace: "if (prevIndex <= core.log.lastIndex && !core.log.matches(prevIndex, prevTerm)) {",
    caughtBy: testsOf(
      PAPER,
      "step() refuses an append behind its log's end and says where that is (5.3)",
    ),
  },
  {
    name: "acknowledges-what-did-not-match",
    breaks: "an acknowledgement says no more than the append has proved (Raft 5.3)",
    file: "raft/append.ts",
    find: "acknowledge(core, from, request, lastIndex);",
    replace: "acknowledge(core, from, request, core.log.lastIndex);",
    caughtBy: testsOf(
      PAPER,
      "step() acknowledges what the append has proved to match, not what else it holds (5.3)",
    ),
  },
  {
    name: "acknowledges-before-the-disk",
    breaks: "an acknowledgement waits for the write (Raft 5.3, bug 2)",
    file: "raft/append.ts",
    find: `    success: true,
    index,
    conflictIndex: 0 as LogIndex,
    conflictTerm: 0 as Term,
    round,
    stamp,
    sent: sentStamp(core),
    counts: !core.damaged,
  }, false);`,
    replace: `    success: true,
    index,
    conflictIndex: 0 as LogIndex,
    conflictTerm: 0 as Term,
    round,
    stamp,
    sent: sentStamp(core),
    counts: !core.damaged,
  }, true);`,
    caughtBy: testsOf(
      PAPER,
      "step() stores the array that it received, and acknowledges after the write (5.3, bug 2)",
    ),
  },
  {
    name: "stale-acknowledgement-counts",
    breaks: "what a follower held in a former term it may hold no more (bug 14)",
    file: "raft/step.ts",
    find: "if (message.term === core.term) onAppendReply(core, from, message);",
    replace: "onAppendReply(core, from, message);",
    caughtBy: testsOf(
      PAPER,
      "step() ignores acknowledgements of another term, of strangers, and of what it never had (bugs 14, 16)",
    ),
  },
  {
    name: "completion-of-a-truncated-write-counts",
    breaks: "what was truncated meanwhile is not what became durable (bugs 11, 14)",
    file: "raft/replies.ts",
    find: "if (!core.log.matches(index, term) || index <= core.durableIndex) return;",
    replace: "if (index > core.log.lastIndex || index <= core.durableIndex) return;",
    caughtBy: testsOf(
      PAPER,
      "step() ignores the completion of a write that was truncated meanwhile (bugs 11, 14)",
    ),
  },
  {
    name: "completions-taken-in-any-order",
    breaks: "an early completion that comes late takes nothing back (bug 11)",
    file: "raft/replies.ts",
    find: "if (!core.log.matches(index, term) || index <= core.durableIndex) return;",
    replace: "if (!core.log.matches(index, term)) return;",
    caughtBy: testsOf(PAPER, "step() takes completions of writes out of order (bug 11)"),
  },
  {
    name: "leader-counts-what-is-not-durable",
    breaks: "a leader's own copy counts when its disk has it (thesis 10.2.1, bug 3)",
    file: "raft/commit.ts",
    find: "if (voter === core.id) return core.durableIndex;",
    replace: "if (voter === core.id) return core.log.lastIndex;",
    caughtBy: testsOf(
      PAPER,
      "step() counts a leader's own copy only when it is durable (thesis 10.2.1, bug 3)",
    ),
  },
  {
    name: "stamps-fall",
    breaks: "stamps never fall along the log (docs/divergence.md; bug 23)",
    file: "raft/core.ts",
    find: "const timeMs = Math.max(clockMs, core.log.lastTimeMs);",
    replace: "const timeMs = clockMs;",
    caughtBy: testsOf(
      PAPER,
      "step() stamps entries with its clock, but never below the stamp before",
    ),
  },
  {
    name: "forward-appended-twice",
    breaks: "a forwarded batch is appended once (docs/divergence.md)",
    file: "raft/proposals.ts",
    find: "if (takesProposals(core) && hasRoom(core, commands)) append(core, commands);",
    replace:
      "if (takesProposals(core) && hasRoom(core, commands)) { append(core, commands); append(core, commands); }",
    caughtBy: testsOf(
      "tests/raft/proposals_test.ts",
      "step() appends forwarded commands as one batch, and answers nobody for it",
    ),
  },
  {
    name: "refusal-forgotten",
    breaks: "a lost append is sent again (Raft 5.3)",
    file: "raft/replies.ts",
    find: "peer.next = Math.max(peer.match + 1, core.log.firstIndex) as LogIndex;",
    replace: "",
    caughtBy: testsOf(
      "tests/raft/flow_test.ts",
      "step() resends what was lost on the way once a later append is refused",
    ),
  },
];
