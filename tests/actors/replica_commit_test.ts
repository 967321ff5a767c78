/** A leader's write beside its turns, and how its replica learns of the end of it. */
import { assertEquals, assertRejects } from "@std/assert";
import { createReplica } from "../../actors/replica.ts";
import type { State } from "../../actors/replica_state.ts";
import type { ReplicaMessage } from "../../actors/replica_types.ts";
import type { WriteResult } from "../../actors/service.ts";
import type { Ctx, Reply } from "../../actors/types.ts";
import { virtualEnv } from "../../actors/virtual_env.ts";
import { HASH_CHECK_MS, TICK_MS } from "../../actors/limits_replica.ts";
import { encodeAtomicWrite } from "../../kv/command.ts";
import { configurationOf } from "../../raft/configuration.ts";
import { GROUP_DEFAULT, type NodeId, nodeId } from "../../raft/types.ts";
import { MemoryDisk, MemoryLogStore } from "../../storage/memory_log_store.ts";
import { t, voteRequest } from "../raft/script.ts";
import { put } from "./virtual_cluster.ts";

const SELF = nodeId("n1");
const IDENTITY = { clusterId: "a cluster", nodeId: "n1" };

/**
 * The replica of a cluster with one voter, whose mailbox takes nothing: it hears of its timer, and of what
 * a turn of the test brings.
 */
async function startDeaf(learners: readonly NodeId[] = [], hashCheckMs = HASH_CHECK_MS) {
  const env = virtualEnv(1);
  const disk = new MemoryDisk();
  const { behavior, view } = createReplica({
    id: SELF,
    group: GROUP_DEFAULT,
    configuration: configurationOf([SELF], { learners }),
    hashCheckMs,
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
  const turn = async (...messages: readonly ReplicaMessage[]) => {
    await env.advance(TICK_MS);
    await behavior.receive(state, [{ type: "tick" }, ...messages], ctx);
    await behavior.commit!(state, ctx);
    behavior.released!(state, ctx);
  };
  const lead = async () => {
    for (let turns = 0; view.status()?.role !== "leader"; turns++) {
      assertEquals(turns < 100, true, "no leader");
      await turn();
    }
  };
  const stop = async () => await behavior.onStop!(state, "stop");
  return { env, disk, view, turn, lead, stop, state: state as State };
}

Deno.test("a leader's own write is noticed in its next turn, though the mailbox had no room for the news", async () => {
  const { view, turn, lead, stop } = await startDeaf();
  await lead();
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

/** A write of one key, as a client's request brings it. */
function writeMessage(): ReplicaMessage {
  const reply = { settled: false } as Reply<WriteResult>;
  return {
    type: "write",
    taken: false,
    command: encodeAtomicWrite(put("a", "v")),
    deadlineMs: Infinity,
    reply,
  };
}

/** What is answered only once the turn's commit is durable: the turn cannot write beside its turns then. */
function askForVote(from: NodeId): ReplicaMessage {
  const message = voteRequest({ term: t(2), pre: true, transfer: true });
  return { type: "peer", from, message };
}

Deno.test("a leader counts nothing as durable that was appended while its commit was under way", async () => {
  const learner = nodeId("n2");
  // Its hash checks are proposed when their marks are applied, which is while the disk is at work.
  const { env, disk, state, turn, lead, stop } = await startDeaf([learner], 1000);
  await lead();
  for (let turns = 0; turns < 2000; turns++) {
    const isHeld = env.randomUint32() % 5 < 2;
    await turn(writeMessage(), ...(isHeld ? [askForVote(learner)] : []));
    const { durableIndex } = state.core;
    const onDisk = disk.entries.at(-1)?.index ?? 0;
    assertEquals(durableIndex <= onDisk, true, `${durableIndex} counts, ${onDisk} is on disk`);
  }
  await stop();
});

Deno.test("a turn that fails beside its write leaves no rejection of that behind", async () => {
  const { disk, state, turn, lead, stop } = await startDeaf();
  await lead();
  await turn(writeMessage());
  await turn();
  disk.failNextCommit("before-landing");
  state.administration.settle = () => {
    throw new Error("cannot settle");
  };
  // A rejection that nobody hears of would end the test run.
  await assertRejects(
    () => turn(writeMessage(), askForVote(nodeId("n2"))),
    Error,
    "cannot settle",
  );
  await stop();
});
