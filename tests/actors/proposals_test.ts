import { assert, assertEquals, assertInstanceOf, assertNotEquals } from "@std/assert";
import { Proposals } from "../../actors/proposals.ts";
import { Draining, NoLeader, OutcomeUnknown, Overloaded } from "../../actors/outcomes.ts";
import {
  PENDING_WRITES_MAX,
  PROPOSE_BYTES_MAX,
  REPROPOSE_TICKS_MIN,
} from "../../actors/limits_replica.ts";
import type { WriteResult } from "../../actors/service.ts";
import type { Reply } from "../../actors/types.ts";
import {
  CommandKind,
  commandKind,
  commandLowWater,
  commandSequence,
  commandSession,
  encodeAtomicWrite,
} from "../../kv/command.ts";
import { encodeKey } from "../../kv/key_codec.ts";
import { bytesValue } from "../../kv/value_codec.ts";

const applied: WriteResult = { status: "applied", versionstamp: { index: 1, order: 1 } };

/** A table of proposals whose answers are recorded, by the name of the write. */
class Bench {
  readonly answers: (readonly [string, WriteResult | Error])[] = [];
  readonly #names = new Map<Reply<WriteResult>, string>();
  #sessions = 100;
  readonly proposals = new Proposals(() => ++this.#sessions, {
    resolve: (reply, result) => void this.answers.push([this.#names.get(reply)!, result]),
    reject: (reply, error) => void this.answers.push([this.#names.get(reply)!, error]),
  });

  admit(name: string, deadlineMs = 5000, valueBytes = 1): Uint8Array {
    const reply: Reply<WriteResult> = { settled: false };
    this.#names.set(reply, name);
    const value = bytesValue(new Uint8Array(valueBytes));
    const command = encodeAtomicWrite({
      checks: [],
      mutations: [{ type: "set", key: encodeKey([name]), value, expiry: { type: "never" } }],
      idempotencyKey: null,
    });
    this.proposals.admit(command, reply, deadlineMs);
    return command;
  }

  /** Opens the first session, as a replica with a leader does. */
  open(): this {
    const [command] = this.proposals.take();
    this.proposals.outcome(true);
    this.proposals.sessionOpened(commandSession(command));
    return this;
  }

  take(handedOver = true): Uint8Array[] {
    const commands = this.proposals.take();
    this.proposals.outcome(handedOver);
    return commands;
  }
}

function header(command: Uint8Array): [number, number, number] {
  return [commandSession(command), commandSequence(command), commandLowWater(command)];
}

Deno.test("Proposals opens a session before anything else, and holds writes until it is open", () => {
  const bench = new Bench();
  bench.admit("a");
  const [open, ...rest] = bench.take();
  assertEquals(commandKind(open), CommandKind.OpenSession);
  assertEquals(rest, []);
  assertEquals(bench.take(), []);
  bench.proposals.sessionOpened(commandSession(open));
  assertEquals(bench.take().map(header), [[101, 1, 1]]);
});

Deno.test("Proposals asks for its session again when the command that opens it went nowhere", () => {
  const bench = new Bench();
  assertEquals(bench.take(false).length, 1);
  assertEquals(bench.take(true).length, 1);
  assertEquals(bench.take(true).length, 0);
});

Deno.test("Proposals stamps each write with its session, sequence and low-water mark", () => {
  const bench = new Bench().open();
  bench.admit("a");
  bench.admit("b");
  assertEquals(bench.take().map(header), [[101, 1, 1], [101, 2, 1]]);
  bench.proposals.applied(101, 1, applied);
  bench.admit("c");
  assertEquals(bench.take().map(header), [[101, 3, 2]]);
  assertEquals(bench.answers, [["a", applied]]);
});

Deno.test("Proposals keeps what was refused, and proposes it next time in order", () => {
  const bench = new Bench().open();
  bench.admit("a");
  bench.take(false);
  bench.admit("b");
  assertEquals(bench.take().map(commandSequence), [1, 2]);
  assertEquals(bench.take(), []);
});

Deno.test("Proposals proposes the same bytes again when the leader changes, and answers once", () => {
  const bench = new Bench().open();
  bench.admit("a");
  const command = bench.admit("b");
  bench.take();
  const bytes = command.slice();
  // The low water is higher now, but some log holds the command as it was.
  bench.proposals.applied(101, 1, applied);
  bench.proposals.leaderChanged();
  bench.admit("c");
  const [again] = bench.take();
  assertEquals(again, bytes);
  bench.proposals.applied(101, 2, applied);
  bench.proposals.applied(101, 2, applied);
  assertEquals(bench.answers, [["a", applied], ["b", applied]]);
});

Deno.test("Proposals asks again, ever more slowly, while a passed-on write is not applied", () => {
  const bench = new Bench().open();
  bench.admit("a");
  bench.take();
  const attempts: number[] = [];
  for (let tick = 1; tick <= 12 * REPROPOSE_TICKS_MIN; tick++) {
    bench.proposals.tick(0, false, true);
    if (bench.take().length > 0) attempts.push(tick);
  }
  assertEquals(attempts, [1, 3, 6, 10].map((times) => times * REPROPOSE_TICKS_MIN));
});

Deno.test("Proposals does not repeat a write that was applied while it was queued again", () => {
  const bench = new Bench().open();
  bench.admit("a");
  bench.take();
  bench.proposals.leaderChanged();
  bench.proposals.applied(101, 1, applied);
  assertEquals(bench.take(), []);
});

Deno.test("Proposals finds a lost write among a stream of others that are applied", () => {
  const bench = new Bench().open();
  bench.admit("lost");
  bench.take();
  let repeated = 0;
  for (let tick = 1; tick <= 30; tick++) {
    bench.admit(`other ${tick}`);
    for (const command of bench.take()) {
      if (commandSequence(command) === 1) repeated++;
      else bench.proposals.applied(101, commandSequence(command), applied);
    }
    bench.proposals.tick(0, false, true);
  }
  assertEquals(repeated, 1);
});

Deno.test("Proposals does not repeat what its own node, the leader, has in its log", () => {
  const bench = new Bench().open();
  bench.admit("a");
  bench.take();
  for (let tick = 0; tick < 3 * REPROPOSE_TICKS_MIN; tick++) bench.proposals.tick(0, true, true);
  assertEquals(bench.take(), []);
});

Deno.test("Proposals says at the deadline what is known of a write", () => {
  const cases = [
    { handedOver: true, hasLeader: true, outcome: OutcomeUnknown },
    { handedOver: true, hasLeader: false, outcome: OutcomeUnknown },
    { handedOver: false, hasLeader: false, outcome: NoLeader },
    { handedOver: false, hasLeader: true, outcome: Overloaded },
  ];
  for (const { handedOver, hasLeader, outcome } of cases) {
    const bench = new Bench().open();
    bench.admit("late", 100);
    bench.admit("later", 200);
    bench.take(handedOver);
    bench.proposals.tick(99, false, hasLeader);
    assertEquals(bench.answers, []);
    bench.proposals.tick(100, false, hasLeader);
    assertEquals(bench.answers.map(([name]) => name), ["late"]);
    assertInstanceOf(bench.answers[0][1], outcome);
    bench.proposals.tick(200, false, hasLeader);
    assertEquals(bench.answers.map(([name]) => name), ["late", "later"]);
    assertEquals(bench.proposals.size, 0);
  }
});

Deno.test("Proposals that once handed a write over never calls it certainly not applied", () => {
  const bench = new Bench().open();
  bench.admit("a", 100);
  bench.take(true);
  bench.proposals.leaderChanged();
  bench.take(false);
  bench.proposals.tick(100, false, false);
  assertInstanceOf(bench.answers[0][1], OutcomeUnknown);
});

Deno.test("Proposals starts over under a new session, with new bytes, when the old one expired", () => {
  const bench = new Bench().open();
  const command = bench.admit("a");
  bench.take();
  const inTheLog = command.slice();
  bench.proposals.applied(101, 1, { status: "session-unknown" });
  assertEquals(bench.answers, []);
  const [open] = bench.take();
  const session = commandSession(open);
  assertNotEquals(session, 101);
  bench.proposals.sessionOpened(session);
  assertEquals(bench.take().map(header), [[session, 2, 2]]);
  assertEquals(command, inTheLog);
  bench.proposals.applied(101, 1, applied); // A late copy under the old session means nothing.
  assertEquals(bench.answers, []);
  bench.proposals.applied(session, 2, applied);
  assertEquals(bench.answers, [["a", applied]]);
});

Deno.test("Proposals ignores sessions that are not its own", () => {
  const bench = new Bench().open();
  bench.admit("a");
  bench.take();
  bench.proposals.applied(7, 1, applied);
  assertEquals(bench.answers, []);
});

Deno.test("Proposals keeps nothing of overdue writes while there is no leader", () => {
  const bench = new Bench().open();
  for (let round = 1; round <= 5; round++) {
    for (let i = 0; i < 100; i++) bench.admit(`k${i}`, round * 100);
    assertEquals(bench.proposals.queued, 100);
    bench.proposals.tick(round * 100, false, false);
    assertEquals([bench.proposals.size, bench.proposals.queued], [0, 0]);
  }
});

Deno.test("Proposals refuses beyond its limit of writes, and takes again once one is done", () => {
  const bench = new Bench().open();
  for (let i = 0; i < PENDING_WRITES_MAX; i++) bench.admit("x");
  bench.admit("one too many");
  assertEquals(bench.answers.length, 1);
  assertInstanceOf(bench.answers[0][1], Overloaded);
  bench.take();
  bench.proposals.applied(101, 1, applied);
  bench.admit("fits");
  assertEquals(bench.answers.length, 2);
});

Deno.test("Proposals hands out at most a batch's bytes, and the rest next time", () => {
  const bench = new Bench().open();
  const valueBytes = 60_000;
  const count = Math.ceil(PROPOSE_BYTES_MAX / valueBytes) + 10;
  for (let i = 0; i < count; i++) bench.admit(`k${i}`, 5000, valueBytes);
  const first = bench.take();
  assert(first.reduce((sum, command) => sum + command.length, 0) <= PROPOSE_BYTES_MAX);
  assert(bench.proposals.hasQueue);
  const second = bench.take();
  assertEquals(first.length + second.length, count);
  assert(!bench.proposals.hasQueue);
});

Deno.test("Proposals keeps what was refused before what its batch had no room for, and loses nothing", () => {
  for (const count of [2, 3, 4]) {
    const bench = new Bench().open();
    // No two of them fit into one batch.
    for (let i = 1; i <= count; i++) bench.admit(`${i}`, 5000, PROPOSE_BYTES_MAX * 0.6);
    assertEquals(bench.take(false).map(commandSequence), [1]);
    const proposed: number[] = [];
    for (let i = 0; i < count; i++) proposed.push(...bench.take().map(commandSequence));
    assertEquals(proposed, [1, 2, 3, 4].slice(0, count));
    assertEquals(bench.take(), []);
  }
});

Deno.test("Proposals that is abandoned tells refused from unknown", () => {
  const bench = new Bench().open();
  bench.admit("proposed");
  bench.take();
  bench.admit("new");
  bench.proposals.abandon();
  assertEquals(bench.answers.map(([name]) => name), ["proposed", "new"]);
  assertInstanceOf(bench.answers[0][1], OutcomeUnknown);
  assertInstanceOf(bench.answers[1][1], Draining);
});

Deno.test("Proposals proposes again what a snapshot may have overtaken, and takes the session's word for it", () => {
  const bench = new Bench().open();
  bench.admit("a");
  bench.admit("b");
  const first = bench.take().map(header);
  bench.proposals.overtaken();
  assertEquals(bench.take().map(header), first);
  bench.proposals.applied(101, 1, applied);
  bench.proposals.applied(101, 2, applied);
  assertEquals(bench.answers, [["a", applied], ["b", applied]]);
});

Deno.test("Proposals calls unknown what was overtaken together with its session, and starts the rest over", () => {
  const bench = new Bench().open();
  bench.admit("overtaken");
  bench.take();
  bench.proposals.overtaken();
  bench.take();
  bench.admit("later");
  bench.take();
  bench.proposals.applied(101, 1, { status: "session-unknown" });
  assertEquals(bench.answers.map(([name]) => name), ["overtaken"]);
  assertInstanceOf(bench.answers[0][1], OutcomeUnknown);
  const [open] = bench.take();
  assertEquals(commandKind(open), CommandKind.OpenSession);
  bench.proposals.sessionOpened(commandSession(open));
  assertEquals(bench.take().map(header), [[102, 3, 3]]);
  bench.proposals.applied(102, 3, applied);
  assertEquals(bench.answers.map(([name]) => name), ["overtaken", "later"]);
  assertEquals(bench.proposals.size, 0);
});

Deno.test("Proposals asks for its session again when a snapshot may have overtaken the command that opens it", () => {
  const bench = new Bench();
  const [open] = bench.take();
  assertEquals(bench.take(), []);
  bench.proposals.overtaken();
  assertEquals(bench.take(), [open]);
});
