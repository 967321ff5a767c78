/**
 * The times and limits of a chaos run.
 *
 * @module
 */

/** One question to a node about itself. */
export const REQUEST_MS = 3000;
/** How long a node that was asked to stop may take before it is killed. */
export const ENDED_MS = 15_000;
/** How long a cluster may take to be ready when nothing is wrong with it, at the start and in the end. */
export const READY_MS = 60_000;
/**
 * No write may be acknowledged to anybody for so long at most: the longest faults of both lanes, one after the
 * other, with an election behind each, and as much again for a machine that is busy.
 */
export const UNAVAILABLE_MAX_MS = 30_000;
/** How long clients may take in the end to learn what became of their last requests. */
export const LAST_WORD_MS = 30_000;

/** Clients at each of the first nodes. */
export const CLIENTS_PER_NODE = 4;
/** A client waits up to so long between two operations: the machine is to be busy, not overrun. */
export const THINK_MS = 25;
/** A client that found nobody waits so long before it asks another node. */
export const RETRY_MS = 40;
/**
 * Lookouts at each of the first nodes; how long one waits for an answer, so that a node which was stopped
 * for a while finds a question that was asked a moment ago; and how long it waits in between.
 */
export const LOOKOUTS_PER_NODE = 2;
export const LOOKOUT_WAIT_MIN_MS = 100;
export const LOOKOUT_WAIT_MAX_MS = 600;
export const LOOKOUT_THINK_MS = 150;
/** How long one attempt waits for its answer: from about as long as a node's own deadline of 5 s down. */
export const ATTEMPT_MIN_MS = 1500;
export const ATTEMPT_MAX_MS = 6500;
/** How long an operation with an idempotency key is tried again. */
export const RETRIED_MS = 15_000;
/** Bytes of one answer's head, and of its body. */
export const HEAD_BYTES_MAX = 16_384;
export const BODY_BYTES_MAX = 8 * 1024 * 1024;

/** Watchers, and how long one stays at a node before it goes on at another. */
export const WATCHERS = 4;
export const WATCH_STAY_MIN_MS = 300;
export const WATCH_STAY_MAX_MS = 6000;

/** Keys are in use for so long; then others are, so that each has a history that can be searched. */
export const EPOCH_MS = 4000;
export const REGISTERS = 5;
export const COUNTERS = 2;
export const GROUPS = 2;
export const PASSING = 3;
/** How soon they expire. */
export const PASSING_MIN_MS = 200;
export const PASSING_MAX_MS = 2500;
/** Values that make a snapshot one of several chunks. */
export const BULK_KEYS = 60;
export const BULK_VALUE_BYTES = 32_000;

/** Snapshots are taken so often that every run has many, and followers that were away need one. */
export const SNAPSHOTS = { entriesMax: 400, bytesMax: null, tailEntries: 40 };

/** How long a membership change may take beside other faults before it is left to be finished later. */
export const CHURN_MS = 20_000;
/** Bytes of the small disk: its reserve twice, its data, and little more. */
export const SMALL_DISK_BYTES = 112 * 1024 * 1024;
