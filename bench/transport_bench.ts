/**
 * What a peer message costs: encoding, decoding, framing, and a round trip over TCP to this same
 * process. The batch is the one of the leader under load: 50 entries of 300 bytes. Run with
 * `deno task bench`; what a whole leader spends is measured by transport_load.ts.
 *
 * The round trip needs `--allow-net=127.0.0.1`, and is left out without it.
 *
 * @module
 */
import { systemEnv } from "../actors/env.ts";
import type { AppendRequest, Message } from "../raft/message.ts";
import { type Entry, GROUP_DEFAULT, logIndex, nodeId, term } from "../raft/types.ts";
import { decodeMessage, encodeMessage, encodeParts } from "../transport/codec.ts";
import { FRAME_HEADER_BYTES } from "../transport/frame.ts";
import { createTcpTransport } from "../transport/tcp.ts";
import type { PeerHandler } from "../transport/types.ts";

const ENTRIES = 50;
const ENTRY_BYTES = 300;

const entries: readonly Entry[] = Array.from({ length: ENTRIES }, (_, i) => ({
  term: term(3),
  index: logIndex(1001 + i),
  timeMs: 1_700_000_000_000,
  kind: 0,
  data: new Uint8Array(ENTRY_BYTES).fill(i),
}));

const request: AppendRequest = {
  type: "append-request",
  term: term(3),
  prevIndex: logIndex(1000),
  prevTerm: term(3),
  commit: logIndex(1000),
  round: 7,
  stamp: 7,
  echo: 7,
  entries,
};

const reply: Message = {
  type: "append-reply",
  term: term(3),
  success: true,
  index: logIndex(1050),
  conflictIndex: logIndex(0),
  conflictTerm: term(0),
  round: 7,
  stamp: 7,
  sent: 7,
  counts: true,
};

const requestBytes = encodeMessage(GROUP_DEFAULT, request);
const replyBytes = encodeMessage(GROUP_DEFAULT, reply);

Deno.bench("codec: encode append of 50 entries, first peer", { group: "encode" }, () => {
  // A fresh array is a fresh batch: its entries have to be encoded.
  encodeParts(GROUP_DEFAULT, { ...request, entries: entries.slice() }, FRAME_HEADER_BYTES);
});

Deno.bench("codec: encode append of 50 entries, each further peer", { group: "encode" }, () => {
  encodeParts(GROUP_DEFAULT, request, FRAME_HEADER_BYTES);
});

Deno.bench("codec: encode append reply", { group: "encode" }, () => {
  encodeParts(GROUP_DEFAULT, reply, FRAME_HEADER_BYTES);
});

Deno.bench("codec: copy the frame and decode append of 50 entries", { group: "decode" }, () => {
  decodeMessage(requestBytes.slice());
});

Deno.bench("codec: decode append of 50 entries in a fresh read buffer", { group: "decode" }, () => {
  // What reading into a buffer of its own for each read would cost instead of the copy.
  const buffer = new Uint8Array(64 * 1024);
  buffer.set(requestBytes.subarray(0, 1));
  decodeMessage(requestBytes);
});

Deno.bench("codec: decode append reply", { group: "decode" }, () => {
  decodeMessage(replyBytes);
});

let connections = 0;
let allConnected: () => void = () => {};
const net = await Deno.permissions.query({ name: "net", host: "127.0.0.1" });

if (net.state === "granted") {
  const [n1, n2] = [nodeId("n1"), nodeId("n2")];
  let answered: () => void = () => {};
  const a = await listen(n1, () => answered());
  const b = await listen(n2, (from, group) => void b.send(from, group, reply));
  const peers = new Map([a, b].flatMap((t) => t.address === null ? [] : [[t.self, t.address]]));
  await connected(() => {
    a.setPeers(peers);
    b.setPeers(peers);
  });

  const roundTrip = (message: Message) =>
    new Promise<void>((resolve) => {
      answered = resolve;
      if (!a.send(n2, GROUP_DEFAULT, message)) throw new Error("the message was dropped");
    });
  const options = { group: "tcp round trip" };
  Deno.bench("tcp: append of 50 entries and its reply", options, async () => {
    await roundTrip(request);
  });
  Deno.bench("tcp: reply and reply", options, async () => {
    await roundTrip(reply);
  });
}

async function listen(self: ReturnType<typeof nodeId>, handler: PeerHandler) {
  const transport = createTcpTransport({
    self,
    clusterId: "bench",
    boot: 1,
    incarnation: 1,
    listen: { hostname: "127.0.0.1", port: 0 },
    env: systemEnv(),
    onEvent: (event) => {
      if (event.type === "connected" && ++connections === 4) allConnected();
    },
  });
  await transport.start(handler);
  return transport;
}

/** Resolves when both directions of both nodes are up. */
function connected(begin: () => void): Promise<void> {
  return new Promise((resolve) => {
    allConnected = resolve;
    begin();
  });
}
