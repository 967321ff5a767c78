/**
 * The shell around the pure parts: one UDP socket of the operating system, timers, and the sessions as
 * byte streams, which is all that the rest of the transport knows of them.
 *
 * Why Deno's own datagrams and not `node:dgram`: docs/decisions/0020-udp-transport.md.
 *
 * @module
 */
import { randomBytes } from "node:crypto";
import { lookup } from "node:dns/promises";
import { isIP } from "node:net";
import type { TcpEnv } from "../backoff.ts";
import type { Socket, SocketListener, StreamNet } from "../socket.ts";
import type { PeerAddress } from "../types.ts";
import { canonical, Endpoint, type EndpointOwner, keyOf, type Remote } from "./endpoint.ts";
import { DATAGRAM_BUFFER_BYTES, type UdpLimits } from "./limits.ts";
import type { Session } from "./session.ts";

/** After the operating system could not say what has come. */
const RECEIVE_RETRY_MS = 1;

/** Byte streams over one UDP socket, which `listen` opens and `close` ends. */
export class UdpNet implements StreamNet, EndpointOwner {
  readonly #env: TcpEnv;
  readonly #limits: UdpLimits;
  readonly #endpoint: Endpoint;
  readonly #streams = new Map<Session, UdpStream>();
  /** Accepted, and not yet asked for. */
  readonly #backlog: UdpStream[] = [];
  /** Streams that had more to send than the operating system would take. */
  readonly #held = new Set<UdpStream>();
  #awaiting: PromiseWithResolvers<Socket> | null = null;
  #socket: Deno.DatagramConn | null = null;
  #receiving: Promise<void> = Promise.resolve();
  #sends = 0;
  #drained: PromiseWithResolvers<void> | null = null;
  /** What every caller of `close` waits for. */
  #closing: Promise<void> | null = null;
  /** From `listen` until what that gave is closed. */
  #isListening = false;
  #isClosed = false;

  constructor(env: TcpEnv, limits: UdpLimits) {
    this.#env = env;
    this.#limits = limits;
    this.#endpoint = new Endpoint({
      limits,
      owner: this,
      cookieKey: randomBytes(32),
      drawId: () => randomBytes(6).readUIntBE(0, 6),
    });
  }

  listen({ hostname, port }: PeerAddress): SocketListener {
    const socket = Deno.listenDatagram({ transport: "udp", hostname, port });
    this.#socket = socket;
    this.#isListening = true;
    this.#receiving = this.#receive(socket);
    const address = socket.addr as Deno.NetAddr;
    return {
      address: { hostname: address.hostname, port: address.port },
      accept: () => this.#accept(),
      close: () => this.#stopAccepting(),
    };
  }

  async dial(address: PeerAddress, signal: AbortSignal): Promise<Socket> {
    const remote = await resolve(address);
    signal.throwIfAborted();
    const session = this.#socket === null ? null : this.#endpoint.dial(remote, this.#env.now());
    if (session === null) throw new Error("Cannot dial: too many sessions, or none can be had");
    const stream = this.#add(session, remote);
    const abort = () => stream.fail(signal.reason);
    signal.addEventListener("abort", abort);
    stream.pump();
    try {
      await stream.opened;
      return stream;
    } finally {
      signal.removeEventListener("abort", abort);
    }
  }

  /** Tells every peer that its session has ended, and lets go of the socket. Idempotent. */
  close(): Promise<void> {
    return this.#closing ??= this.#end();
  }

  reply(datagram: Uint8Array, remote: Remote): void {
    if (this.#sends < this.#limits.sendsMax) this.send(datagram, remote, null);
  }

  accepted(session: Session, remote: Remote): void {
    const stream = this.#add(session, remote);
    stream.pump();
    if (this.#awaiting === null) {
      this.#backlog.push(stream);
      return;
    }
    this.#awaiting.resolve(stream);
    this.#awaiting = null;
  }

  changed(session: Session): void {
    this.#streams.get(session)?.changed();
  }

  /** False if too many datagrams are under way to the operating system: the stream is told when to go on. */
  canSend(stream: UdpStream): boolean {
    if (this.#sends < this.#limits.sendsMax) return true;
    this.#held.add(stream);
    return false;
  }

  /** Sends one datagram. What cannot be sent is lost, as others are on the way; its stream is told. */
  send(datagram: Uint8Array, { hostname, port }: Remote, stream: UdpStream | null): void {
    if (this.#socket === null || this.#isClosed) return;
    this.#sends += 1;
    this.#socket.send(datagram, { transport: "udp", hostname, port }).then(
      () => this.#sent(),
      (error) => {
        stream?.sendFailed(error);
        this.#sent();
      },
    );
  }

  forget(stream: UdpStream): void {
    this.#streams.delete(stream.session);
    this.#held.delete(stream);
    this.#endpoint.forget(stream.session, this.#env.now());
  }

  async #end(): Promise<void> {
    this.#stopAccepting();
    for (const stream of [...this.#streams.values()]) stream.abort();
    if (this.#sends > 0) {
      this.#drained = Promise.withResolvers();
      await this.#drained.promise;
    }
    this.#isClosed = true;
    this.#socket?.close();
    await this.#receiving;
  }

  #add(session: Session, remote: Remote): UdpStream {
    const stream = new UdpStream(this, this.#env, session, remote);
    this.#streams.set(session, stream);
    return stream;
  }

  #accept(): Promise<Socket> {
    const stream = this.#backlog.shift();
    if (stream !== undefined) return Promise.resolve(stream);
    if (!this.#isListening) {
      return Promise.reject(new Deno.errors.BadResource("The listener is closed"));
    }
    this.#awaiting = Promise.withResolvers();
    return this.#awaiting.promise;
  }

  #stopAccepting(): void {
    this.#isListening = false;
    this.#endpoint.stopAccepting();
    this.#awaiting?.reject(new Deno.errors.Interrupted("The listener was closed"));
    this.#awaiting = null;
    for (const stream of this.#backlog.splice(0)) stream.close();
  }

  #sent(): void {
    this.#sends -= 1;
    if (this.#sends === 0) this.#drained?.resolve();
    if (this.#held.size === 0 || this.#sends > this.#limits.sendsMax / 2) return;
    const held = [...this.#held];
    this.#held.clear();
    for (const stream of held) stream.pump();
  }

  /** One buffer serves all: what a session keeps of a datagram it copies. */
  async #receive(socket: Deno.DatagramConn): Promise<void> {
    const buffer = new Uint8Array(DATAGRAM_BUFFER_BYTES);
    while (!this.#isClosed) {
      let received: [Uint8Array, Deno.Addr];
      try {
        received = await socket.receive(buffer);
      } catch (error) {
        if (this.#isClosed || error instanceof Deno.errors.BadResource) return;
        // A refusal that the operating system brings back, of a datagram sent before: nothing is lost.
        await new Promise<void>((resolve) => void this.#env.setTimer(resolve, RECEIVE_RETRY_MS));
        continue;
      }
      const [datagram, from] = received;
      this.#endpoint.receive(datagram, from as Deno.NetAddr, this.#env.now());
    }
  }
}

/** One session as a byte stream, with its timer. */
class UdpStream implements Socket {
  readonly remote: string;
  readonly session: Session;
  readonly opened: Promise<void>;
  readonly #net: UdpNet;
  readonly #env: TcpEnv;
  readonly #address: Remote;
  readonly #opening = Promise.withResolvers<void>();
  #reading: { into: Uint8Array; done: PromiseWithResolvers<number | null> } | null = null;
  #writing: { bytes: Uint8Array; done: PromiseWithResolvers<number> } | null = null;
  #timer: { cancel(): void } | null = null;
  #timerMs = Infinity;
  #isClosed = false;
  #isForgotten = false;
  #error: unknown = null;

  constructor(net: UdpNet, env: TcpEnv, session: Session, remote: Remote) {
    this.#net = net;
    this.#env = env;
    this.session = session;
    this.#address = remote;
    this.remote = keyOf(remote);
    this.opened = this.#opening.promise;
    // Nobody may be waiting for it when it fails.
    this.opened.catch(() => {});
  }

  read(into: Uint8Array): Promise<number | null> {
    const done = Promise.withResolvers<number | null>();
    this.#reading = { into, done };
    this.#serveRead();
    return done.promise;
  }

  write(bytes: Uint8Array): Promise<number> {
    const done = Promise.withResolvers<number>();
    this.#writing = { bytes, done };
    this.#serveWrite();
    return done.promise;
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.session.close(this.#env.now());
    this.changed();
  }

  /** Ends it without delivering what was written. */
  abort(): void {
    this.#isClosed = true;
    this.session.abort();
    this.changed();
  }

  fail(error: unknown): void {
    this.#error ??= error;
    this.abort();
  }

  /** A peer that cannot even be sent to is not dialled any further. */
  sendFailed(error: unknown): void {
    if (this.session.state === "opening") this.fail(error);
  }

  /** The session may have more to read, room to write, something to send, or an end. */
  changed(): void {
    if (this.session.state === "open") this.#opening.resolve();
    this.#serveRead();
    this.#serveWrite();
    this.pump();
  }

  /** Sends what is due, and sets the timer for what is due later. */
  readonly pump = (): void => {
    while (this.#net.canSend(this)) {
      const datagram = this.session.poll(this.#env.now());
      if (datagram === null) break;
      this.#net.send(datagram, this.#address, this);
    }
    if (this.session.state === "closed") this.#end();
    else this.#setTimer();
  };

  #end(): void {
    if (this.#isForgotten) return;
    this.#isForgotten = true;
    this.#timer?.cancel();
    this.#timer = null;
    this.#opening.reject(this.#lost());
    this.#net.forget(this);
    this.#serveRead();
    this.#serveWrite();
  }

  #serveRead(): void {
    const reading = this.#reading;
    if (reading === null) return;
    if (this.#isClosed) {
      this.#reading = null;
      reading.done.reject(this.#lost());
    } else if (this.session.readable > 0) {
      this.#reading = null;
      reading.done.resolve(this.session.read(reading.into));
      // The peer may have waited for the room.
      this.pump();
    } else if (this.session.isEnded) {
      this.#reading = null;
      reading.done.resolve(null);
    } else if (this.session.state === "closed") {
      this.#reading = null;
      reading.done.reject(this.#lost());
    }
  }

  #serveWrite(): void {
    const writing = this.#writing;
    if (writing === null) return;
    if (this.#isClosed || this.session.state === "closed") {
      this.#writing = null;
      return writing.done.reject(this.#lost());
    }
    const written = this.session.write(writing.bytes);
    if (written === 0) return;
    this.#writing = null;
    writing.done.resolve(written);
    this.pump();
  }

  #lost(): unknown {
    return this.#error ??
      new Deno.errors.ConnectionReset(`The session with ${this.remote} is over`);
  }

  /** A timer that comes too early costs less than one that is set anew with every packet. */
  #setTimer(): void {
    const dueMs = this.session.dueMs;
    if (this.#timer !== null && this.#timerMs <= dueMs) return;
    this.#timer?.cancel();
    const nowMs = this.#env.now();
    this.#timerMs = dueMs;
    this.#timer = this.#env.setTimer(() => {
      this.#timer = null;
      this.session.tick(this.#env.now());
      this.changed();
    }, Math.max(0, dueMs - nowMs));
  }
}

/** The address that a name stands for. @throws if nobody knows. */
async function resolve({ hostname, port }: PeerAddress): Promise<Remote> {
  const address = isIP(hostname) === 0 ? (await lookup(hostname)).address : hostname;
  return { hostname: canonical(address), port };
}
