/**
 * The Hono app that nodes reach each other through, and the sessions that come through it.
 *
 * It listens on the peers' port of its own (net.ts). It needs no port for itself: whoever has a server may
 * mount it there, if that calls {@linkcode PeerDoor.sweep} from time to time.
 *
 * @module
 */
import { type Context, Hono } from "hono";
import type { TcpEnv } from "../backoff.ts";
import { refusalIn } from "../handshake.ts";
import type { Socket } from "../socket.ts";
import { type AcceptedOwner, AcceptedStream, type Answer } from "./accepted.ts";
import { BodyTooLarge, BodyTooSlow, Readings } from "./bodies.ts";
import type { HttpPeerLimits } from "./limits.ts";
import {
  MESSAGES_PATH,
  PIECE_TYPE,
  problem,
  readSequence,
  readSession,
  refusal,
  SEQUENCE_HEADER,
  SESSION_HEADER,
  WATCH_PATH,
} from "./wire.ts";

/** What the server says of a request beside the request itself: where it comes from. */
type Env = { Bindings: { readonly remote: () => string } };

export class PeerDoor implements AcceptedOwner {
  readonly app: Hono<Env>;
  readonly #env: TcpEnv;
  readonly #limits: HttpPeerLimits;
  readonly #readings: Readings;
  readonly #sessions = new Map<string, AcceptedStream>();
  /** The ids of sessions that are over, the oldest first. */
  readonly #ended = new Set<string>();
  /** Those that are open and not yet accepted. */
  readonly #waiting: AcceptedStream[] = [];
  #accepting: PromiseWithResolvers<Socket> | null = null;
  #closed = false;

  constructor(env: TcpEnv, limits: HttpPeerLimits) {
    this.#env = env;
    this.#limits = limits;
    this.#readings = new Readings(limits.bodyMs, env.now());
    this.app = new Hono<Env>();
    this.app.post(MESSAGES_PATH, (c) => this.#messages(c));
    this.app.post(WATCH_PATH, (c) => this.#watch(c.req.raw.headers));
    this.app.notFound(() => problem("no-such-route"));
    this.app.onError(() => problem("internal"));
  }

  /** Whether an answer is one that is made as it is read. */
  static isStreamed(response: Response): boolean {
    return response.status === 200 && !response.headers.has("content-type");
  }

  /** Resolves with the next stream. Rejects once the door is closed. */
  accept(): Promise<Socket> {
    const stream = this.#waiting.shift();
    if (stream !== undefined) return Promise.resolve(stream);
    if (this.#closed) return Promise.reject(new Deno.errors.BadResource("The door is closed"));
    this.#accepting = Promise.withResolvers();
    return this.#accepting.promise;
  }

  /** The server cannot go on for now: whoever waits for a stream is told. */
  fail(error: Error): void {
    this.#accepting?.reject(error);
    this.#accepting = null;
  }

  sweep(nowMs: number): void {
    this.#readings.sweep(nowMs);
  }

  /** Ends all sessions, and takes no more. */
  close(): void {
    this.#closed = true;
    for (const stream of this.#sessions.values()) stream.close();
    this.#waiting.length = 0;
    this.fail(new Deno.errors.BadResource("The door is closed"));
  }

  opened(stream: AcceptedStream): void {
    if (this.#accepting === null) {
      this.#waiting.push(stream);
      return;
    }
    this.#accepting.resolve(stream);
    this.#accepting = null;
  }

  closed({ session }: AcceptedStream): void {
    this.#sessions.delete(session);
    this.#ended.add(session);
    if (this.#ended.size > this.#limits.endedMax) {
      this.#ended.delete(this.#ended.values().next().value!);
    }
  }

  async #messages({ req: { raw }, env }: Context<Env>): Promise<Response> {
    const { headers } = raw;
    if (headers.get("content-type") !== PIECE_TYPE || headers.has("content-encoding")) {
      return problem("unsupported-media-type");
    }
    const session = readSession(headers.get(SESSION_HEADER));
    const sequence = readSequence(headers.get(SEQUENCE_HEADER));
    if (session === null || sequence === null) return problem("bad-request");
    const stream = this.#sessions.get(session) ?? this.#open(session, sequence, env.remote);
    if (stream instanceof Response) return stream;
    try {
      const answer = await stream.take(sequence, () => this.#readPiece(raw));
      return respond(answer, sequence);
    } catch (error) {
      if (error instanceof BodyTooLarge) return problem("too-large");
      if (error instanceof BodyTooSlow) return problem("body-timeout");
      return problem("bad-request");
    }
  }

  async #readPiece(request: Request): Promise<Uint8Array> {
    const bytes = await this.#readings.read(request, this.#limits.pieceBytesMax);
    if (bytes.length === 0) throw new RangeError("Cannot take a piece without bytes");
    return bytes;
  }

  /** The session that a first piece opens; or what speaks against it. */
  #open(session: string, sequence: number, remote: () => string): AcceptedStream | Response {
    if (this.#closed || sequence !== 0 || this.#ended.has(session)) return problem("session-ended");
    if (this.#sessions.size >= this.#limits.sessionsMax) return problem("busy");
    const stream = new AcceptedStream(session, remote(), this, this.#env, this.#limits);
    this.#sessions.set(session, stream);
    return stream;
  }

  #watch(headers: Headers): Response {
    const session = readSession(headers.get(SESSION_HEADER));
    if (session === null) return problem("bad-request");
    const stream = this.#sessions.get(session);
    if (stream === undefined) return problem("session-ended");
    return new Response(stream.watch(), { headers: { "cache-control": "no-store" } });
  }
}

function respond(answer: Answer, sequence: number): Response {
  if (answer.type !== "taken") return problem(answer.type);
  if (answer.bytes === null) return new Response(null, { status: 204 });
  // The first piece is a hello, so what answers it may be a refusal: HTTP says so in its own words.
  const reason = sequence === 0 ? refusalIn(answer.bytes) : null;
  if (reason !== null) return refusal(reason);
  return new Response(answer.bytes as Uint8Array<ArrayBuffer>, {
    headers: { "content-type": PIECE_TYPE, "cache-control": "no-store" },
  });
}
