/**
 * The UDP transport: the transport contract over real sockets, then what only UDP has.
 *
 * @module
 */
import { createUdpTransport } from "../../transport/udp.ts";
import { transportContract } from "./contract.ts";
import { streamPlace } from "./stream_place.ts";

/** As between machines. */
const SMALL = { loopbackDatagramBytesMax: 1200 };

transportContract("udp", () => streamPlace(createUdpTransport));
transportContract(
  "udp in small datagrams",
  () => streamPlace((options) => createUdpTransport({ ...options, udpLimits: SMALL })),
);
