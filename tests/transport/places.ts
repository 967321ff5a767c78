/**
 * The places of the transports that the contract is checked in: one for each transport.
 *
 * @module
 */
import type { NodeId } from "../../raft/types.ts";
import { createMemoryNetwork } from "../../transport/memory.ts";
import { createTcpTransport, type TcpTransport } from "../../transport/tcp.ts";
import type { Transport } from "../../transport/types.ts";
import { realEnv } from "./harness.ts";
import type { Place } from "./place.ts";
import { CLUSTER } from "./raw_peer.ts";

/** The address of a node without one. */
export const NOWHERE = { hostname: "memory", port: 0 };

/** Transports of one network in memory. */
export function memoryPlace(): Place {
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

/** Where a test listens. */
export const ANY_PORT = { hostname: "127.0.0.1", port: 0 };

/** Transports over TCP on this machine. */
export function tcpPlace(): Place {
  const made: TcpTransport[] = [];
  const boots = new Map<NodeId, number>();
  const incarnations = new Map<NodeId, number>();
  const last = (id: NodeId) => made.findLast(({ self }) => self === id);
  return {
    create(id, options) {
      const boot = (boots.get(id) ?? 0) + 1;
      boots.set(id, boot);
      const transport = createTcpTransport({
        self: id,
        clusterId: CLUSTER,
        boot,
        incarnation: incarnations.get(id) ?? 1,
        known: options?.known,
        remember: options?.remember,
        ownAddress: options?.ownAddress,
        listen: last(id)?.address ?? ANY_PORT,
        env: realEnv(),
        onEvent: options?.onEvent,
        acceptUnknown: options?.acceptUnknown,
        limits: { backoffMinMs: 5, backoffMaxMs: 20, ...options?.limits },
      });
      made.push(transport);
      return transport;
    },
    wipe(id) {
      boots.delete(id);
      incarnations.set(id, (incarnations.get(id) ?? 1) + 1);
    },
    address(id) {
      const address = last(id)?.address;
      if (!address) throw new Error(`${id} was not started`);
      return address;
    },
    dispose: async () => void await Promise.all(made.map((transport) => transport.close())),
  };
}
