import { assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import { Admin, type AdminResult } from "../../actors/admin.ts";
import { decodeOutcome, decodeQuestion, encodeAdmin } from "../../actors/admin_codec.ts";
import type { AdminCommand, AdminOutcome } from "../../actors/admin_types.ts";
import { ADMIN_RESEND_MS, ADMIN_SERVED_MAX } from "../../actors/limits_replica.ts";
import { AdminRefused, NoLeader, OutcomeUnknown } from "../../actors/outcomes.ts";
import { virtualEnv } from "../../actors/virtual_env.ts";
import type { AdminReply, AdminRequest } from "../../raft/message.ts";
import { type NodeId, nodeId } from "../../raft/types.ts";

const A = nodeId("a");
const B = nodeId("b");
const C = nodeId("c");
const REMOVE: AdminCommand = { op: "change", change: { type: "remove", id: C }, retried: false };
const CHANGED: AdminOutcome = {
  status: "changed",
  members: [{ id: "a", url: "http://a", peer: "a:1", role: "voter" }],
};

/** A node's administration, its replica and its network played by the test. */
class Bench {
  readonly env = virtualEnv(1);
  leader: NodeId | null = B;
  /** Whether the transport takes messages. */
  open = true;
  readonly sent: { to: NodeId; message: AdminRequest | AdminReply; atMs: number }[] = [];
  readonly performed: AdminCommand[] = [];
  perform: () => Promise<AdminOutcome> = () => Promise.resolve(CHANGED);
  readonly admin = new Admin({
    self: A,
    env: this.env,
    leader: () => this.leader,
    send: (to, message) => {
      if (this.open) this.sent.push({ to, message, atMs: this.env.now() });
      return this.open;
    },
    perform: (command) => {
      this.performed.push(command);
      return this.perform();
    },
  });

  /** Runs a command; gives what it came to, once it has. */
  run(command: AdminCommand, callMs = 5000): { result?: AdminResult; error?: unknown } {
    const ended: { result?: AdminResult; error?: unknown } = {};
    this.admin.run(command, callMs).then(
      (result) => ended.result = result,
      (error) => ended.error = error,
    );
    return ended;
  }

  answer(outcome: AdminOutcome, id = this.sent.at(-1)!.message.id): void {
    this.admin.receive(B, { type: "admin-reply", id, body: encodeAdmin(outcome) });
  }

  get asked(): AdminCommand {
    return decodeQuestion(this.sent.at(-1)!.message.body)!.command;
  }
}

Deno.test("Admin asks its own replica while it leads, and the leader's node otherwise", async () => {
  const bench = new Bench();
  bench.leader = A;
  const own = bench.run(REMOVE);
  await bench.env.advance(1);
  assertEquals([own.result, bench.performed, bench.sent], [CHANGED, [REMOVE], []]);
  bench.leader = B;
  const passed = bench.run(REMOVE);
  await bench.env.advance(1);
  assertEquals([bench.sent.length, bench.sent[0].to, bench.asked], [1, B, REMOVE]);
  bench.answer(CHANGED);
  await bench.env.advance(1);
  assertEquals(passed.result, CHANGED);
});

Deno.test("Admin carries a refusal over, with its reason", async () => {
  const bench = new Bench();
  const ended = bench.run(REMOVE);
  await bench.env.advance(1);
  bench.answer({ status: "refused", reason: "last-voter" });
  await bench.env.advance(1);
  assertInstanceOf(ended.error, AdminRefused);
  assertEquals(ended.error.reason, "last-voter");
});

Deno.test("Admin asks a lost request again under the same id", async () => {
  const bench = new Bench();
  bench.run(REMOVE);
  await bench.env.advance(2 * ADMIN_RESEND_MS + 100);
  assertEquals(bench.sent.length, 3);
  assertEquals(new Set(bench.sent.map(({ message }) => message.id)).size, 1);
});

Deno.test("Admin asks the next leader: as it was if nothing was sent, as a retry if something was", async () => {
  const bench = new Bench();
  bench.open = false;
  const ended = bench.run(REMOVE);
  await bench.env.advance(100);
  bench.leader = C;
  bench.open = true;
  await bench.env.advance(100);
  assertEquals([bench.sent[0].to, bench.asked], [C, REMOVE]);
  bench.leader = B;
  await bench.env.advance(100);
  assertEquals([bench.sent[1].to, bench.asked], [B, { ...REMOVE, retried: true }]);
  // The earlier attempt may be what is in progress.
  bench.answer({ status: "refused", reason: "change-in-progress" });
  await bench.env.advance(100);
  assertEquals([bench.sent.length, ended], [3, {}]);
  bench.answer(CHANGED);
  await bench.env.advance(1);
  assertEquals(ended.result, CHANGED);
});

Deno.test("Admin refuses at once when another's change is in progress", async () => {
  const bench = new Bench();
  const ended = bench.run(REMOVE);
  await bench.env.advance(1);
  bench.answer({ status: "refused", reason: "change-in-progress" });
  await bench.env.advance(1);
  assertInstanceOf(ended.error, AdminRefused);
});

Deno.test("Admin says at the deadline whether it may have been done", async () => {
  const silent = new Bench();
  const unknown = silent.run(REMOVE, 1000);
  await silent.env.advance(1100);
  assertInstanceOf(unknown.error, OutcomeUnknown);
  const leaderless = new Bench();
  leaderless.leader = null;
  const none = leaderless.run(REMOVE, 1000);
  await leaderless.env.advance(1100);
  assertInstanceOf(none.error, NoLeader);
});

Deno.test("Admin takes a transfer for done when the one who was to lead does", async () => {
  for (const to of [C, null]) {
    const bench = new Bench();
    const ended = bench.run({ op: "transfer", to });
    await bench.env.advance(50);
    bench.leader = null;
    await bench.env.advance(50);
    bench.leader = C;
    await bench.env.advance(50);
    assertEquals(ended.result, { status: "moved", leader: C });
  }
});

Deno.test("Admin tells who leads after a transfer, once this node knows", async () => {
  const bench = new Bench();
  const ended = bench.run({ op: "transfer", to: null });
  await bench.env.advance(1);
  bench.answer({ status: "moved", leader: C });
  await bench.env.advance(50);
  assertEquals(ended, {});
  bench.leader = C;
  await bench.env.advance(50);
  assertEquals(ended.result, { status: "moved", leader: C });
});

Deno.test("Admin ends with its signal", async () => {
  const bench = new Bench();
  bench.leader = null;
  const controller = new AbortController();
  const ended = bench.admin.run(REMOVE, 5000, controller.signal);
  controller.abort();
  const rejected = assertRejects(() => ended, DOMException);
  await bench.env.advance(100);
  await rejected;
});

Deno.test("Admin does a request of another node once, and answers each copy of it", async () => {
  const bench = new Bench();
  const { promise, resolve } = Promise.withResolvers<AdminOutcome>();
  bench.perform = () => promise;
  const body = encodeAdmin({ command: REMOVE, timeoutMs: 1000 });
  const receive = (from: NodeId, id: number) =>
    bench.admin.receive(from, { type: "admin-request", id, body });
  receive(C, 7);
  receive(C, 7);
  assertEquals([bench.performed.length, bench.sent], [1, []]);
  resolve(CHANGED);
  await bench.env.advance(1);
  receive(C, 7);
  assertEquals(bench.sent.map(({ to, message }) => [to, message.id, decodeOutcome(message.body)]), [
    [C, 7, CHANGED],
    [C, 7, CHANGED],
  ]);
  receive(B, 7); // Another node's id is another request.
  assertEquals(bench.performed.length, 2);
});

Deno.test("Admin remembers a bounded number of requests, and takes no more than that at a time", async () => {
  const bench = new Bench();
  const body = encodeAdmin({ command: REMOVE, timeoutMs: 1000 });
  const receive = (id: number) => bench.admin.receive(C, { type: "admin-request", id, body });
  const { promise, resolve } = Promise.withResolvers<AdminOutcome>();
  bench.perform = () => promise;
  for (let id = 0; id <= ADMIN_SERVED_MAX; id++) receive(id);
  assertEquals(bench.performed.length, ADMIN_SERVED_MAX);
  resolve(CHANGED);
  await bench.env.advance(1);
  receive(ADMIN_SERVED_MAX);
  assertEquals(bench.performed.length, ADMIN_SERVED_MAX + 1);
});

Deno.test("decodeQuestion() and decodeOutcome() give back what was encoded, and refuse the rest", () => {
  const member = { id: C, url: "http://c", peer: "c:1" };
  const commands: AdminCommand[] = [
    REMOVE,
    { op: "transfer", to: null },
    { op: "transfer", to: B },
    { op: "change", change: { type: "add", member, voter: true, replaces: B }, retried: true },
  ];
  for (const command of commands) {
    const question = { command, timeoutMs: 5 };
    assertEquals(decodeQuestion(encodeAdmin(question)), question);
  }
  const outcomes: AdminOutcome[] = [
    CHANGED,
    { status: "moved", leader: B },
    { status: "refused", reason: "target-lagging" },
    { status: "not-now" },
    { status: "lost" },
  ];
  for (const outcome of outcomes) assertEquals(decodeOutcome(encodeAdmin(outcome)), outcome);
  const refused = [
    `null`,
    `[]`,
    `{`,
    `{"command":{"op":"transfer","to":1},"timeoutMs":5}`,
    `{"command":{"op":"transfer","to":"../x"},"timeoutMs":5}`,
    `{"command":{"op":"transfer","to":"b"},"timeoutMs":0}`,
    `{"command":{"op":"change","change":{"type":"remove","id":""},"retried":false},"timeoutMs":5}`,
    `{"command":{"op":"change","change":{"type":"remove","id":"c"}},"timeoutMs":5}`,
    `{"command":{"op":"change","change":{"type":"add","member":{"id":"c"},"voter":true,"replaces":null},"retried":false},"timeoutMs":5}`,
    `{"status":"moved"}`,
    `{"status":"refused","reason":"toString"}`,
    `{"status":"changed","members":[{"id":"a"}]}`,
  ];
  for (const text of refused) {
    const bytes = new TextEncoder().encode(text);
    assertEquals([decodeQuestion(bytes), decodeOutcome(bytes)], [null, null], text);
  }
  assertEquals(decodeQuestion(Uint8Array.of(0xff)), null);
});
