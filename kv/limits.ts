/**
 * The limits of the data model. Those of Deno KV and KV Connect where they have one.
 *
 * @module
 */

/** Bytes of an encoded key in a write; reads may use one more, for the end of a range. */
export const KEY_BYTES_MAX = 2048;
/** Bytes of a value, after encoding. */
export const VALUE_BYTES_MAX = 65_536;
/** Bytes of the magnitude of a bigint in a key: its length is one byte. */
export const BIGINT_PART_BYTES_MAX = 255;
/**
 * Bytes of a serialized bigint that `sum` adds to or stores: 1000 sums of bigints as large as a value
 * may be would keep a replica busy for longer than an election timeout (0.95 s measured).
 */
export const SUM_BIGINT_BYTES_MAX = 4096;
/** Checks in one atomic write. */
export const CHECKS_MAX = 100;
/** Mutations in one atomic write. */
export const MUTATIONS_MAX = 1000;
/** Bytes of keys and values in one atomic write, together. */
export const ATOMIC_BYTES_MAX = 819_200;
/** Ranges in one read. */
export const RANGES_MAX = 10;
/** Entries in one answer, all ranges together. */
export const READ_ENTRIES_MAX = 1000;
/** Characters of an idempotency key. */
export const IDEMPOTENCY_KEY_CHARS_MAX = 256;
/** How long a result is remembered under its idempotency key, in replicated time. */
export const IDEMPOTENCY_TTL_MS = 10 * 60_000;
/** Idempotency keys remembered at a time; further commands that bring one are refused, not forgotten. */
export const IDEMPOTENCY_KEYS_MAX = 2_000_000;
/** A session that applied nothing for so long, in replicated time, is closed. */
export const SESSION_TTL_MS = 60 * 60_000;
/** Open sessions (one a running node); opening one more closes the longest idle. */
export const SESSIONS_MAX = 10_000;
/** Expired keys removed while applying one entry; reads hide the others until their turn comes. */
export const EXPIRED_KEYS_PER_ENTRY_MAX = 256;
/** Results that a session remembers; more make it forget its lowest sequences, which then are stale. */
export const SESSION_RESULTS_MAX = 65_536;
/** Idempotency keys forgotten while applying one entry; those that are due but still there count as gone. */
export const IDEMPOTENCY_FORGOTTEN_PER_ENTRY_MAX = 1024;
/** Replicated time and expiry, in ms since the epoch; the numbers on disk and wire have 48 bits. */
export const TIME_MS_MAX = 2 ** 48 - 1;
/**
 * The latest changes that a replica keeps for watches (change_feed.ts): a power of two of them, and their
 * bytes. Not replicated: what one replica has let go, another may still have. Changes that are kept are work for
 * the collector, so there are not more of them (docs/decisions/0022-watches.md).
 */
export const FEED_CHANGES_MAX = 8192;
export const FEED_BYTES_MAX = 16 * 1024 * 1024;
/** Keys and prefixes of one watch, as many as Deno KV takes keys. */
export const WATCH_KEYS_MAX = 10;
