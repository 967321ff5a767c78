/**
 * Building blocks of the scripted tests: cores in a given state, and messages with defaults, so that a
 * test names only what it is about.
 *
 * @module
 */
import {
  type AppendReply,
  type AppendRequest,
  checkInvariants,
  type Configuration,
  type Core,
  type CoreOptions,
  createCore,
  type Effect,
  type Entry,
  EntryKind,
  type Input,
  type LogIndex,
  logIndex,
  type Message,
  type NodeId,
  nodeId,
  recovered,
  type SnapshotInfo,
  type SnapshotMeta,
  step,
  type Term,
  term,
  type VoteReply,
  type VoteRequest,
} from "../../raft/mod.ts";

export const A = nodeId("a");
export const B = nodeId("b");
export const C = nodeId("c");
export const D = nodeId("d");
export const E = nodeId("e");

export const t = term;
export const i = logIndex;

/** The wall clock of every scripted input. */
export const NOW_MS = 1_000;

export function configuration(voters: readonly NodeId[]): Configuration {
  return { voters, votersOutgoing: [], learners: [], promoting: [], addresses: [] };
}

/** One entry of each of the terms, from `firstIndex`: figure 7 writes logs like this. */
export function entriesOf(terms: readonly number[], firstIndex = 1): Entry[] {
  return terms.map((each, at) => ({
    term: t(each),
    index: i(firstIndex + at),
    timeMs: 0,
    kind: EntryKind.Command,
    data: bytes(each),
  }));
}

export function bytes(...values: number[]): Uint8Array {
  return new Uint8Array(values);
}

export interface Start extends Partial<Omit<CoreOptions, "log" | "hardState" | "snapshot">> {
  /** The terms of the entries in its log, behind the base. */
  readonly log?: readonly number[];
  /** Where its log was cut off: index and term. */
  readonly base?: readonly [index: number, term: number];
  /** Its snapshot; by default one at the base, if that is not 0. */
  readonly snapshot?: SnapshotInfo | null;
  readonly term?: number;
  readonly vote?: NodeId | null;
  readonly commit?: number;
  /** Whether it still keeps still, as a node does that may have heard a leader before it went down. */
  readonly justStarted?: boolean;
}

/** Node a of three, in the given state; its effects of starting are dropped. */
export function start(options: Start = {}): Core {
  const { log = [], base = [0, 0], vote = null, commit = 0, justStarted, ...rest } = options;
  const [baseIndex, baseTerm] = base;
  const inTerm = options.term ?? log.at(-1) ?? baseTerm;
  const core = createCore({
    id: A,
    configuration: configuration([A, B, C]),
    snapshot: baseIndex === 0 ? null : snapshotInfo({ index: i(baseIndex), term: t(baseTerm) }),
    seed: 1,
    damaged: false,
    ...rest,
    hardState: { term: t(inTerm), vote, commit: i(commit) },
    log: {
      entries: entriesOf(log, baseIndex + 1),
      baseIndex: i(baseIndex),
      baseTerm: t(baseTerm),
    },
  });
  recovered(core);
  if (justStarted !== true) core.leaderHeardTick = -Infinity;
  return core;
}

/** A log that nothing was cut off, for `createCore`. */
export function wholeLog(entries: readonly Entry[] = []): CoreOptions["log"] {
  return { entries, baseIndex: i(0), baseTerm: t(0) };
}

/** A snapshot of a cluster of a, b and c, in two chunks. */
export function snapshotInfo(meta: Partial<SnapshotMeta> = {}): SnapshotInfo {
  const whole = {
    index: i(1),
    term: t(1),
    timeMs: 0,
    configuration: configuration([A, B, C]),
    ...meta,
  };
  return { meta: whole, id: "00000000000000aa", chunks: 2, bytes: 4 };
}

/**
 * A step that also checks what must hold in any core after any step. What leases and staleness rest on
 * (stamp, echo, sent) is taken out of what it sends, so that tests need not name ticks; those of
 * lease_test.ts and freshness_test.ts look at it, with `takeStamped`.
 */
export function take(core: Core, input: Input): Effect[] {
  return takeStamped(core, input).map((effect) => {
    if (effect.type !== "send") return effect;
    const { message } = effect;
    if (message.type === "append-request") {
      return { ...effect, message: { ...message, stamp: 0, echo: 0 } };
    }
    if (message.type !== "append-reply") return effect;
    return { ...effect, message: { ...message, stamp: 0, sent: 0 } };
  });
}

export function takeStamped(core: Core, input: Input): Effect[] {
  const effects = step(core, input);
  checkInvariants(core);
  return effects;
}

export function tick(core: Core, count = 1): Effect[] {
  const effects: Effect[] = [];
  for (let n = 0; n < count; n++) effects.push(...take(core, { type: "tick", timeMs: NOW_MS }));
  return effects;
}

/** Ticks until the core has begun to campaign; what that tick brought. */
export function tickToCampaign(core: Core): Effect[] {
  for (let n = 0; n < 2 * core.limits.electionTicks; n++) {
    const effects = tick(core);
    if (core.role !== "follower") return effects;
  }
  throw new Error(`Cannot campaign: ${core.id} did not within two election timeouts`);
}

export function hear(core: Core, from: NodeId, message: Message): Effect[] {
  return take(core, { type: "message", from, message, timeMs: NOW_MS });
}

export function propose(core: Core, ...commands: Uint8Array[]): Effect[] {
  return take(core, { type: "propose", commands, timeMs: NOW_MS });
}

export function read(core: Core, id: number): Effect[] {
  return take(core, { type: "read", id, lease: false });
}

/** Says that all of the core's log is durable. */
export function persisted(core: Core): Effect[] {
  return take(core, { type: "persisted", index: core.log.lastIndex, term: core.log.lastTerm });
}

/** Makes `core` leader through the votes of all others; its no-op is durable, nobody has acknowledged it. */
export function lead(core: Core): Core {
  tickToCampaign(core);
  const others = core.configuration.voters.filter((id) => id !== core.id);
  for (const id of others) {
    if (core.role === "pre-candidate") {
      hear(core, id, voteReply({ term: t(core.term + 1), pre: true }));
    }
  }
  for (const id of others) {
    if (core.role === "candidate") hear(core, id, voteReply({ term: core.term }));
  }
  if (core.role !== "leader") throw new Error(`Cannot lead: ${core.id} is still ${core.role}`);
  persisted(core);
  return core;
}

/** A leader whose no-op, and so all of its log, everybody holds and knows to be committed. */
export function leadSettled(core: Core): Core {
  lead(core);
  for (const id of [...core.progress.keys()]) acknowledge(core, id);
  return core;
}

/** `from` says that it holds the log of `core` up to `index`, by default all of it. */
export function acknowledge(core: Core, from: NodeId, index = core.log.lastIndex): Effect[] {
  const { term: inTerm, reads: { round } } = core;
  return hear(core, from, appendReply({ term: inTerm, index, round }));
}

export function voteRequest(fields: Partial<VoteRequest> & { term: Term }): VoteRequest {
  return {
    type: "vote-request",
    pre: false,
    lastIndex: i(0),
    lastTerm: t(0),
    transfer: false,
    ...fields,
  };
}

export function voteReply(fields: Partial<VoteReply> & { term: Term }): VoteReply {
  return { type: "vote-reply", pre: false, granted: true, ...fields };
}

export function appendRequest(fields: Partial<AppendRequest> & { term: Term }): AppendRequest {
  return {
    type: "append-request",
    prevIndex: i(0),
    prevTerm: t(0),
    commit: i(0),
    round: 0,
    stamp: 0,
    echo: 0,
    entries: [],
    ...fields,
  };
}

export function appendReply(fields: Partial<AppendReply> & { term: Term }): AppendReply {
  return {
    type: "append-reply",
    success: true,
    index: i(0),
    conflictIndex: i(0),
    conflictTerm: t(0),
    round: 0,
    stamp: 0,
    sent: 0,
    counts: true,
    ...fields,
  };
}

/** The messages among the effects, with whom they go to. */
export function sent(
  effects: readonly Effect[],
): { to: NodeId; message: Message; early: boolean }[] {
  return effects.flatMap((effect) => {
    if (effect.type !== "send") return [];
    return [{ to: effect.to, message: effect.message, early: effect.early }];
  });
}

/** The appends among the effects that go to `to`. */
export function appendsTo(effects: readonly Effect[], to: NodeId): AppendRequest[] {
  return sent(effects).flatMap((each) => {
    return each.to === to && each.message.type === "append-request" ? [each.message] : [];
  });
}

/** The effects of one type. */
export function only<T extends Effect["type"]>(
  effects: readonly Effect[],
  type: T,
): Extract<Effect, { type: T }>[] {
  return effects.filter((effect) => effect.type === type) as Extract<Effect, { type: T }>[];
}

/** The terms of the log's entries, as figure 7 draws them. */
export function termsOf(core: Core): number[] {
  const last: LogIndex = core.log.lastIndex;
  return core.log.slice(core.log.firstIndex, last).map((entry) => entry.term);
}
