/**
 * Connections that are kept, as a client's pool does, and clients that have nowhere else to go.
 *
 * @module
 */

export const REQUEST = "PUT /v1/kv/kept HTTP/1.1\r\nhost: n1\r\ncontent-length: 0";

export interface Outcome {
  answered: number;
  /** Answers of another status than 200. */
  refused: number;
  /** Requests whose connection was closed instead of an answer: what became of them, nobody knows. */
  cut: number;
}

/** Asks again and again, on the same connection while it may, until nobody listens. */
export async function stay(port: number, pauseMs: number): Promise<Outcome> {
  const outcome = { answered: 0, refused: 0, cut: 0 };
  for (;;) {
    using kept = await Kept.open(port);
    if (kept === null) return outcome;
    for (let mayKeep = true; mayKeep;) {
      const answer = await kept.ask(REQUEST);
      if (answer === null) {
        outcome.cut++;
        break;
      }
      outcome.answered++;
      if (!answer.startsWith("HTTP/1.1 200 ")) outcome.refused++;
      mayKeep = !/^connection: close\r$/im.test(answer);
      if (pauseMs > 0) await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
  }
}

/** One connection. */
export class Kept implements Disposable {
  readonly #connection: Deno.TcpConn;

  private constructor(connection: Deno.TcpConn) {
    this.#connection = connection;
  }

  /** Null if nobody listens. */
  static async open(port: number): Promise<Kept | null> {
    try {
      return new Kept(await Deno.connect({ hostname: "127.0.0.1", port }));
    } catch (error) {
      if (error instanceof Deno.errors.ConnectionRefused) return null;
      throw error;
    }
  }

  /** Sends one request; gives the whole answer, or null if the connection was closed instead. */
  async ask(request: string): Promise<string | null> {
    try {
      return await this.#ask(`${request}\r\n\r\n`);
    } catch (error) {
      if (error instanceof Deno.errors.ConnectionReset || error instanceof Deno.errors.BrokenPipe) {
        return null;
      }
      throw error;
    }
  }

  async #ask(request: string): Promise<string | null> {
    await this.#connection.write(new TextEncoder().encode(request));
    const buffer = new Uint8Array(65_536);
    let text = "";
    for (;;) {
      const bytes = await this.#connection.read(buffer);
      if (bytes === null) return null;
      text += new TextDecoder().decode(buffer.subarray(0, bytes));
      const [, head, length] = /^(.*?content-length: (\d+).*?\r\n\r\n)/is.exec(text) ?? [];
      if (head !== undefined && text.length >= head.length + Number(length)) return text;
    }
  }

  [Symbol.dispose](): void {
    this.#connection.close();
  }
}
