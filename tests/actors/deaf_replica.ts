/**
 * One replica without a node, whose turns a test begins and ends one by one, so that it can look at what
 * has left by then and what not.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { HASH_CHECK_MS, TICK_MS } from "../../actors/limits_replica.ts";
import { createReplica } from "../../actors/replica.ts";
import type { State } from "../../actors/replica_state.ts";
import type { ReplicaMessage } from "../../actors/replica_types.ts";
import type { Ctx, Reply } from "../../actors/types.ts";
import { virtualEnv } from "../../actors/virtual_env.ts";
import { configurationOf } from "../../raft/configuration.ts";
import type { HashReport, Message } from "../../raft/message.ts";
import { GROUP_DEFAULT, type NodeId, nodeId } from "../../raft/types.ts";
import { MemoryDisk, MemoryLogStore } from "../../storage/memory_log_store.ts";

export const SELF = nodeId("n1");
const IDENTITY = { clusterId: "a cluster", nodeId: "n1" };

export interface Surroundings {
  /** Those that vote beside it. */
  readonly voters?: readonly NodeId[];
  readonly learners?: readonly NodeId[];
  readonly hashCheckMs?: number;
}

/**
 * A replica, the only voter unless there are others, whose mailbox takes nothing: it hears of its timer,
 * and of what a turn of the test brings.
 */
export async function startDeaf(surroundings: Surroundings = {}) {
  const { voters = [], learners = [], hashCheckMs = HASH_CHECK_MS } = surroundings;
  const env = virtualEnv(1);
  const disk = new MemoryDisk();
  const answers: { readonly reply: Reply<unknown>; readonly answer: unknown }[] = [];
  const sent: { readonly to: NodeId; readonly message: Message | HashReport }[] = [];
  const { behavior, view } = createReplica({
    id: SELF,
    group: GROUP_DEFAULT,
    configuration: configurationOf([SELF, ...voters], { learners }),
    hashCheckMs,
    openLog: () => new MemoryLogStore(disk, IDENTITY),
    send: (to, _group, message) => {
      sent.push({ to, message });
      return true;
    },
    onEvent: () => {},
  });
  const ctx = {
    env,
    self: { tell: () => "full" },
    signal: new AbortController().signal,
    setTimer: () => ({ cancel: () => {} }),
    fail: (reply: Reply<unknown>, error: Error) => void answers.push({ reply, answer: error }),
    failEarly: (reply: Reply<unknown>, error: Error) => void answers.push({ reply, answer: error }),
    reply: (reply: Reply<unknown>, answer: unknown) => void answers.push({ reply, answer }),
    replyEarly: (reply: Reply<unknown>, answer: unknown) => void answers.push({ reply, answer }),
  } as unknown as Ctx<ReplicaMessage>;
  const starting = Promise.resolve(behavior.init(ctx));
  await env.advance(TICK_MS);
  const state = await starting;
  const begin = async (...messages: readonly ReplicaMessage[]) => {
    await env.advance(TICK_MS);
    await behavior.receive(state, [{ type: "tick" }, ...messages], ctx);
    const commit = Promise.resolve(behavior.commit!(state, ctx));
    // In an object, so that whoever awaits the beginning does not await the end.
    return { done: commit.then(() => behavior.released!(state, ctx)) };
  };
  const turn = async (...messages: readonly ReplicaMessage[]) => {
    await (await begin(...messages)).done;
  };
  const lead = async () => {
    for (let turns = 0; view.status()?.role !== "leader"; turns++) {
      assertEquals(turns < 100, true, "no leader");
      await turn();
    }
  };
  const stop = async () => await behavior.onStop!(state, "stop");
  return { env, disk, sent, answers, view, begin, turn, lead, stop, state: state as State };
}
