/**
 * Every maximum and interval of the UDP transport, in one place. What it has in common with TCP (queues,
 * frames, handshakes, probes) is in ../limits.ts.
 *
 * @module
 */

/** What a session and an endpoint may hold and how long they may wait. Tests set smaller ones. */
export interface UdpLimits {
  /** Bytes of one datagram: what every path of the internet carries in one piece (RFC 9000 section 14). */
  readonly datagramBytesMax: number;
  /** The same to the machine itself, whose path carries 64 KiB; few fit into a socket's buffer. */
  readonly loopbackDatagramBytesMax: number;
  /**
   * Bytes that may be under way to this machine itself: there all of them lie in the receiver's socket, which
   * holds some 190 KiB of large datagrams and 96 KiB of small ones, and drops what is more.
   */
  readonly loopbackWindowBytesMax: number;
  /** Bytes that one session holds until the peer has acknowledged them. */
  readonly sendBufferBytes: number;
  /** Bytes that one session holds until they are read; the peer may send no further. */
  readonly receiveWindowBytes: number;
  /** Gaps in what one session holds; a datagram that would leave one more counts as lost. */
  readonly receiveGapsMax: number;
  /** Packets of one session that are not yet acknowledged or lost. */
  readonly sentPacketsMax: number;
  /** Sessions of one endpoint, whoever opened them; one more is not opened. */
  readonly sessionsMax: number;
  /** Sessions that others opened: fewer, so that nobody can keep this node from opening its own. */
  readonly acceptedMax: number;
  /** Sessions that have ended and whose openings are not heard again; the oldest is forgotten. */
  readonly buriedMax: number;
  /** Answers in a second to whom nothing is known of: cookies and resets. */
  readonly repliesPerSecondMax: number;
  /** Datagrams handed to the operating system and not yet taken. */
  readonly sendsMax: number;
  /** How long a cookie proves an address. */
  readonly cookieMs: number;
  /** Before an opening that nobody has answered is sent again; doubled up to the maximum. */
  readonly openRetryMinMs: number;
  readonly openRetryMaxMs: number;
  /** How long an acknowledgement may wait for another packet (RFC 9000 section 13.2.1). */
  readonly ackDelayMs: number;
  /** The round trip that is assumed before one was measured. */
  readonly initialRttMs: number;
  /** Bounds of the time without acknowledgement after which a probe is sent (RFC 9002 section 6.2). */
  readonly probeMinMs: number;
  readonly probeMaxMs: number;
  /** A session that hears nothing for so long has ended. */
  readonly idleMs: number;
  /** How long a session that was closed goes on delivering what was written before. */
  readonly lingerMs: number;
}

export const UDP_LIMITS: UdpLimits = {
  datagramBytesMax: 1200,
  loopbackDatagramBytesMax: 24 * 1024,
  loopbackWindowBytesMax: 128 * 1024,
  sendBufferBytes: 256 * 1024,
  receiveWindowBytes: 256 * 1024,
  receiveGapsMax: 256,
  sentPacketsMax: 1024,
  sessionsMax: 192,
  acceptedMax: 128,
  buriedMax: 1024,
  repliesPerSecondMax: 500,
  sendsMax: 64,
  cookieMs: 5000,
  openRetryMinMs: 50,
  openRetryMaxMs: 400,
  ackDelayMs: 5,
  initialRttMs: 100,
  probeMinMs: 10,
  probeMaxMs: 1000,
  idleMs: 10_000,
  lingerMs: 2000,
};

/** Ranges that one acknowledgement names, and that are remembered of the packets that came. */
export const ACK_RANGES_MAX = 32;

/** What one datagram can bring at most. */
export const DATAGRAM_BUFFER_BYTES = 64 * 1024;
