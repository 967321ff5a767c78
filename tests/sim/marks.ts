/**
 * Coverage marks: rare things that a large run must have met, each at least once, since a simulator that
 * never gets there proves nothing about it.
 *
 * They are raised by who looks at the run from outside (marks_watch.ts, world.ts, clients.ts).
 *
 * @module
 */

/** All marks, and what each means. */
export const MARKS = {
  "prior-term-commit": "an entry of an earlier term is committed by a later leader",
  "commit-ahead-of-own-disk": "the others' disks commit what the leader's own has not written yet",
  "election-lost": "a candidate stands in a term that another wins",
  "vote-refused":
    "a vote is refused to a candidate whose log is behind, or in a term with another vote",
  "pre-vote-refused-by-lease": "a voter that hears its leader ignores a request",
  "leader-without-quorum": "a leader steps down because it hears no quorum",
  "leader-deposed": "a leader hears of a later term",
  "log-truncated": "a follower takes entries back",
  "append-refused": "a follower refuses an append that does not fit",
  "stale-append": "an append of an earlier term arrives",
  "stale-ack": "an answer of an earlier term reaches a leader",
  "stale-vote": "a vote for an earlier term arrives",
  "crash-with-vote-pending": "a crash while a vote is on its way to the disk",
  "crash-with-entries-pending": "a crash while entries are on their way to the disk",
  "crash-landed-unacknowledged": "a write that was cut off by a crash is on the disk all the same",
  "crash-of-leader-with-uncommitted": "a leader dies with entries that are not committed",
  "blackout": "all nodes die at once",
  "old-boot-refused": "a message of an earlier life of a node is turned away",
  "aimed-vote-reply": "a crash right after a vote",
  "aimed-election": "a crash right after an election",
  "aimed-persist": "a crash right after a commit on disk",
  "aimed-snapshot-chunk": "a crash right after a chunk of a snapshot was sent",
  "aimed-snapshot-install": "a crash right after an install",
  "aimed-joint": "a crash of a leader in the joint phase",
  "leader-cut-in-joint": "a leader is isolated in the joint phase",
  "leader-cut-with-prior-entry": "a leader is isolated with an entry of a former term on a quorum",
  "leader-change-in-joint": "a leader is elected in the joint phase",
  "configuration-undone": "a truncation takes a configuration back",
  "learner-promoted": "a learner becomes a voter",
  "voter-removed": "a voter leaves",
  "leader-removed": "a leader leaves by its own entry",
  "member-returned": "a node that was removed joins again",
  "transfer-moved": "leadership is handed over",
  "transfer-failed": "a target does not take over in time",
  "removed-refused": "a node is turned away as a stranger",
  "snapshot-taken": "a snapshot is current and the log cut off",
  "snapshot-installed": "a leader's snapshot takes the place of a log",
  "snapshot-over-conflicting-log": "a snapshot takes the place of entries that are not in it",
  "snapshot-refused": "a snapshot that came in is corrupt, and dropped",
  "snapshot-read-corrupt": "a replica's own snapshot does not read back",
  "session-hit": "a command that was applied before is answered from its session",
  "session-hit-after-snapshot": "the same, from a session that came in a snapshot",
  "idempotent-hit": "a request is answered by its idempotency key",
  "write-outlived-leader": "a write is acknowledged in another term than it was asked in",
  "read-outlived-leader": "a read is answered in another term than it was asked in",
  "outcome-unknown": "a client cannot be told what became of its write",
  "check-failed": "a check-and-set loses",
  "lease-read": "a read is answered under a lease",
  "lease-denied": "a lease read is served by a round, since there is no lease",
  "session-read-waited": "a session read is refused because the replica is behind",
  "stale-read-refused": "an eventual read is refused because the replica may be too stale",
  "damage-found": "a start finds less than was acknowledged",
  "damage-repaired": "a damaged replica is whole again",
  "other-data-refused": "a node that lost its disk is turned away",
  "older-data-refused": "a node on an older copy of its disk is turned away",
  "log-lost": "a start finds the mark without its log",
  "mark-lost": "a start finds the log without its mark",
  "snapshots-lost": "a start finds no file of the snapshots",
  "older-log": "a start finds an older copy of the log beside the mark",
  "older-mark": "a start finds an older copy of the mark beside the log",
  "older-disk": "a start finds an older copy of the whole disk",
  "opening-failed": "a disk cannot be read at the start",
  "log-corrupt": "a log does not read back, and the node stays down",
  "disk-full": "a disk is found full",
  "disk-has-room": "a full disk has room again",
  "write-refused-by-full-disk": "a write is refused because the disk is full",
  "commit-failed": "a commit fails, and the replica starts anew from its disk",
  "hash-checked": "the replicas agree on a state hash by themselves",
  "key-expired": "a key expires",
  "watch-went-on": "a watch goes on at a node, behind the last event from another",
  "watch-waited": "a watch is refused because the replica is behind its last event",
  "watch-gap": "a watch is told of a gap",
} as const;
export type Mark = keyof typeof MARKS;

export type MarkCounts = Record<Mark, number>;

export function noMarks(): MarkCounts {
  return Object.fromEntries(Object.keys(MARKS).map((mark) => [mark, 0])) as MarkCounts;
}

/** Adds the counts of one run to those of many. */
export function addMarks(total: MarkCounts, more: Readonly<Partial<MarkCounts>>): void {
  for (const [mark, count] of Object.entries(more)) total[mark as Mark] += count;
}

/** The table that a run ends with. */
export function markTable(counts: Readonly<MarkCounts>): string {
  const width = Math.max(...Object.keys(MARKS).map((mark) => mark.length));
  return Object.entries(counts).map(([mark, count]) =>
    `${mark.padEnd(width)} ${String(count).padStart(9)}  ${MARKS[mark as Mark]}`
  ).join("\n");
}
