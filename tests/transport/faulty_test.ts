/**
 * Faults over a transport: each of them, at either end, on a clock that the test moves. That the wrapper keeps
 * the contract of the transports is checked beside each of these (faulty_place.ts).
 *
 * @module
 */
import { assert, assertEquals, assertGreater, assertLess, assertNotEquals } from "@std/assert";
import type { NodeId } from "../../raft/types.ts";
import { type FaultyTransport, faultyTransport } from "../../transport/faulty.ts";
import { REORDER_HOLD_MS, type TransportLimits } from "../../transport/limits.ts";
import { createMemoryNetwork } from "../../transport/memory.ts";
import { LinkTable } from "../../transport/memory_links.ts";
import type { PeerHandler } from "../../transport/types.ts";
import { append, EventLog, GROUP, Inbox, ManualEnv, N1, N2, ping, seeded } from "./harness.ts";

/** The address of a node without one. */
const NOWHERE = { hostname: "memory", port: 0 };

interface Pair {
  readonly env: ManualEnv;
  readonly links: LinkTable;
  readonly a: FaultyTransport;
  readonly b: FaultyTransport;
  readonly atA: Inbox;
  readonly atB: Inbox;
  readonly log: EventLog;
  /** Sends pings from n1 to n2; gives what `send` said. */
  send(...ids: number[]): boolean[];
}

interface PairOptions {
  readonly seed?: number;
  readonly limits?: Partial<TransportLimits>;
  readonly handler?: (pair: () => Pair) => PeerHandler;
}

const PEERS = new Map<NodeId, { hostname: string; port: number; since?: number }>([
  [N1, NOWHERE],
  [N2, NOWHERE],
]);

/** n1 and n2 in one network, with faults at the side that is looked at. */
function pairAt(side: "sender" | "receiver", options: PairOptions = {}): Pair {
  const env = new ManualEnv(seeded(options.seed ?? 1));
  const network = createMemoryNetwork({ env });
  const [links, log] = [new LinkTable(), new EventLog()];
  const [atA, atB] = [new Inbox(), new Inbox()];
  const wrap = (id: NodeId) =>
    faultyTransport(network.transport(id, { onEvent: log.record }), {
      env,
      links,
      side,
      limits: options.limits,
      onEvent: log.record,
    });
  const [a, b] = [wrap(N1), wrap(N2)];
  const send = (...ids: number[]) => {
    const taken = ids.map((id) => a.send(N2, GROUP, ping(id)));
    env.settle();
    return taken;
  };
  const pair: Pair = { env, links, a, b, atA, atB, log, send };
  void a.start(atA.handler);
  void b.start(options.handler?.(() => pair) ?? atB.handler);
  for (const it of [a, b]) it.setPeers(PEERS);
  env.settle();
  return pair;
}

/** Registers a test of one fault at each side. */
function atEitherSide(what: string, body: (side: "sender" | "receiver") => void): void {
  for (const side of ["sender", "receiver"] as const) {
    Deno.test(`faulty transport at the ${side} ${what}`, () => body(side));
  }
}

const numbers = (count: number) => Array.from({ length: count }, (_, i) => i);

/** What n1 has sent and n2 received, by the counters. */
function counted({ a, b }: Pair): [number, number] {
  const [sent, received] = [a.stats().get(N2), b.stats().get(N1)];
  return [sent?.sentMessages ?? -1, received?.receivedMessages ?? -1];
}

atEitherSide("loses messages unseen, at the rate that is set, in one direction", (side) => {
  const pair = pairAt(side);
  pair.links.set(N1, N2, { dropRate: 0.3 });
  const taken = pair.send(...numbers(1000));
  assert(taken.every((it) => it), "the sender noticed a loss");
  const heard = pair.atB.ids.length;
  assertGreater(heard, 640);
  assertLess(heard, 760);
  assertEquals(pair.atB.ids, [...pair.atB.ids].sort((x, y) => x - y));
  assertEquals(counted(pair), [1000, heard]);
  const { dropped } = side === "sender" ? pair.a.injected : pair.b.injected;
  assertEquals(dropped, 1000 - heard);
  for (const id of numbers(50)) pair.b.send(N1, GROUP, ping(id));
  pair.env.settle();
  assertEquals(pair.atA.ids, numbers(50));
});

atEitherSide("doubles messages, and gives the double bytes of its own", (side) => {
  for (const delayMs of [0, 5]) {
    const pair = pairAt(side);
    pair.links.set(N1, N2, { duplicateRate: 1, delayMs });
    const request = append(2, 100);
    assert(pair.a.send(N2, GROUP, request));
    pair.env.settle();
    pair.env.advance(delayMs);
    pair.env.settle();
    const [first, second] = pair.atB.received.map(({ message }) => message);
    assertEquals(pair.atB.received.length, 2);
    assertEquals(second, first);
    assert(first.type === "append-request" && second.type === "append-request");
    first.entries[0].data.fill(0);
    assertNotEquals(second.entries[0].data, first.entries[0].data);
    assertNotEquals(request.entries[0].data, first.entries[0].data);
    assertEquals(counted(pair), [1, 2]);
  }
});

atEitherSide("delays messages, and keeps their order without jitter", (side) => {
  const pair = pairAt(side);
  pair.links.set(N1, N2, { delayMs: 50 });
  assertEquals(pair.send(1, 2, 3), [true, true, true]);
  pair.env.advance(49);
  pair.env.settle();
  assertEquals(pair.atB.ids, []);
  assertEquals(counted(pair), [3, 0]);
  const held = pair.a.stats().get(N2)?.queuedBytes ?? 0;
  assertEquals(held > 0, side === "sender");
  // What comes later waits for its own delay only.
  pair.links.set(N1, N2, { delayMs: 0 });
  pair.send(4);
  assertEquals(pair.atB.ids, [4]);
  pair.env.advance(1);
  pair.env.settle();
  assertEquals(pair.atB.ids, [4, 1, 2, 3]);
  assertEquals(counted(pair), [4, 4]);
  assertEquals(pair.a.stats().get(N2)?.queuedBytes, 0);
  assertEquals(pair.a.stats().get(N2)?.sentBytes, pair.b.stats().get(N1)?.receivedBytes);
});

atEitherSide("lets messages overtake each other with jitter, and loses none", (side) => {
  const pair = pairAt(side);
  pair.links.set(N1, N2, { jitterMs: 30 });
  pair.send(...numbers(100));
  pair.env.advance(30);
  pair.env.settle();
  assertNotEquals(pair.atB.ids, numbers(100));
  assertEquals([...pair.atB.ids].sort((x, y) => x - y), numbers(100));
});

atEitherSide("holds messages back until a later one has overtaken them", (side) => {
  const pair = pairAt(side);
  pair.links.set(N1, N2, { reorderRate: 1 });
  pair.send(1, 2);
  assertEquals(pair.atB.ids, []);
  pair.links.set(N1, N2, { reorderRate: 0 });
  pair.send(3);
  assertEquals(pair.atB.ids, [3, 1, 2]);
  // If none comes they do not wait for ever.
  pair.links.set(N1, N2, { reorderRate: 1 });
  pair.send(4);
  pair.env.advance(REORDER_HOLD_MS);
  pair.env.settle();
  assertEquals(pair.atB.ids, [3, 1, 2, 4]);
  assertEquals(pair.env.pendingTimers, 0);
});

atEitherSide("cuts one direction, swallows what is under way, and heals", (side) => {
  const pair = pairAt(side);
  pair.links.set(N1, N2, { delayMs: 10 });
  pair.send(1);
  pair.links.set(N1, N2, { cut: true });
  pair.send(2);
  pair.env.advance(10);
  pair.env.settle();
  assertEquals(pair.atB.ids, []);
  assertEquals(counted(pair), [2, 0]);
  pair.b.send(N1, GROUP, ping(3));
  pair.env.settle();
  assertEquals(pair.atA.ids, [3], "the other direction is whole");
  if (side === "sender") {
    assertEquals(pair.a.stats().get(N2)?.connected, false);
    assertEquals(pair.b.stats().get(N1)?.connected, true);
  }
  pair.links.heal();
  pair.send(4);
  assertEquals(pair.atB.ids, [4]);
  assertEquals(pair.a.stats().get(N2)?.connected, true);
});

atEitherSide("holds no more messages and bytes than it may", (side) => {
  for (const limits of [{ queueMessagesMax: 5 }, { queueBytesMax: 5 * 40 }]) {
    const pair = pairAt(side, { limits });
    pair.links.set(N1, N2, { delayMs: 10 });
    const taken = pair.send(...numbers(50));
    const isTold = side === "sender";
    const held = isTold ? taken.filter((it) => it).length : 50 - pair.b.injected.overflowed;
    assert(held >= 5 && held < 15, `${held} were held`);
    pair.env.advance(10);
    pair.env.settle();
    assertEquals(pair.atB.ids, numbers(held));
    assertEquals(counted(pair), [isTold ? held : 50, held]);
    const dropped = pair.a.stats().get(N2)?.dropped;
    assertEquals(dropped, isTold ? 50 - held : 0);
    assertEquals(pair.log.of("dropped").map(({ reason }) => reason), isTold ? ["queue-full"] : []);
    assertEquals(pair.send(99), [true], "there is room again");
  }
});

atEitherSide("hands on nothing after close, and leaves no timer", (side) => {
  const pair = pairAt(side);
  pair.links.set(N1, N2, { delayMs: 10, reorderRate: 0.5, duplicateRate: 0.5 });
  pair.send(...numbers(20));
  pair.links.set(N1, N2, { delayMs: 0 });
  pair.send(...numbers(20));
  const heard = pair.atB.ids.length;
  void (side === "sender" ? pair.a : pair.b).close();
  assertEquals(pair.env.pendingTimers, 0);
  pair.env.advance(1000);
  pair.env.settle();
  assertEquals(pair.atB.ids.length, heard);
  if (side === "sender") assertEquals(pair.send(1), [false]);
});

atEitherSide("loses what is under way to and from a peer that leaves or is added anew", (side) => {
  const since = (at: number) => new Map([...PEERS].map(([id, it]) => [id, { ...it, since: at }]));
  const cases = [
    { what: "leaves", changes: [new Map(), PEERS], heard: [] },
    { what: "comes under a higher index", changes: [since(7)], heard: [] },
    { what: "stays", changes: [PEERS], heard: [1] },
    { what: "comes under a lower index", changes: [since(7), since(3)], heard: [] },
  ];
  for (const { what, changes, heard } of cases) {
    const pair = pairAt(side);
    pair.links.set(N1, N2, { delayMs: 10 });
    pair.send(1);
    for (const peers of changes) for (const it of [pair.a, pair.b]) it.setPeers(peers);
    pair.env.advance(10);
    pair.env.settle();
    assertEquals(pair.atB.ids, heard, `a peer ${what}`);
  }
});

atEitherSide("lets a handler close or throw with doubles under way", (side) => {
  const seen: number[] = [];
  const pair = pairAt(side, {
    handler: (pair) => (_from, _group, message) => {
      if (message.type !== "read-request") return;
      seen.push(message.id);
      if (message.id === 2) void pair().b.close();
      throw new Error(`handler ${message.id}`);
    },
  });
  pair.links.set(N1, N2, { duplicateRate: 1, delayMs: 5 });
  pair.send(1);
  pair.env.advance(5);
  pair.env.settle();
  pair.links.set(N1, N2, { delayMs: 0 });
  pair.send(2, 3);
  assertEquals(seen, [1, 1, 2]);
  const failed = pair.log.of("handler-failed").map(({ error }) => String(error));
  assertEquals(failed, ["Error: handler 1", "Error: handler 1", "Error: handler 2"]);
});

Deno.test("faulty transport at the receiver holds no double of a message whose handler closed it", () => {
  for (const seed of numbers(30)) {
    const pair = pairAt("receiver", { seed, handler: (pair) => () => void pair().b.close() });
    pair.links.set(N1, N2, { duplicateRate: 1, reorderRate: 0.5 });
    pair.send(1, 2, 3);
    void pair.b.close();
    assertEquals(pair.env.pendingTimers, 0, `seed ${seed}`);
  }
});

atEitherSide("repeats a run under the same seed", (side) => {
  const run = (seed: number) => {
    const pair = pairAt(side, { seed });
    pair.links.set(N1, N2, {
      dropRate: 0.2,
      duplicateRate: 0.2,
      reorderRate: 0.2,
      jitterMs: 9,
      delayMs: 1,
    });
    pair.send(...numbers(100));
    pair.env.advance(100);
    pair.env.settle();
    return pair.atB.ids;
  };
  assertEquals(run(7), run(7));
  assertNotEquals(run(7), run(8));
});

Deno.test("faulty transport refuses whom the transport refuses, whatever the links say", () => {
  const pair = pairAt("sender");
  pair.links.set(N1, N1, { dropRate: 1 });
  assertEquals(pair.a.send(N1, GROUP, ping(1)), false);
  pair.a.setPeers(new Map());
  pair.links.set(N1, N2, { dropRate: 1 });
  assertEquals(pair.a.send(N2, GROUP, ping(1)), false);
  assertEquals(pair.a.stats().get(N2)?.dropped, 1);
  assertEquals(pair.a.injected.dropped, 0);
});
