/**
 * What a peer message costs: encoding, decoding, framing, and a round trip over each transport
 * to this same process. The batch is the one of the leader under load: 50 entries of 300 bytes. Run with
 * `deno task bench`; what a whole leader spends is measured by transport_load.ts.
 *
 * The round trip needs `--allow-net=127.0.0.1`, and is left out without it.
 *
 * @module
 */
import type { Message } from "../raft/message.ts";
import { GROUP_DEFAULT, nodeId } from "../raft/types.ts";
import { decodeMessage, encodeMessage, encodeParts } from "../transport/codec.ts";
import { FRAME_HEADER_BYTES } from "../transport/frame.ts";
import { type TransportKind, transportKinds } from "../transport/kinds.ts";
import type { PeerHandler } from "../transport/types.ts";
import { makeBatch, openTransport, replyTo } from "./peers.ts";

const ENTRIES = 50;
const ENTRY_BYTES = 300;

const request = makeBatch({ first: 1001, count: ENTRIES, bytes: ENTRY_BYTES, round: 7 });
const { entries } = request;
const reply = replyTo(request);

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

const net = await Deno.permissions.query({ name: "net", host: "127.0.0.1" });

if (net.state === "granted") {
  for (const kind of Object.keys(transportKinds) as TransportKind[]) await benchRoundTrips(kind);
}

async function benchRoundTrips(kind: TransportKind): Promise<void> {
  const [n1, n2] = [nodeId("n1"), nodeId("n2")];
  let answered: () => void = () => {};
  const { promise: ready, resolve: allConnected } = Promise.withResolvers<void>();
  let connections = 0;
  // Both directions of both nodes.
  const connected = () => {
    if (++connections === 4) allConnected();
  };
  const a = await listen(kind, n1, connected, () => answered());
  const b = await listen(kind, n2, connected, (from, group) => void b.send(from, group, reply));
  const peers = new Map([a, b].flatMap((t) => t.address === null ? [] : [[t.self, t.address]]));
  a.setPeers(peers);
  b.setPeers(peers);
  await ready;

  const roundTrip = (message: Message) =>
    new Promise<void>((resolve) => {
      answered = resolve;
      if (!a.send(n2, GROUP_DEFAULT, message)) throw new Error("the message was dropped");
    });
  Deno.bench(`${kind}: append of 50 entries and its reply`, { group: "round trip" }, async () => {
    await roundTrip(request);
  });
  Deno.bench(`${kind}: reply and reply`, { group: "small round trip" }, async () => {
    await roundTrip(reply);
  });
}

async function listen(
  kind: TransportKind,
  self: ReturnType<typeof nodeId>,
  onConnected: () => void,
  handler: PeerHandler,
) {
  const transport = openTransport(kind, self, onConnected);
  await transport.start(handler);
  return transport;
}
