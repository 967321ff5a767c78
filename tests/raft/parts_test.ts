/**
 * The parts that the core is made of, each against a plain model of it.
 *
 * @module
 */
import { assert, assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import {
  type Configuration,
  type Effect,
  type Entry,
  InvariantError,
  type LogIndex,
  mergePersists,
  nodeId,
  RaftLog,
} from "../../raft/mod.ts";
import { configurationOf } from "../../raft/configuration.ts";
import { entryBytes } from "../../raft/entry_codec.ts";
import { Inflight } from "../../raft/progress.ts";
import { quorumValue, voteResult } from "../../raft/quorum.ts";
import { createRandom, drawBelow } from "../../raft/random.ts";
import { entriesOf, i, t } from "./script.ts";

// The log.

const terms = fc.array(fc.integer({ min: 1, max: 6 }), { maxLength: 12 })
  .map((each) => each.sort((a, b) => a - b));

Deno.test("RaftLog reads, appends, truncates and compacts like an array", () => {
  const nat = fc.nat(20);
  fc.assert(fc.property(terms, terms, nat, nat, fc.nat(5), (held, added, cut, end, before) => {
    const log = new RaftLog(entriesOf(held, before + 1), i(before), t(0));
    const kept = held.slice(0, cut);
    if (cut < held.length) log.truncate(i(before + 1 + cut));
    const more = added.map((term) => Math.max(term, kept.at(-1) ?? 0));
    log.append(entriesOf(more, before + 1 + kept.length));
    let model = [...kept, ...more];
    let base = before;
    // In two steps: the first leaves slots behind that the second has to deal with.
    for (const compacted of [Math.min(end >>> 1, model.length), Math.min(end, model.length)]) {
      log.compact(i(before + compacted));
      model = model.slice(before + compacted - base);
      base = before + compacted;
      checkLog(log, base, model);
    }
    const last = Math.max(log.lastTerm, 1);
    log.append(entriesOf([last, last], base + 1 + model.length));
    model.push(last, last);
    checkLog(log, base, model);
    log.truncate(i(base + model.length));
    checkLog(log, base, model.slice(0, -1));
  }));
});

function checkLog(log: RaftLog, base: number, model: readonly number[]): void {
  const last = i(base + model.length);
  assertEquals([log.baseIndex, log.firstIndex, log.lastIndex], [base, base + 1, last]);
  assertEquals(log.lastTerm, model.at(-1) ?? log.baseTerm);
  assertEquals(log.slice(log.firstIndex, last).map(({ term }) => term), model);
  assertEquals(
    log.slice(log.firstIndex, last).map(({ index }) => index - base),
    [
      ...model.keys(),
    ].map((at) => at + 1),
  );
  for (let n = 0; n < model.length; n++) {
    assertEquals(log.term(i(base + 1 + n)), model[n]);
    assert(log.matches(i(base + 1 + n), t(model[n])));
  }
  for (let term = 0; term <= 7; term++) {
    const at = model.findIndex((each) => each >= term);
    assertEquals(log.firstIndexOfTerm(t(term)), base + 1 + (at < 0 ? model.length : at));
  }
}

Deno.test("RaftLog.slice() cuts at bytesMax, gives at least one entry, and shares what it gave", () => {
  const sizes = fc.array(fc.nat(40), { minLength: 1, maxLength: 12 });
  fc.assert(fc.property(sizes, fc.nat(11), fc.nat(200), (lengths, start, bytesMax) => {
    const entries: Entry[] = lengths.map((length, at) => ({
      term: t(1),
      index: i(at + 1),
      timeMs: 0,
      kind: 0,
      data: new Uint8Array(length),
    }));
    const log = new RaftLog(entries, i(0), t(0));
    const from = i(1 + start % lengths.length);
    const slice = log.slice(from, log.lastIndex, bytesMax);
    let fitting = 1;
    let size = entryBytes(entries[from - 1]);
    while (from - 1 + fitting < entries.length) {
      size += entryBytes(entries[from - 1 + fitting]);
      if (size > bytesMax) break;
      fitting++;
    }
    assertEquals(
      slice.map(({ index }) => index),
      entries.slice(from - 1, from - 1 + fitting).map(({ index }) => index),
    );
    assertStrictEquals(log.slice(from, log.lastIndex, bytesMax), slice);
  }));
});

Deno.test("RaftLog forgets a shared slice when it truncates", () => {
  const log = new RaftLog(entriesOf([1, 1]), i(0), t(0));
  log.slice(i(1), i(2), 1_000);
  log.truncate(i(2));
  log.append(entriesOf([2], 2));
  assertEquals(log.slice(i(1), i(2), 1_000).map(({ term }) => term), [1, 2]);
  log.truncate(i(2));
  log.append(entriesOf([3], 2));
  assertEquals(log.slice(i(2), i(2)).map(({ term }) => term), [3]);
});

Deno.test("RaftLog throws for what it does not hold", () => {
  const log = new RaftLog(entriesOf([2, 2], 4), i(3), t(1));
  assertEquals([log.term(i(3)), log.matches(i(3), t(1)), log.matches(i(2), t(1))], [
    1,
    true,
    false,
  ]);
  assertEquals([log.matches(i(6), t(2)), log.slice(i(6), i(5))], [false, []]);
  for (const index of [2, 6]) {
    assertThrows(() => log.term(i(index)), InvariantError, "holds 4 to 5");
    assertThrows(() => log.slice(i(index), i(6)), InvariantError, "holds 4 to 5");
  }
  assertThrows(() => log.truncate(i(3)), InvariantError, "was cut off up to 3");
  assertThrows(() => log.compact(i(6)), InvariantError, "holds 4 to 5");
  assertThrows(() => log.append(entriesOf([2], 7)), InvariantError, "6 is next");
});

Deno.test("RaftLog.compact() keeps the base's term and stamp, and forgets what it has cut off", () => {
  const log = new RaftLog(stamped([10, 20, 30]), i(0), t(0));
  log.compact(i(2));
  assertEquals([log.baseIndex, log.baseTerm, log.lastTimeMs], [2, 1, 30]);
  assertEquals([log.matches(i(2), t(1)), log.matches(i(1), t(1))], [true, false]);
  for (const index of [1, 2]) assertThrows(() => log.entry(i(index)), InvariantError, "holds 3");
  log.compact(i(1));
  assertEquals(log.baseIndex, 2);
  const long = new RaftLog(stamped([1, 2, 3, 4, 5, 6]), i(0), t(0));
  long.compact(i(2));
  for (const index of [1, 2]) assertThrows(() => long.entry(i(index)), InvariantError, "holds 3");
  log.compact(i(3));
  assertEquals([log.firstIndex, log.lastIndex, log.lastTerm, log.lastTimeMs], [4, 3, 1, 30]);
});

Deno.test("RaftLog.reset() empties the log, and stamps do not fall behind what it stands on", () => {
  const log = new RaftLog(stamped([10, 20, 30]), i(0), t(0));
  log.compact(i(1));
  log.reset(i(7), t(3), 50);
  assertEquals([log.baseIndex, log.lastIndex, log.lastTerm, log.lastTimeMs], [7, 7, 3, 50]);
  log.append(entriesOf([3], 8));
  assertEquals([log.term(i(8)), log.lastTimeMs], [3, 50]);
});

function stamped(timesMs: readonly number[]): Entry[] {
  return entriesOf(timesMs.map(() => 1)).map((entry, at) => ({ ...entry, timeMs: timesMs[at] }));
}

Deno.test("RaftLog.compact() copies no more than it cuts, whatever stays", () => {
  const log = new RaftLog(entriesOf(new Array(2_000).fill(1)), i(0), t(0));
  const { slice } = Array.prototype;
  let copied = 0;
  Array.prototype.slice = function (...range) {
    const copy = slice.apply(this, range);
    copied += copy.length;
    return copy;
  };
  try {
    for (let index = 1; index <= 2_000; index++) log.compact(i(index));
  } finally {
    Array.prototype.slice = slice;
  }
  assertEquals([log.firstIndex, log.lastIndex], [2_001, 2_000]);
  assert(copied <= 2_000, `${copied} entries were copied`);
});

// Quorums, against the definition: a set that holds a majority of each set of voters.

const ids = ["a", "b", "c", "d", "e", "f", "g"].map(nodeId);
const configurations: fc.Arbitrary<Configuration> = fc.record({
  voters: fc.subarray(ids, { minLength: 1 }),
  votersOutgoing: fc.subarray(ids),
  learners: fc.constant([]),
  promoting: fc.constant([]),
  addresses: fc.constant([]),
});

function isQuorum(
  { voters, votersOutgoing }: Configuration,
  has: (id: string) => boolean,
): boolean {
  const majority = (set: readonly string[]) => 2 * set.filter(has).length > set.length;
  return majority(voters) && (votersOutgoing.length === 0 || majority(votersOutgoing));
}

Deno.test("quorumValue() is the highest number that a quorum has reached", () => {
  const values = fc.array(fc.nat(9), { minLength: 7, maxLength: 7 });
  fc.assert(fc.property(configurations, values, (configuration, reached) => {
    const valueOf = (id: string) => reached[ids.indexOf(nodeId(id))];
    const result = quorumValue(configuration, valueOf);
    assert(isQuorum(configuration, (id) => valueOf(id) >= result));
    assert(!isQuorum(configuration, (id) => valueOf(id) > result));
  }));
  assertEquals(quorumValue(configurationOf([], { learners: ids }), () => 1), -Infinity);
});

Deno.test("voteResult() is won with a quorum, and lost when none can come any more", () => {
  const votes = fc.array(fc.constantFrom(true, false, null), { minLength: 7, maxLength: 7 });
  fc.assert(fc.property(configurations, votes, (configuration, given) => {
    const voteOf = (id: string) => given[ids.indexOf(nodeId(id))];
    const cast = new Map(ids.flatMap((id) => {
      const vote = voteOf(id);
      return vote === null ? [] : [[id, vote] as const];
    }));
    const won = isQuorum(configuration, (id) => voteOf(id) === true);
    const open = isQuorum(configuration, (id) => voteOf(id) !== false);
    assertEquals(voteResult(configuration, cast), won ? "won" : open ? "pending" : "lost");
  }));
});

// Merged writes.

Deno.test("mergePersists() comes to the same as one write after the other", () => {
  const steps = fc.array(
    fc.record({ cut: fc.option(fc.nat(8)), added: fc.nat(4), hard: fc.boolean() }),
    { minLength: 1, maxLength: 6 },
  );
  fc.assert(fc.property(fc.nat(6), steps, (held, changes) => {
    const base = entriesOf(Array(held).fill(1));
    const model = [...base];
    let term = 1;
    const effects: Effect[] = changes.map(({ cut, added, hard }) => {
      term++;
      const truncateFrom = cut === null || cut >= model.length ? null : i(cut + 1);
      if (truncateFrom !== null) model.length = truncateFrom - 1;
      const entries = entriesOf(Array(added).fill(term), model.length + 1);
      model.push(...entries);
      const hardState = hard ? { term: t(term), vote: null, commit: i(0) } : null;
      return { type: "persist", hardState, truncateFrom, entries };
    });
    const merged = mergePersists(effects)!;
    const disk = merged.truncateFrom === null ? [...base] : base.slice(0, merged.truncateFrom - 1);
    assertEquals(merged.entries.length === 0 || merged.entries[0].index === disk.length + 1, true);
    assertEquals([...disk, ...merged.entries], model);
    const hardStates = effects.flatMap((each) =>
      each.type === "persist" ? each.hardState ?? [] : []
    );
    assertEquals(merged.hardState, hardStates.at(-1) ?? null);
  }));
});

Deno.test("mergePersists() hands on the very array when one write alone brings entries", () => {
  const hardState = { term: t(2), vote: null, commit: i(0) };
  const entries = entriesOf([1, 1]);
  const effects: Effect[] = [
    { type: "persist", hardState, truncateFrom: null, entries: [] },
    { type: "read-refused", id: 1 },
    { type: "persist", hardState: null, truncateFrom: i(1), entries },
  ];
  const merged = mergePersists(effects)!;
  assertStrictEquals(merged.entries, entries);
  assertEquals([merged.hardState, merged.truncateFrom], [hardState, 1]);
  assertEquals(mergePersists([{ type: "read-refused", id: 1 }]), null);
});

// The window and the dice.

Deno.test("Inflight frees in order and says when it is full", () => {
  const inflight = new Inflight(3);
  const add = (index: number, size: number) => inflight.add(index as LogIndex, size);
  for (let round = 0; round < 5; round++) {
    add(round * 10 + 1, 5);
    add(round * 10 + 2, 6);
    assertEquals([inflight.isFull(12), inflight.isFull(11)], [false, true]);
    add(round * 10 + 4, 7);
    assertEquals([inflight.isFull(100), inflight.count, inflight.bytes], [true, 3, 18]);
    inflight.freeTo(i(round * 10 + 3));
    assertEquals([inflight.count, inflight.bytes], [1, 7]);
    inflight.freeTo(i(round * 10 + 4));
    assertEquals([inflight.count, inflight.bytes], [0, 0]);
  }
});

Deno.test("drawBelow() stays below its bound, reaches all of it, and follows its seed alone", () => {
  const draw = (seed: number) => {
    const random = createRandom(seed);
    return Array.from({ length: 200 }, () => drawBelow(random, 10));
  };
  for (const seed of [0, 1, 2, 0x9e3779b9, 2 ** 32 - 1]) {
    assertEquals([...new Set(draw(seed))].sort(), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    assertEquals(draw(seed), draw(seed));
  }
  assert(draw(1).join() !== draw(2).join());
});
