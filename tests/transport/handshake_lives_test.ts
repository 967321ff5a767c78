/**
 * That what a peer shows of its data and its boots is durable before it is heard or spoken to, and holds
 * over this node's restarts.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import type { NodeId } from "../../raft/types.ts";
import type { Hello } from "../../transport/handshake.ts";
import type { KnownPeer } from "../../transport/types.ts";
import { N1, N2, until } from "./harness.ts";
import { withNode } from "./held_node.ts";
import {
  frame,
  hello,
  INCARNATION,
  type RawPeer,
  RawServer,
  refusalText,
  welcomeText,
} from "./raw_peer.ts";

Deno.test("tcp handshake welcomes a member once what it shows is durable, and not if that fails", async () => {
  const written: { known: ReadonlyMap<NodeId, KnownPeer>; end: PromiseWithResolvers<void> }[] = [];
  const remember = (known: ReadonlyMap<NodeId, KnownPeer>) => {
    const end = Promise.withResolvers<void>();
    written.push({ known, end });
    return end.promise;
  };
  await withNode(async ({ dial, log, inbox }) => {
    const failed = await dial();
    await failed.send(hello({ boot: 3 }), frame(1));
    await until("it is being written", () => written.length === 1);
    assertEquals(failed.received, []);
    written[0].end.reject(new Error("the disk is full"));
    await failed.closed();
    await until("it is told", () => log.of("refused").length === 1);
    assertEquals([log.of("refused")[0].reason, inbox.received], ["unfinished", []]);

    const welcomed = await dial();
    await welcomed.send(hello({ boot: 3 }), frame(2));
    await until("it is being written again", () => written.length === 2);
    assertEquals([welcomed.received, log.of("connected")], [[], []]);
    assertEquals([...written[1].known], [[N2, {
      incarnation: INCARNATION,
      boot: 3,
      since: 0,
      heldTerm: 0,
      heldIndex: 0,
    }]]);
    written[1].end.resolve();
    await until("it is heard", () => inbox.ids.length === 1);

    // Nothing new is shown by the next one.
    await (await dial()).greet({ boot: 3 });
    assertEquals(written.length, 2);
  }, { remember, since: 0 });
});

Deno.test("tcp dialler sends nothing to a member before what it shows is durable", async () => {
  const end = Promise.withResolvers<void>();
  let writes = 0;
  const server = new RawServer((peer) => void peer.send(welcomeText(N2, N1)));
  const remember = () => {
    writes += 1;
    return end.promise;
  };
  try {
    await withNode(async ({ transport, log }) => {
      await until("it is being written", () => writes === 1);
      assertEquals([log.of("connected"), transport.stats().get(N2)?.connected], [[], false]);
      end.resolve();
      await until("it is connected", () => transport.stats().get(N2)?.connected === true);
    }, { peer: server.address, remember, since: 0 });
  } finally {
    await server.close();
  }
});

Deno.test("tcp handshake refuses other data and earlier boots than were remembered at the start", async () => {
  const known = new Map([[N2, {
    incarnation: INCARNATION,
    boot: 5,
    since: 2,
    heldTerm: 0,
    heldIndex: 0,
  }]]);
  const refusals: [Partial<Hello>, number][] = [
    [{ incarnation: INCARNATION + 1, boot: 9 }, 6],
    [{ boot: 4 }, 5],
  ];
  await withNode(async ({ dial, log, inbox }) => {
    for (const [change, code] of refusals) {
      const raw = await dial();
      await raw.send(hello(change));
      await raw.closed();
      assertEquals(raw.received, [...refusalText(code)]);
    }
    await until("both are told", () => log.of("refused").length === 2);
    await (await dial()).greet({ boot: 5 });
    assertEquals(inbox.received, []);
  }, { known, since: 2 });
});

Deno.test("tcp dials a peer that was added anew at once, whatever wait is left from refusing it", async () => {
  const server = new RawServer((peer) => void peer.send(welcomeText(N2, N1)));
  const known = new Map([[N2, {
    incarnation: INCARNATION + 1,
    boot: 1,
    since: 2,
    heldTerm: 0,
    heldIndex: 0,
  }]]);
  try {
    await withNode(async ({ transport, log }) => {
      await until("it is refused", () => log.of("refused").length === 1);
      assertEquals(log.of("refused")[0].reason, "other-data");
      // The clock stands still, so that no wait ends by itself.
      transport.setPeers(new Map([[N2, { ...server.address, since: 9 }]]));
      await until("it is connected", () => transport.stats().get(N2)?.connected === true);
    }, { peer: server.address, known, since: 2 });
  } finally {
    await server.close();
  }
});

Deno.test("tcp welcomes a member although what others acknowledged cannot be made durable: a full disk cuts nobody off", async () => {
  let isFull = false;
  const written: (KnownPeer | undefined)[] = [];
  const remember = (known: ReadonlyMap<NodeId, KnownPeer>) => {
    if (isFull) return Promise.reject(new Error("the disk is full"));
    written.push(known.get(N2));
    return Promise.resolve();
  };
  await withNode(async ({ dial, transport }) => {
    await (await dial()).greet({ boot: 3 });
    assertEquals(written.length, 1);
    isFull = true;
    transport.acknowledged(N2, { term: 4, lastIndex: 5 });
    transport.keepAcknowledged();
    await (await dial()).greet({ boot: 3 });
    assertEquals(written.length, 1);
    isFull = false;
    transport.keepAcknowledged();
    await until("it is made up for", () => written.length === 2);
    assertEquals([written[1]?.heldTerm, written[1]?.heldIndex], [4, 5]);
  }, { remember, since: 0 });
});

Deno.test("tcp dialler judges a peer by what that had acknowledged when it was dialled: its welcome may be overtaken", async () => {
  const dialled: RawPeer[] = [];
  const server = new RawServer((peer) => void dialled.push(peer));
  const life = { incarnation: INCARNATION, boot: 1, since: 0 };
  const known = new Map([[N2, { ...life, heldTerm: 4, heldIndex: 5 }]]);
  try {
    await withNode(async ({ transport, dial, log }) => {
      await until("it is greeted", () => (dialled[0]?.received.length ?? 0) > 0);
      transport.acknowledged(N2, { term: 4, lastIndex: 6 });
      await dialled[0].send(welcomeText(N2, N1, { term: 4, lastIndex: 5 }));
      await until("it is connected", () => transport.stats().get(N2)?.connected === true);
      assertEquals(log.of("refused"), []);
      // Who dials says what it holds after all that it has acknowledged.
      const raw = await dial();
      await raw.send(hello({ term: 4, lastIndex: 5 }));
      await raw.closed();
      assertEquals(raw.received, [...refusalText(7)]);
    }, { peer: server.address, known, since: 0 });
  } finally {
    await server.close();
  }
});
