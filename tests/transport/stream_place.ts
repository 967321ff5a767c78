/**
 * Transports that listen at an address of their own: the place of the contract for them, and single ones.
 *
 * @module
 */
import type { NodeId } from "../../raft/types.ts";
import type { StreamTransport, StreamTransportOptions } from "../../transport/streams.ts";
import { freePorts } from "../cluster/ports.ts";
import { EventLog, Inbox, realEnv } from "./harness.ts";
import type { Place } from "./place.ts";
import { CLUSTER } from "./raw_peer.ts";

export const ANY_PORT = { hostname: "127.0.0.1", port: 0 };

export function streamPlace(make: (options: StreamTransportOptions) => StreamTransport): Place {
  const made: StreamTransport[] = [];
  const boots = new Map<NodeId, number>();
  const incarnations = new Map<NodeId, number>();
  const last = (id: NodeId) => made.findLast(({ self }) => self === id);
  return {
    create(id, options) {
      const boot = (boots.get(id) ?? 0) + 1;
      boots.set(id, boot);
      const transport = make({
        self: id,
        clusterId: CLUSTER,
        boot,
        incarnation: incarnations.get(id) ?? 1,
        known: options?.known,
        remember: options?.remember,
        ownAddress: options?.ownAddress,
        holding: options?.holding,
        // It may listen there again after it was closed.
        listen: last(id)?.address ?? { hostname: "127.0.0.1", port: freePorts(1)[0] },
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

/** One transport in a test's hand, not started, with what it will say of itself and hear. */
export function streamNode(self: NodeId, make: (base: StreamTransportOptions) => StreamTransport) {
  const [log, inbox] = [new EventLog(), new Inbox()];
  const transport = make({
    self,
    clusterId: CLUSTER,
    boot: 1,
    incarnation: 1,
    listen: ANY_PORT,
    env: realEnv(),
    onEvent: log.record,
  });
  return { transport, log, inbox };
}
