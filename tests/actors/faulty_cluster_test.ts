/** Raft's safety over each transport, with faults over it. */
import { systemEnv } from "../../actors/env.ts";
import type { TransportLife } from "../../actors/node.ts";
import type { NodeAddress, NodeId } from "../../raft/types.ts";
import { createMemoryNetwork } from "../../transport/memory.ts";
import { createTcpTransport } from "../../transport/tcp.ts";
import type { PeerAddress, Transport } from "../../transport/types.ts";
import { type OpenTransport, staysSafe } from "./faulty_cluster.ts";
import { CLUSTER_ID } from "./virtual_cluster.ts";

interface SocketOptions extends TransportLife {
  readonly self: NodeId;
  readonly clusterId: string;
  readonly listen: PeerAddress;
  readonly env: ReturnType<typeof systemEnv>;
}

/** A transport that listens on this machine. */
function overSockets(create: (options: SocketOptions) => Transport) {
  return (): OpenTransport => ({ id: self, peer }: NodeAddress, life) => {
    const listen = { hostname: "127.0.0.1", port: Number(peer.split(":")[1]) };
    return create({ ...life, self, clusterId: CLUSTER_ID, listen, env: systemEnv() });
  };
}

function inMemory(): OpenTransport {
  const network = createMemoryNetwork();
  return ({ id }, life) => network.transport(id, life);
}

const TRANSPORTS: readonly [string, () => OpenTransport][] = [
  ["memory", inMemory],
  ["tcp", overSockets(createTcpTransport)],
];

for (const [name, place] of TRANSPORTS) {
  Deno.test(`faulty ${name}: three nodes that lose, double, reorder and crash stay safe, and recover`, async () => {
    await staysSafe(place(), 1 + Math.floor(Math.random() * 2 ** 31));
  });
}
