/**
 * Who counts in a configuration (learners, joint majorities; section 6), and heartbeats (5.2).
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { configurationOf } from "../../raft/configuration.ts";
import {
  A,
  appendReply,
  appendRequest,
  B,
  C,
  D,
  E,
  hear,
  i,
  leadSettled,
  only,
  persisted,
  sent,
  start,
  t,
  take,
  tick,
  tickToCampaign,
  voteReply,
} from "./script.ts";

Deno.test("step() lets no learner campaign, nor a node outside the configuration", () => {
  for (const voters of [[B, C], [B]]) {
    const learners = voters.length === 2 ? [A] : [];
    const core = start({ configuration: configurationOf(voters, { learners }) });
    assertEquals(tick(core, 100), []);
    assertEquals([core.role, core.term], ["follower", 0]);
  }
});

Deno.test("step() counts no vote of a learner", () => {
  const core = start({ configuration: configurationOf([A, B, C], { learners: [D] }) });
  const asked = sent(tickToCampaign(core)).map(({ to }) => to);
  assertEquals(asked, [B, C]);
  hear(core, D, voteReply({ term: t(1), pre: true }));
  assertEquals(core.role, "pre-candidate");
});

Deno.test("step() needs majorities of both configurations while they are joint (6)", () => {
  const joint = configurationOf([A, B, C], { votersOutgoing: [A, D, E] });
  const core = start({ configuration: joint });
  tickToCampaign(core);
  hear(core, B, voteReply({ term: t(1), pre: true }));
  assertEquals(core.role, "pre-candidate");
  hear(core, D, voteReply({ term: t(1), pre: true }));
  for (const id of [B, C]) hear(core, id, voteReply({ term: t(1) }));
  assertEquals(core.role, "candidate");
  hear(core, E, voteReply({ term: t(1) }));
  assertEquals(core.role, "leader");
  persisted(core);
  for (const id of [B, C]) {
    assertEquals(only(hear(core, id, appendReply({ term: t(1), index: i(1) })), "commit"), []);
  }
  const effects = hear(core, D, appendReply({ term: t(1), index: i(1) }));
  assertEquals(only(effects, "commit"), [{ type: "commit", index: i(1) }]);
});

Deno.test("step() sends heartbeats to idle followers, and none sooner (5.2)", () => {
  const core = leadSettled(start({ heartbeatTicks: 3 }));
  assertEquals(sent(tick(core, 2)), []);
  const heartbeat = appendRequest({
    term: t(1),
    prevIndex: i(1),
    prevTerm: t(1),
    commit: i(1),
  });
  assertEquals(tick(core), [
    { type: "send", to: B, message: heartbeat, early: true },
    { type: "send", to: C, message: heartbeat, early: true },
  ]);
  assertEquals(sent(tick(core, 2)), []);
  assertEquals(take(core, { type: "propose", commands: [new Uint8Array(1)], timeMs: 0 }).length, 4);
  assertEquals(sent(tick(core, 2)), []);
});
