/**
 * Every maximum and deadline of the peer transports, in one place.
 *
 * @module
 */

/** Characters of a node, group or cluster name on the wire. */
export const NAME_CHARS_MAX = 64;

/**
 * Bytes of one frame's body. It must hold the largest single entry (an atomic write of 800 KiB of
 * keys and values with its checks is about 1.1 MiB) and the sender's largest batch.
 */
export const FRAME_BYTES_MAX = 8 * 1024 * 1024;

/** Bytes of one chunk of a snapshot: storage's are a little smaller, so as to fit into one value. */
export const CHUNK_BYTES_MAX = 64 * 1024;

/** Bytes of an operator's request that is passed on, and of its answer, which lists all members. */
export const ADMIN_BODY_BYTES_MAX = 64 * 1024;

/** Peers that counters are kept for; messages to further names are refused all the same, uncounted. */
export const COUNTED_PEERS_MAX = 1024;

/** What a transport may hold and how long it may wait. Tests set smaller ones. */
export interface TransportLimits {
  /** Messages that wait for one peer; one more is dropped. */
  readonly queueMessagesMax: number;
  /** Bytes that wait for one peer, the ones being written included; what would pass it is dropped. */
  readonly queueBytesMax: number;
}

/** The limits of the TCP transport. */
export interface TcpLimits extends TransportLimits {
  /** Bytes of one frame's body. */
  readonly frameBytesMax: number;
  /** From the dial, or the accept, to the end of the handshake. */
  readonly handshakeMs: number;
  /** Welcomed connections of senders that are not among the peers; one more is refused. */
  readonly strangersMax: number;
  /** Accepted connections that have not finished their handshake; one more is closed at once. */
  readonly handshakesMax: number;
  /** Before the first new attempt to reach a peer; doubled after each failure. */
  readonly backoffMinMs: number;
  readonly backoffMaxMs: number;
  /** How often connections are looked after, and a dialled one is probed. */
  readonly probeMs: number;
  /** A connection on which nothing was heard for so long is closed: its peer is gone or unreachable. */
  readonly silenceMs: number;
  /** A write that moved no byte for so long closes its connection. */
  readonly writeStallMs: number;
}

export const TRANSPORT_LIMITS: TransportLimits = {
  queueMessagesMax: 4096,
  queueBytesMax: 32 * 1024 * 1024,
};

export const TCP_LIMITS: TcpLimits = {
  ...TRANSPORT_LIMITS,
  frameBytesMax: FRAME_BYTES_MAX,
  handshakeMs: 2000,
  strangersMax: 16,
  handshakesMax: 64,
  backoffMinMs: 50,
  backoffMaxMs: 1000,
  probeMs: 1500,
  silenceMs: 4000,
  writeStallMs: 2000,
};

/**
 * What the faults over a transport hold back of one direction of one link, until its delay is over; what
 * would pass it is dropped. As much as a transport's own queue holds.
 */
export const HELD_LIMITS: TransportLimits = TRANSPORT_LIMITS;
/** A message held back so that a later one overtakes it waits no longer, if none comes. */
export const REORDER_HOLD_MS = 20;

/** Smaller frames are gathered up to so many bytes for one write; a larger part is written as it is. */
export const WRITE_GATHER_BYTES = 256 * 1024;

/** What one read from a socket can bring at most. */
export const READ_BUFFER_BYTES = 256 * 1024;
