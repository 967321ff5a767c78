/**
 * kvctl's limits and waiting times. Those of the data model and of HTTP are the server's to enforce;
 * the ones that stand here too spare a transfer that could only be refused.
 *
 * @module
 */

/** Bytes of a raw value. */
export const VALUE_BYTES_MAX = 65_536;
/** Bytes of a request's body. */
export const BODY_BYTES_MAX = 1_048_576;
/** Entries in one page of a list. */
export const PAGE_ENTRIES_MAX = 1000;

/** The most that a read may allow its state to be stale. */
export const STALENESS_MAX_MS = 2 ** 47;

/** How long a command goes on trying, unless told. */
export const TIMEOUT_DEFAULT_MS = 10_000;
/** The longest duration that a flag takes. */
export const DURATION_MAX_MS = 100 * 365 * 24 * 3_600_000;

/** The pause after all nodes have failed once; it doubles. A node's `Retry-After` can lengthen it. */
export const ROUND_PAUSE_MIN_MS = 100;
export const ROUND_PAUSE_MAX_MS = 1000;
/** With less time left than this, no further round is begun. */
export const ROUND_MIN_MS = 50;

/** Asking one node for its own view takes at most so long. */
export const VIEW_MS = 2000;
/** `--wait` goes on for so long, unless told: a node that joins may have much to fetch. */
export const WAIT_DEFAULT_MS = 60_000;
/** And looks again after so long. */
export const WAIT_POLL_MS = 100;
/** A backup of which nothing came for so long is given up. */
export const BACKUP_STALL_MS = 30_000;
/** `verify` asks each node again after so long. */
export const VERIFY_POLL_MS = 10;
/** A node that has not answered `verify` after so long counts as missing. */
export const VERIFY_MISSING_MS = 3000;
/** State hashes that `verify` remembers: at 100 samples a second and node, more than a minute's. */
export const VERIFY_SAMPLES_MAX = 10_000;
/** How long a node may take over a snapshot, unless told otherwise. */
export const SNAPSHOT_TIMEOUT_MS = 5 * 60_000;
/** Characters of one event of a watch: the largest write, each byte of it as an escape of JSON. */
export const EVENT_CHARS_MAX = 8 * 1024 * 1024;
/** A watch of which nothing was heard for so long, three heartbeats, is begun anew at another node. */
export const WATCH_SILENT_MS = 15_000;
