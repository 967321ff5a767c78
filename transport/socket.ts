/**
 * The little that a transport asks of a byte stream, and Deno's sockets behind it.
 *
 * It exists so that mutual TLS, which Deno offers through `node:tls` only, can take the same place.
 * Why Deno's own API carries plain TCP: docs/decisions/0006-transport.md.
 *
 * @module
 */
import type { PeerAddress } from "./types.ts";

/** Nobody was reached: what the first write throws on a stream that dials only then. */
export class Unreached extends Error {
  override readonly name = "Unreached";
}

/** A connected byte stream. At most one read and one write are under way at a time. */
export interface Socket {
  /** For logs: where the other end is. */
  readonly remote: string;
  /**
   * Reads what is there, at least one byte, into the buffer. Null: the peer will send no more.
   *
   * @throws whatever the operating system says, and if the socket is closed meanwhile.
   */
  read(into: Uint8Array): Promise<number | null>;
  /** Writes a part, at least one byte, and says how many. @throws as `read`. */
  write(bytes: Uint8Array): Promise<number>;
  /** Ends both directions; what is under way rejects. Idempotent, never throws. */
  close(): void;
}

export interface SocketListener {
  readonly address: PeerAddress;
  /** Rejects with `Deno.errors.BadResource` or `Interrupted` once closed. */
  accept(): Promise<Socket>;
  close(): void;
}

/** Where a transport's byte streams come from. */
export interface StreamNet {
  /** Listens. @throws if the address cannot be had. */
  listen(address: PeerAddress): SocketListener;
  /** Connects. @throws if nothing listens there, or the signal is aborted first. */
  dial(address: PeerAddress, signal: AbortSignal): Promise<Socket>;
  /** Resolves when nothing is left of what listened and was dialled, all of which was closed before. */
  close(): Promise<void>;
}

/** The operating system's own. */
export const TCP_NET: StreamNet = {
  listen: listenSocket,
  dial: dialSocket,
  close: () => Promise.resolve(),
};

/** Listens. @throws if the address cannot be had. */
export function listenSocket(address: PeerAddress): SocketListener {
  const listener = Deno.listen({ hostname: address.hostname, port: address.port });
  const { hostname, port } = listener.addr as Deno.NetAddr;
  return {
    address: { hostname, port },
    accept: async () => new DenoSocket(await listener.accept()),
    close: () => listener.close(),
  };
}

/** Connects. @throws if nothing listens there, or the signal is aborted first. */
export async function dialSocket(address: PeerAddress, signal: AbortSignal): Promise<Socket> {
  const { hostname, port } = address;
  return new DenoSocket(await Deno.connect({ hostname, port, signal }));
}

class DenoSocket implements Socket {
  readonly remote: string;
  readonly #conn: Deno.TcpConn;
  #closed = false;

  constructor(conn: Deno.TcpConn) {
    this.#conn = conn;
    this.remote = `${conn.remoteAddr.hostname}:${conn.remoteAddr.port}`;
    // Nagle's algorithm against delayed acknowledgements costs 40 ms a message.
    conn.setNoDelay(true);
  }

  read(into: Uint8Array): Promise<number | null> {
    return this.#conn.read(into);
  }

  write(bytes: Uint8Array): Promise<number> {
    return this.#conn.write(bytes);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    try {
      this.#conn.close();
    } catch {
      // The other end had already torn it down.
    }
  }
}
