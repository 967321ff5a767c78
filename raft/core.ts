/**
 * The state of one Raft core (figure 2, "State"), its construction and its outbox.
 *
 * Not here: any rule of the protocol. Those change this state from roles.ts, election.ts, append.ts,
 * replies.ts, proposals.ts, read_index.ts, repair.ts, membership.ts, promotion.ts, transfer.ts,
 * stepping_down.ts and snapshots.ts; step.ts says which input goes where. A shell only reads it.
 *
 * @module
 */
import { type ConfigurationAt, configurationsOf, followLog } from "./configuration.ts";
import { encodeConfiguration } from "./configuration_codec.ts";
import type { Effect } from "./effect.ts";
import { checkLimits, COMMIT_HINT_ENTRIES, CORE_LIMITS, type CoreLimits } from "./limits.ts";
import { entriesBytes, logToStartFrom, type RaftLog } from "./log.ts";
import type { Message } from "./message.ts";
import type { Progress } from "./progress.ts";
import type { PromotionRound } from "./promotion_round.ts";
import { createRandom, drawBelow, type Random } from "./random.ts";
import { createReads, type Reads } from "./reads.ts";
import { createStamps, type Stamps } from "./stamps.ts";
import type { Departure } from "./tracking.ts";
import type { Transfer } from "./transfer.ts";
import {
  type Configuration,
  type Entry,
  type HardState,
  InvariantError,
  type LogIndex,
  type NodeId,
  NUMBER_MAX,
  type Role,
  type SnapshotInfo,
  type Term,
} from "./types.ts";

/** What a core starts from. Limits that are left out are those of limits.ts. */
export interface CoreOptions extends Partial<CoreLimits> {
  readonly id: NodeId;
  /**
   * The founders'; one without members for a node that joins. It counts only as long as neither the
   * snapshot nor the log says more.
   */
  readonly configuration: Configuration;
  /** As recovered; `{ term: 0, vote: null, commit: 0 }` for a new replica. */
  readonly hardState: HardState;
  readonly log: {
    /** Consecutive, from `baseIndex` + 1. */
    readonly entries: readonly Entry[];
    /** Position and term of the last entry that compaction cut off; 0 and 0 if it never did. */
    readonly baseIndex: LogIndex;
    readonly baseTerm: Term;
  };
  /** The replica's snapshot, from `baseIndex` on; null if there is none, and then nothing is cut off. */
  readonly snapshot: SnapshotInfo | null;
  /** Any 32-bit number; should differ between nodes and starts. */
  readonly seed: number;
  /** The storage found less than was acknowledged from here (storage/types.ts, Recovery.damage). */
  readonly damaged: boolean;
  /** Whether it may stand for election from the start (Input, `stand`); true by default. */
  readonly standing?: boolean;
}

export interface Core {
  readonly id: NodeId;
  readonly limits: CoreLimits;
  /** The one in effect: the last of `configurations`. */
  configuration: Configuration;
  /** What truncations may bring back, oldest first; never empty (configuration.ts). */
  readonly configurations: ConfigurationAt[];

  term: Term;
  vote: NodeId | null;
  role: Role;
  leader: NodeId | null;
  readonly log: RaftLog;
  commitIndex: LogIndex;
  /** All entries up to here are durable on this node. */
  durableIndex: LogIndex;
  /** True until a damaged replica holds again all it ever acknowledged (repair.ts). */
  damaged: boolean;

  readonly random: Random;
  /** Ticks since the start. */
  ticks: number;
  electionElapsedTicks: number;
  electionTimeoutTicks: number;
  /**
   * The tick in which a leader was last heard; -Infinity if none ever was. For an election timeout from
   * then on this node stands by that leader (election.ts).
   */
  leaderHeardTick: number;
  /** The wall clock of the input being handled. */
  nowMs: number;

  /** False while this node should not lead (transfer.ts). */
  standing: boolean;
  /** True while the others will not have this node as what it says it is (election.ts). */
  outcast: boolean;
  /** The answers to this node's campaign. */
  votes: Map<NodeId, boolean>;
  /** Whether the campaign is at the leader's request, so that voters need not wait (thesis 4.2.3). */
  forTransfer: boolean;
  /** As a leader: everybody else in the configuration, and those in `departed`. Otherwise empty. */
  readonly progress: Map<NodeId, Progress>;
  /** As a leader: who left the configuration and does not know that yet (tracking.ts). */
  readonly departed: Map<NodeId, Departure>;
  /** As a leader: how far the learners are that become voters (promotion.ts). */
  readonly promotions: Map<NodeId, PromotionRound>;
  /** As a leader: the transfer under way. */
  transfer: Transfer | null;
  /** As a leader: the index of the first entry of its own term. */
  termStartIndex: LogIndex;
  /**
   * As a leader: whether its term is known to be durable here, so that appends may overtake this
   * turn's commit. Else a crash could make it a leader twice in one term, with two different logs.
   */
  termDurable: boolean;
  /** As a leader: bytes of the entries after the commit index. */
  uncommittedBytes: number;
  readonly reads: Reads;
  readonly stamps: Stamps;

  /** The commit index that the last persisted hard state carried. */
  commitHinted: LogIndex;
  /** What the last `status` effect said. */
  status: { role: Role; term: Term; leader: NodeId | null };
  /** The effects since `step` last returned, in order. */
  outbox: Effect[];
}

/**
 * Builds the core of a replica that has just started. Its first effects (see `recovered`) are in the
 * outbox.
 *
 * @throws {RangeError} if a limit or the founders' configuration makes no sense.
 * @throws {InvariantError} if the recovered state contradicts itself.
 */
export function createCore(options: CoreOptions): Core {
  const limits = limitsOf(options);
  checkLimits(limits);
  const { hardState, damaged, snapshot } = options;
  const log = logToStartFrom(options);
  if (log.lastTerm > hardState.term) {
    throw new InvariantError(
      `Cannot start: the log ends in term ${log.lastTerm}, after the hard state's ${hardState.term}`,
    );
  }
  // What a damaged log still holds may be older than the hint, and differ from what was committed.
  const hinted = damaged ? 0 : Math.min(hardState.commit, log.lastIndex);
  const appliedIndex = snapshot?.meta.index ?? 0;
  const commitIndex = Math.max(hinted, appliedIndex) as LogIndex;
  const configurations = configurationsToStartFrom(options);
  const core: Core = {
    id: options.id,
    limits,
    configuration: configurations[configurations.length - 1].configuration,
    configurations,
    term: hardState.term,
    vote: hardState.vote,
    role: "follower",
    leader: null,
    log,
    commitIndex,
    durableIndex: log.lastIndex,
    damaged,
    random: createRandom(options.seed),
    ticks: 0,
    electionElapsedTicks: 0,
    electionTimeoutTicks: 0,
    // Who was in a term before may have heard a leader just before it went down, and forgot it.
    leaderHeardTick: hardState.term > 0 ? 0 : -Infinity,
    nowMs: 0,
    standing: options.standing ?? true,
    outcast: false,
    votes: new Map(),
    forTransfer: false,
    progress: new Map(),
    departed: new Map(),
    promotions: new Map(),
    transfer: null,
    termStartIndex: 0 as LogIndex,
    termDurable: false,
    uncommittedBytes: 0,
    reads: createReads(),
    stamps: createStamps(options.seed),
    commitHinted: hardState.commit,
    status: { role: "follower", term: hardState.term, leader: null },
    outbox: [],
  };
  resetElectionTimer(core);
  if (damaged) {
    setTerm(core, nextTerm(core.term), null);
    core.status.term = core.term;
  }
  if (commitIndex > appliedIndex) emit(core, { type: "commit", index: commitIndex });
  return core;
}

/** Whatever the log holds behind the snapshot, or the founders' configuration, is newer. */
function configurationsToStartFrom(options: CoreOptions): ConfigurationAt[] {
  const { configuration, log, snapshot } = options;
  // It will have to be written, sooner or later.
  encodeConfiguration(configuration);
  const index = snapshot?.meta.index ?? 0 as LogIndex;
  const first = { index, configuration: snapshot?.meta.configuration ?? configuration };
  return configurationsOf(first, log.entries);
}

function limitsOf(options: CoreOptions): CoreLimits {
  const limits: Record<string, number> = { ...CORE_LIMITS };
  for (const name of Object.keys(CORE_LIMITS) as (keyof CoreLimits)[]) {
    limits[name] = options[name] ?? CORE_LIMITS[name];
  }
  return limits as unknown as CoreLimits;
}

/**
 * The effects of starting: what the recovered commit index lets the shell apply, and the new term of a
 * damaged replica. A shell that does not ask gets them with its first `step`.
 */
export function recovered(core: Core): Effect[] {
  return takeOutbox(core);
}

export function takeOutbox(core: Core): Effect[] {
  const effects = core.outbox;
  core.outbox = [];
  return effects;
}

export function emit(core: Core, effect: Effect): void {
  core.outbox.push(effect);
}

export function send(core: Core, to: NodeId, message: Message, early: boolean): void {
  core.outbox.push({ type: "send", to, message, early });
}

/**
 * The term after `term`.
 *
 * @throws {InvariantError} after the last one.
 */
export function nextTerm(term: Term): Term {
  if (term >= NUMBER_MAX) throw new InvariantError(`Cannot move on: ${term} is the last term`);
  return term + 1 as Term;
}

/** Moves to a term and vote, and persists both in one piece: apart, a crash between allows two votes. */
export function setTerm(core: Core, term: Term, vote: NodeId | null): void {
  core.term = term;
  core.vote = vote;
  core.commitHinted = core.commitIndex;
  const hardState = { term, vote, commit: core.commitIndex };
  emit(core, { type: "persist", hardState, truncateFrom: null, entries: [] });
}

/** Puts entries into the log, in place of those from `truncateFrom`, and hands them to the disk. */
export function persistEntries(
  core: Core,
  truncateFrom: LogIndex | null,
  entries: readonly Entry[],
): void {
  if (truncateFrom !== null) {
    core.log.truncate(truncateFrom);
    core.durableIndex = Math.min(core.durableIndex, truncateFrom - 1) as LogIndex;
  }
  core.log.append(entries);
  followLog(core, truncateFrom, entries);
  let hardState: HardState | null = null;
  if (core.commitIndex - core.commitHinted >= COMMIT_HINT_ENTRIES) {
    hardState = { term: core.term, vote: core.vote, commit: core.commitIndex };
    core.commitHinted = core.commitIndex;
  }
  emit(core, { type: "persist", hardState, truncateFrom, entries });
}

/**
 * Appends to a leader's log. A stamp is the leader's clock, but never below the stamp before: replicated
 * time does not run backwards when leaders' clocks differ.
 */
export function appendAsLeader(
  core: Core,
  kind: Entry["kind"],
  payloads: readonly Uint8Array[],
): void {
  const clockMs = Number.isSafeInteger(core.nowMs) && core.nowMs <= NUMBER_MAX ? core.nowMs : 0;
  const timeMs = Math.max(clockMs, core.log.lastTimeMs);
  const term = core.term;
  let index = core.log.lastIndex;
  const entries: Entry[] = [];
  for (const data of payloads) {
    index = index + 1 as LogIndex;
    entries.push({ term, index, timeMs, kind, data });
  }
  core.uncommittedBytes += entriesBytes(entries);
  persistEntries(core, null, entries);
}

/** Starts to wait anew, for a time drawn anew (section 5.2, against split votes). */
export function resetElectionTimer(core: Core): void {
  const { electionTicks } = core.limits;
  core.electionElapsedTicks = 0;
  core.electionTimeoutTicks = electionTicks + drawBelow(core.random, electionTicks);
}
