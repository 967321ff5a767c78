/**
 * The parts of a running replica, alive from `init` to the next stop or restart.
 *
 * @module
 */
import { Administration } from "./administration.ts";
import { Background } from "./background.ts";
import { DiskFull } from "./disk_full.ts";
import { Forwards } from "./forwards.ts";
import { HashCheck } from "./hash_check.ts";
import { HASH_CHECK_MS, HEARTBEAT_TICKS, SNAPSHOT_LIMITS } from "./limits_replica.ts";
import { Outbox } from "./outbox.ts";
import { OwnWrite } from "./own_write.ts";
import { Proposals } from "./proposals.ts";
import { Reads } from "./reads.ts";
import { recover } from "./replica_recovery.ts";
import { Turn } from "./replica_turn.ts";
import type { ReplicaMessage, ReplicaOptions } from "./replica_types.ts";
import { SessionReads } from "./session_reads.ts";
import { SlewedClock } from "./slewed_clock.ts";
import type { ReplicaStatus } from "./service.ts";
import { SnapshotReceiving } from "./snapshot_receiving.ts";
import { SnapshotSending } from "./snapshot_sending.ts";
import { SnapshotTaking } from "./snapshot_taking.ts";
import { Staleness } from "./staleness.ts";
import { TickClock } from "./tick_clock.ts";
import { type Pace, Ticker } from "./ticker.ts";
import type { Ctx } from "./types.ts";
import { Watching } from "./watching.ts";
import type { Store } from "../kv/store.ts";
import type { Core } from "../raft/core.ts";
import type { LogIndex, NodeId, Term } from "../raft/types.ts";
import type { LogStore } from "../storage/types.ts";

/** Something that waits until all that was due at `untilMs` has expired. */
export interface Deferred {
  /** Replicated time, in ms. */
  readonly untilMs: number;
  readonly run: () => void;
}

/** A leader's own write: all up to `index`, of `term`, is durable unless it failed (`error` not null). */
export interface Written {
  readonly index: LogIndex;
  readonly term: Term;
  readonly error: unknown;
}

export interface State {
  readonly options: ReplicaOptions;
  readonly ctx: Ctx<ReplicaMessage>;
  readonly log: LogStore;
  readonly core: Core;
  /** Replaced when a leader's snapshot is installed. */
  store: Store;
  readonly proposals: Proposals;
  readonly reads: Reads;
  readonly sessionReads: SessionReads;
  readonly watching: Watching;
  readonly ticker: Ticker;
  readonly ticks: TickClock;
  readonly staleness: Staleness;
  readonly administration: Administration;
  readonly background: Background;
  readonly taking: SnapshotTaking;
  readonly sending: SnapshotSending;
  readonly receiving: SnapshotReceiving;
  readonly hashCheck: HashCheck;
  readonly disk: DiskFull;
  readonly turn: Turn;
  readonly outbox: Outbox;
  readonly ownWrite: OwnWrite;
  /** In the order in which they came. */
  readonly deferred: Deferred[];
  readonly forwards: Forwards;
  readonly boot: number;
  /** What the disk lacked at the start, whether or not that was repaired since. */
  readonly damage: string | null;
  readonly clock: SlewedClock;
  /** The last index known durable here. */
  durableIndex: LogIndex;
  /** A leader's write that is under way beside its turns; never rejects, see `written`. */
  writing: Promise<void> | null;
  /** One that has ended since the last turn. */
  written: Written | null;
  /** What the core says is committed. */
  commitIndex: LogIndex;
  /** Whether entries became durable in this turn that the core has not been told of. */
  untold: boolean;
  /** The last clock command that this node proposed as a leader, and the term. */
  clockIndex: number;
  clockTerm: number;
  /** The leader and term for which the proposals were last started over. */
  leaderKnown: NodeId | null;
  leaderTerm: number;
  /** Ticks since what others acknowledged was last made durable (holdings.ts). */
  unkeptTicks: number;
  /** What the core was last told of the clock (see `lease-clock`). */
  leaseTrusted: boolean;
  /** Whether this node must not lead: removed, or refused for its data (membership.ts). */
  outcast: boolean;
  /** Whether a `continue` is in the mailbox. */
  continuing: boolean;
}

/**
 * Recovers the log and builds the replica on it.
 *
 * @throws what {@linkcode recover} throws.
 */
export async function openState(
  options: ReplicaOptions,
  ctx: Ctx<ReplicaMessage>,
): Promise<State> {
  const { log, core, store, recovery } = await recover(options, ctx);
  const { boot, incarnation, peers, damage } = recovery;
  const { snapshots, hashCheckMs = HASH_CHECK_MS } = options;
  options.onEvent({ type: "opened", boot, incarnation, peers, damage });
  return {
    options,
    ctx,
    log,
    core,
    store,
    // Early, because what they answer is on a quorum's disks, whatever this turn still has to write.
    proposals: new Proposals(() => randomSession(ctx), {
      resolve: (reply, result) => ctx.replyEarly(reply, result),
      reject: (reply, error) => ctx.failEarly(reply, error),
    }, options.limits?.proposeBytesMax),
    reads: new Reads(boot, (reply, error) => ctx.failEarly(reply, error)),
    sessionReads: new SessionReads((reply, error) => ctx.failEarly(reply, error)),
    watching: new Watching(store.index, ctx.env),
    ticker: new Ticker(ctx),
    ticks: new TickClock(ctx.env),
    staleness: new Staleness(),
    administration: new Administration(),
    background: new Background(ctx, boot),
    taking: new SnapshotTaking({ ...SNAPSHOT_LIMITS, ...snapshots }, ctx.env.randomUint32()),
    sending: new SnapshotSending(),
    receiving: new SnapshotReceiving(),
    hashCheck: new HashCheck(hashCheckMs, ctx.env.now()),
    disk: new DiskFull(log.reserve.released),
    turn: new Turn(),
    outbox: new Outbox((to, message) => options.send(to, options.group, message), ctx),
    ownWrite: new OwnWrite(ctx),
    deferred: [],
    forwards: new Forwards(),
    boot,
    damage,
    clock: new SlewedClock(ctx.env),
    durableIndex: core.log.lastIndex,
    writing: null,
    written: null,
    commitIndex: core.commitIndex,
    untold: false,
    clockIndex: 0,
    clockTerm: 0,
    leaderKnown: null,
    leaderTerm: 0,
    unkeptTicks: 0,
    leaseTrusted: true,
    outcast: false,
    continuing: false,
  };
}

/** How much there is to do for a replica. Where a leader was not heard lately, time matters. */
export function paceOf({ core, proposals, reads, sessionReads, forwards, deferred }: State): Pace {
  const waiting = proposals.size + reads.size + sessionReads.size + forwards.size + deferred.length;
  if (waiting > 0 || core.log.lastIndex !== core.commitIndex) return "busy";
  if (core.role === "leader") return core.transfer === null ? "quiet-leader" : "busy";
  const hears = core.leader !== null && core.electionElapsedTicks < HEARTBEAT_TICKS;
  return hears ? "quiet-follower" : "busy";
}

/** Makes sure that another turn comes, though nobody may write to the replica. */
export function continueSoon(state: State): void {
  if (state.continuing) return;
  state.continuing = state.ctx.self.tell({ type: "continue" }, { lane: "control" }) === "ok";
}

export function statusOf(state: State): ReplicaStatus {
  const { options, core, log, store, commitIndex, damage } = state;
  return {
    group: options.group,
    role: core.role,
    term: core.term,
    leader: core.leader,
    firstIndex: core.log.firstIndex,
    lastIndex: core.log.lastIndex,
    commitIndex,
    appliedIndex: store.index,
    snapshotIndex: log.snapshots.current?.meta.index ?? 0,
    stateHash: store.hash(),
    damage: core.damaged ? damage : null,
  };
}

/** 48 random bits, but never 0, which stands for no session. */
function randomSession({ env }: Ctx<ReplicaMessage>): number {
  return (env.randomUint32() & 0xffff) * 2 ** 32 + (env.randomUint32() || 1);
}
