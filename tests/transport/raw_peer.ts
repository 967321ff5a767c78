/**
 * The other end of a connection, in the test's own hand: it says what the test tells it to say.
 *
 * @module
 */
import { type NodeId } from "../../raft/types.ts";
import { HOLDS_ALL } from "../../transport/acquaintances.ts";
import { encodeHello, type Hello, PROTOCOL_VERSION } from "../../transport/handshake.ts";
import { encodeMessage } from "../../transport/codec.ts";
import { FRAME_HEADER_BYTES, setFrameLength } from "../../transport/frame.ts";
import type { PeerAddress } from "../../transport/types.ts";
import { GROUP, N1, N2, ping, until } from "./harness.ts";

export const CLUSTER = "test-cluster";
/** What all hellos of the tests say, unless told otherwise. */
export const INCARNATION = 2 ** 47 + 5;
export const ADDRESS = "127.0.0.1:9002";
const LIFE = { boot: 1, incarnation: INCARNATION, ...HOLDS_ALL, address: ADDRESS };
/** What comes before a hello's body: magic, version, length. */
export const PREAMBLE_BYTES = 8;

/** n2 to n1, unless told otherwise. */
export function hello(change: Partial<Hello> = {}): Uint8Array {
  return encodeHello({ clusterId: CLUSTER, from: N2, to: N1, ...LIFE, ...change });
}

/** The answer of a node that welcomes: a hello after a zero. */
export function welcomeText(from: NodeId, to: NodeId, change: Partial<Hello> = {}): Uint8Array {
  const text = encodeHello({ clusterId: CLUSTER, from, to, ...LIFE, ...change });
  const answer = new Uint8Array(text.length + 1);
  answer.set(text.subarray(0, PREAMBLE_BYTES));
  answer.set(text.subarray(PREAMBLE_BYTES), PREAMBLE_BYTES + 1);
  answer[PREAMBLE_BYTES - 1] += 1;
  return answer;
}

/** The answer of a node that refuses. */
export function refusalText(code: number): Uint8Array {
  return new Uint8Array([0x4b, 0x56, 0x52, 0x4d, 0, PROTOCOL_VERSION, 0, 1, code]);
}

/** A framed read request. */
export function frame(id: number): Uint8Array {
  return framed(encodeMessage(GROUP, ping(id)));
}

export function framed(body: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(FRAME_HEADER_BYTES + body.length);
  setFrameLength(bytes, body.length);
  bytes.set(body, FRAME_HEADER_BYTES);
  return bytes;
}

/** A connection that collects what it reads. */
export class RawPeer {
  readonly received: number[] = [];
  /** The other side has closed, one way or the other. */
  ended = false;
  readonly #conn: Deno.Conn;
  #reading: Promise<void> = Promise.resolve();

  constructor(conn: Deno.Conn, reads = true) {
    this.#conn = conn;
    if (reads) this.#reading = this.#read();
  }

  static async dial(address: PeerAddress | null): Promise<RawPeer> {
    if (address === null) throw new Error("the transport does not listen");
    return new RawPeer(await Deno.connect({ hostname: address.hostname, port: address.port }));
  }

  async send(...parts: Uint8Array[]): Promise<void> {
    for (const part of parts) {
      for (let at = 0; at < part.length;) at += await this.#conn.write(part.subarray(at));
    }
  }

  /** Greets as told, and waits for the welcome. */
  async greet(change: Partial<Hello> = {}): Promise<void> {
    await this.send(hello(change));
    await until("the hello is answered", () => this.received.length > PREAMBLE_BYTES);
    if (this.received[PREAMBLE_BYTES] !== 0) throw new Error("not welcomed");
    this.received.length = 0;
  }

  async closed(): Promise<void> {
    await until("the connection is closed", () => this.ended);
  }

  async close(): Promise<void> {
    try {
      this.#conn.close();
    } catch {
      // It had been closed by the test before.
    }
    await this.#reading;
  }

  async #read(): Promise<void> {
    const buffer = new Uint8Array(65_536);
    try {
      while (true) {
        const read = await this.#conn.read(buffer);
        if (read === null) break;
        this.received.push(...buffer.subarray(0, read));
      }
    } catch {
      // Reset, or closed by the test.
    }
    this.ended = true;
  }
}

/** A listener whose connections the test holds in its hand. */
export class RawServer {
  readonly peers: RawPeer[] = [];
  readonly address: PeerAddress;
  readonly #listener: Deno.TcpListener;
  readonly #accepting: Promise<void>;

  constructor(
    onConnection: (peer: RawPeer) => void,
    options: { reads: boolean } = { reads: true },
  ) {
    this.#listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const { hostname, port } = this.#listener.addr;
    this.address = { hostname, port };
    this.#accepting = this.#accept(onConnection, options.reads);
  }

  async close(): Promise<void> {
    this.#listener.close();
    await this.#accepting;
    await Promise.all(this.peers.map((peer) => peer.close()));
  }

  async #accept(onConnection: (peer: RawPeer) => void, reads: boolean): Promise<void> {
    for await (const conn of this.#listener) {
      const peer = new RawPeer(conn, reads);
      this.peers.push(peer);
      onConnection(peer);
    }
  }
}
