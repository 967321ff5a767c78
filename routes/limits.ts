/**
 * The limits of the HTTP doors, beside those of the data model in kv/limits.ts.
 *
 * @module
 */

/** Bytes of a request body that holds JSON. Raw values stop at `VALUE_BYTES_MAX` already. */
export const BODY_BYTES_MAX = 1_048_576;
/** Bytes of all bodies that a node is reading at a time. */
export const BODIES_BYTES_MAX = 64 * 1_048_576;
/** How long a body may take from its headers to its end: 35 KB/s is enough for the largest. */
export const BODY_MS = 30_000;
/** Arrays and objects inside one another in a JavaScript value, read or written. */
export const VALUE_DEPTH_MAX = 32;
/** The same in tagged form, where `{"map":[[key,value]]}` is one level of a value, and 3 of JSON. */
export const TAGGED_VALUE_DEPTH_MAX = 3 * VALUE_DEPTH_MAX + 1;
/** Levels of JSON in the body of `POST /v1/atomic`: body, mutations and mutation around a value. */
export const ATOMIC_DEPTH_MAX = 3 + TAGGED_VALUE_DEPTH_MAX;
/** How far ahead an expiry may lie: some 4,400 years. */
export const EXPIRE_IN_MS_MAX = 2 ** 47;
/** The largest `maxStalenessMs`, likewise. */
export const STALENESS_MS_MAX = 2 ** 47;
/** Bytes of the body of an operator's request: a member's id, addresses and role. */
export const ADMIN_BODY_BYTES_MAX = 4096;
/** Levels of JSON in it: one, and one more for what is then refused by its name. */
export const ADMIN_DEPTH_MAX = 2;
/** Characters of a member's URL: a host name has 253 at most. */
export const ORIGIN_CHARS_MAX = 300;
export const PORT_MAX = 65_535;
/** Entries in one page of a list, unless told. */
export const LIST_LIMIT_DEFAULT = 100;
/** Characters of JSON in one page of a list. The entry that passes it is the page's last. */
export const LIST_CHARS_MAX = 4_194_304;
/** Decimal digits of a bigint: more cannot fit into a value. */
export const BIGINT_DIGITS_MAX = 157_827;
/** Characters of an `x-request-id` that is taken over from the client. */
export const REQUEST_ID_CHARS_MAX = 128;
/** Characters of events that go out in one piece, if so many wait. The event that passes it is the last. */
export const EVENTS_CHARS_MAX = 65_536;
/** A watch whose reader takes nothing for so long is cut off; it hears a heartbeat far more often. */
export const WATCH_STALL_MS = 60_000;
/** How long a browser waits before it watches again after a watch has ended. */
export const WATCH_RETRY_MS = 1000;
/** What `Retry-After` says when a new leader or a free queue is a matter of moments. */
export const RETRY_SOON_S = 1;
/** What `Retry-After` says when room comes only as idempotency keys expire, or a disk is cleared. */
export const RETRY_LATER_S = 10;
