/**
 * Each invariant is shown what breaks it, and what only looks like that.
 *
 * @module
 */
import { assertEquals, assertThrows } from "@std/assert";
import { Ledger } from "../ledger.ts";
import { Machine } from "../machine.ts";
import { Acknowledged } from "./acknowledged.ts";
import { DurableOnQuorum } from "./durable_on_quorum.ts";
import { ElectionSafety } from "./election_safety.ts";
import { ExactlyOnce } from "./exactly_once.ts";
import { FreshReads } from "./fresh_reads.ts";
import { IndexOrder } from "./index_order.ts";
import { Broken, type Invariant } from "./invariant.ts";
import { JointChanges } from "./joint_changes.ts";
import { LeaderAppendOnly } from "./leader_append_only.ts";
import { LeaderCompleteness } from "./leader_completeness.ts";
import { LogMatching } from "./log_matching.ts";
import { Monotonic } from "./monotonic.ts";
import { OneVote } from "./one_vote.ts";
import { StateMachineSafety } from "./state_machine_safety.ts";
import { WellFormed } from "./well_formed.ts";
import type { ReplicaLife } from "../../../actors/replica_types.ts";
import type { Consistency, ServedRead } from "../../../actors/service.ts";
import { virtualEnv } from "../../../actors/virtual_env.ts";
import { encodeAtomicWrite, encodeOpenSession, stampCommand } from "../../../kv/command.ts";
import { encodeKey } from "../../../kv/key_codec.ts";
import { Store } from "../../../kv/store.ts";
import type { AtomicWrite } from "../../../kv/types.ts";
import { bytesValue } from "../../../kv/value_codec.ts";
import { configurationOf } from "../../../raft/configuration.ts";
import { type Core, createCore } from "../../../raft/core.ts";
import { type Entry, EntryKind, logIndex, nodeId, type Role, term } from "../../../raft/types.ts";
import { MemoryDisk, MemoryLogStore } from "../../../storage/memory_log_store.ts";

const [N1, N2, N3] = ["n1", "n2", "n3"].map(nodeId) as [ReturnType<typeof nodeId>, never, never];
const VOTERS = [N1, N2, N3];

function machines(): Machine[] {
  const env = virtualEnv(1);
  return VOTERS.map((id, at) => new Machine(at, id, env, true, new MemoryDisk(at + 1)));
}

function entry(
  index: number,
  inTerm: number,
  data: Uint8Array = new Uint8Array([index, inTerm]),
): Entry {
  const kind = EntryKind.Command;
  return { index: logIndex(index), term: term(inTerm), timeMs: index, kind, data };
}

interface Place {
  readonly role?: Role;
  readonly inTerm?: number;
  readonly entries?: readonly Entry[];
  readonly commit?: number;
  readonly store?: Store;
}

/** A life whose core is in that state. */
function life(
  { role = "follower", inTerm = 1, entries = [], commit = 0, store }: Place,
): ReplicaLife {
  const core: Core = createCore({
    id: N1,
    configuration: configurationOf(VOTERS),
    hardState: { term: term(inTerm), vote: null, commit: logIndex(commit) },
    log: { entries, baseIndex: logIndex(0), baseTerm: term(0) },
    snapshot: null,
    seed: 1,
    damaged: false,
  });
  core.role = role;
  const commitIndex = logIndex(commit);
  return { core, store: store ?? new Store(), commitIndex, durableIndex: core.log.lastIndex };
}

function persist(entries: readonly Entry[]) {
  return { type: "persist", hardState: null, truncateFrom: null, entries } as const;
}

/** Holds that the last act breaks it, and those before do not. */
function breaks(invariant: { readonly name: string }, acts: readonly (() => void)[]): void {
  for (const act of acts.slice(0, -1)) act();
  assertThrows(acts.at(-1)!, Broken, "", invariant.name);
}

Deno.test("election safety: two leaders of one term, or one twice", () => {
  const [a, b] = machines() as [Machine, Machine];
  const led = life({ role: "leader", inTerm: 3 });
  const it = new ElectionSafety();
  breaks(it, [
    () => it.leading(a, led, true),
    () => it.leading(a, led, false),
    () => it.leading(b, led, true),
  ]);
  const again = new ElectionSafety();
  breaks(again, [() => again.leading(a, led, true), () => again.leading(a, led, true)]);
});

Deno.test("election safety: a leadership that nobody saw and no disk knows never was", () => {
  const [a] = machines() as [Machine];
  const it = new ElectionSafety();
  const led = life({ role: "leader", inTerm: 3 });
  it.leading(a, led, true);
  it.crashed(a);
  it.leading(a, led, true);
  const request = { type: "append-request", term: 3, prevIndex: 0, prevTerm: 0, commit: 0 };
  it.sent(a, N2, { ...request, round: 0, stamp: 0, echo: 0, entries: [] } as never);
  it.crashed(a);
  assertThrows(() => it.leading(a, led, true), Broken);
});

Deno.test("leader append-only: a log that gets shorter, or ends in another term", () => {
  const [a] = machines() as [Machine];
  const it = new LeaderAppendOnly();
  const long = life({
    role: "leader",
    inTerm: 2,
    entries: [entry(1, 1), entry(2, 2), entry(3, 2)],
  });
  const short = life({ role: "leader", inTerm: 2, entries: [entry(1, 1), entry(2, 2)] });
  breaks(it, [() => it.leading(a, long, true), () => it.leading(a, short, false)]);
  const old = life({ role: "leader", inTerm: 3, entries: [entry(1, 1)] });
  assertThrows(() => it.leading(a, old, true), Broken);
});

Deno.test("log matching: one index and term, two entries or predecessors", () => {
  const [a, b] = machines() as [Machine, Machine];
  const it = new LogMatching();
  const first = life({ entries: [entry(1, 1)], inTerm: 2 });
  const other = life({ entries: [entry(1, 2)], inTerm: 2 });
  breaks(it, [
    () => it.persisted(a, first, persist([entry(2, 2)])),
    () => it.persisted(b, first, persist([entry(2, 2)])),
    () => it.persisted(b, other, persist([entry(2, 2)])),
  ]);
  assertThrows(() => it.persisted(b, first, persist([entry(2, 2, new Uint8Array(9))])), Broken);
});

Deno.test("leader completeness: a leader without what was committed before its term", () => {
  const all = machines();
  const ledger = new Ledger();
  ledger.add(entry(1, 1), 1, 0);
  const it = new LeaderCompleteness(ledger, all);
  const whole = life({ role: "leader", inTerm: 2, entries: [entry(1, 1), entry(2, 2)] });
  const lacking = life({ role: "leader", inTerm: 2, entries: [entry(1, 2)] });
  breaks(it, [() => it.leading(all[0]!, whole, true), () => it.leading(all[0]!, lacking, true)]);
  all[1]!.life = lacking;
  assertThrows(() => it.committed(all[0]!, life({ inTerm: 1 }), entry(1, 1), undefined), Broken);
});

Deno.test("state machine safety: two entries under one index, or two states after it", () => {
  const [a, b] = machines() as [Machine, Machine];
  const it = new StateMachineSafety();
  breaks(it, [
    () => it.committed(a, life({}), entry(1, 1), undefined),
    () => it.committed(b, life({}), entry(1, 1), entry(1, 1)),
    () => it.committed(b, life({}), entry(1, 2), entry(1, 1)),
  ]);
  const stateOf = (data: Uint8Array) => {
    const store = new Store();
    store.apply({ index: 1, timeMs: 1, data, isCommand: true });
    return life({ store });
  };
  breaks(it, [
    () => it.applied(a, stateOf(encodeOpenSession(1))),
    () => it.applied(b, stateOf(encodeOpenSession(1))),
    () => it.applied(b, stateOf(encodeOpenSession(2))),
  ]);
});

Deno.test("monotonic: term and commit in a life, term and vote on a disk", () => {
  const [a] = machines() as [Machine];
  const it = new Monotonic();
  const entries = [entry(1, 1), entry(2, 1)];
  breaks(it, [
    () => it.settled(a, life({ inTerm: 2, entries, commit: 1 })),
    () => it.settled(a, life({ inTerm: 2, entries, commit: 2 })),
    () => it.settled(a, life({ inTerm: 1, entries, commit: 2 })),
  ]);
  assertThrows(() => it.settled(a, life({ inTerm: 2, entries, commit: 1 })), Broken);
  it.opened(a);
  it.settled(a, life({ inTerm: 2, entries, commit: 1 }));
});

Deno.test("monotonic: a vote that a disk forgets", async () => {
  const [a] = machines() as [Machine];
  const it = new Monotonic();
  a.disk.onLanded = () => it.landed(a);
  const store = new MemoryLogStore(a.disk, { clusterId: "c", nodeId: "n1" });
  await store.open();
  const write = (vote: typeof N1) => {
    const hardState = { term: term(1), vote, commit: logIndex(0) };
    return store.commit({ hardState, truncateFrom: null, entries: [] });
  };
  await write(N1);
  await write(N1);
  let thrown: unknown = null;
  await write(N2).catch((error) => thrown = error);
  assertEquals(thrown instanceof Broken, true);
});

Deno.test("durable on a quorum: committed, and on one disk of three", async () => {
  const all = machines();
  const it = new DurableOnQuorum(all);
  const leader = life({ role: "leader", inTerm: 1, entries: [entry(1, 1)], commit: 1 });
  for (const { disk, id } of all.slice(0, 2)) {
    const store = new MemoryLogStore(disk, { clusterId: "c", nodeId: id });
    await store.open();
    const check = () => it.committed(all[0]!, leader, entry(1, 1), undefined);
    assertThrows(check, Broken);
    await store.commit({ hardState: null, truncateFrom: null, entries: [entry(1, 1)] });
  }
  it.committed(all[0]!, leader, entry(1, 1), undefined);
  assertThrows(() => it.committed(all[0]!, leader, entry(1, 2), undefined), Broken);
});

Deno.test("index order: applied what is not committed", () => {
  const [a] = machines() as [Machine];
  const it = new IndexOrder();
  const store = new Store();
  store.apply({ index: 1, timeMs: 1, data: encodeOpenSession(1), isCommand: true });
  const entries = [entry(1, 1)];
  breaks(it, [
    () => it.settled(a, life({ entries, commit: 1, store })),
    () => it.settled(a, life({ entries, commit: 0, store })),
  ]);
});

Deno.test("one vote: for two candidates in one term", () => {
  const [a] = machines() as [Machine];
  const it = new OneVote();
  const vote = { type: "vote-reply", term: term(4), pre: false, granted: true } as const;
  breaks(it, [
    () => it.sent(a, N2, vote),
    () => it.sent(a, N2, vote),
    () => it.sent(a, N3, { ...vote, granted: false }),
    () => it.sent(a, N3, { ...vote, pre: true }),
    () => it.sent(a, N3, vote),
  ]);
});

Deno.test("well-formed: a snapshot that says of nobody that they are members", () => {
  const [a] = machines() as [Machine];
  const it = new WellFormed();
  const meta = {
    index: logIndex(4),
    term: term(1),
    timeMs: 1,
    configuration: configurationOf(VOTERS),
  };
  const info = { id: "0123456789abcdef", meta, bytes: 3, chunks: 1 };
  const data = new Uint8Array(3);
  const chunk = { type: "snapshot-chunk", term: term(2), info, chunk: 0, data } as const;
  const nobody = { ...meta, configuration: configurationOf([]) };
  breaks(it, [
    () => it.sent(a, N2, chunk),
    () => it.sent(a, N2, { ...chunk, info: { ...info, meta: nobody } }),
  ]);
});

Deno.test("joint changes: other voters at once", () => {
  const [a] = machines() as [Machine];
  const it: Invariant = new JointChanges();
  const jump = life({});
  const at = (voters: readonly typeof N1[], votersOutgoing: readonly typeof N1[] = []) => {
    const configuration = { ...configurationOf(voters), votersOutgoing };
    jump.core.configurations.push({
      index: logIndex(jump.core.configurations.length),
      configuration,
    });
    const index = jump.core.configurations.at(-1)!.index;
    it.configured!(a, jump, { type: "configuration", configuration, index, committed: false });
  };
  breaks(it, [() => at([N1, N2], VOTERS), () => at([N1, N2]), () => at([N1])]);
});

const SET: AtomicWrite = {
  checks: [],
  mutations: [{
    type: "set",
    key: encodeKey(["k"]),
    value: bytesValue(new TextEncoder().encode("c1.1")),
    expiry: { type: "never" },
  }],
  idempotencyKey: null,
};

Deno.test("exactly once: a value set again, under another session", () => {
  const [a] = machines() as [Machine];
  const it = new ExactlyOnce();
  const store = new Store();
  const apply = (data: Uint8Array) => {
    const index = store.index + 1;
    const applied = store.apply({ index, timeMs: 1, data, isCommand: true });
    it.applied(a, life({}), entry(index, 1, data), applied);
  };
  const stamped = (session: number) => {
    const data = encodeAtomicWrite(SET);
    stampCommand(data, session, 1, 1);
    return data;
  };
  breaks(it, [
    () => apply(encodeOpenSession(7)),
    () => apply(encodeOpenSession(8)),
    () => apply(stamped(7)),
    () => apply(stamped(7)),
    () => apply(stamped(8)),
  ]);
});

Deno.test("acknowledged: what is not committed, or another write", () => {
  const ledger = new Ledger();
  const it = new Acknowledged(ledger);
  assertThrows(() => it.told(SET, 1), Broken);
  ledger.add(entry(1, 1, encodeAtomicWrite(SET)), 1, 0);
  it.told(SET, 1);
  assertThrows(() => it.told({ ...SET, idempotencyKey: "other" }, 1), Broken);
  const [set] = SET.mutations as [Extract<AtomicWrite["mutations"][number], { type: "set" }>];
  const key = encodeKey(["other"]);
  const others: AtomicWrite["mutations"][] = [
    [],
    [set, set],
    [{ ...set, key }],
    [{ type: "delete", key: set.key }],
    [{ ...set, value: bytesValue(new TextEncoder().encode("c1.2")) }],
    [{ ...set, value: bytesValue(new TextEncoder().encode("c1.")) }],
  ];
  for (const mutations of others) {
    assertThrows(() => it.told({ ...SET, mutations }, 1), Broken);
  }
});

Deno.test("fresh reads: each kind behind what it promises", () => {
  const ledger = new Ledger();
  let nowMs = 100;
  const reads = (areLeasesSafe: boolean) => new FreshReads(ledger, () => nowMs, areLeasesSafe, 0.8);
  ledger.add(entry(1, 1), 1, 10);
  ledger.add(entry(2, 1), 1, 60);
  const answer = (
    consistency: Consistency,
    index: number,
    stalenessMs: number | null = null,
    safe = true,
  ) => {
    const it = reads(safe);
    const served: ServedRead = { results: [], index, served: consistency.mode, stalenessMs };
    it.answered("n1", it.asked(consistency), served);
  };
  for (const mode of ["linearizable", "lease"] as const) {
    answer({ mode }, 2);
    assertThrows(() => answer({ mode }, 1), Broken);
  }
  answer({ mode: "lease" }, 1, null, false);
  answer({ mode: "session", minIndex: 1 }, 1);
  assertThrows(() => answer({ mode: "session", minIndex: 2 }, 1), Broken);
  nowMs = 100;
  answer({ mode: "eventual", maxStalenessMs: null }, 0);
  answer({ mode: "eventual", maxStalenessMs: null }, 1, 40);
  assertThrows(() => answer({ mode: "eventual", maxStalenessMs: null }, 1, 20), Broken);
});
