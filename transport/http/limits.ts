/**
 * What HTTP between nodes may hold and how long it may take, and what a node's HTTP server bears with,
 * whoever its clients are.
 *
 * @module
 */

/** Maxima and deadlines of the streams over HTTP. Tests set smaller ones. */
export interface HttpPeerLimits {
  /** Bytes of one request's body: a stream's next piece. As much as the sender gathers for one write. */
  readonly pieceBytesMax: number;
  /** Requests of one session that are being read or answered: the one, and such as repeat it. */
  readonly requestsMax: number;
  /** Sessions that others hold here, welcomed or not; one more is refused. */
  readonly sessionsMax: number;
  /** Sessions that have ended and are remembered, so that a late request cannot open one of them again. */
  readonly endedMax: number;
  /** A request's body must be here after so long. */
  readonly bodyMs: number;
  /** How often a request is sent again whose answer was lost, before the session counts as lost. */
  readonly repeatsMax: number;
  /** A watch is answered after so long, and begun anew: proxies cut what is silent for longer. */
  readonly watchMs: number;
  /** A session whose watch was cut off counts as lost if no request comes for so long. */
  readonly graceMs: number;
}

export const HTTP_PEER_LIMITS: HttpPeerLimits = {
  pieceBytesMax: 256 * 1024,
  requestsMax: 4,
  sessionsMax: 128,
  endedMax: 256,
  bodyMs: 5000,
  repeatsMax: 1,
  watchMs: 20_000,
  graceMs: 100,
};

/** Bytes of an answer that are read: a welcome, an answer to a probe, or what a refusal says. */
export const ANSWER_BYTES_MAX = 2048;

/** Connections to one peer that are kept open while they carry nothing. */
export const IDLE_CONNECTIONS_MAX = 4;
/** And for how long: less than the other side keeps them. */
export const IDLE_CONNECTION_MS = 60_000;

/** What a node's HTTP server bears with. */
export interface HttpLimits {
  /** Connections at a time; one more is closed at once. */
  readonly connectionsMax: number;
  /** A new connection that has not sent a whole request's headers for so long is closed. */
  readonly firstRequestMs: number;
  /**
   * So is one that has been answered before and sends no other request, or does not take its answer. Longer
   * than what the usual clients and proxies keep a connection for (60 s), so that they close it first.
   */
  readonly idleMs: number;
  /** A connection whose request took too long to come may take so long to hear of it. */
  readonly lingerMs: number;
  /** How often the connections are looked at: all the times above are exact to this. */
  readonly sweepMs: number;
}

export const HTTP_LIMITS: HttpLimits = {
  connectionsMax: 4096,
  firstRequestMs: 10_000,
  idleMs: 75_000,
  lingerMs: 1000,
  sweepMs: 1000,
};
/** After a connection that could not be accepted, the next is tried after so long. */
export const ACCEPT_RETRY_MS = 100;
