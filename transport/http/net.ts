/**
 * Streams over HTTP, as a transport asks for them: one server for all that nodes dial here, one client for
 * all that is dialled.
 *
 * @module
 */
import type { TcpEnv } from "../backoff.ts";
import type { Socket, SocketListener, StreamNet } from "../socket.ts";
import type { PeerAddress } from "../types.ts";
import { DialledStream, type Requests } from "./dialled.ts";
import { PeerDoor } from "./door.ts";
import { type HttpPeerLimits, IDLE_CONNECTION_MS, IDLE_CONNECTIONS_MAX } from "./limits.ts";
import { HttpServer, remoteOf } from "./server.ts";

export class HttpNet implements StreamNet, Requests {
  readonly #env: TcpEnv;
  readonly #limits: HttpPeerLimits;
  readonly #underWay = new Set<Promise<unknown>>();
  #door: PeerDoor | null = null;
  #server: HttpServer | null = null;
  #client: Deno.HttpClient | null = null;

  constructor(env: TcpEnv, limits: HttpPeerLimits) {
    this.#env = env;
    this.#limits = limits;
  }

  listen({ hostname, port }: PeerAddress): SocketListener {
    const door = new PeerDoor(this.#env, this.#limits);
    const server = new HttpServer({
      hostname,
      port,
      handle: (request, info) => door.app.fetch(request, { remote: () => remoteOf(info) }),
      isStreamed: PeerDoor.isStreamed,
      onSweep: (nowMs) => door.sweep(nowMs),
      log: (text) => door.fail(new Error(text)),
      clock: this.#env,
    });
    this.#door = door;
    this.#server = server;
    return {
      address: { hostname: server.addr.hostname, port: server.addr.port },
      accept: () => door.accept(),
      close: () => door.close(),
    };
  }

  /** Whether anybody is there shows with the first write: a session begins with what that carries. */
  dial(address: PeerAddress, signal: AbortSignal): Promise<Socket> {
    if (signal.aborted) return Promise.reject(signal.reason);
    return Promise.resolve(new DialledStream(address, this, this.#limits));
  }

  async close(): Promise<void> {
    this.#door?.close();
    await this.#server?.close();
    await Promise.allSettled(this.#underWay);
    this.#client?.close();
    this.#client = null;
  }

  now(): number {
    return this.#env.now();
  }

  fetch(url: string, init: RequestInit): Promise<Response> {
    this.#client ??= Deno.createHttpClient({
      http2: false,
      poolMaxIdlePerHost: IDLE_CONNECTIONS_MAX,
      poolIdleTimeout: IDLE_CONNECTION_MS,
    });
    const response = fetch(url, { ...init, client: this.#client });
    this.#underWay.add(response);
    const over = () => void this.#underWay.delete(response);
    response.then(over, over);
    return response;
  }
}
