/**
 * Every maximum of the actor runtime, in one place.
 *
 * @module
 */
import type { MailboxLimits, Supervision } from "./types.ts";

/** What a mailbox holds unless `SpawnOptions.mailbox` says otherwise. */
export const MAILBOX_LIMITS: MailboxLimits = {
  userMessagesMax: 16_384,
  userBytesMax: 64 * 1024 * 1024,
  controlMessagesMax: 65_536,
  controlBytesMax: 64 * 1024 * 1024,
  turnMessagesMax: 1_024,
};

/** What becomes of a failed actor unless `SpawnOptions.supervision` says otherwise. */
export const SUPERVISION: Supervision = {
  decide: () => "restart",
  restartsMax: 10,
  withinMs: 60_000,
  backoffMinMs: 50,
  backoffMaxMs: 5_000,
};

/** Beyond so many doublings every backoff has reached its maximum. */
export const RETRIES_COUNTED_MAX = 32;

/** Outputs that one turn may hold back; a turn that emits more fails. */
export const GATE_OUTPUTS_MAX = 262_144;

/** Output slots kept between turns, so that a burst does not hold its memory for ever. */
export const GATE_SLOTS_KEPT_MAX = 16_384;

/** Timers and watches that one actor may hold at a time. */
export const TIMERS_MAX = 16_384;
export const WATCHES_MAX = 16_384;

/** Children of one actor, and actors at the top of a system. */
export const CHILDREN_MAX = 65_536;

/** Width of one slot of the ask deadline wheel: an ask times out late by at most this, and never early. */
export const DEADLINE_SLOT_MS = 8;

/** Slots of the wheel, a power of two: deadlines further than slots * width go round more than once. */
export const DEADLINE_SLOTS = 1_024;

/** The longest that an ask may wait; an ask without an end is refused. */
export const ASK_TIMEOUT_MAX_MS = 24 * 60 * 60 * 1_000;

/** How long a stop waits for a turn in flight and for `onStop` before it goes on without them. */
export const STOP_GRACE_MS = 1_000;

/** The first capacity of a lane's ring; it doubles as needed, up to the lane's limit. */
export const RING_CAPACITY_MIN = 16;

/** The longest delay that the host's timers take; longer ones are chained. */
export const HOST_TIMER_MAX_MS = 2 ** 31 - 1;
