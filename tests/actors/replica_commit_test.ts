/** A leader's write beside its turns, and how its replica learns of the end of it. */
import { assertEquals, assertRejects } from "@std/assert";
import { createReplica } from "../../actors/replica.ts";
import type { ReplicaMessage } from "../../actors/replica_types.ts";
import type { Ctx } from "../../actors/types.ts";
import { virtualEnv } from "../../actors/virtual_env.ts";
import { TICK_MS } from "../../actors/limits_replica.ts";
import { configurationOf } from "../../raft/configuration.ts";
import { GROUP_DEFAULT, nodeId } from "../../raft/types.ts";
import { MemoryDisk, MemoryLogStore } from "../../storage/memory_log_store.ts";

const SELF = nodeId("n1");
const IDENTITY = { clusterId: "a cluster", nodeId: "n1" };

/** The replica of a cluster of one, whose mailbox takes nothing: it hears of its timer only. */
async function startDeaf() {
  const env = virtualEnv(1);
  const disk = new MemoryDisk();
  const { behavior, view } = createReplica({
    id: SELF,
    group: GROUP_DEFAULT,
    configuration: configurationOf([SELF]),
    openLog: () => new MemoryLogStore(disk, IDENTITY),
    send: () => true,
    onEvent: () => {},
  });
  const ctx = {
    env,
    self: { tell: () => "full" },
    signal: new AbortController().signal,
    setTimer: () => ({ cancel: () => {} }),
    failEarly: () => {},
    replyEarly: () => {},
  } as unknown as Ctx<ReplicaMessage>;
  const starting = Promise.resolve(behavior.init(ctx));
  await env.advance(TICK_MS);
  const state = await starting;
  const turn = async () => {
    await env.advance(TICK_MS);
    await behavior.receive(state, [{ type: "tick" }], ctx);
    await behavior.commit!(state, ctx);
    behavior.released!(state, ctx);
  };
  const stop = async () => await behavior.onStop!(state, "stop");
  return { disk, view, turn, stop };
}

Deno.test("a leader's own write is noticed in its next turn, though the mailbox had no room for the news", async () => {
  const { view, turn, stop } = await startDeaf();
  for (let turns = 0; view.status()?.role !== "leader"; turns++) {
    assertEquals(turns < 100, true, "no leader");
    await turn();
  }
  for (let turns = 0; turns < 10; turns++) await turn();
  const { commitIndex, lastIndex, appliedIndex } = view.status()!;
  assertEquals([commitIndex, appliedIndex], [lastIndex, lastIndex]);
  await stop();
});

Deno.test("a leader's own write that failed fails its next turn, though the mailbox had no room for the news", async () => {
  const { disk, view, turn, stop } = await startDeaf();
  // Its first entry and its vote for itself, beside its turns: it is the only voter.
  disk.failNextCommit("before-landing");
  const turns = async () => {
    for (let left = 100; left > 0; left--) await turn();
  };
  await assertRejects(turns, Error, "Injected");
  assertEquals(view.status()?.role, "leader");
  await stop();
});
