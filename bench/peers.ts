/**
 * What the benches of the transports share: the batch of a leader under load, the reply to it, and a
 * transport of this process to carry them.
 *
 * @module
 */
import { systemEnv } from "../actors/env.ts";
import type { AppendReply, AppendRequest } from "../raft/message.ts";
import { type Entry, logIndex, type NodeId, term } from "../raft/types.ts";
import { type TransportKind, transportKinds } from "../transport/kinds.ts";
import type { StreamTransport } from "../transport/streams.ts";

/** A batch of `count` entries of `bytes` each, from index `first` on. */
export function makeBatch(
  { first, count, bytes, round }: {
    readonly first: number;
    readonly count: number;
    readonly bytes: number;
    readonly round: number;
  },
): AppendRequest {
  const entries: Entry[] = [];
  for (let i = 0; i < count; i++) {
    entries.push({
      term: term(3),
      index: logIndex(first + i),
      timeMs: 1_700_000_000_000,
      kind: 0,
      data: new Uint8Array(bytes).fill(i),
    });
  }
  return {
    type: "append-request",
    term: term(3),
    prevIndex: logIndex(first - 1),
    prevTerm: term(3),
    commit: logIndex(first - 1),
    round,
    stamp: round,
    echo: round,
    entries,
  };
}

/** What a follower says that has taken a batch. */
export function replyTo(request: AppendRequest): AppendReply {
  return {
    type: "append-reply",
    term: request.term,
    success: true,
    index: request.entries.at(-1)?.index ?? request.prevIndex,
    conflictIndex: logIndex(0),
    conflictTerm: term(0),
    round: request.round,
    stamp: request.stamp,
    sent: request.stamp,
    counts: true,
  };
}

/** A transport on a free port of 127.0.0.1, not started yet. */
export function openTransport(
  kind: TransportKind,
  self: NodeId,
  onConnected: () => void,
): StreamTransport {
  return transportKinds[kind].create({
    self,
    clusterId: "bench",
    boot: 1,
    incarnation: 1,
    listen: { hostname: "127.0.0.1", port: 0 },
    env: systemEnv(),
    onEvent: (event) => {
      if (event.type === "connected") onConnected();
    },
  });
}
