/**
 * A node's HTTP server, of its clients' port or of its peers', connection by connection: how many there
 * may be, and how long each may keep the server waiting for a request or for its answer to be taken.
 *
 * `Deno.serve` has no limit on either (2.9.6; denoland/deno#25433): whoever connects and says nothing, or
 * sends half of a request's headers, holds a connection for as long as the process lives. So connections
 * are accepted here, and each is handed to what `Deno.serve` itself serves a connection with. Deno shows
 * that to its own modules only, as `Deno[Deno.internal]`; a version without it fails at the start.
 *
 * Not here: bodies that come slowly (routes/bodies.ts; bodies.ts), what requests mean, and the end of a
 * node that drains (cli/doors.ts).
 *
 * @module
 */
import { ACCEPT_RETRY_MS, HTTP_LIMITS, type HttpLimits } from "./limits.ts";

/** The clock and the timers of the server; tests bring their own. */
export interface HttpClock {
  now(): number;
  setTimer(callback: () => void, delayMs: number): { cancel(): void };
}

export interface HttpServerOptions {
  readonly hostname: string;
  /** 0 takes a free one, which `addr` tells. */
  readonly port: number;
  /** Must not reject. {@linkcode remoteOf} makes of `info` where the client is, for logs. */
  readonly handle: (
    request: Request,
    info: Deno.ServeHandlerInfo,
  ) => Response | Promise<Response>;
  /** Sees each answer before it leaves; what it returns, if not null, is waited for. */
  readonly onAnswer?: (response: Response) => Promise<void> | null;
  /** Whether an answer's body is made as it is read: it may take as long as its maker lets it. */
  readonly isStreamed?: (response: Response) => boolean;
  /** Called at each look at the connections, for whoever has deadlines of its own. */
  readonly onSweep?: (nowMs: number) => void;
  /** Takes a line for each failure that is no client's doing. */
  readonly log: (text: string) => void;
  readonly clock: HttpClock;
  readonly limits?: Partial<HttpLimits>;
}

/** What the server of one connection can do. */
type ConnectionServer = Pick<Deno.HttpServer, "finished" | "shutdown">;

type ServeConnection = (
  connection: Deno.Conn,
  signal: Pick<AbortSignal, "addEventListener">,
  handler: Deno.ServeHandler,
  onError: (error: unknown) => Response,
  onListen: () => void,
) => ConnectionServer;

/** The signal by which a connection's server is told to end it at once. */
class Cut implements Pick<AbortSignal, "addEventListener"> {
  #end: () => void = () => {};

  addEventListener(_type: string, listener: unknown): void {
    this.#end = listener as () => void;
  }

  /** A real signal would let the error of a server that is ending already end the process. */
  now(): void {
    try {
      this.#end();
    } catch (error) {
      if (!(error instanceof Deno.errors.BadResource)) throw error;
    }
  }
}

/** One connection. */
interface Visit {
  readonly cut: Cut;
  server: ConnectionServer | null;
  /** Requests whose answer has not been handed over, and answers that are still being made. */
  asking: number;
  /** Whether a request ever came. */
  hasAsked: boolean;
  /** Whether its client was told that it took too long: then nothing that it asks is waited for. */
  isOver: boolean;
  /**
   * When it last began to be waited for, or was over; as of the last sweep, since a clock costs too much a
   * request.
   */
  sinceMs: number;
}

/** The status of an answer to a request that took too long to come (routes/problem.ts). */
const REQUEST_TIMEOUT = 408;

/** Listens, and serves until {@linkcode HttpServer.shutdown}. */
export class HttpServer {
  readonly #options: HttpServerOptions;
  readonly #limits: HttpLimits;
  readonly #serve: ServeConnection;
  readonly #listener: Deno.TcpListener;
  readonly #visits = new Set<Visit>();
  readonly #accepting: Promise<void>;
  #timer: { cancel(): void };
  #nowMs: number;
  #isClosed = false;

  /** @throws {Deno.errors.AddrInUse} if somebody listens there. */
  constructor(options: HttpServerOptions) {
    this.#options = options;
    this.#limits = { ...HTTP_LIMITS, ...options.limits };
    this.#serve = connectionServing();
    this.#listener = Deno.listen({ hostname: options.hostname, port: options.port });
    this.#nowMs = options.clock.now();
    this.#timer = this.#sweepLater();
    this.#accepting = this.#accept();
  }

  get addr(): Deno.NetAddr {
    return this.#listener.addr;
  }

  /** Connections that are open. */
  get connections(): number {
    return this.#visits.size;
  }

  /**
   * Stops listening, lets every request that was taken be answered, and resolves once all connections have
   * ended.
   */
  async shutdown(): Promise<void> {
    if (!this.#isClosed) this.#listener.close();
    this.#isClosed = true;
    await this.#accepting;
    await Promise.all([...this.#visits].map((visit) => visit.server?.shutdown()));
    this.#timer.cancel();
  }

  /** Ends every connection, whatever is under way on it, and stops listening. */
  async close(): Promise<void> {
    if (!this.#isClosed) this.#listener.close();
    this.#isClosed = true;
    this.#timer.cancel();
    await this.#accepting;
    const visits = [...this.#visits];
    for (const { cut } of visits) cut.now();
    await Promise.allSettled(visits.map(({ server }) => server?.finished));
  }

  async #accept(): Promise<void> {
    let failures = 0;
    while (!this.#isClosed) {
      let connection: Deno.TcpConn;
      try {
        connection = await this.#listener.accept();
      } catch (error) {
        if (this.#isClosed) return;
        // Out of descriptors, or the client has gone: neither is mended by trying at once.
        if (failures++ === 0) this.#options.log(`cannot accept connections: ${error}`);
        await new Promise<void>((resolve) => {
          this.#options.clock.setTimer(resolve, ACCEPT_RETRY_MS);
        });
        continue;
      }
      failures = 0;
      if (this.#visits.size < this.#limits.connectionsMax) this.#visit(connection);
      else connection.close();
    }
  }

  #visit(connection: Deno.TcpConn): void {
    const cut = new Cut();
    const visit: Visit = {
      cut,
      server: null,
      asking: 0,
      hasAsked: false,
      isOver: false,
      sinceMs: this.#nowMs,
    };
    const onError = (error: unknown) => {
      this.#options.log(`a request failed outside its handler: ${error}`);
      return new Response(null, { status: 500 });
    };
    try {
      connection.setNoDelay(true);
      const server = this.#serve(
        connection,
        cut,
        (request, info) => this.#answer(visit, request, info),
        onError,
        () => {},
      );
      visit.server = server;
      this.#visits.add(visit);
      // That a connection broke is its client's affair, but its server keeps what it holds until it is told.
      void server.finished.catch(() => server.shutdown()).catch(() => {}).then(() => {
        this.#visits.delete(visit);
      });
    } catch (error) {
      // It was gone before it was served.
      this.#options.log(`cannot serve a connection: ${error}`);
      connection.close();
    }
  }

  /** Hot path of the clients' server: the only asynchronous function around the handler's own. */
  async #answer(visit: Visit, request: Request, info: Deno.ServeHandlerInfo): Promise<Response> {
    const { handle, onAnswer, isStreamed } = this.#options;
    visit.asking++;
    visit.hasAsked = true;
    try {
      const response = await handle(request, info);
      const held = onAnswer === undefined ? null : onAnswer(response);
      if (held !== null) await held;
      if (response.status === REQUEST_TIMEOUT) this.#giveUp(visit);
      else if (isStreamed?.(response)) this.#follow(visit, info.completed);
      return response;
    } finally {
      this.#rest(visit);
    }
  }

  /** Counts an answer as being made until it has been taken, or was cut off. */
  #follow(visit: Visit, completed: Promise<void>): void {
    visit.asking++;
    const rest = () => this.#rest(visit);
    void completed.then(rest, rest);
  }

  #giveUp(visit: Visit): void {
    if (visit.isOver) return;
    visit.isOver = true;
    visit.sinceMs = this.#nowMs;
  }

  #rest(visit: Visit): void {
    visit.asking--;
    if (!visit.isOver) visit.sinceMs = this.#nowMs;
  }

  #sweepLater(): { cancel(): void } {
    return this.#options.clock.setTimer(() => {
      this.#sweep(this.#options.clock.now());
      this.#timer = this.#sweepLater();
    }, this.#limits.sweepMs);
  }

  #sweep(nowMs: number): void {
    this.#nowMs = nowMs;
    this.#options.onSweep?.(nowMs);
    for (const visit of this.#visits) {
      // What a handler has taken it answers within deadlines of its own. Beside a body that was given up
      // HTTP/2 can ask for more and more, or watch, and so would keep the room of that body for ever.
      if (visit.asking > 0 && !visit.isOver || this.#isClosed) continue;
      if (nowMs - visit.sinceMs > this.#patienceMs(visit)) visit.cut.now();
    }
  }

  #patienceMs({ isOver, hasAsked }: Visit): number {
    if (isOver) return this.#limits.lingerMs;
    return hasAsked ? this.#limits.idleMs : this.#limits.firstRequestMs;
  }
}

/** Where the client of a request is, for logs. */
export function remoteOf({ remoteAddr }: Deno.ServeHandlerInfo): string {
  return "hostname" in remoteAddr ? `${remoteAddr.hostname}:${remoteAddr.port}` : "unknown";
}

/** What `Deno.serve` serves each of its connections with. */
function connectionServing(): ServeConnection {
  const { internal } = Deno as unknown as { internal: symbol };
  const internals = Reflect.get(Deno, internal) as { serveHttpOnConnection?: ServeConnection };
  const serve = internals?.serveHttpOnConnection;
  if (typeof serve !== "function") {
    throw new Error(
      `Cannot serve HTTP: Deno ${Deno.version.deno} does not serve single connections; use 2.9.6`,
    );
  }
  return serve;
}
