import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import { Turn } from "../../actors/replica_turn.ts";
import { type Entry, EntryKind, logIndex, nodeId, term } from "../../raft/types.ts";

function entry(index: number, ofTerm = 1): Entry {
  return {
    index: logIndex(index),
    term: term(ofTerm),
    timeMs: 0,
    kind: EntryKind.Command,
    data: new Uint8Array([index]),
  };
}

function append(...entries: Entry[]) {
  return { type: "persist", hardState: null, truncateFrom: null, entries } as const;
}

function truncate(from: number, ...entries: Entry[]) {
  return { type: "persist", hardState: null, truncateFrom: logIndex(from), entries } as const;
}

Deno.test("Turn hands a single array of entries through unchanged, so that its encoding is shared", () => {
  const turn = new Turn();
  const entries = [entry(1), entry(2)];
  turn.persist({ type: "persist", hardState: null, truncateFrom: null, entries });
  assertStrictEquals(turn.takeBatch().entries, entries);
});

Deno.test("Turn merges what its steps persist, in order", () => {
  const turn = new Turn();
  turn.persist(append(entry(5), entry(6), entry(7)));
  turn.persist(truncate(6, entry(6, 2)));
  const batch = turn.takeBatch();
  assertEquals(batch.entries.map((e) => [e.index as number, e.term as number]), [[5, 1], [6, 2]]);
  assertEquals(batch.truncateFrom, null); // Nothing from 6 on had reached the disk.
});

Deno.test("Turn keeps the lowest truncation that reaches the disk", () => {
  const turn = new Turn();
  turn.persist(truncate(6, entry(6, 2), entry(7, 2)));
  turn.persist(truncate(7, entry(7, 3)));
  turn.persist(truncate(4, entry(4, 4)));
  const batch = turn.takeBatch();
  assertEquals(batch.truncateFrom, logIndex(4));
  assertEquals(batch.entries.map((e) => [e.index as number, e.term as number]), [[4, 4]]);
});

Deno.test("Turn leaves the core's arrays alone when it merges", () => {
  const turn = new Turn();
  const first = [entry(1)];
  turn.persist({ type: "persist", hardState: null, truncateFrom: null, entries: first });
  turn.persist(append(entry(2), entry(3)));
  turn.persist(append(entry(4)));
  assertEquals(turn.takeBatch().entries.map((e) => e.index as number), [1, 2, 3, 4]);
  assertEquals(first.length, 1);
});

Deno.test("Turn keeps the newest hard state, and is clean once its batch was taken", () => {
  const turn = new Turn();
  const state = (t: number) => ({ term: term(t), vote: null, commit: logIndex(0) });
  const persist = { type: "persist", truncateFrom: null, entries: [] } as const;
  turn.persist({ ...persist, hardState: state(1) });
  turn.persist({ ...persist, hardState: state(2) });
  assert(turn.isDirty);
  assertEquals(turn.takeBatch().hardState, state(2));
  assert(!turn.isDirty);
  assertEquals(turn.takeBatch(), { hardState: null, truncateFrom: null, entries: [] });
});

Deno.test("Turn holds messages in order until they are taken, once", () => {
  const turn = new Turn();
  const message = { type: "read-request", term: term(1), id: 1, lease: false } as const;
  turn.hold(nodeId("b"), message);
  turn.hold(nodeId("c"), { ...message, id: 2 });
  assertEquals(turn.takeHeld().map((held) => held.to as string), ["b", "c"]);
  assertEquals(turn.takeHeld(), []);
});
