/**
 * The TCP transport: streams.ts over the operating system's own streams. See
 * docs/decisions/0006-transport.md.
 *
 * @module
 */
import { TCP_NET } from "./socket.ts";
import {
  createStreamTransport,
  type StreamTransport,
  type StreamTransportOptions,
} from "./streams.ts";

export type { TcpEnv } from "./backoff.ts";

export type TcpTransportOptions = StreamTransportOptions;
export type TcpTransport = StreamTransport;

/**
 * Makes a TCP transport. It does nothing before `start`.
 *
 * @throws {RangeError} if the cluster id, the node id or the boot number cannot be sent.
 */
export function createTcpTransport(options: TcpTransportOptions): TcpTransport {
  return createStreamTransport(options, TCP_NET);
}
