/**
 * The HTTP transport: streams.ts over sessions of numbered requests, for where nothing but HTTP reaches a
 * node. The parts are in http/.
 *
 * See docs/decisions/0019-http-transport.md.
 *
 * @module
 */
import { HTTP_PEER_LIMITS, type HttpPeerLimits } from "./http/limits.ts";
import { HttpNet } from "./http/net.ts";
import { TCP_LIMITS } from "./limits.ts";
import {
  createStreamTransport,
  type StreamTransport,
  type StreamTransportOptions,
} from "./streams.ts";

export interface HttpTransportOptions extends StreamTransportOptions {
  /** Beside `limits`: those of sessions and requests. */
  readonly httpLimits?: Partial<HttpPeerLimits>;
}

/**
 * Makes an HTTP transport. It does nothing before `start`.
 *
 * @throws {RangeError} if the cluster id, the node id or the boot number cannot be sent.
 */
export function createHttpTransport(options: HttpTransportOptions): StreamTransport {
  const limits = { ...HTTP_PEER_LIMITS, ...options.httpLimits };
  // A write ends with the other node's answer, not with the operating system's buffer: a node that stands
  // still for a while stalls it at once, and is borne with for as long as its silence is.
  const writeStallMs = TCP_LIMITS.silenceMs;
  return createStreamTransport(
    { ...options, limits: { writeStallMs, ...options.limits } },
    new HttpNet(options.env, limits),
  );
}
