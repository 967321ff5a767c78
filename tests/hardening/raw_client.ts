/**
 * A client that sends bytes as they are, and nothing more than it is told: half a request, for example.
 *
 * @module
 */

/** After so long a server that says nothing, or does not close, has failed the test. */
const PATIENCE_MS = 10_000;

export class RawClient implements Disposable {
  readonly #connection: Deno.TcpConn;
  readonly #timer: ReturnType<typeof setTimeout>;
  #text = "";
  #isOver = false;

  private constructor(connection: Deno.TcpConn) {
    this.#connection = connection;
    this.#timer = setTimeout(() => this.#close(), PATIENCE_MS);
  }

  static async connect(port: number): Promise<RawClient> {
    return new RawClient(await Deno.connect({ hostname: "127.0.0.1", port }));
  }

  /** Sends all of it, or as much as the server takes before it closes. */
  async send(data: string | Uint8Array): Promise<void> {
    const bytes = typeof data === "string" ? new TextEncoder().encode(data) : data;
    for (let at = 0; at < bytes.length;) {
      try {
        at += await this.#connection.write(bytes.subarray(at));
      } catch {
        return;
      }
    }
  }

  /** Reads until what has come matches, and gives all of it. @throws if the server closes before. */
  async until(pattern: RegExp): Promise<string> {
    while (!pattern.test(this.#text)) {
      if (!await this.#read()) throw new Error(`closed after ${JSON.stringify(this.#text)}`);
    }
    return this.#text;
  }

  /** Reads until the server closes the connection, and gives all that has come. */
  async rest(): Promise<string> {
    while (await this.#read());
    if (this.#isOver) throw new Error(`still open after ${JSON.stringify(this.#text)}`);
    return this.#text;
  }

  /** Forgets what has come. */
  forget(): void {
    this.#text = "";
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    if (!this.#isOver) this.#close();
  }

  async #read(): Promise<boolean> {
    const buffer = new Uint8Array(65_536);
    let bytes: number | null;
    try {
      bytes = await this.#connection.read(buffer);
    } catch {
      return false;
    }
    if (bytes === null) return false;
    this.#text += new TextDecoder("latin1").decode(buffer.subarray(0, bytes));
    return true;
  }

  #close(): void {
    this.#isOver = true;
    try {
      this.#connection.close();
    } catch {
      // The other end had torn it down.
    }
  }
}

/** One whole exchange on a connection of its own: what the server says until it closes. */
export async function exchange(port: number, data: string | Uint8Array): Promise<string> {
  using client = await RawClient.connect(port);
  await client.send(data);
  return await client.rest();
}

/** The status of the first answer in it; NaN for none. */
export function statusOf(answer: string): number {
  return Number(/^HTTP\/1\.[01] (\d{3}) /.exec(answer)?.[1] ?? NaN);
}
