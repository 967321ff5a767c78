/**
 * What a transport tells about itself, for logs, metrics and failure detection.
 *
 * @module
 */
import type { GroupId, NodeId } from "../raft/types.ts";

/** `outgoing` carries what this node sends, `incoming` what the peer sends. */
export type Direction = "outgoing" | "incoming";

/** Why a handshake was refused. */
export type RefusalReason =
  | "wrong-version"
  | "wrong-cluster"
  | "wrong-recipient"
  | "unknown-sender"
  /** A process of an earlier boot of this peer: another has taken its place. */
  | "old-boot"
  /** Not the data that this peer had: it has forgotten what it promised on those. */
  | "other-data"
  /** An older copy of the data that this peer had: they lack what it acknowledged on them. */
  | "older-data"
  /** It speaks HTTP where this node speaks TCP, or the other way round (`--transport`). */
  | "wrong-transport"
  /** Not of this protocol, or not in its form. */
  | "malformed"
  /** Too many connections have not finished their handshake. */
  | "busy"
  /** The handshake did not end in time, or the connection was lost in it. */
  | "unfinished";

export type DisconnectReason =
  /** The peer closed it, or its process died. */
  | "closed-by-peer"
  | "socket-error"
  /** Nothing was heard for `silenceMs`. */
  | "silent"
  /** A write moved no byte for `writeStallMs`. */
  | "write-stalled"
  | "malformed"
  /** A newer connection of the same peer took its place: not a sign of failure. */
  | "replaced"
  /** The peer is no longer in the set, or its address changed. */
  | "removed"
  | "closing";

export type DropReason =
  | "unknown-peer"
  | "not-connected"
  | "queue-full"
  | "too-large"
  /** The message cannot be encoded: a defect of the sender. */
  | "not-encodable"
  /** It was queued on a connection that was lost. */
  | "connection-lost";

export type TransportEvent =
  | {
    readonly type: "connected";
    readonly peer: NodeId;
    readonly direction: Direction;
    readonly boot: number;
    /** Where it says that it can be reached, as `host:port`; null if it does not say. */
    readonly address: string | null;
  }
  /** Told as soon as the operating system tells it: the death of a process shows within a round trip. */
  | {
    readonly type: "disconnected";
    readonly peer: NodeId;
    readonly direction: Direction;
    readonly reason: DisconnectReason;
  }
  /** A handshake failed; nothing was delivered. `peer` is what the other side claims, if known. */
  | {
    readonly type: "refused";
    readonly direction: Direction;
    readonly peer: NodeId | null;
    readonly remote: string;
    readonly reason: RefusalReason;
    /** True if the other side refused this node. */
    readonly byPeer: boolean;
  }
  | { readonly type: "unreachable"; readonly peer: NodeId; readonly error: unknown }
  /** A frame could not be decoded; the connection is closed. */
  | { readonly type: "malformed"; readonly peer: NodeId; readonly error: Error }
  /** Once for each run of drops with one reason; the counters have the number. */
  | { readonly type: "dropped"; readonly peer: NodeId; readonly reason: DropReason }
  /** The handler threw; the message counts as delivered. */
  | {
    readonly type: "handler-failed";
    readonly peer: NodeId;
    readonly group: GroupId;
    readonly error: unknown;
  }
  /** A connection could not be accepted; the listener goes on. */
  | { readonly type: "accept-failed"; readonly error: unknown };

export type EventCallback = (event: TransportEvent) => void;
