/**
 * The limits and times of the replica and its node. Those of the protocol stand in raft/limits.ts.
 *
 * @module
 */

/** One tick of the core, in ms. Election and heartbeat timeouts count these. */
export const TICK_MS = 20;
/** A follower that hears no leader campaigns after 15 to 29 ticks, drawn anew each time: 300 to 580 ms. */
export const ELECTION_TICKS = 15;
/** A follower that was sent nothing else gets a heartbeat every 100 ms. */
export const HEARTBEAT_TICKS = 5;
/**
 * Ticks that one turn makes up for, at most. A replica with nothing to do lets so many come together,
 * since a wake-up costs far more than a tick (docs/decisions/0015-reads-and-leases.md).
 */
export const TICKS_AT_ONCE_MAX = HEARTBEAT_TICKS;
/**
 * How long a leader under load may put off its own write, and from how many entries on that do not wait for
 * a disk yet it does (own_write.ts).
 */
export const OWN_WRITE_DELAY_MS = 4;
export const OWN_WRITE_ENTRIES_MIN = 16;
/** A leader makes durable what its followers have acknowledged every 5 s, if that has changed (holdings.ts). */
export const ACKNOWLEDGED_KEEP_TICKS = 250;
/** How long news of the commit index waits for an append that it can go with (outbox.ts). */
export const NEWS_DELAY_MS = 3;
/** The core gives up an unanswered read after so many ticks: 5 s, as long as a call may take. */
export const READ_TICKS = 250;
/**
 * How long a lease lasts from the tick whose message a quorum has answered. A voter that heard a leader
 * stands by it for 200 ms of its own clock at least: ELECTION_TICKS ticks, of which TICKS_AT_ONCE_MAX
 * may come at once. So the rates of clocks may differ by a quarter
 * (docs/decisions/0015-reads-and-leases.md).
 */
export const LEASE_MS = 150;
/** Wall and monotonic clock moving apart by more than this between two looks is a clock jump. */
export const CLOCK_JUMP_MS = 100;
/** By less than this it is nothing: the wall clock counts whole ms, and is slewed by 0.05 % at most. */
export const CLOCK_NOISE_MS = 2;
/** The last ticks whose times are known: 10 s of them, since an echo may come late. */
export const TICKS_KEPT = 512;
/** What a replica keeps of what it knows about its staleness, ahead of what it has applied. */
export const FRESHNESS_KEPT_MAX = 64;
/** How long a session read waits for what it must see; another replica may have it. */
export const SESSION_WAIT_MS = 1000;
/** Session reads that wait. */
export const SESSION_READS_MAX = 4096;
/** How long a call may take unless the caller says otherwise. */
export const CALL_DEADLINE_MS = 5000;
/** The same for administration: a removal takes several commits, and may wait for an election. */
export const ADMIN_CALL_MS = 10_000;
/** A snapshot on demand: a large one beside a full load takes a minute. */
export const SNAPSHOT_CALL_MS = 5 * 60_000;
/** How often a passed-on request looks whether the leader is still the same, and is sent again. */
export const ADMIN_POLL_MS = 20;
export const ADMIN_RESEND_MS = 500;
/** Other nodes' administrative requests that a node remembers, so that each is done once. */
export const ADMIN_SERVED_MAX = 64;
/** Administrative requests under way at one replica. */
export const ADMIN_PENDING_MAX = 16;
/** One administrative message, and one address in it. */
export const ADMIN_BODY_BYTES_MAX = 65_536;
export const ADMIN_TEXT_CHARS_MAX = 2048;
/** After so long without a leader a node hears members that it does not know of yet, and so many of them. */
export const LEADERLESS_MS = 2000;
export const STRANGERS_MAX = 16;
/** And after so long it says in its log that nothing is served, and why. */
export const HALTED_MS = 10_000;
/** How long a node goes on talking to a member that was removed: until that has heard of it. */
export const REMOVED_PEER_MS = 5000;
/** How long a stopping leader tries to hand over before it just stops. */
export const HANDOVER_MS = 1000;
/** Backups under way at one node: each keeps a copy of the state alive. */
export const BACKUPS_MAX = 2;
/** A backup whose reader takes nothing for so long is cut off. */
export const BACKUP_STALL_MS = 60_000;
/** Bytes of one of its chunks: what is encoded at a time, between two turns. */
export const BACKUP_CHUNK_BYTES = 60 * 1024;
/** Watches of one node. */
export const WATCHES_MAX = 1024;
/** After so long without a change a watch says that there was none, and how far it has come. */
export const WATCH_HEARTBEAT_MS = 5000;
/** How long a watch whose place was not come to may ask whether the leader knows of it. */
export const WATCH_PLACE_MS = 1000;
/** A replica that may be staler than this has no watches: others know what is happening. */
export const WATCH_STALE_MS = 10_000;
/** Changes that a watch looks at before it lets everything else go on. */
export const WATCH_SCAN_CHANGES_MAX = 1024;
/** What bounds a replica's batches: tests make them small, since batches of one show what others hide. */
export interface ReplicaLimits {
  /** Messages in one turn, in place of TURN_MESSAGES_MAX. */
  readonly turnMessagesMax: number;
  /** In place of PROPOSE_BYTES_MAX for this node's own commands; a larger single one still goes, alone. */
  readonly proposeBytesMax: number;
  /** In place of those of raft/limits.ts. */
  readonly appendEntriesMax: number;
  readonly inflightMessagesMax: number;
}

/** When a replica takes a snapshot of its own state, and what of the log it keeps behind one. */
export interface SnapshotLimits {
  /** A snapshot is due after so many entries since the last one, or so many bytes of them. */
  readonly entriesMax: number;
  readonly bytesMax: number;
  /** Entries up to the snapshot that stay in the log for followers that are a little behind. */
  readonly tailEntries: number;
  readonly tailBytes: number;
}

export const SNAPSHOT_LIMITS: SnapshotLimits = {
  entriesMax: 250_000,
  bytesMax: 64 * 1024 * 1024,
  tailEntries: 10_000,
  tailBytes: 16 * 1024 * 1024,
};
/** Up to so much later than that, a share drawn at each start: replicas shall not all write at once. */
export const SNAPSHOT_JITTER = 0.25;
/** Under load, the pause after a chunk in multiples of what it cost: a fifth of one disk and core, at most. */
export const SNAPSHOT_PACE = 4;
/** But no longer than this: what a chunk cost on a busy machine is mostly waiting, too. */
export const SNAPSHOT_REST_MS_MAX = 20;
/** After a snapshot that failed, the next is tried no sooner. */
export const SNAPSHOT_RETRY_MS = 10_000;
/** Chunks sent to a follower ahead of what it has made durable. */
export const SNAPSHOT_WINDOW = 2;
/** Followers that are sent a snapshot at a time; others wait. */
export const SNAPSHOT_SENDINGS_MAX = 2;
/** A chunk without an answer is sent again after so many ticks. */
export const SNAPSHOT_RESEND_TICKS = 15;
/** A follower that has all chunks is asked again for what became of them after so many ticks. */
export const SNAPSHOT_PROBE_TICKS = 50;
/** A transfer to a follower that got no further for so many ticks is ended, in favour of those who wait. */
export const SNAPSHOT_GIVE_UP_TICKS = 500;
/** A follower that waits for its turn loses its place if it was not said to need a snapshot for so long. */
export const SNAPSHOT_QUEUE_TICKS = 50;
/** How often the log is kept from being cut off for one transfer. */
export const SNAPSHOT_HOLDS_MAX = 3;
/** Chunks that wait at a follower for its disk. */
export const SNAPSHOT_QUEUE_MAX = 4;
/** Each snapshot in a row that proved corrupt puts the next attempt off by so much, up to the second. */
export const SNAPSHOT_REFUSED_MS = 1000;
export const SNAPSHOT_REFUSED_MS_MAX = 30_000;
/** How long a start applies entries before it lets everything else go on. */
export const APPLY_SLICE_MS = 4;
/** How often the replicas compare their state hashes, if anything has changed. */
export const HASH_CHECK_MS = 60_000;
/** How long the leader waits for hashes that could still make a majority. */
export const HASH_REPORT_MS = 5000;
/** A hash that nothing came of yet is reported again after so many ticks. */
export const HASH_REPORT_TICKS = 50;
/** How often a replica with a full disk looks for room again, in ticks: 10 s. */
export const RESERVE_RETRY_TICKS = 500;
/** With a full disk, a snapshot no larger than this is still taken: the reserve must not go for it. */
export const DISK_FULL_SNAPSHOT_BYTES_MAX = 2 * 1024 * 1024;
/** What an ask waits beyond its call's own deadline, before a silent replica counts as not serving. */
export const ASK_GRACE_MS = 250;
/** Writes taken from clients and not yet applied. */
export const PENDING_WRITES_MAX = 16_384;
export const PENDING_WRITE_BYTES_MAX = 64 * 1024 * 1024;
/** Reads taken from clients and not yet answered. */
export const PENDING_READS_MAX = 16_384;
/** Bytes of commands in one batch, this node's own and, again, those passed on; the rest waits. */
export const PROPOSE_BYTES_MAX = 4 * 1024 * 1024;
/** Bytes of passed-on commands that a leader gathers; more are dropped, and passed on again. */
export const FORWARDS_BYTES_MAX = 64 * 1024 * 1024;
/** A write that a follower passed on is proposed again after so many ticks an attempt, up to the second. */
export const REPROPOSE_TICKS_MIN = 25;
export const REPROPOSE_TICKS_MAX = 100;
/** How often, in ticks, the pending writes are looked through for lost ones. */
export const REPROPOSE_SCAN_TICKS = 5;
/** A read round without an answer is asked again after so many ticks, doubling up to the second. */
export const READ_RETRY_TICKS_MIN = 10;
export const READ_RETRY_TICKS_MAX = 80;
/** The replica's mailbox. Client requests beyond these are refused as overload. */
export const MAILBOX_USER_MESSAGES_MAX = 16_384;
export const MAILBOX_USER_BYTES_MAX = 64 * 1024 * 1024;
/** Peer messages beyond these are dropped, which the protocol allows. */
export const MAILBOX_CONTROL_MESSAGES_MAX = 65_536;
export const MAILBOX_CONTROL_BYTES_MAX = 256 * 1024 * 1024;
/** Messages in one turn: bounds how long a turn can keep the event loop. */
export const TURN_MESSAGES_MAX = 4096;
