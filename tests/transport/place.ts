/**
 * Where the contract of the transports is checked: transports that can reach each other.
 *
 * @module
 */
import type { NodeId } from "../../raft/types.ts";
import type { EventCallback } from "../../transport/events.ts";
import type { TransportLimits } from "../../transport/limits.ts";
import type {
  IdentityOptions,
  PeerAddress,
  PeerHandler,
  Transport,
} from "../../transport/types.ts";
import { Inbox, until } from "./harness.ts";

export interface OpenOptions extends IdentityOptions {
  readonly limits?: Partial<TransportLimits>;
  readonly onEvent?: EventCallback;
  readonly acceptUnknown?: () => boolean;
}

/** A place for the transports of one test. */
export interface Place {
  /** Makes a node's transport without starting it: where it was before, if it was there before. */
  create(id: NodeId, options?: OpenOptions): Transport;
  /** The node's data is gone: what is created next begins with boot 1 again, on other data. */
  wipe(id: NodeId): void;
  /** The address of a node that was started once. */
  address(id: NodeId): PeerAddress;
  /** Closes every transport that was made. */
  dispose(): Promise<void>;
}

/** One promise of the contract. */
export type Body = (place: Place) => Promise<void>;

/** Starts a transport with a fresh inbox, or the handler given. */
export async function open(
  place: Place,
  id: NodeId,
  options: OpenOptions & { handler?: PeerHandler } = {},
) {
  const inbox = new Inbox();
  const transport = place.create(id, options);
  await transport.start(options.handler ?? inbox.handler);
  return { transport, inbox };
}

/** Makes all of them each other's peers, and waits until all are connected. */
export async function connect(place: Place, ...transports: Transport[]): Promise<void> {
  const peers = new Map(transports.map(({ self }) => [self, place.address(self)]));
  for (const transport of transports) transport.setPeers(peers);
  await until("all are connected", () =>
    transports.every((transport) => {
      const stats = transport.stats();
      return transports.every(({ self }) =>
        self === transport.self || stats.get(self)?.connected === true
      );
    }));
}
