/**
 * Reads the bodies of requests and answers under a cap, and gives up those that come too slowly.
 *
 * Nothing is trusted that a sender declares: a length lets a body be refused before it is read, and what is
 * read is counted all the same. An answer that `fetch` inflates is counted as it comes out.
 *
 * @module
 */

/** The body has more bytes than it may. */
export class BodyTooLarge extends Error {
  override readonly name = "BodyTooLarge";
}

/** The body took too long to come. */
export class BodyTooSlow extends Error {
  override readonly name = "BodyTooSlow";
}

/**
 * Reads a whole body.
 *
 * @throws {BodyTooLarge} before it is read if it declares so, otherwise once it has passed the cap.
 * @throws whatever the connection throws when it breaks off.
 */
export function readBody(source: Request | Response, bytesMax: number): Promise<Uint8Array> {
  const declared = source.headers.get("content-length");
  // What an answer declares is not what comes of it when it is inflated.
  if (declared === null || !(source instanceof Request)) return readCounting(source, bytesMax);
  if (Number(declared) > bytesMax) return Promise.reject(new BodyTooLarge());
  // The server's own way of reading is the fastest, and it takes no more than was declared.
  return source.bytes().then((bytes) => {
    if (bytes.length > bytesMax) throw new BodyTooLarge();
    return bytes;
  });
}

async function readCounting(source: Request | Response, bytesMax: number): Promise<Uint8Array> {
  if (source.body === null) return new Uint8Array(0);
  const reader = source.body.getReader();
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  while (true) {
    const { done, value } = await reader.read();
    if (done) break;
    bytes += value.length;
    if (bytes > bytesMax) {
      // What becomes of the sender is not ours to wait for.
      reader.cancel().catch(() => {});
      throw new BodyTooLarge();
    }
    chunks.push(value);
  }
  if (chunks.length === 1) return chunks[0];
  const body = new Uint8Array(bytes);
  let at = 0;
  for (const chunk of chunks) {
    body.set(chunk, at);
    at += chunk.length;
  }
  return body;
}

interface Reading {
  /** As of the last sweep before it began: a clock costs too much a request. */
  readonly sinceMs: number;
  readonly giveUp: (error: BodyTooSlow) => void;
}

/** The bodies that are being read, each of which must be over after a time. It has no clock of its own. */
export class Readings {
  readonly #bodyMs: number;
  readonly #readings = new Set<Reading>();
  #nowMs: number;

  constructor(bodyMs: number, nowMs: number) {
    this.#bodyMs = bodyMs;
    this.#nowMs = nowMs;
  }

  /** Reads as {@linkcode readBody}. @throws {BodyTooSlow} if that takes too long. */
  read(request: Request, bytesMax: number): Promise<Uint8Array> {
    return new Promise((resolve, reject) => {
      const reading: Reading = { sinceMs: this.#nowMs, giveUp: reject };
      this.#readings.add(reading);
      const over = () => void this.#readings.delete(reading);
      readBody(request, bytesMax).then(resolve, reject).then(over);
    });
  }

  /** Gives up the bodies that take too long; whoever calls this closes their connections. */
  sweep(nowMs: number): void {
    this.#nowMs = nowMs;
    for (const reading of this.#readings) {
      // They stand in the order in which they began.
      if (nowMs - reading.sinceMs <= this.#bodyMs) return;
      this.#readings.delete(reading);
      reading.giveUp(new BodyTooSlow());
    }
  }
}
