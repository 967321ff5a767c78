/**
 * The dialling end of a stream over HTTP: sends the stream in numbered pieces, one request each, and reads
 * what their answers bring back.
 *
 * One piece is under way at a time, so that they cannot overtake each other; what is sent meanwhile is
 * gathered for the next (send_queue.ts). A request whose answer was lost is sent again under its number,
 * which the other side knows. `fetch` itself does so, too, when a connection breaks that it has kept.
 *
 * Beside them an answer without an end is read (the watch), which breaks off when the other node's process
 * ends: otherwise only the next request would show it.
 *
 * @module
 */
import { HandshakeRefused, isRefusal } from "../handshake.ts";
import { type Socket, Unreached } from "../socket.ts";
import type { PeerAddress } from "../types.ts";
import { BodyTooLarge, readBody } from "./bodies.ts";
import { ANSWER_BYTES_MAX, type HttpPeerLimits } from "./limits.ts";
import {
  MESSAGES_PATH,
  PIECE_TYPE,
  readProblemCode,
  SEQUENCE_HEADER,
  SESSION_HEADER,
  WATCH_PATH,
} from "./wire.ts";

/** Something answered that is no Kvorum node, or none that understands this one. */
class WrongAnswer extends Error {
  override readonly name = "WrongAnswer";
}

/** The other side has ended the session. */
class SessionEnded extends Error {
  override readonly name = "SessionEnded";
}

/** Sends requests, and knows which are under way. */
export interface Requests {
  /** Monotonic clock, in ms. */
  now(): number;
  fetch(url: string, init: RequestInit): Promise<Response>;
}

/** Answers by which something on the way says that the node was not reached, and those of a busy node. */
const PASSING_STATUS: ReadonlySet<number> = new Set([408, 429, 502, 503, 504]);

export class DialledStream implements Socket {
  readonly remote: string;
  readonly #origin: string;
  readonly #requests: Requests;
  readonly #limits: HttpPeerLimits;
  readonly #session: string = crypto.randomUUID();
  readonly #abort = new AbortController();
  /** The number of the next piece. */
  #next = 0;
  /** What came back and was not read. */
  #received: Uint8Array = new Uint8Array(0);
  #reading: { into: Uint8Array; done: PromiseWithResolvers<number | null> } | null = null;
  /** Why nothing more will come; its error is null if the other side has ended the session. */
  #over: { readonly error: unknown } | null = null;

  constructor(address: PeerAddress, requests: Requests, limits: HttpPeerLimits) {
    const { hostname, port } = address;
    this.remote = `${hostname.includes(":") ? `[${hostname}]` : hostname}:${port}`;
    this.#origin = `http://${this.remote}`;
    this.#requests = requests;
    this.#limits = limits;
  }

  read(into: Uint8Array): Promise<number | null> {
    if (this.#received.length > 0) {
      const part = this.#received.subarray(0, into.length);
      into.set(part);
      this.#received = this.#received.subarray(part.length);
      return Promise.resolve(part.length);
    }
    if (this.#over !== null) {
      return this.#over.error === null ? Promise.resolve(null) : Promise.reject(this.#over.error);
    }
    const reading = this.#reading = { into, done: Promise.withResolvers<number | null>() };
    return reading.done.promise;
  }

  async write(bytes: Uint8Array): Promise<number> {
    const piece = bytes.subarray(0, this.#limits.pieceBytesMax);
    const sequence = this.#next++;
    try {
      await this.#send(sequence, piece);
    } catch (error) {
      this.#end(error);
      throw error;
    }
    if (sequence === 0) void this.#watch();
    return piece.length;
  }

  close(): void {
    this.#end(new Error("Cannot go on: the session was closed"));
    this.#abort.abort();
  }

  /** Sends a piece until it is answered. */
  async #send(sequence: number, piece: Uint8Array): Promise<void> {
    for (let repeats = 0;; repeats++) {
      try {
        const answer = await this.#post(sequence, piece);
        if (answer !== null) this.#receive(answer);
        return;
      } catch (error) {
        const isFinal = error instanceof WrongAnswer || error instanceof SessionEnded ||
          error instanceof HandshakeRefused || this.#abort.signal.aborted;
        if (!isFinal && repeats < this.#limits.repeatsMax) continue;
        throw sequence === 0 ? dialError(error, this.remote) : error;
      }
    }
  }

  async #post(sequence: number, piece: Uint8Array): Promise<Uint8Array | null> {
    const response = await this.#requests.fetch(this.#origin + MESSAGES_PATH, {
      method: "POST",
      headers: [
        ["content-type", PIECE_TYPE],
        [SESSION_HEADER, this.#session],
        [SEQUENCE_HEADER, String(sequence)],
        ["accept-encoding", "identity"],
      ],
      // fetch copies it before it returns (Fetch standard, "extract a body"): the buffer is the sender's.
      body: piece as Uint8Array<ArrayBuffer>,
      redirect: "manual",
      signal: this.#abort.signal,
    });
    if (response.status === 204) return null;
    const body = await readAnswer(response);
    if (response.status === 200 && response.headers.get("content-type") === PIECE_TYPE) return body;
    const code = readProblemCode(body);
    if (code === "session-ended") throw new SessionEnded("Cannot send: the session has ended");
    if (sequence === 0 && isRefusal(code)) throw new HandshakeRefused(code, true, null);
    const text = `Cannot send to ${this.remote}: it answered ${response.status}`;
    throw PASSING_STATUS.has(response.status) ? new Error(text) : new WrongAnswer(text);
  }

  #receive(bytes: Uint8Array): void {
    const reading = this.#reading;
    this.#reading = null;
    const taken = reading === null ? 0 : Math.min(bytes.length, reading.into.length);
    const rest = bytes.subarray(taken);
    if (this.#received.length + rest.length > ANSWER_BYTES_MAX) {
      throw new WrongAnswer(`Cannot take more of ${this.remote} than is read`);
    }
    if (rest.length > 0) this.#received = concat(this.#received, rest);
    reading?.into.set(bytes.subarray(0, taken));
    reading?.done.resolve(taken);
  }

  #end(error: unknown): void {
    if (this.#over !== null) return;
    this.#over = { error: error instanceof SessionEnded ? null : error };
    const reading = this.#reading;
    this.#reading = null;
    if (this.#over.error === null) reading?.done.resolve(null);
    else reading?.done.reject(this.#over.error);
  }

  /**
   * Watches the session to its end. What is cut off, by whatever lies between, is begun anew; if that fails
   * too, the other side has gone. Where something answers that cannot be watched with, the probes must
   * do (outgoing.ts).
   */
  async #watch(): Promise<void> {
    let failures = 0;
    while (this.#over === null) {
      const beganMs = this.#requests.now();
      let error: unknown = null;
      try {
        await this.#watchOnce();
      } catch (thrown) {
        error = thrown;
      }
      if (error instanceof WrongAnswer) return;
      if (error instanceof SessionEnded) return this.#end(error);
      // Asking on at once, each time that it breaks off at once, would be a storm.
      const isQuick = this.#requests.now() - beganMs < this.#limits.watchMs / 4;
      failures = isQuick ? failures + 1 : 0;
      if (failures <= this.#limits.repeatsMax) continue;
      if (error !== null) this.#end(new SessionEnded("Cannot watch: the node has gone"));
      return;
    }
  }

  async #watchOnce(): Promise<void> {
    const response = await this.#requests.fetch(this.#origin + WATCH_PATH, {
      method: "POST",
      headers: [[SESSION_HEADER, this.#session], ["accept-encoding", "identity"]],
      redirect: "manual",
      signal: this.#abort.signal,
    });
    const body = await readAnswer(response);
    if (response.status === 200 && body.length === 0) return;
    if (readProblemCode(body) === "session-ended") {
      throw new SessionEnded("Cannot watch: the session has ended");
    }
    throw new WrongAnswer(`Cannot watch ${this.remote}: it answered ${response.status}`);
  }
}

/** What became of a dial whose first piece was not taken: nothing was agreed upon yet. */
function dialError(error: unknown, remote: string): unknown {
  if (error instanceof HandshakeRefused || error instanceof SessionEnded) return error;
  if (error instanceof WrongAnswer) return new HandshakeRefused("malformed", false, null);
  return new Unreached(`Cannot reach ${remote}`, { cause: error });
}

/** Reads an answer, inflated or not, no further than it can be one of a Kvorum node. */
async function readAnswer(response: Response): Promise<Uint8Array> {
  try {
    return await readBody(response, ANSWER_BYTES_MAX);
  } catch (error) {
    if (!(error instanceof BodyTooLarge)) throw error;
    throw new WrongAnswer(`Cannot take an answer of more than ${ANSWER_BYTES_MAX} bytes`);
  }
}

function concat(a: Uint8Array, b: Uint8Array): Uint8Array {
  const whole = new Uint8Array(a.length + b.length);
  whole.set(a);
  whole.set(b, a.length);
  return whole;
}
