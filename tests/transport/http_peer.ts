/**
 * The other end of HTTP sessions in the test's own hand: single requests as a dialler sends them, a server
 * that answers what it is told to, and a relay that cuts connections.
 *
 * @module
 */
import { MESSAGES_PATH, SEQUENCE_HEADER, SESSION_HEADER } from "../../transport/http/wire.ts";
import type { StreamTransport } from "../../transport/streams.ts";
import type { PeerAddress } from "../../transport/types.ts";

export const PIECE = "application/vnd.kvorum.peer";

export interface Answered {
  readonly status: number;
  readonly bytes: Uint8Array;
  /** Of a problem. */
  readonly code: string | null;
}

/** What a dialler's request has, with the body of a piece; a change of null leaves a header out. */
export function pieceHeaders(
  session: string,
  sequence: number | string,
  change: Readonly<Record<string, string | null>> = {},
): Headers {
  const headers = new Headers({
    "content-type": PIECE,
    [SESSION_HEADER]: session,
    [SEQUENCE_HEADER]: String(sequence),
  });
  for (const [name, value] of Object.entries(change)) {
    if (value === null) headers.delete(name);
    else headers.set(name, value);
  }
  return headers;
}

export async function answered(response: Response): Promise<Answered> {
  const bytes = await response.bytes();
  const isProblem = response.headers.get("content-type") === "application/problem+json";
  const code = isProblem ? JSON.parse(new TextDecoder().decode(bytes)).code : null;
  return { status: response.status, bytes, code };
}

export function urlOf(transport: StreamTransport, path = MESSAGES_PATH): string {
  return `http://127.0.0.1:${transport.address!.port}${path}`;
}

/** A session of a dialler that sends what the test says, in any order and as often. */
export class RawSession {
  readonly id: string;
  readonly #transport: StreamTransport;

  constructor(transport: StreamTransport, id: string = crypto.randomUUID()) {
    this.#transport = transport;
    this.id = id;
  }

  async post(sequence: number, body: Uint8Array): Promise<Answered> {
    return answered(
      await fetch(urlOf(this.#transport), {
        method: "POST",
        headers: pieceHeaders(this.id, sequence),
        body: body as Uint8Array<ArrayBuffer>,
      }),
    );
  }
}

/** The bytes of a request, for a connection that sends only a part of them. */
export function rawRequest(session: string, sequence: number, bodyBytes: number): Uint8Array {
  const lines = [`POST ${MESSAGES_PATH} HTTP/1.1`, "host: test", `content-length: ${bodyBytes}`];
  pieceHeaders(session, sequence).forEach((value, name) => lines.push(`${name}: ${value}`));
  return new TextEncoder().encode(`${lines.join("\r\n")}\r\n\r\n`);
}

/** A server of the test's own; `answer` is asked for each request. */
export class HttpStub {
  readonly paths: string[] = [];
  readonly #server: Deno.HttpServer<Deno.NetAddr>;

  constructor(answer: (path: string, request: Request) => Response | Promise<Response>) {
    this.#server = Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen() {} },
      async (request) => {
        const { pathname } = new URL(request.url);
        this.paths.push(pathname);
        // A dialler that gives up in the middle is what some tests are about.
        await request.bytes().catch(() => {});
        return answer(pathname, request);
      },
    );
  }

  get address(): PeerAddress {
    const { hostname, port } = this.#server.addr;
    return { hostname, port };
  }

  async close(): Promise<void> {
    await this.#server.shutdown();
  }
}

/** What a relay does to a connection when its node has sent an answer to pieces. */
export type Cut = "answer" | "request" | null;

/** Between a dialler and a node: moves bytes, and cuts connections when it is told to. */
export class HttpRelay {
  /** Asked for each request for pieces: whether to cut the connection midway, and where. */
  onPiece: () => Cut = () => null;
  cuts = 0;
  readonly #to: PeerAddress;
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly #open = new Set<Deno.Conn>();
  readonly #moving = new Set<Promise<void>>();

  constructor(to: PeerAddress) {
    this.#to = to;
    this.#track(this.#accept());
  }

  get address(): PeerAddress {
    const { hostname, port } = this.#listener.addr;
    return { hostname, port };
  }

  /** Ends every connection that is open. */
  cutAll(): void {
    for (const conn of this.#open) this.#end(conn);
  }

  async close(): Promise<void> {
    this.#listener.close();
    this.cutAll();
    await Promise.all(this.#moving);
  }

  #end(conn: Deno.Conn): void {
    if (!this.#open.delete(conn)) return;
    try {
      conn.close();
    } catch {
      // The other end was quicker.
    }
  }

  #track(moving: Promise<void>): void {
    this.#moving.add(moving);
    void moving.then(() => this.#moving.delete(moving));
  }

  async #accept(): Promise<void> {
    try {
      for await (const near of this.#listener) {
        const far = await Deno.connect({ hostname: this.#to.hostname, port: this.#to.port });
        for (const conn of [near, far]) this.#open.add(conn);
        const state: { cut: Cut } = { cut: null };
        const cut = () => {
          this.cuts += 1;
          for (const conn of [near, far]) this.#end(conn);
        };
        this.#track(this.#move(near, far, (bytes) => {
          const text = new TextDecoder().decode(bytes.subarray(0, 64));
          state.cut = text.startsWith(`POST ${MESSAGES_PATH}`) ? this.onPiece() : state.cut;
          if (state.cut !== "request") return true;
          cut();
          return false;
        }));
        this.#track(this.#move(far, near, () => {
          if (state.cut !== "answer") return true;
          cut();
          return false;
        }));
      }
    } catch {
      // Closed by the test.
    }
  }

  async #move(from: Deno.Conn, to: Deno.Conn, passes: (bytes: Uint8Array) => boolean) {
    const buffer = new Uint8Array(65_536);
    try {
      while (true) {
        const read = await from.read(buffer);
        if (read === null) break;
        const bytes = buffer.subarray(0, read);
        if (!passes(bytes)) return;
        for (let at = 0; at < read;) at += await to.write(bytes.subarray(at));
      }
    } catch {
      // Cut.
    }
    this.#end(from);
    this.#end(to);
  }
}
