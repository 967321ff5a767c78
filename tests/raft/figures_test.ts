/**
 * Figures 7 and 8 of the paper, played with real cores.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import type { Core, Effect, Message, NodeId } from "../../raft/mod.ts";
import { nodeId } from "../../raft/mod.ts";
import {
  A,
  acknowledge,
  appendReply,
  appendsTo,
  B,
  C,
  configuration,
  D,
  E,
  hear,
  i,
  lead,
  only,
  persisted,
  sent,
  start,
  t,
  termsOf,
  tickToCampaign,
  voteReply,
} from "./script.ts";

const F = nodeId("f");
const LEADER = nodeId("leader");

/** Figure 7: the leader of term 8 when it comes to power, and the followers that it may meet. */
const LEADER_LOG = [1, 1, 1, 4, 4, 5, 5, 6, 6, 6];
const FIGURE_7 = [
  { id: A, log: [1, 1, 1, 4, 4, 5, 5, 6, 6], votes: true, refusals: 1 },
  { id: B, log: [1, 1, 1, 4], votes: true, refusals: 1 },
  { id: C, log: [1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 6], votes: false, refusals: 0 },
  { id: D, log: [1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 7, 7], votes: false, refusals: 0 },
  { id: E, log: [1, 1, 1, 4, 4, 4, 4], votes: true, refusals: 2 },
  { id: F, log: [1, 1, 1, 2, 2, 2, 3, 3, 3, 3, 3], votes: true, refusals: 2 },
];

Deno.test("figure 7: the leader of term 8 gets the votes it may get, and makes all logs its own", () => {
  const voters = [LEADER, ...FIGURE_7.map(({ id }) => id)];
  const cores = new Map<NodeId, Core>();
  for (const { id, log } of [{ id: LEADER, log: LEADER_LOG }, ...FIGURE_7]) {
    cores.set(id, start({ id, configuration: configuration(voters), log, term: 7 }));
  }
  const leader = cores.get(LEADER)!;
  const granted = new Set<NodeId>();
  const refusals = new Map<NodeId, number>();
  play(cores, LEADER, tickToCampaign(leader), (from, message) => {
    if (message.type === "vote-reply" && !message.pre && message.granted) granted.add(from);
    if (message.type === "append-reply" && !message.success) {
      refusals.set(from, (refusals.get(from) ?? 0) + 1);
    }
  });
  assertEquals([leader.role, leader.term], ["leader", 8]);
  assertEquals(granted, new Set(FIGURE_7.filter(({ votes }) => votes).map(({ id }) => id)));
  for (const { id, refusals: expected } of FIGURE_7) {
    assertEquals([id, refusals.get(id) ?? 0], [id, expected]);
    assertEquals([id, termsOf(cores.get(id)!)], [id, [...LEADER_LOG, 8]]);
    assertEquals([id, cores.get(id)!.commitIndex], [id, 11]);
  }
});

/** Delivers everything in order, disks included, until nothing is on the way. */
function play(
  cores: ReadonlyMap<NodeId, Core>,
  first: NodeId,
  effects: readonly Effect[],
  watch: (from: NodeId, message: Message) => void,
): void {
  const queue = [{ id: first, effects }];
  for (let each = queue.shift(); each !== undefined; each = queue.shift()) {
    const from = each.id;
    if (only(each.effects, "persist").length > 0) {
      queue.push({ id: from, effects: persisted(cores.get(from)!) });
    }
    for (const { to, message } of sent(each.effects)) {
      watch(from, message);
      queue.push({ id: to, effects: hear(cores.get(to)!, from, message) });
    }
  }
}

// Figure 8. Servers S1 to S5 are a to e; index 1 is the same everywhere.

const FIVE = configuration([A, B, C, D, E]);

Deno.test("figure 8 (c): an entry of term 2 on a majority is not committed by the leader of term 4", () => {
  const s1 = lead(start({ configuration: FIVE, log: [1, 2], term: 3 }));
  assertEquals([s1.term, termsOf(s1)], [4, [1, 2, 4]]);
  // S2 had the entry of term 2; now S3 gets it, too: S1, S2 and S3 are a majority.
  for (const id of [B, C]) assertEquals(only(acknowledge(s1, id, i(2)), "commit"), []);
  assertEquals(s1.commitIndex, 0);
});

Deno.test("figure 8 (d): S5 may still be elected and overwrite it", () => {
  const s5 = start({ id: E, configuration: FIVE, log: [1, 3], term: 4 });
  const s2 = start({ id: B, configuration: FIVE, log: [1, 2], term: 4 });
  const s3 = start({ id: C, configuration: FIVE, log: [1, 2], term: 4 });
  elect(s5, [s2, s3]);
  assertEquals([s5.role, s5.term], ["leader", 5]);
  for (const follower of [s2, s3]) {
    const [append] = appendsTo(hear(s5, follower.id, refusalAt(s5, 2, 2)), follower.id);
    const effects = hear(follower, E, append);
    assertEquals(only(effects, "persist").at(-1)?.truncateFrom, 2);
    assertEquals(termsOf(follower), [1, 3, 5]);
  }
});

Deno.test("figure 8 (e): once an entry of term 4 is on a majority, all before is committed and S5 cannot win", () => {
  const s1 = lead(start({ configuration: FIVE, log: [1, 2], term: 3 }));
  acknowledge(s1, B);
  assertEquals(only(acknowledge(s1, C), "commit"), [{ type: "commit", index: i(3) }]);
  const s5 = start({ id: E, configuration: FIVE, log: [1, 3], term: 4 });
  const s2 = start({ id: B, configuration: FIVE, log: [1, 2, 4], term: 4 });
  const s3 = start({ id: C, configuration: FIVE, log: [1, 2, 4], term: 4 });
  elect(s5, [s2, s3]);
  assertEquals([s5.role, s5.term], ["pre-candidate", 4]);
  // Nor if it does without the rehearsal.
  for (const voter of [s2, s3]) {
    const request = { type: "vote-request", term: t(5), pre: false, transfer: false } as const;
    const [reply] = sent(hear(voter, E, { ...request, lastIndex: i(2), lastTerm: t(3) }));
    assertEquals(reply.message, voteReply({ term: t(5), granted: false }));
  }
});

/** The candidate asks only these two of the four others. */
function elect(candidate: Core, voters: readonly Core[]): void {
  let effects = tickToCampaign(candidate);
  for (let rounds = 0; rounds < 2; rounds++) {
    const requests = sent(effects);
    effects = [];
    for (const voter of voters) {
      const request = requests.find(({ to }) => to === voter.id);
      if (request === undefined) continue;
      for (const { message } of sent(hear(voter, candidate.id, request.message))) {
        effects.push(...hear(candidate, voter.id, message));
      }
    }
  }
  if (candidate.role === "leader") persisted(candidate);
}

function refusalAt(leader: Core, index: number, conflictTerm: number): Message {
  return appendReply({
    term: leader.term,
    success: false,
    index: i(index),
    conflictIndex: i(index),
    conflictTerm: t(conflictTerm),
  });
}
