/**
 * The limits of the core, with their defaults. Ticks are the shell's unit of time, and
 * actors/limits_replica.ts says how long one is; everything else is counted in messages, entries or
 * bytes.
 *
 * @module
 */

/** What bounds one core. `createCore` takes any of them as an option. */
export interface CoreLimits {
  /** The shortest election timeout; each is drawn from [electionTicks, 2 × electionTicks). */
  readonly electionTicks: number;
  /** A follower that was sent nothing for so long gets a heartbeat; votes are asked for again. */
  readonly heartbeatTicks: number;
  /** Appends with entries on the way to one follower. */
  readonly inflightMessagesMax: number;
  /** Bytes of encoded entries on the way to one follower; the append that reaches it still leaves. */
  readonly inflightBytesMax: number;
  /** Bytes of encoded entries in one append; a larger single entry still goes, alone. */
  readonly appendBytesMax: number;
  readonly appendEntriesMax: number;
  /** Bytes of commands in one forward message; a larger single command still goes, alone. */
  readonly forwardBytesMax: number;
  /** Bytes of encoded entries that a leader holds uncommitted; proposals beyond are refused. */
  readonly uncommittedBytesMax: number;
  /** A follower gives up a read that its leader has not answered for so long. */
  readonly readTicks: number;
  /** Reads (batches of them, by id) that wait at one core, its followers' included. */
  readonly readsPendingMax: number;
}

/**
 * Few messages in flight make large ones: what waits for the window leaves as one append. More than
 * one or two only helped where round trips are long (measured: docs/decisions/0003-raft-core.md).
 */
export const CORE_LIMITS: CoreLimits = {
  electionTicks: 10,
  heartbeatTicks: 2,
  inflightMessagesMax: 4,
  inflightBytesMax: 4 * 1_048_576,
  appendBytesMax: 786_432,
  appendEntriesMax: 4096,
  forwardBytesMax: 786_432,
  uncommittedBytesMax: 16 * 1_048_576,
  readTicks: 100,
  readsPendingMax: 4096,
};

/**
 * How far a sender's term may be ahead. A cluster that elected a leader three times a second would need 45
 * years for so many terms; what names more is forged or damaged, and would bring the last term (types.ts,
 * NUMBER_MAX), from which no election leads any further, within reach of a single message.
 */
export const TERM_JUMP_MAX = 2 ** 32;

/** Bytes of one chunk of a snapshot that a core lets in; storage makes smaller ones. */
export const CHUNK_BYTES_MAX = 65_536;

/** The commit index is written along (see HardState.commit) when it has moved on by so many entries. */
export const COMMIT_HINT_ENTRIES = 1024;

/** For so many election timeouts after its removal was committed, a leader tries to tell a former member. */
export const DEPARTURE_TIMEOUTS = 4;

/** A node that should not lead waits so many of its election timeouts for one that should. */
export const LAST_RESORT_TIMEOUTS = 4;

/**
 * @throws {RangeError} if a limit is not a whole number from 1, or heartbeats would come too late to
 * keep elections from starting.
 */
export function checkLimits(limits: CoreLimits): void {
  for (const [name, value] of Object.entries(limits)) {
    if (!Number.isSafeInteger(value) || value < 1) {
      throw new RangeError(`Cannot set ${name}: must be a whole number from 1, got ${value}`);
    }
  }
  if (limits.heartbeatTicks >= limits.electionTicks) {
    throw new RangeError(
      `Cannot set heartbeatTicks: must be below electionTicks (${limits.electionTicks}), ` +
        `got ${limits.heartbeatTicks}`,
    );
  }
}
