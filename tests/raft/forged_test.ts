/**
 * Messages that nobody sent: absurd numbers, and true ones that come again long after. Neither may change
 * what a replica holds, or use up what cannot be had back: terms are never taken back, and there is a last one.
 */
import { assert, assertEquals } from "@std/assert";
import {
  checkInvariants,
  type Core,
  type Entry,
  EntryKind,
  type Message,
  type NodeId,
  step,
} from "../../raft/mod.ts";
import { encodeConfiguration } from "../../raft/configuration_codec.ts";
import { TERM_JUMP_MAX } from "../../raft/limits.ts";
import { NUMBER_MAX } from "../../raft/types.ts";
import {
  A,
  appendReply,
  appendRequest,
  B,
  bytes,
  C,
  configuration,
  entriesOf,
  hear,
  i,
  lead,
  NOW_MS,
  snapshotInfo,
  start,
  t,
  voteReply,
  voteRequest,
} from "./script.ts";

/** What of a core outlives it, and what it has told others. */
function held({ term, vote, commitIndex, durableIndex, role, leader, log }: Core) {
  return { term, vote, commitIndex, durableIndex, role, leader, lastIndex: log.lastIndex };
}

/** One message of each type that can carry a sender's term, in that term. */
function messagesIn(number: number): Message[] {
  const term = t(number);
  return [
    voteRequest({ term }),
    voteReply({ term, granted: false }),
    appendRequest({ term }),
    appendReply({ term }),
    { type: "forward", term, commands: [bytes(1)] },
    { type: "read-request", term, id: 1, lease: false },
    { type: "read-reply", term, id: 1, granted: false, index: i(0) },
    { type: "timeout-now", term },
    {
      type: "snapshot-chunk",
      term,
      info: snapshotInfo({ index: i(9), term: t(1) }),
      chunk: 0,
      data: bytes(1, 2),
    },
    { type: "snapshot-reply", term, id: "00000000000000aa", index: i(1), next: 0 },
  ] as Message[];
}

for (const jump of [TERM_JUMP_MAX + 1, 2 ** 40, NUMBER_MAX - 3]) {
  for (const message of messagesIn(3 + jump)) {
    Deno.test(`step() does not hear a ${message.type} from ${jump} terms ahead`, () => {
      const core = start({ log: [1, 2, 3], term: 3, commit: 2 });
      const before = held(core);
      assertEquals(hear(core, B, message), []);
      assertEquals(held(core), before);
    });
  }
}

Deno.test("step() hears a node that is as far ahead as a cluster can have come", () => {
  for (const ahead of [1, 1000, TERM_JUMP_MAX]) {
    const core = start({ log: [1, 2, 3], term: 3 });
    hear(core, B, appendRequest({ term: t(3 + ahead), prevIndex: i(3), prevTerm: t(3) }));
    assertEquals([core.term, core.leader], [3 + ahead, B]);
  }
});

Deno.test("step() can still elect a leader after all that was forged for it", () => {
  const core = start({ log: [1], term: 1 });
  for (const message of messagesIn(NUMBER_MAX)) hear(core, B, message);
  lead(core);
  assertEquals([core.role, core.term], ["leader", 2]);
});

Deno.test("a leader takes from a reply no index, round or tick that it has not given out", () => {
  const absurd = 2 ** 40;
  const replies: Message[] = [
    appendReply({ term: t(2), index: i(absurd) }),
    appendReply({ term: t(2), index: i(1), round: absurd }),
    appendReply({ term: t(2), index: i(1), stamp: absurd }),
    { type: "snapshot-reply", term: t(2), id: "00000000000000aa", index: i(absurd), next: 0 },
  ];
  for (const reply of replies) {
    const core = lead(start({ log: [1, 1], term: 1 }));
    const before = held(core);
    assertEquals(hear(core, B, reply), [], reply.type);
    assertEquals(held(core), before);
    assertEquals(core.progress.get(B)!.match, 0);
  }
});

Deno.test("a follower takes from an append no commit and no entry beyond what it holds", () => {
  const core = start({ log: [1, 1], term: 1, commit: 1 });
  hear(core, B, appendRequest({ term: t(1), prevIndex: i(2), prevTerm: t(1), commit: i(2 ** 40) }));
  assertEquals([core.commitIndex, core.log.lastIndex], [2, 2]);
  const far = appendRequest({ term: t(1), prevIndex: i(2 ** 40), prevTerm: t(1) });
  const [refusal] = hear(core, B, far);
  assert(refusal.type === "send" && refusal.message.type === "append-reply");
  assertEquals([refusal.message.success, refusal.message.conflictIndex], [false, 3]);
  const gap = entriesOf([1, 1], 5);
  assertEquals(
    hear(core, B, appendRequest({ term: t(1), prevIndex: i(2), prevTerm: t(1), entries: gap })),
    [],
  );
  assertEquals([core.commitIndex, core.log.lastIndex], [2, 2]);
});

Deno.test("step() hears no candidate and no leader of term 0, which nobody ever stood for", () => {
  const fromLeaders = ["append-request", "snapshot-chunk", "timeout-now", "vote-request"];
  const info = snapshotInfo({ index: i(9), term: t(0) });
  const forged = messagesIn(0).filter(({ type }) => fromLeaders.includes(type));
  assertEquals(forged.length, fromLeaders.length);
  for (const message of forged) {
    const core = start();
    const before = held(core);
    const its = message.type === "snapshot-chunk" ? { ...message, info } : message;
    assertEquals(hear(core, B, its), [], message.type);
    assertEquals(held(core), before);
  }
});

Deno.test("step() hears of no configuration in which nobody votes, by append or by snapshot", () => {
  const term = t(1);
  const nobody = configuration([]);
  const kind = EntryKind.Configuration;
  const entry = { ...entriesOf([1], 2)[0], kind, data: encodeConfiguration(nobody) };
  const info = snapshotInfo({ index: i(9), term, configuration: nobody });
  const forged: Message[] = [
    appendRequest({ term, prevIndex: i(1), prevTerm: term, entries: [entry] }),
    { type: "snapshot-chunk", term, info, chunk: 0, data: bytes(1, 2) },
  ];
  for (const message of forged) {
    const core = start({ log: [1], term: 1, commit: 1 });
    const before = held(core);
    assertEquals(hear(core, B, message), [], message.type);
    assertEquals(held(core), before);
  }
});

/** Three cores, and all that they ever said to each other. */
class Recorded {
  readonly cores = new Map<NodeId, Core>();
  readonly said: { from: NodeId; to: NodeId; message: Message }[] = [];
  #waiting: { from: NodeId; to: NodeId; message: Message }[] = [];

  constructor() {
    for (const [seed, id] of [A, B, C].entries()) this.cores.set(id, start({ id, seed }));
  }

  /** Takes an input, and keeps what is said for delivery; the disk takes everything at once. */
  input(id: NodeId, input: Parameters<typeof step>[1]): void {
    const core = this.cores.get(id)!;
    for (const effect of step(core, input)) {
      if (effect.type !== "send") continue;
      const sent = { from: id, to: effect.to, message: effect.message };
      this.said.push(sent);
      this.#waiting.push(sent);
    }
    checkInvariants(core);
    const { lastIndex: index, lastTerm: term } = core.log;
    if (core.durableIndex < index) this.input(id, { type: "persisted", index, term });
  }

  settle(): void {
    for (let sent = this.#waiting.shift(); sent !== undefined; sent = this.#waiting.shift()) {
      const { from, to, message } = sent;
      this.input(to, { type: "message", from, message, timeMs: NOW_MS });
    }
  }

  /** Lets time pass at one node until it leads, and the others hear of it. */
  elect(id: NodeId): void {
    for (let ticks = 0; this.cores.get(id)!.role !== "leader"; ticks++) {
      assert(ticks < 1000);
      this.input(id, { type: "tick", timeMs: NOW_MS });
      this.settle();
    }
  }

  write(id: NodeId, value: number): void {
    this.input(id, { type: "propose", commands: [bytes(value)], timeMs: NOW_MS });
    this.settle();
    for (let ticks = 0; ticks < 4; ticks++) {
      this.input(id, { type: "tick", timeMs: NOW_MS });
      this.settle();
    }
  }
}

function entriesOfCore({ log }: Core): Pick<Entry, "index" | "term" | "kind">[] {
  return Array.from({ length: log.lastIndex }, (_, at) => {
    const { index, term, kind } = log.entry(i(at + 1));
    return { index, term, kind };
  });
}

Deno.test("all that was ever said, said again in any order, changes no log, commit, term or vote", () => {
  const cluster = new Recorded();
  cluster.elect(A);
  for (let value = 1; value <= 5; value++) cluster.write(A, value);
  const leader = cluster.cores.get(A)!;
  assertEquals(leader.role, "leader");
  assertEquals(leader.commitIndex, 6);
  assert(entriesOfCore(leader).some(({ kind }) => kind === EntryKind.NoOp));
  const said = [...cluster.said];
  assert(said.length > 20);
  const before = [...cluster.cores.values()].map((core) => ({
    ...held(core),
    entries: entriesOfCore(core),
  }));
  let seed = 7;
  const random = (limit: number) => {
    seed = Math.imul(seed, 0x5851f42d) + 0x14057b7f >>> 0;
    return (seed >>> 8) % limit;
  };
  for (let run = 0; run < 20; run++) {
    for (let n = 0; n < said.length; n++) {
      const { from, to, message } = said[random(said.length)];
      cluster.input(to, { type: "message", from, message, timeMs: NOW_MS });
      // Also to somebody whom it was not meant for: the core does not know to whom it was addressed.
      const other = [A, B, C][random(3)];
      if (other !== from && message.type !== "append-request") {
        cluster.input(other, { type: "message", from, message, timeMs: NOW_MS });
      }
    }
  }
  const after = [...cluster.cores.values()].map((core) => ({
    ...held(core),
    entries: entriesOfCore(core),
  }));
  assertEquals(after, before);
});
