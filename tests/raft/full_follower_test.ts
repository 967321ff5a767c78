/**
 * A follower that has no room for entries (actors/disk_full.ts): it answers as if an append had ended
 * before them. Its leader must neither flood it nor forget it.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import type { Core, Effect, NodeId } from "../../raft/mod.ts";
import { add, change } from "./changes.ts";
import {
  appendReply,
  appendRequest,
  appendsTo,
  B,
  bytes,
  C,
  D,
  hear,
  i,
  lead,
  leadSettled,
  persisted,
  propose,
  read,
  sent,
  start,
  t,
  tick,
} from "./script.ts";

/** `from` matches up to `index`, and answers what this leader sent in the present tick. */
function matched(core: Core, from: NodeId, index: number): Effect[] {
  const { term, ticks: stamp, reads: { round } } = core;
  return hear(core, from, appendReply({ term, index: i(index), stamp, round }));
}

/** `from` ends before `index`, where an append stood that was sent in the present tick. */
function refused(core: Core, from: NodeId, index: number, conflictIndex: number): Effect[] {
  const { term, ticks: stamp, reads: { round } } = core;
  const place = { index: i(index), conflictIndex: i(conflictIndex) };
  return hear(core, from, appendReply({ term, success: false, ...place, stamp, round }));
}

function ranges(effects: readonly Effect[], to: NodeId): [number, number][] {
  return appendsTo(effects, to).map(({ prevIndex, entries }) => {
    return [prevIndex + 1, prevIndex + entries.length];
  });
}

/** A leader of five commands behind its no-op, of which B took none for want of room, and C all. */
function leadPastFull(limits = {}): Core {
  const core = leadSettled(start(limits));
  for (let n = 1; n <= 5; n++) propose(core, bytes(n));
  persisted(core);
  matched(core, C, 6);
  return core;
}

Deno.test("step() sends a follower that takes nothing one probe after its window, and then no more", () => {
  const core = leadPastFull();
  // The window was four appends, 2 to 5, each cut to nothing.
  assertEquals(matched(core, B, 1), []);
  assertEquals(ranges(refused(core, B, 2, 2), B), [[2, 6]]);
  assertEquals(refused(core, B, 3, 2), []);
  assertEquals(refused(core, B, 4, 2), []);
  for (let n = 0; n < 3; n++) assertEquals(matched(core, B, 1), []);
  assertEquals(ranges(propose(core, bytes(6)), B), []);
});

/** As `leadPastFull`, after B's answers to the window and to the probe. */
function leadProbed(limits = {}): Core {
  const core = leadPastFull(limits);
  refused(core, B, 2, 2);
  matched(core, B, 1);
  return core;
}

Deno.test("step() probes a follower that takes nothing with one entry a heartbeat", () => {
  const core = leadProbed();
  for (let n = 0; n < 3; n++) {
    assertEquals(tick(core).filter((effect) => effect.type === "send" && effect.to === B), []);
    const beat = appendRequest({
      term: t(1),
      prevIndex: i(1),
      prevTerm: t(1),
      commit: i(6),
    });
    assertEquals(sent(tick(core)).filter(({ to }) => to === B), [
      { to: B, message: beat, early: true },
    ]);
    const entries = [core.log.entry(i(2))];
    assertEquals(matched(core, B, 1), [
      { type: "send", to: B, message: { ...beat, entries }, early: true },
    ]);
    assertEquals(matched(core, B, 1), []);
  }
});

Deno.test("step() probes one that takes nothing no more often for answers to news and old messages", () => {
  const core = leadProbed({ heartbeatTicks: 4 });
  const probes = [];
  for (let n = 1; n <= 12; n++) {
    const news = appendsTo([...tick(core), ...read(core, n)], B);
    for (const { prevIndex, entries } of news) assertEquals([prevIndex, entries], [1, []]);
    matched(core, C, 6);
    for (const _ of news) probes.push(...ranges(matched(core, B, 1), B));
    probes.push(...ranges(hear(core, B, appendReply({ term: t(1), index: i(1) })), B));
  }
  assertEquals(probes, [[2, 2], [2, 2], [2, 2]]);
});

Deno.test("step() pipelines again as soon as a full follower takes an entry", () => {
  const core = leadProbed();
  tick(core, 2);
  assertEquals(ranges(matched(core, B, 1), B), [[2, 2]]);
  assertEquals(ranges(matched(core, B, 2), B), [[3, 6]]);
  assertEquals(ranges(propose(core, bytes(6)), B), [[7, 7]]);
});

Deno.test("step() goes on behind what a full follower did take of a probe, once", () => {
  const core = leadPastFull();
  assertEquals(ranges(refused(core, B, 2, 2), B), [[2, 6]]);
  // It took two deletes, say; what follows leaves at once, and comes to nothing.
  assertEquals(ranges(matched(core, B, 3), B), [[4, 6]]);
  assertEquals(matched(core, B, 3), []);
  tick(core, 2);
  assertEquals(ranges(refused(core, B, 6, 4), B), [[4, 6]]);
  assertEquals(matched(core, B, 3), []);
});

Deno.test("a new leader finds where a full follower ends, and leaves it at that", () => {
  const core = lead(start({ log: [1, 1, 1, 1], term: 1 }));
  assertEquals(ranges(refused(core, B, 4, 3), B), [[3, 5]]);
  assertEquals(matched(core, B, 2), []);
  assertEquals(core.progress.get(B)!.match, 2);
  tick(core, 2);
  assertEquals(ranges(matched(core, B, 2), B), [[3, 3]]);
  assertEquals(matched(core, B, 2), []);
});

Deno.test("a new leader's probe that is taken opens the window at once", () => {
  const core = lead(start({ log: [1, 1], term: 1 }));
  propose(core, bytes(1));
  assertEquals(ranges(matched(core, B, 3), B), [[4, 4]]);
  assertEquals(ranges(propose(core, bytes(2)), B), [[5, 5]]);
});

Deno.test("step() feeds at once a follower whose probe was empty, whatever came meanwhile", () => {
  const core = leadSettled(start());
  // Who is new is probed behind the log's end.
  assertEquals(ranges(change(core, add(D)), D), [[3, 2]]);
  assertEquals(ranges(propose(core, bytes(1), bytes(2)), D), []);
  assertEquals(ranges(matched(core, D, 2), D), [[3, 4]]);
  assertEquals(ranges(propose(core, bytes(3)), D), [[5, 5]]);
});

Deno.test("step() feeds at once a follower that has installed a snapshot, though probes were in vain", () => {
  const core = lead(start({ base: [4, 1], log: [1, 1] }));
  assertEquals(ranges(refused(core, B, 6, 5), B), [[5, 7]]);
  refused(core, B, 4, 4);
  assertEquals(core.progress.get(B)!.paused, true);
  // What says that it is installed answers no append.
  const installed = appendReply({ term: core.term, index: i(4) });
  assertEquals(ranges(hear(core, B, installed), B), [[5, 7]]);
});
