/**
 * A TCP transport to be greeted and to greet, with a clock that only the test moves.
 *
 * @module
 */
import type { NodeId } from "../../raft/types.ts";
import type { TcpLimits } from "../../transport/limits.ts";
import { createTcpTransport, type TcpTransport } from "../../transport/tcp.ts";
import type { KnownPeer } from "../../transport/types.ts";
import { EventLog, Inbox, ManualEnv, N1, N2 } from "./harness.ts";
import { ADDRESS, CLUSTER, INCARNATION, RawPeer } from "./raw_peer.ts";

/** Where nobody listens. */
export const NOWHERE = { hostname: "127.0.0.1", port: 1 };

/** A transport in a test's hand. */
export interface Node {
  readonly transport: TcpTransport;
  readonly log: EventLog;
  readonly inbox: Inbox;
  readonly env: ManualEnv;
  dial(): Promise<RawPeer>;
}

/** Runs a body with n1, whose peer is n2; what the body dials is closed after it. */
export async function withNode(
  body: (node: Node) => Promise<void>,
  options: {
    limits?: Partial<TcpLimits>;
    peer?: { hostname: string; port: number };
    acceptUnknown?: () => boolean;
    known?: ReadonlyMap<NodeId, KnownPeer>;
    remember?: (known: ReadonlyMap<NodeId, KnownPeer>) => Promise<void>;
    since?: number;
  } = {},
): Promise<void> {
  const [log, inbox, env] = [new EventLog(), new Inbox(), new ManualEnv()];
  const transport = createTcpTransport({
    self: N1,
    clusterId: CLUSTER,
    boot: 1,
    incarnation: INCARNATION,
    ownAddress: () => ADDRESS,
    known: options.known,
    remember: options.remember,
    listen: { hostname: "127.0.0.1", port: 0 },
    peers: new Map([[N2, { ...options.peer ?? NOWHERE, since: options.since }]]),
    env,
    onEvent: log.record,
    limits: options.limits,
    acceptUnknown: options.acceptUnknown,
  });
  await transport.start(inbox.handler);
  const dialled: RawPeer[] = [];
  const dial = async () => {
    const raw = await RawPeer.dial(transport.address);
    dialled.push(raw);
    return raw;
  };
  try {
    await body({ transport, log, inbox, env, dial });
  } finally {
    await transport.close();
    for (const raw of dialled) await raw.close();
  }
}
