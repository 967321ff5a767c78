/**
 * How a leader feeds its followers: the window, probes, lost and late answers, shared arrays.
 *
 * @module
 */
import { assertEquals, assertStrictEquals } from "@std/assert";
import {
  acknowledge,
  appendReply,
  appendsTo,
  B,
  bytes,
  C,
  entriesOf,
  hear,
  i,
  lead,
  leadSettled,
  propose,
  sent,
  start,
  t,
  tick,
} from "./script.ts";
import type { AppendRequest, Core, NodeId } from "../../raft/mod.ts";

/** First and last index of what an append carries. */
function range({ entries, prevIndex }: AppendRequest): [number, number] {
  return [prevIndex + 1, prevIndex + entries.length];
}

function refusal(core: Core, index: number, conflictIndex: number, conflictTerm = 0) {
  return appendReply({
    term: core.term,
    success: false,
    index: i(index),
    conflictIndex: i(conflictIndex),
    conflictTerm: t(conflictTerm),
    round: core.reads.round,
  });
}

/** `from` holds the log up to `index`, and says so to what this leader sent in the present tick. */
function matched(core: Core, from: NodeId, index: number) {
  const { term, ticks: stamp, reads: { round } } = core;
  return hear(core, from, appendReply({ term, index: i(index), stamp, round }));
}

Deno.test("step() pipelines appends up to inflightMessagesMax, then sends what waited as one", () => {
  const core = leadSettled(start({ inflightMessagesMax: 2 }));
  const sentCounts = [1, 2, 3, 4].map((value) => appendsTo(propose(core, bytes(value)), B).length);
  assertEquals(sentCounts, [1, 1, 0, 0]);
  assertEquals(appendsTo(acknowledge(core, B, i(2)), B).map(range), [[4, 5]]);
});

Deno.test("step() stops pipelining at inflightBytesMax, each follower by itself", () => {
  // An entry of one byte is 18 bytes encoded.
  const core = leadSettled(start({ inflightBytesMax: 36 }));
  for (const value of [1, 2]) assertEquals(appendsTo(propose(core, bytes(value)), B).length, 1);
  assertEquals(appendsTo(propose(core, bytes(3)), B), []);
  assertEquals(appendsTo(acknowledge(core, C, i(3)), C).map(range), [[4, 4]]);
  assertEquals(appendsTo(propose(core, bytes(4)), B), []);
  assertEquals(appendsTo(acknowledge(core, B, i(3)), B).map(range), [[4, 5]]);
});

Deno.test("step() cuts appends at appendBytesMax and appendEntriesMax, but sends a large entry alone", () => {
  const batch = [1, 2, 3, 4, 5].map((value) => bytes(value));
  const byBytes = leadSettled(start({ appendBytesMax: 40 }));
  assertEquals(appendsTo(propose(byBytes, ...batch), B).map(range), [[2, 3], [4, 5], [6, 6]]);
  const byCount = leadSettled(start({ appendEntriesMax: 3 }));
  assertEquals(appendsTo(propose(byCount, ...batch), B).map(range), [[2, 4], [5, 6]]);
  const large = leadSettled(start({ appendBytesMax: 40 }));
  const effects = propose(large, bytes(1), new Uint8Array(100), bytes(3));
  assertEquals(appendsTo(effects, B).map(range), [[2, 2], [3, 3], [4, 4]]);
});

Deno.test("step() gives two followers at one position the same array, also when it is a cut one", () => {
  const core = lead(start({ log: Array(10).fill(1), appendBytesMax: 60 }));
  const again = [B, C].map((id) => {
    return appendsTo(hear(core, id, refusal(core, 10, 3)), id)[0].entries;
  });
  assertEquals(again[0].map(({ index }) => index), [3, 4, 5]);
  assertStrictEquals(again[0], again[1]);
});

Deno.test("step() sends one probe at a time to a follower whose log it does not know", () => {
  const core = lead(start());
  assertEquals(sent(propose(core, bytes(1))), []);
  assertEquals(appendsTo(acknowledge(core, B, i(1)), B).map(range), [[2, 2]]);
  assertEquals(appendsTo(propose(core, bytes(2)), B).map(range), [[3, 3]]);
});

Deno.test("step() walks back to where the logs agree, a term at a time, and then pipelines (5.3)", () => {
  // The follower's log: 1 1 1 4 4 4 4; ours: 1 1 1 2 2 3 3 5, and the no-op of term 6.
  const core = lead(start({ log: [1, 1, 1, 2, 2, 3, 3, 5], term: 5 }));
  const [probe, ...more] = appendsTo(hear(core, B, refusal(core, 8, 8)), B);
  assertEquals([range(probe), more], [[8, 9], []]);
  const [second] = appendsTo(hear(core, B, refusal(core, 7, 4, 4)), B);
  assertEquals([range(second), second.prevTerm], [[4, 9], 1]);
  const news = appendsTo(acknowledge(core, B), B).map(range);
  assertEquals(news, [[10, 9]]);
  assertEquals(appendsTo(propose(core, bytes(1)), B).map(range), [[10, 10]]);
});

Deno.test("step() skips to the end of the conflicting term when it has that term, too (5.3)", () => {
  // The follower's log: 1 2 2 2 2 2; ours: 1 2 2 3 3 3.
  const core = lead(start({ log: [1, 2, 2, 3, 3, 3], term: 3 }));
  const [probe] = appendsTo(hear(core, B, refusal(core, 6, 2, 2)), B);
  assertEquals(range(probe), [4, 7]);
});

Deno.test("step() resends what was lost on the way once a later append is refused", () => {
  const core = leadSettled(start());
  for (const value of [1, 2, 3]) propose(core, bytes(value));
  // The first was lost, so the second and third do not fit.
  assertEquals(appendsTo(hear(core, B, refusal(core, 2, 2)), B).map(range), [[2, 4]]);
  assertEquals(sent(hear(core, B, refusal(core, 3, 2))), []);
});

Deno.test("step() finds a lost last append with the next heartbeat, which stands behind it", () => {
  const core = leadSettled(start());
  propose(core, bytes(1));
  const [heartbeat] = appendsTo(tick(core, 2), B);
  assertEquals([heartbeat.prevIndex, heartbeat.entries.length], [2, 0]);
  assertEquals(appendsTo(hear(core, B, refusal(core, 2, 2)), B).map(range), [[2, 2]]);
});

Deno.test("step() finds a lost append even while news keeps the line busy", () => {
  const core = leadSettled(start({ heartbeatTicks: 3 }));
  propose(core, bytes(1));
  const probes: number[] = [];
  for (let n = 1; n <= 4; n++) {
    core.reads.waiting.push({ from: null, id: n });
    for (const { prevIndex } of appendsTo(tick(core), B)) probes.push(prevIndex);
    hear(core, C, appendReply({ term: t(1), index: i(1), round: core.reads.round }));
  }
  assertEquals(probes, [2]);
});

Deno.test("step() opens a full window when only the answers were lost", () => {
  const core = leadSettled(start({ inflightMessagesMax: 1 }));
  propose(core, bytes(1));
  propose(core, bytes(2));
  const [heartbeat] = appendsTo(tick(core, 2), B);
  assertEquals(heartbeat.prevIndex, 2);
  assertEquals(appendsTo(acknowledge(core, B, i(2)), B).map(range), [[3, 3]]);
});

Deno.test("step() repeats a lost probe through heartbeats, without its entries", () => {
  const core = lead(start());
  propose(core, bytes(1), bytes(2));
  const [heartbeat] = appendsTo(tick(core, 2), B);
  assertEquals([heartbeat.prevIndex, heartbeat.entries.length], [0, 0]);
  // Its answer does not say whether there is room for entries: the first of them shows it.
  assertEquals(appendsTo(matched(core, B, 0), B).map(range), [[1, 1]]);
  assertEquals(appendsTo(matched(core, B, 1), B).map(range), [[2, 3]]);
});

Deno.test("step() ignores refusals that are older than what has matched (5.3)", () => {
  const core = leadSettled(start());
  propose(core, bytes(1));
  acknowledge(core, B);
  assertEquals(sent(hear(core, B, refusal(core, 1, 1))), []);
  assertEquals(sent(hear(core, B, refusal(core, 2, 1))), []);
  assertEquals(appendsTo(propose(core, bytes(2)), B).map(range), [[3, 3]]);
});

Deno.test("step() ignores a doubled refusal of a probe", () => {
  const core = lead(start({ log: [1, 1, 1, 1], term: 1 }));
  assertEquals(appendsTo(hear(core, B, refusal(core, 4, 3)), B).map(range), [[3, 5]]);
  assertEquals(sent(hear(core, B, refusal(core, 4, 3))), []);
});

Deno.test("step() takes acknowledgements in any order, doubled or late", () => {
  const core = leadSettled(start());
  for (const value of [1, 2, 3]) propose(core, bytes(value));
  for (const index of [4, 2, 4, 3, 1]) acknowledge(core, B, i(index));
  const { match, next, inflight } = core.progress.get(B)!;
  assertEquals([match, next, inflight.count], [4, 5, 0]);
});

Deno.test("step() goes on where a late acknowledgement shows the follower to be", () => {
  const core = leadSettled(start());
  for (const value of [1, 2, 3]) propose(core, bytes(value));
  hear(core, B, refusal(core, 3, 2));
  acknowledge(core, B, i(4));
  assertEquals(appendsTo(propose(core, bytes(4)), B).map(range), [[5, 5]]);
});

Deno.test("step() does not ask in circles a follower that refuses what it cannot refuse", () => {
  const core = lead(start());
  assertEquals(sent(hear(core, B, refusal(core, 0, 1))), []);
  assertEquals(appendsTo(tick(core, 2), B).map(({ prevIndex }) => prevIndex), [0]);
});

Deno.test("step() feeds a follower with an empty log from the beginning", () => {
  const core = lead(start({ log: [1, 1, 2], term: 2 }));
  const [append] = appendsTo(hear(core, C, refusal(core, 3, 1)), C);
  assertEquals([append.prevIndex, append.prevTerm], [0, 0]);
  assertEquals(append.entries.slice(0, 3), entriesOf([1, 1, 2]));
});
