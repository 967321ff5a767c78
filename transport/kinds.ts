/**
 * The transports between real nodes, by the name that `--transport` has for them.
 *
 * @module
 */
import { createHttpTransport } from "./http.ts";
import type { StreamTransport, StreamTransportOptions } from "./streams.ts";
import { createTcpTransport } from "./tcp.ts";
import type { PeerAddress } from "./types.ts";
import { createUdpTransport } from "./udp.ts";

interface Kind {
  readonly create: (options: StreamTransportOptions) => StreamTransport;
  /** Listens for a moment. @throws {Deno.errors.AddrInUse} if somebody else does. */
  readonly checkAddress: (address: PeerAddress) => void;
}

/** All nodes of a cluster use the same one. */
export const transportKinds = {
  tcp: {
    create: createTcpTransport,
    checkAddress: checkTcpAddress,
  },
  http: {
    create: createHttpTransport,
    checkAddress: checkTcpAddress,
  },
  udp: {
    create: createUdpTransport,
    checkAddress: (address) => Deno.listenDatagram({ transport: "udp", ...address }).close(),
  },
} as const satisfies Record<string, Kind>;

export type TransportKind = keyof typeof transportKinds;

function checkTcpAddress(address: PeerAddress): void {
  Deno.listen({ ...address }).close();
}
