/**
 * An HTTP/1.1 client that sends each request once, over a connection that it keeps, and says what is known
 * when the connection breaks. `fetch` sends a request again by itself then, even a POST, and reports the
 * second attempt: whoever counts cannot use it.
 *
 * @module
 */
import { BODY_BYTES_MAX, HEAD_BYTES_MAX } from "./limits.ts";

export interface CallRequest {
  readonly method: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

export type Answer =
  | {
    readonly type: "answered";
    readonly status: number;
    readonly headers: ReadonlyMap<string, string>;
    readonly body: string;
  }
  /** Nobody listened: certainly not done. */
  | { readonly type: "refused" }
  /** The connection broke, or no answer came in time: whether it was done is unknown. */
  | { readonly type: "broken"; readonly why: string };

/** What came is no answer of HTTP/1.1. */
class MalformedAnswer extends Error {
  override readonly name = "MalformedAnswer";
}

/** One client's connection to one node at a time. */
export class Connection {
  readonly #hostname: string;
  readonly #port: number;
  #socket: Deno.TcpConn | null = null;
  #reader: AnswerReader | null = null;

  constructor(hostname: string, port: number) {
    this.#hostname = hostname;
    this.#port = port;
  }

  /** Sends one request and waits for its answer, so long. Never rejects. One call at a time. */
  async call(request: CallRequest, withinMs: number): Promise<Answer> {
    let socket: Deno.TcpConn;
    try {
      socket = this.#socket ??= await this.#connect();
    } catch {
      return { type: "refused" };
    }
    this.#reader ??= new AnswerReader(socket);
    let isLate = false;
    const timer = setTimeout(() => {
      isLate = true;
      this.close();
    }, withinMs);
    try {
      await writeAll(socket, this.#encode(request));
      const answer = await this.#reader.read();
      if (answer.headers.get("connection")?.toLowerCase() === "close") this.close();
      return { type: "answered", ...answer };
    } catch (error) {
      this.close();
      return { type: "broken", why: isLate ? `no answer in ${withinMs} ms` : String(error) };
    } finally {
      clearTimeout(timer);
    }
  }

  close(): void {
    const socket = this.#socket;
    this.#socket = null;
    this.#reader = null;
    try {
      socket?.close();
    } catch {
      // It has been closed by what broke it.
    }
  }

  async #connect(): Promise<Deno.TcpConn> {
    const socket = await Deno.connect({ hostname: this.#hostname, port: this.#port });
    socket.setNoDelay(true);
    return socket;
  }

  #encode({ method, path, headers = {}, body }: CallRequest): Uint8Array {
    const bytes = new TextEncoder().encode(body ?? "");
    const lines = [`${method} ${path} HTTP/1.1`, `host: ${this.#hostname}:${this.#port}`];
    for (const [name, value] of Object.entries(headers)) lines.push(`${name}: ${value}`);
    if (body !== undefined) lines.push(`content-length: ${bytes.length}`);
    const head = new TextEncoder().encode(`${lines.join("\r\n")}\r\n\r\n`);
    const all = new Uint8Array(head.length + bytes.length);
    all.set(head);
    all.set(bytes, head.length);
    return all;
  }
}

async function writeAll(socket: Deno.TcpConn, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await socket.write(bytes.subarray(at));
}

/** Reads answers off a connection, one after the other. */
class AnswerReader {
  readonly #socket: Deno.TcpConn;
  readonly #buffer = new Uint8Array(65_536);
  /** What was read and not yet used. */
  #rest: Uint8Array = new Uint8Array();

  constructor(socket: Deno.TcpConn) {
    this.#socket = socket;
  }

  async read() {
    const head = new TextDecoder().decode(await this.#until("\r\n\r\n", HEAD_BYTES_MAX));
    const [first, ...lines] = head.split("\r\n");
    const status = /^HTTP\/1\.1 (\d{3})/.exec(first)?.[1];
    if (status === undefined) throw new MalformedAnswer(`Cannot read answer: it begins ${first}`);
    const headers = new Map(lines.map((line) => {
      const colon = line.indexOf(":");
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()] as const;
    }));
    const body = new TextDecoder().decode(await this.#body(Number(status), headers));
    return { status: Number(status), headers, body };
  }

  async #body(status: number, headers: ReadonlyMap<string, string>): Promise<Uint8Array> {
    if (status === 204 || status === 304) return new Uint8Array();
    if (headers.get("transfer-encoding")?.toLowerCase() === "chunked") return await this.#chunks();
    const length = headers.get("content-length");
    if (length === undefined) throw new MalformedAnswer("Cannot read answer: no length");
    return await this.#exactly(Number(length));
  }

  async #chunks(): Promise<Uint8Array> {
    const chunks: Uint8Array[] = [];
    for (let bytes = 0;;) {
      const line = new TextDecoder().decode(await this.#until("\r\n", HEAD_BYTES_MAX));
      const length = Number.parseInt(line, 16);
      if (!(length >= 0) || (bytes += length) > BODY_BYTES_MAX) {
        throw new MalformedAnswer(`Cannot read answer: a chunk of length ${line}`);
      }
      const chunk = await this.#exactly(length + 2);
      if (length === 0) return concatenated(chunks);
      chunks.push(chunk.subarray(0, length));
    }
  }

  /** What stands before the mark, which is used up too. */
  async #until(mark: string, bytesMax: number): Promise<Uint8Array> {
    const wanted = new TextEncoder().encode(mark);
    for (let from = 0;;) {
      const at = indexOf(this.#rest, wanted, from);
      if (at >= 0) {
        const found = this.#rest.subarray(0, at);
        this.#rest = this.#rest.subarray(at + wanted.length);
        return found;
      }
      if (this.#rest.length > bytesMax) throw new MalformedAnswer("Cannot read answer: too long");
      from = Math.max(0, this.#rest.length - wanted.length);
      await this.#more();
    }
  }

  async #exactly(bytes: number): Promise<Uint8Array> {
    if (!(bytes >= 0 && bytes <= BODY_BYTES_MAX)) {
      throw new MalformedAnswer(`Cannot read answer: a body of ${bytes} bytes`);
    }
    while (this.#rest.length < bytes) await this.#more();
    const found = this.#rest.subarray(0, bytes);
    this.#rest = this.#rest.subarray(bytes);
    return found;
  }

  async #more(): Promise<void> {
    const read = await this.#socket.read(this.#buffer);
    if (read === null) throw new Error("the connection was closed before the answer");
    this.#rest = concatenated([this.#rest, this.#buffer.subarray(0, read)]);
  }
}

function concatenated(parts: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

function indexOf(bytes: Uint8Array, wanted: Uint8Array, from: number): number {
  for (let at = from; at + wanted.length <= bytes.length; at++) {
    if (wanted.every((byte, i) => bytes[at + i] === byte)) return at;
  }
  return -1;
}
