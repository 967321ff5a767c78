/**
 * The UDP transport: streams.ts over sessions of its own on one UDP socket, with acknowledgement,
 * repetition, congestion control and a checksum worth the name in udp/.
 *
 * Each session delivers in order and once, as a TCP connection does: a follower that is sent a batch ahead
 * of the one before it refuses it, so an unordered transport would turn each lost datagram into a round trip
 * of Raft's. See docs/decisions/0020-udp-transport.md.
 *
 * @module
 */
import {
  createStreamTransport,
  type StreamTransport,
  type StreamTransportOptions,
} from "./streams.ts";
import { UDP_LIMITS, type UdpLimits } from "./udp/limits.ts";
import { UdpNet } from "./udp/net.ts";

export interface UdpTransportOptions extends StreamTransportOptions {
  /** Beside `limits`: those of sessions and datagrams. */
  readonly udpLimits?: Partial<UdpLimits>;
}

/**
 * Makes a UDP transport. It does nothing before `start`.
 *
 * @throws {RangeError} if the cluster id, the node id or the boot number cannot be sent.
 */
export function createUdpTransport(options: UdpTransportOptions): StreamTransport {
  const limits = { ...UDP_LIMITS, ...options.udpLimits };
  return createStreamTransport(options, new UdpNet(options.env, limits));
}
