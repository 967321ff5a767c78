/** A leader's write beside its turns, and how its replica learns of the end of it. */
import { assertEquals, assertRejects } from "@std/assert";
import type { ReplicaMessage } from "../../actors/replica_types.ts";
import type { WriteResult } from "../../actors/service.ts";
import type { Reply } from "../../actors/types.ts";
import { encodeAtomicWrite } from "../../kv/command.ts";
import { type NodeId, nodeId } from "../../raft/types.ts";
import { appendRequest, entriesOf, i, t, voteRequest } from "../raft/script.ts";
import { startDeaf } from "./deaf_replica.ts";
import { put } from "./virtual_cluster.ts";

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
  const { env, disk, state, turn, lead, stop } = await startDeaf({
    learners: [learner],
    hashCheckMs: 1000,
  });
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

for (
  const [what, message, reply] of [
    ["tells no vote", voteRequest({ term: t(1), lastTerm: t(1), lastIndex: i(9) }), "vote-reply"],
    [
      "acknowledges no entry",
      appendRequest({ term: t(1), entries: entriesOf([1, 1]) }),
      "append-reply",
    ],
  ] as const
) {
  Deno.test(`a replica ${what} before its disk has it (bug 2)`, async () => {
    const [n2, n3] = [nodeId("n2"), nodeId("n3")];
    const { disk, sent, begin, stop } = await startDeaf({ voters: [n2, n3] });
    const { promise: diskIsDone, resolve: endWrite } = Promise.withResolvers<void>();
    disk.beforeCommit = () => diskIsDone;
    const { done } = await begin({ type: "peer", from: n2, message });
    const replies = () => sent.filter((each) => each.message.type === reply);
    assertEquals([disk.commits, replies()], [0, []]);
    endWrite();
    await done;
    assertEquals([disk.commits, replies().map(({ to }) => to)], [1, [n2]]);
    await stop();
  });
}

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
