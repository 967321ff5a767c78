/**
 * The listening end of a stream over HTTP: puts the pieces that requests bring in order, each once, and
 * sends back what is written with the answer to the piece that it answers.
 *
 * A piece is answered when all of it was read and handled, or something was written: so the answer is the
 * dialler's permission for the next one, and nothing is held here but the one piece that is being read.
 *
 * Not here: what HTTP has to say (door.ts), what the bytes mean (handshake.ts, frame.ts).
 *
 * @module
 */
import type { TcpEnv } from "../backoff.ts";
import type { Socket } from "../socket.ts";
import type { HttpPeerLimits } from "./limits.ts";

/** What becomes of a piece. */
export type Answer =
  /** Bytes that go back; null for none. */
  | { readonly type: "taken"; readonly bytes: Uint8Array | null }
  | { readonly type: "busy" | "out-of-order" | "session-ended" };

const TAKEN: Answer = { type: "taken", bytes: null };
const ENDED: Answer = { type: "session-ended" };

/** What a stream tells the door that it came through. */
export interface AcceptedOwner {
  /** Its first piece has come: it can be accepted. */
  opened(stream: AcceptedStream): void;
  closed(stream: AcceptedStream): void;
}

/** The piece that is being read. */
interface Piece {
  readonly bytes: Uint8Array;
  at: number;
  readonly answered: PromiseWithResolvers<Answer>;
}

/** A read or a write that waits. */
interface Waiting<T> {
  readonly bytes: Uint8Array;
  readonly done: PromiseWithResolvers<T>;
}

export class AcceptedStream implements Socket {
  readonly session: string;
  readonly remote: string;
  readonly #owner: AcceptedOwner;
  readonly #env: TcpEnv;
  readonly #limits: HttpPeerLimits;
  /** The number of the next piece. */
  #next = 0;
  #piece: Piece | null = null;
  /** The answer to the piece before `#next`, for a request that repeats it. */
  #lastAnswer: Promise<Answer> = Promise.resolve(ENDED);
  #requests = 0;
  #reading: Waiting<number | null> | null = null;
  /** What was written and goes back with the next answer, and the write that waits for it to leave. */
  #back: Uint8Array | null = null;
  #writing: Waiting<number> | null = null;
  #watch: Watch | null = null;
  /** Whether a request came since the watch was cut off. */
  #heard = true;
  #grace: { cancel(): void } | null = null;
  /** The dialler has gone. */
  #ended = false;
  #closed = false;

  constructor(
    session: string,
    remote: string,
    owner: AcceptedOwner,
    env: TcpEnv,
    limits: HttpPeerLimits,
  ) {
    this.session = session;
    this.remote = remote;
    this.#owner = owner;
    this.#env = env;
    this.#limits = limits;
  }

  /**
   * Takes the piece of a number, whose bytes `readBody` brings. A request that repeats the last piece gets
   * that one's answer.
   *
   * @throws what `readBody` throws; the piece was then not taken.
   */
  async take(sequence: number, readBody: () => Promise<Uint8Array>): Promise<Answer> {
    if (this.#closed) return ENDED;
    this.#heard = true;
    const isEarly = sequence === this.#next && this.#piece !== null;
    if (sequence > this.#next || isEarly) return { type: "out-of-order" };
    if (this.#requests >= this.#limits.requestsMax) return { type: "busy" };
    this.#requests += 1;
    try {
      // Read in any case: an answer on top of a body that is still coming would end the connection.
      const bytes = await readBody();
      if (this.#closed) return ENDED;
      this.#heard = true;
      if (sequence === this.#next && this.#piece === null) this.#begin(bytes);
      return sequence === this.#next - 1 ? await this.#lastAnswer : TAKEN;
    } catch (error) {
      // Of a session that nobody has heard anything of, nothing is kept.
      if (this.#next === 0 && this.#requests === 1) this.close();
      throw error;
    } finally {
      this.#requests -= 1;
    }
  }

  /** An answer that ends with the session, or after a while. A new one ends the one before. */
  watch(): ReadableStream<Uint8Array> {
    this.#heard = true;
    this.#watch?.end();
    const watch = this.#watch = new Watch(this.#env, this.#limits.watchMs, () => {
      if (this.#watch === watch) this.#suspect();
    });
    return watch.stream;
  }

  read(into: Uint8Array): Promise<number | null> {
    if (this.#closed) return Promise.reject(new Error("Cannot read: the session was closed"));
    const piece = this.#piece;
    if (piece !== null && piece.at < piece.bytes.length) return Promise.resolve(hand(piece, into));
    if (piece !== null) this.#answer(piece);
    if (this.#ended) return Promise.resolve(null);
    this.#reading = { bytes: into, done: Promise.withResolvers() };
    return this.#reading.done.promise;
  }

  write(bytes: Uint8Array): Promise<number> {
    if (this.#closed) return Promise.reject(new Error("Cannot write: the session was closed"));
    // A copy: the writer's buffer is its own again, and the answer may be repeated.
    const copy = bytes.slice();
    if (this.#back !== null) {
      this.#writing = { bytes: copy, done: Promise.withResolvers() };
      return this.#writing.done.promise;
    }
    this.#back = copy;
    const piece = this.#piece;
    if (piece !== null && piece.at === piece.bytes.length) this.#answer(piece);
    return Promise.resolve(copy.length);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#grace?.cancel();
    // What was written last may be why it is closed.
    if (this.#piece !== null && this.#back !== null) this.#answer(this.#piece);
    this.#piece?.answered.resolve(ENDED);
    this.#piece = null;
    const error = new Error("Cannot go on: the session was closed");
    this.#reading?.done.reject(error);
    this.#writing?.done.reject(error);
    this.#reading = this.#writing = null;
    this.#watch?.end();
    this.#watch = null;
    this.#owner.closed(this);
  }

  #begin(bytes: Uint8Array): void {
    const piece: Piece = { bytes, at: 0, answered: Promise.withResolvers() };
    this.#piece = piece;
    this.#lastAnswer = piece.answered.promise;
    this.#next += 1;
    const reading = this.#reading;
    this.#reading = null;
    reading?.done.resolve(hand(piece, reading.bytes));
    if (this.#next === 1) this.#owner.opened(this);
  }

  #answer(piece: Piece): void {
    const [back, writing] = [this.#back, this.#writing];
    this.#piece = this.#writing = null;
    this.#back = writing?.bytes ?? null;
    piece.answered.resolve(back === null ? TAKEN : { type: "taken", bytes: back });
    writing?.done.resolve(writing.bytes.length);
  }

  /** The watch was cut off: by the dialler's end, or by something on the way. Only the former is silent. */
  #suspect(): void {
    this.#watch = null;
    this.#heard = false;
    this.#grace?.cancel();
    this.#grace = this.#env.setTimer(() => {
      if (this.#heard || this.#requests > 0) return;
      this.#ended = true;
      this.#reading?.done.resolve(null);
      this.#reading = null;
    }, this.#limits.graceMs);
  }
}

/** Copies as much of a piece as there is room for. */
function hand(piece: Piece, into: Uint8Array): number {
  const part = piece.bytes.subarray(piece.at, piece.at + into.length);
  into.set(part);
  piece.at += part.length;
  return part.length;
}

/** A stream without bytes, which shows both sides when the other one goes. */
class Watch {
  readonly stream: ReadableStream<Uint8Array>;
  readonly #timer: { cancel(): void };
  #controller: ReadableStreamDefaultController<Uint8Array> | null = null;

  /** @param onCut called when whoever reads it has gone. */
  constructor(env: TcpEnv, watchMs: number, onCut: () => void) {
    this.#timer = env.setTimer(() => this.end(), watchMs);
    this.stream = new ReadableStream({
      start: (controller) => void (this.#controller = controller),
      cancel: () => {
        this.#controller = null;
        this.#timer.cancel();
        onCut();
      },
    });
  }

  end(): void {
    this.#timer.cancel();
    this.#controller?.close();
    this.#controller = null;
  }
}
