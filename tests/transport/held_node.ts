/**
 * A transport in a test's hand: n1, on a clock that only the test moves, whose peer n2 the test plays.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import type { NodeId } from "../../raft/types.ts";
import type { TcpLimits } from "../../transport/limits.ts";
import type { StreamTransport } from "../../transport/streams.ts";
import { createTcpTransport, type TcpTransport } from "../../transport/tcp.ts";
import type { KnownPeer, Peer } from "../../transport/types.ts";
import { EventLog, Inbox, ManualEnv, N1, N2 } from "./harness.ts";
import { ADDRESS, CLUSTER, INCARNATION, RawPeer } from "./raw_peer.ts";
import { ANY_PORT } from "./stream_place.ts";

/** Where nobody listens. */
export const NOWHERE = { hostname: "127.0.0.1", port: 1 };

/** A transport and what came of it. */
export interface Held<T extends StreamTransport> {
  readonly transport: T;
  readonly log: EventLog;
  readonly inbox: Inbox;
  readonly env: ManualEnv;
}

/** One over TCP, which the test may also dial. */
export interface TcpNode extends Held<TcpTransport> {
  dial(): Promise<RawPeer>;
}

/** Runs a body with the transport that `open` gives, and closes that; no timer may be left then. */
export async function withHeld<T extends StreamTransport>(
  open: (env: ManualEnv, log: EventLog) => T,
  body: (node: Held<T>) => Promise<void>,
): Promise<void> {
  const [log, inbox, env] = [new EventLog(), new Inbox(), new ManualEnv()];
  const transport = open(env, log);
  await transport.start(inbox.handler);
  try {
    await body({ transport, log, inbox, env });
  } finally {
    await transport.close();
    assertEquals(env.pendingTimers, 0, "timers were left");
  }
}

/** Runs a body with n1 over TCP; what the body dials is closed after it. */
export async function withNode(
  body: (node: TcpNode) => Promise<void>,
  options: {
    limits?: Partial<TcpLimits>;
    peer?: { hostname: string; port: number };
    acceptUnknown?: () => boolean;
    known?: ReadonlyMap<NodeId, KnownPeer>;
    remember?: (known: ReadonlyMap<NodeId, KnownPeer>) => Promise<void>;
    since?: number;
  } = {},
): Promise<void> {
  const { peer = NOWHERE, since, ...rest } = options;
  const open = (env: ManualEnv, log: EventLog) =>
    createTcpTransport({
      self: N1,
      clusterId: CLUSTER,
      boot: 1,
      incarnation: INCARNATION,
      ownAddress: () => ADDRESS,
      listen: ANY_PORT,
      // With itself among them, as a node's members are; it is not to be dialled.
      peers: new Map<NodeId, Peer>([[N1, ANY_PORT], [N2, { ...peer, since }]]),
      env,
      onEvent: log.record,
      ...rest,
    });
  const dialled: RawPeer[] = [];
  try {
    await withHeld(open, (node) => {
      const dial = async () => {
        const raw = await RawPeer.dial(node.transport.address);
        dialled.push(raw);
        return raw;
      };
      return body({ ...node, dial });
    });
  } finally {
    for (const raw of dialled) await raw.close();
  }
}
