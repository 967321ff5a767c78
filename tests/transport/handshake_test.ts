/**
 * What a node lets in and what it takes for a peer: handshakes and first frames over real sockets,
 * with the other end in the test's hand and a clock that only the test moves.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { nodeId } from "../../raft/types.ts";
import { N1, N2, N3, until } from "./harness.ts";
import { NOWHERE, withNode } from "./held_node.ts";
import {
  ADDRESS,
  frame,
  framed,
  hello,
  PREAMBLE_BYTES,
  RawServer,
  refusalText,
  welcomeText,
} from "./raw_peer.ts";

/** A text with one byte changed. */
function changed(text: Uint8Array, at: number, value: number): Uint8Array {
  const copy = text.slice();
  copy[at] = value;
  return copy;
}

const REFUSED: [what: string, text: Uint8Array, reason: string, answer: Uint8Array | null][] = [
  ["another protocol", new TextEncoder().encode("GET / HTTP/1.1\r\n\r\n"), "malformed", null],
  ["a wrong magic number", changed(hello(), 3, 0), "malformed", null],
  ["another version", changed(hello(), 5, 1), "wrong-version", refusalText(1)],
  ["another cluster", hello({ clusterId: "other" }), "wrong-cluster", refusalText(2)],
  ["another recipient", hello({ to: N3 }), "wrong-recipient", refusalText(3)],
  ["an unknown sender", hello({ from: N3 }), "unknown-sender", refusalText(4)],
  ["this node's own name", hello({ from: N1 }), "unknown-sender", refusalText(4)],
  ["a text beyond its maximum", changed(hello(), 6, 0xff), "malformed", null],
  ["a text with bytes left over", changed(hello(), PREAMBLE_BYTES + 24, 4), "malformed", null],
  ["a name that is none", hello({ from: nodeId("n 2") }), "malformed", null],
];

for (const [what, text, reason, answer] of REFUSED) {
  Deno.test(`tcp handshake refuses ${what}, and delivers nothing of it`, async () => {
    await withNode(async ({ dial, log, inbox }) => {
      const raw = await dial();
      await raw.send(text, frame(1)).catch(() => {});
      await raw.closed();
      await until("it is told", () => log.of("refused").length === 1);
      const [refused] = log.of("refused");
      assertEquals([refused.reason, refused.direction, refused.byPeer], [
        reason,
        "incoming",
        false,
      ]);
      // On unread bytes the operating system resets, and the answer may be lost: it is a courtesy.
      if (raw.received.length > 0) assertEquals(raw.received, [...answer ?? []]);
      assertEquals([inbox.received, log.of("connected")], [[], []]);
    });
  });
}

Deno.test("tcp handshake tells the dialler why it is refused", async () => {
  await withNode(async ({ dial }) => {
    for (const [, text, , answer] of REFUSED) {
      if (answer === null) continue;
      const raw = await dial();
      await raw.send(text);
      await raw.closed();
      assertEquals(raw.received, [...answer]);
    }
  });
});

Deno.test("tcp handshake welcomes with this node's own names and boot", async () => {
  await withNode(async ({ dial, log }) => {
    const raw = await dial();
    await raw.send(hello({ boot: 3 }));
    const expected = [...welcomeText(N1, N2)];
    await until("the welcome is there", () => raw.received.length === expected.length);
    assertEquals(raw.received, expected);
    assertEquals(log.of("connected"), [
      { type: "connected", peer: N2, direction: "incoming", boot: 3, address: ADDRESS },
    ]);
  });
});

Deno.test("tcp handshake may come byte by byte, with frames right behind it", async () => {
  await withNode(async ({ dial, inbox }) => {
    const raw = await dial();
    for (const byte of hello()) await raw.send(new Uint8Array([byte]));
    await raw.send(frame(1), frame(2));
    await until("both have arrived", () => inbox.received.length === 2);
    assertEquals(inbox.received.map(({ from }) => from), [N2, N2]);
  });
});

Deno.test("tcp handshake refuses a lower boot than it has seen, even after that connection's end", async () => {
  await withNode(async ({ dial, log, inbox }) => {
    const current = await dial();
    await current.greet({ boot: 5 });
    for (const gone of [false, true]) {
      if (gone) {
        await current.close();
        await until("the loss is seen", () => log.of("disconnected").length === 1);
      }
      const older = await dial();
      await older.send(hello({ boot: 4 }));
      await older.closed();
      assertEquals(older.received, [...refusalText(5)]);
      if (gone) continue;
      await current.send(frame(1));
      await until("the current one is still heard", () => inbox.received.length === 1);
    }
    assertEquals(log.of("refused").map(({ peer, reason }) => `${peer} ${reason}`), [
      "n2 old-boot",
      "n2 old-boot",
    ]);
  });
});

Deno.test("tcp handshake lets a newer connection replace the older, from an equal boot on", async () => {
  for (const [boot, reason] of [[5, "replaced"], [6, "closed-by-peer"]] as const) {
    await withNode(async ({ dial, log, inbox }) => {
      const older = await dial();
      await older.greet({ boot: 5 });
      const newer = await dial();
      await newer.greet({ boot });
      await older.closed();
      await newer.send(frame(7));
      await until("the newer one is heard", () => inbox.received.length === 1);
      assertEquals(log.of("connected").map((event) => event.boot), [5, boot]);
      assertEquals(log.of("disconnected").map((event) => event.reason), [reason]);
    });
  }
});

Deno.test("tcp handshake forgets the boot of a peer that was removed", async () => {
  await withNode(async ({ dial, transport }) => {
    await (await dial()).greet({ boot: 5 });
    transport.setPeers(new Map());
    transport.setPeers(new Map([[N2, NOWHERE]]));
    await (await dial()).greet({ boot: 1 });
  });
});

Deno.test("tcp handshake takes an unknown sender if told to, but none of another cluster, nor itself", async () => {
  await withNode(async ({ dial, inbox }) => {
    for (const [change, code] of [[{ clusterId: "other" }, 2], [{ from: N1 }, 4]] as const) {
      const raw = await dial();
      await raw.send(hello({ from: N3, ...change }));
      await raw.closed();
      assertEquals(raw.received, [...refusalText(code)]);
    }
    const stranger = await dial();
    await stranger.greet({ from: N3 });
    await stranger.send(frame(1));
    await until("it is heard", () => inbox.received.length === 1);
    assertEquals(inbox.received[0].from, N3);
  }, { acceptUnknown: () => true });
});

Deno.test("tcp handshake takes so many unknown senders, and the peers all the same", async () => {
  await withNode(async ({ dial, log }) => {
    const first = await dial();
    await first.greet({ from: N3 });
    await (await dial()).greet({ from: nodeId("n4") });
    const more = await dial();
    await more.send(hello({ from: nodeId("n5") }));
    await more.closed();
    assertEquals(more.received, [...refusalText(4)]);
    await (await dial()).greet({ from: N2 });
    await (await dial()).greet({ from: N3 });
    await first.closed();
    const freed = await dial();
    await freed.greet({ from: nodeId("n4") });
    await freed.close();
    await until("n4 has gone", () => log.of("disconnected").some(({ peer }) => peer === "n4"));
    await until("there is room again", () => log.of("disconnected").length === 3);
    await (await dial()).greet({ from: nodeId("n5") });
  }, { acceptUnknown: () => true, limits: { strangersMax: 2 } });
});

Deno.test("tcp handshake refuses an unknown sender's earlier boot while its connection lasts", async () => {
  await withNode(async ({ dial, transport, log }) => {
    const current = await dial();
    await current.greet({ from: N3, boot: 5 });
    const refusesOlder = async () => {
      const older = await dial();
      await older.send(hello({ from: N3, boot: 4 }));
      await older.closed();
      assertEquals(older.received, [...refusalText(5)]);
    };
    await refusesOlder();
    transport.setPeers(new Map([[N2, NOWHERE]]));
    await refusesOlder();
    await current.close();
    await until("the loss is seen", () => log.of("disconnected").length === 1);
    await (await dial()).greet({ from: N3, boot: 1 });
  }, { acceptUnknown: () => true });
});

Deno.test("tcp lets go of a removed peer though unknown senders are heard: as such it may come again", async () => {
  await withNode(async ({ dial, transport }) => {
    const member = await dial();
    await member.greet({ boot: 5 });
    transport.setPeers(new Map());
    await member.closed();
    await (await dial()).greet({ boot: 1 });
  }, { acceptUnknown: () => true });
});

Deno.test("tcp handshake has a deadline for whoever dials and says little", async () => {
  await withNode(async ({ dial, log, env }) => {
    const [mute, slow] = [await dial(), await dial()];
    await slow.send(hello().subarray(0, 12));
    await until(
      "both have their deadline",
      () => env.delaysMs.filter((ms) => ms === 700).length >= 2,
    );
    env.advance(699);
    assertEquals([mute.ended, slow.ended], [false, false]);
    env.advance(1);
    await mute.closed();
    await slow.closed();
    await until(
      "both are told",
      () => log.of("refused").filter(({ reason }) => reason === "unfinished").length === 2,
    );
  }, { limits: { handshakeMs: 700 } });
});

Deno.test("tcp handshake serves so many at a time, and closes one more at once", async () => {
  await withNode(async ({ dial, log }) => {
    const held = [await dial(), await dial()];
    const more = await dial();
    await more.closed();
    assertEquals(log.of("refused").map(({ reason }) => reason), ["busy"]);
    await held[0].greet();
    await (await dial()).greet();
    assertEquals(held[1].ended, false);
  }, { limits: { handshakesMax: 2 } });
});

const AFTER: [what: string, bytes: Uint8Array, reason: string][] = [
  ["a length above the maximum", new Uint8Array([0xff, 0xff, 0xff, 0xff]), "malformed"],
  ["a length just above it", new Uint8Array([0, 0, 0x10, 1]), "malformed"],
  ["bytes that are no message", framed(new Uint8Array([9, 9, 9])), "malformed"],
  ["a second hello", hello(), "malformed"],
  ["half a frame, and the end", frame(9).subarray(0, 9), "closed-by-peer"],
  ["half a length, and the end", new Uint8Array(3), "closed-by-peer"],
];

for (const [what, bytes, reason] of AFTER) {
  Deno.test(`tcp ends a connection on ${what}, keeping what came before`, async () => {
    await withNode(async ({ dial, inbox, log }) => {
      const raw = await dial();
      await raw.greet();
      await raw.send(frame(1), bytes);
      if (reason === "closed-by-peer") await raw.close();
      else await raw.closed();
      await until("the end is told", () => log.of("disconnected").length === 1);
      assertEquals(log.of("disconnected")[0].reason, reason);
      assertEquals(log.of("malformed").length, reason === "malformed" ? 1 : 0);
      assertEquals(inbox.ids, [1]);
    }, { limits: { frameBytesMax: 4096 } });
  });
}

const ANSWERS: [what: string, text: Uint8Array, reason: string, byPeer: boolean][] = [
  ["a refusal", refusalText(4), "unknown-sender", true],
  ["a refusal for a reason to come", refusalText(200), "malformed", true],
  ["another protocol", new TextEncoder().encode("SSH-2.0-x\r\n"), "malformed", false],
  [
    "an HTTP server's answer",
    new TextEncoder().encode("HTTP/1.1 400 Bad Request\r\n\r\n"),
    "wrong-transport",
    false,
  ],
  ["another version", changed(welcomeText(N2, N1), 5, 9), "wrong-version", false],
  ["the welcome of another node", welcomeText(N3, N1), "unknown-sender", false],
  ["a welcome meant for another", welcomeText(N2, N3), "wrong-recipient", false],
  [
    "the welcome of another cluster",
    welcomeText(N2, N1, { clusterId: "other" }),
    "wrong-cluster",
    false,
  ],
];

for (const [what, text, reason, byPeer] of ANSWERS) {
  Deno.test(`tcp dialler does not take ${what} for a connection, and tries again`, async () => {
    const server = new RawServer((peer) => void peer.send(text));
    try {
      await withNode(async ({ log, env, transport }) => {
        await until("the first attempt is told", () => log.of("refused").length === 1);
        const [refused] = log.of("refused");
        assertEquals([refused.reason, refused.byPeer, refused.direction], [
          reason,
          byPeer,
          "outgoing",
        ]);
        assertEquals(transport.stats().get(N2)?.connected, false);
        await until("a second attempt is made", () => {
          env.advance(50);
          return log.of("refused").length >= 2;
        });
        assertEquals(log.of("connected"), []);
      }, { peer: server.address });
    } finally {
      await server.close();
    }
  });
}

Deno.test("tcp dialler refuses a welcome from an earlier boot than it has heard of", async () => {
  let boot = 5;
  const server = new RawServer((peer) => void peer.send(welcomeText(N2, N1, { boot })));
  try {
    await withNode(async ({ log, env, dial }) => {
      await until("it is connected", () => log.of("connected").length === 1);
      boot = 4;
      await (await dial()).greet({ boot: 6 });
      await until(
        "the connection to the earlier process is given up",
        () => log.of("disconnected").some(({ direction }) => direction === "outgoing"),
      );
      await until("the earlier process is refused", () => {
        env.advance(50);
        return log.of("refused").length >= 1;
      });
      assertEquals(log.of("refused")[0].reason, "old-boot");
    }, { peer: server.address });
  } finally {
    await server.close();
  }
});

Deno.test("tcp dialler has a deadline for whoever accepts and does not answer", async () => {
  const server = new RawServer(() => {});
  try {
    await withNode(async ({ log, env }) => {
      await until("it was dialled", () => server.peers.length === 1);
      await until("the hello is there", () => server.peers[0].received.length > 0);
      assertEquals(server.peers[0].received, [...hello({ from: N1, to: N2 })]);
      env.advance(2000);
      await until("it is told", () => log.of("refused").length === 1);
      assertEquals(log.of("refused")[0].reason, "unfinished");
      await server.peers[0].closed();
    }, { peer: server.address });
  } finally {
    await server.close();
  }
});
