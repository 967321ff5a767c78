/**
 * The limits and times of the replica and its node. Those of the protocol stand in raft/limits.ts.
 *
 * @module
 */

/** One tick of the core, in ms. Election and heartbeat timeouts count these. */
export const TICK_MS = 20;
/** A follower that hears no leader campaigns after 15 to 30 ticks, drawn anew each time: 300 to 600 ms. */
export const ELECTION_TICKS = 15;
/** A follower that was sent nothing else gets a heartbeat every 60 ms. */
export const HEARTBEAT_TICKS = 3;
/** The core gives up an unanswered read after so many ticks: 5 s, as long as a call may take. */
export const READ_TICKS = 250;
/** How long a call may take unless the caller says otherwise. */
export const CALL_DEADLINE_MS = 5000;
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
