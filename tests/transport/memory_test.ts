/**
 * The memory network: the transport contract, then its faults under a virtual clock.
 *
 * @module
 */
import { assert, assertEquals, assertThrows } from "@std/assert";
import type { NodeId } from "../../raft/types.ts";
import { createMemoryNetwork, type Link, type MemoryNetwork } from "../../transport/memory.ts";
import type { Transport } from "../../transport/types.ts";
import { transportContract } from "./contract.ts";
import { faultyPlace } from "./faulty_place.ts";
import { append, GROUP, Inbox, ManualEnv, N1, N2, N3, ping, seeded } from "./harness.ts";
import type { Place } from "./place.ts";

/** The address of a node without one. */
const NOWHERE = { hostname: "memory", port: 0 };

function memoryPlace(): Place {
  const network = createMemoryNetwork();
  const made: Transport[] = [];
  const lives = new Map<NodeId, { incarnation: number; boot: number }>();
  const life = (id: NodeId) => lives.get(id) ?? { incarnation: 1, boot: 0 };
  return {
    create(id, options) {
      const { incarnation, boot } = life(id);
      lives.set(id, { incarnation, boot: boot + 1 });
      const transport = network.transport(id, { ...options, incarnation, boot: boot + 1 });
      made.push(transport);
      return transport;
    },
    wipe: (id) => void lives.set(id, { incarnation: life(id).incarnation + 1, boot: 0 }),
    address: () => NOWHERE,
    dispose: async () => void await Promise.all(made.map((transport) => transport.close())),
  };
}

transportContract("memory", memoryPlace);
transportContract("faulty memory", () => faultyPlace(memoryPlace()));

/** Nodes 1 to 3 on a clock that the test moves. */
function three(seed = 1, keepsSent = false) {
  const env = new ManualEnv(seeded(seed));
  const network = createMemoryNetwork({ env, keepsSent });
  const inboxes = new Map<NodeId, Inbox>();
  const transports = new Map<NodeId, Transport>();
  const peers = new Map([N1, N2, N3].map((id) => [id, NOWHERE]));
  for (const id of [N1, N2, N3]) {
    const inbox = new Inbox();
    const transport = network.transport(id);
    void transport.start(inbox.handler);
    transport.setPeers(peers);
    inboxes.set(id, inbox);
    transports.set(id, transport);
  }
  const send = (from: NodeId, to: NodeId, ...ids: number[]) => {
    for (const id of ids) transports.get(from)?.send(to, GROUP, ping(id));
  };
  const ids = (id: NodeId) => inboxes.get(id)?.ids ?? [];
  return { env, network, transports, inboxes, send, ids };
}

Deno.test("memory network delivers nothing before the sender has returned", () => {
  const { env, send, ids } = three();
  send(N1, N2, 1);
  assertEquals(ids(N2), []);
  env.settle();
  assertEquals(ids(N2), [1]);
});

Deno.test("memory network answers in the next round, so that no two nodes keep it to themselves", () => {
  const env = new ManualEnv();
  const network = createMemoryNetwork({ env });
  const peers = new Map([N1, N2].map((id) => [id, NOWHERE]));
  let exchanged = 0;
  for (const id of [N1, N2]) {
    const transport = network.transport(id);
    transport.setPeers(peers);
    void transport.start((from, group, message) => {
      // Without an end, were delivery not deferred, this would never return.
      if (++exchanged < 1000) transport.send(from, group, message);
    });
    if (id === N2) transport.send(N1, GROUP, ping(1));
  }
  env.settle();
  assertEquals(exchanged, 1000);
});

Deno.test("memory network cuts one direction, and heals it", () => {
  const { env, network, send, ids, transports } = three();
  network.setLink(N1, N2, { cut: true });
  send(N1, N2, 1);
  send(N2, N1, 2);
  send(N1, N3, 3);
  env.settle();
  assertEquals([ids(N1), ids(N2), ids(N3)], [[2], [], [3]]);
  assertEquals(transports.get(N1)?.stats().get(N2)?.connected, false);
  network.setLink(N1, N2, { cut: false });
  send(N1, N2, 4);
  env.settle();
  assertEquals(ids(N2), [4]);
});

Deno.test("memory network loses what is under way when a link is cut", () => {
  const { env, network, send, ids } = three();
  network.setLink(N1, N2, { delayMs: 10 });
  send(N1, N2, 1);
  send(N1, N3, 2);
  network.setLink(N1, N2, { cut: true });
  network.setLink(N1, N3, { cut: true });
  env.advance(10);
  env.settle();
  assertEquals([ids(N2), ids(N3)], [[], []]);
  network.heal();
  send(N1, N2, 3);
  env.settle();
  assertEquals(ids(N2), [3]);
});

Deno.test("memory network changes of a link only what is named", () => {
  const { env, network, send, ids } = three();
  network.setLink(N1, N2, { delayMs: 10 });
  network.setLink(N1, N2, { cut: true });
  network.setLink(N1, N2, { cut: false });
  send(N1, N2, 1);
  env.settle();
  assertEquals(ids(N2), []);
  env.advance(10);
  env.settle();
  assertEquals(ids(N2), [1]);
});

Deno.test("memory network delays messages in order, and with jitter out of order", () => {
  const { env, network, send, ids } = three(7);
  const numbers = Array.from({ length: 50 }, (_, i) => i);
  network.setLink(N1, N2, { delayMs: 10 });
  send(N1, N2, ...numbers);
  env.advance(9);
  env.settle();
  assertEquals(ids(N2), []);
  env.advance(1);
  env.settle();
  assertEquals(ids(N2), numbers);
  network.setLink(N1, N3, { jitterMs: 10 });
  send(N1, N3, ...numbers);
  env.advance(10);
  env.settle();
  assertEquals(ids(N3).toSorted((a, b) => a - b), numbers);
  assert(ids(N3).some((id, at) => id !== at), "nothing was overtaken");
});

Deno.test("memory network drops, doubles and reorders at the rates told", () => {
  const numbers = Array.from({ length: 1000 }, (_, i) => i);
  const run = (link: Partial<Link>, seed = 3) => {
    const { env, network, send, ids } = three(seed);
    network.setLink(N1, N2, link);
    send(N1, N2, ...numbers);
    env.settle();
    return ids(N2);
  };
  const dropped = run({ dropRate: 0.3 }).length;
  assert(dropped > 600 && dropped < 800, `${dropped} of 1000 arrived`);
  const doubled = run({ duplicateRate: 0.2 });
  assert(doubled.length > 1100 && doubled.length < 1300, `${doubled.length} arrived`);
  assertEquals(new Set(doubled).size, 1000);
  const reordered = run({ reorderRate: 0.1 });
  assertEquals(reordered.toSorted((a, b) => a - b), numbers);
  assert(reordered.some((id, at) => id !== at), "nothing was overtaken");
  assertEquals(run({ dropRate: 1 }), []);
  const faults = { dropRate: 0.1, duplicateRate: 0.1, reorderRate: 0.1 };
  assertEquals(run(faults, 5), run(faults, 5));
});

Deno.test("memory network gives the two arrivals of a doubled message bytes of their own", () => {
  const { env, network, transports, inboxes } = three();
  network.setLink(N1, N2, { duplicateRate: 1 });
  transports.get(N1)?.send(N2, GROUP, append(1, 8));
  env.settle();
  const arrived = inboxes.get(N2)?.received ?? [];
  assertEquals(arrived.length, 2);
  const [one, two] = arrived.map(({ message }) => {
    assert(message.type === "append-request");
    return message.entries[0].data;
  });
  one.fill(0);
  assert(two.some((byte) => byte !== 0));
});

Deno.test("memory network leaves no timer of a closed node, and nothing arrives from before", async () => {
  const { env, network, transports, send, ids } = three();
  network.setLink(N1, N2, { delayMs: 10 });
  network.setLink(N3, N1, { delayMs: 10 });
  send(N1, N2, 1);
  send(N3, N1, 2);
  await transports.get(N1)?.close();
  assertEquals(env.pendingTimers, 0);
  env.settle();
  assertEquals([ids(N1), ids(N2)], [[], []]);
  assertEquals(transports.get(N3)?.stats().get(N1)?.queuedBytes, 0);
});

Deno.test("memory network has one open transport for each node", () => {
  const network: MemoryNetwork = createMemoryNetwork();
  const first = network.transport(N1);
  assertThrows(() => network.transport(N1), Error, "open");
  void first.close();
  assert(network.transport(N1) !== first);
});

Deno.test("memory network holds what a clogged link takes, and delivers it in order once it is open", () => {
  const { env, network, send, ids } = three();
  network.setLink(N1, N2, { clogged: true });
  send(N1, N2, 1, 2);
  send(N1, N3, 3);
  env.advance(10_000);
  env.settle();
  assertEquals([ids(N2), ids(N3)], [[], [3]]);
  network.setLink(N1, N2, { clogged: false });
  env.settle();
  assertEquals(ids(N2), [1, 2]);
  network.setLink(N1, N2, { clogged: true });
  send(N1, N2, 4);
  network.heal();
  env.settle();
  assertEquals(ids(N2), [1, 2, 4]);
});

Deno.test("memory network adds an exponential delay: most is short, and some far beyond the mean", () => {
  const { env, network, send } = three();
  network.setLink(N1, N2, { tailMs: 10 });
  for (let id = 0; id < 1_000; id++) send(N1, N2, id);
  const { delaysMs } = env;
  const meanMs = delaysMs.reduce((sum, ms) => sum + ms, 0) / delaysMs.length;
  assert(meanMs > 9 && meanMs < 11, `the mean is ${meanMs}`);
  assert(Math.max(...delaysMs) > 40 && Math.min(...delaysMs) < 0.5);
});

for (const keepsSent of [false, true]) {
  const what = keepsSent ? "delivers" : "forgets";
  Deno.test(`memory network ${what} what a node had sent before it was gone`, async () => {
    const { env, network, transports, send, ids } = three(1, keepsSent);
    network.setLink(N1, N2, { delayMs: 5 });
    send(N1, N2, 1);
    send(N1, N3, 2);
    await transports.get(N1)!.close();
    env.advance(10);
    env.settle();
    assertEquals([ids(N2), ids(N3)], keepsSent ? [[1], [2]] : [[], []]);
  });
}
