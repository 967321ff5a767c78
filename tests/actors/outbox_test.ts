/** Which messages of a turn leave at once, and which may wait for company. */
import { assertEquals } from "@std/assert";
import { NEWS_DELAY_MS } from "../../actors/limits_replica.ts";
import { Outbox } from "../../actors/outbox.ts";
import type { ReplicaMessage } from "../../actors/replica_types.ts";
import type { Ctx } from "../../actors/types.ts";
import { virtualEnv } from "../../actors/virtual_env.ts";
import type { AppendRequest, Message } from "../../raft/message.ts";
import { EntryKind, logIndex, nodeId, term } from "../../raft/types.ts";

const B = nodeId("b");
const C = nodeId("c");

function append(commit: number, count = 0, fields: Partial<AppendRequest> = {}): AppendRequest {
  const entries = Array.from({ length: count }, (_, n) => ({
    term: term(1),
    index: logIndex(commit + 1 + n),
    timeMs: 0,
    kind: EntryKind.Command,
    data: new Uint8Array(1),
  }));
  return {
    type: "append-request",
    term: term(1),
    prevIndex: logIndex(commit),
    prevTerm: term(1),
    commit: logIndex(commit),
    round: 0,
    stamp: 0,
    echo: 0,
    entries,
    ...fields,
  };
}

const GRANTED: Message = {
  type: "read-reply",
  term: term(1),
  id: 1,
  granted: true,
  index: logIndex(3),
};

function setUp() {
  const env = virtualEnv(1);
  const sent: string[] = [];
  const seen = { wakes: 0 };
  const ctx = {
    env,
    setTimer: ({ type }: ReplicaMessage, { delayMs }: { delayMs: number }) =>
      env.setTimer(() => {
        assertEquals(type, "news-due");
        seen.wakes++;
        outbox.due();
        outbox.flush();
      }, delayMs),
  } as unknown as Ctx<ReplicaMessage>;
  const outbox: Outbox = new Outbox((to, message) => {
    const what = message.type === "append-request"
      ? `commit ${message.commit}, ${message.entries.length} entries`
      : message.type;
    sent.push(`${to}: ${what}`);
    return true;
  }, ctx);
  /** Posts in one turn; gives what has left by its end. */
  const turn = (...messages: readonly (readonly [typeof B, Message])[]) => {
    for (const [to, message] of messages) outbox.post(to, message);
    outbox.flush();
    return sent.splice(0);
  };
  return { env, outbox, turn, sent, seen };
}

Deno.test("Outbox sends entries at the end of the turn, and with them the news before them", () => {
  const { turn } = setUp();
  assertEquals(turn([B, append(1)], [B, append(1, 2)]), ["b: commit 1, 2 entries"]);
});

Deno.test("Outbox lets news of the commit index wait for the next append", () => {
  const { turn, seen, env } = setUp();
  turn([B, append(1, 2)]);
  assertEquals(turn([B, append(3)]), []);
  assertEquals(turn([B, append(3, 1)]), ["b: commit 3, 1 entries"]);
  assertEquals([seen.wakes, env.timersPending], [0, 1]);
});

Deno.test("Outbox sends news that has found no company in time, and leaves no timer behind", async () => {
  const { turn, sent, seen, env } = setUp();
  turn([B, append(1, 2)], [C, append(1, 2)]);
  assertEquals(turn([B, append(3)], [C, append(3)]), []);
  await env.advance(NEWS_DELAY_MS);
  assertEquals(sent, ["b: commit 3, 0 entries", "c: commit 3, 0 entries"]);
  assertEquals([seen.wakes, env.timersPending], [1, 0]);
  sent.length = 0;
  // What comes after that waits for a time of its own.
  assertEquals(turn([B, append(4)]), []);
});

Deno.test("Outbox lets nothing wait but a later commit index", () => {
  const { turn } = setUp();
  turn([B, append(3, 1)]);
  // A heartbeat or a probe, a read's round, a new term.
  assertEquals(turn([B, append(3)]), ["b: commit 3, 0 entries"]);
  assertEquals(turn([B, append(4, 0, { round: 1 })]), ["b: commit 4, 0 entries"]);
  assertEquals(turn([B, append(5, 0, { round: 1, term: term(2) })]), ["b: commit 5, 0 entries"]);
});

Deno.test("Outbox sends news at once to who waits to hear of its clients' writes", () => {
  const { outbox, turn } = setUp();
  turn([B, append(1, 3)], [C, append(1, 3)]);
  outbox.awaits(B, logIndex(3));
  assertEquals(turn([B, append(2)], [C, append(2)]), ["b: commit 2, 0 entries"]);
  assertEquals(turn([B, append(3)], [C, append(3)]), ["b: commit 3, 0 entries"]);
  // All that it passed on is committed, and it knows.
  assertEquals(turn([B, append(4)]), []);
});

Deno.test("Outbox sends waiting news ahead of any other message to the same peer", () => {
  const { turn } = setUp();
  turn([B, append(1, 2)]);
  turn([B, append(3)]);
  assertEquals(turn([B, GRANTED]), ["b: commit 3, 0 entries", "b: read-reply"]);
});

Deno.test("Outbox sends news at once to who was granted a read that waits for it", () => {
  const { turn } = setUp();
  turn([B, append(1, 2)]);
  assertEquals(turn([B, GRANTED]), ["b: read-reply"]);
  assertEquals(turn([B, append(3)]), ["b: commit 3, 0 entries"]);
  assertEquals(turn([B, append(4)]), []);
});

Deno.test("Outbox knows that a peer learns no commit index beyond what it was sent", () => {
  const { outbox, turn } = setUp();
  outbox.awaits(B, logIndex(3));
  // It stands on entry 1, and says that 3 is committed: the peer can take that for 2 at most.
  turn([B, append(3, 1, { prevIndex: logIndex(1) })]);
  assertEquals(turn([B, append(4, 0, { prevIndex: logIndex(4) })]), ["b: commit 4, 0 entries"]);
});
